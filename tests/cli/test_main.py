import errno
import os
import signal
import subprocess
import sys
import time
import warnings

import pytest

import ntkreg
from ntkreg import cli
from ntkreg.cli import main
from ntkreg.cli.main import COMMANDS
from ntkreg.errors import BackendError, DataError, NotPSDError, PlanError, SpecError


def failing(monkeypatch, error):
    """Make `ntkreg plan` fail with an error, whatever its arguments."""

    def plan(arguments):
        raise error

    monkeypatch.setattr("ntkreg.cli.commands.plan", plan)


def test_help_lists_every_command_with_examples(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert f"  {command} " in text
    assert "ntkreg fit configs/digits_fit.yaml" in text
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == text


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_of_every_command_has_examples(command, capsys):
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"examples:\n  ntkreg {command}" in text
    assert "--debug" in text


def test_version_is_the_package_s(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ntkreg {ntkreg.__version__}\n"


def test_an_unknown_command_suggests_the_nearest(capsys):
    assert main(["few_sample"]) == 2
    assert "unknown command 'few_sample'. Did you mean 'few-samples'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SpecError("depth is odd"), "depth is odd"),
        (DataError("cut\n  short"), "cut short"),
        (PlanError("too big; n = 5 would fit"), "too big; n = 5 would fit"),
        (NotPSDError("raise alpha"), "raise alpha"),
        (BackendError("no neural-tangents"), "no neural-tangents"),
        (FileNotFoundError("a.npz: there is no such file."), "a.npz: there is no such file."),
        (OSError(errno.ENOSPC, "No space left", "out/a"), "out/a: No space left. Free some"),
        (
            PermissionError(errno.EACCES, "Permission denied", "b"),
            "b: Permission denied. Give another path",
        ),
        (OSError(errno.ENOSPC, "No space left"), "a file: No space left. Free some space, or"),
        (
            OSError(errno.EROFS, "kernel: cannot write. Move it."),
            "kernel: cannot write. Move it.\n",
        ),
        (OSError(errno.EDQUOT, "Quota exceeded", "d"), "d: Quota exceeded. Free some space, or"),
        (MemoryError(), "out of memory"),
    ],
)
def test_an_error_is_one_line_and_exit_2_and_debug_raises_it(monkeypatch, capsys, error, text):
    failing(monkeypatch, error)
    assert main(["plan"]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"ntkreg: {text}")
    assert told.err.count("\n") == 1
    assert told.out == ""
    with pytest.raises(type(error)):
        main(["plan", "--debug"])


def test_a_bug_keeps_its_traceback(monkeypatch):
    failing(monkeypatch, AttributeError("ours"))
    with pytest.raises(AttributeError):
        main(["plan"])


def test_ctrl_c_is_one_line_and_exit_130(monkeypatch, capsys):
    failing(monkeypatch, KeyboardInterrupt())
    assert main(["plan"]) == 130
    assert capsys.readouterr().err.startswith("ntkreg: interrupted.")


def test_a_warning_is_one_line_without_the_code_around_it(monkeypatch, capsys):
    def plan(arguments):
        warnings.simplefilter("default")
        warnings.warn("few digits\nleft", UserWarning, stacklevel=1)

    monkeypatch.setattr("ntkreg.cli.commands.plan", plan)
    assert main(["plan"]) == 0
    assert capsys.readouterr().err == "ntkreg: warning: few digits left\n"


def test_python_m_ntkreg_is_the_same_program(config):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "ntkreg", *arguments], capture_output=True, text=True
        )

    version = run("--version")
    assert (version.returncode, version.stdout) == (0, f"ntkreg {ntkreg.__version__}\n")
    wrong = run("fit", config, "--alhpa", "1")
    assert wrong.returncode == 2
    assert wrong.stderr == "ntkreg: fit: unknown option --alhpa. Did you mean --alpha?\n"


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from ntkreg.cli import main; main([]);"
        "assert not {'numpy', 'sklearn', 'numba', 'pandas', 'jax', 'yaml'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_help_of_no_command_waits_for_what_only_its_work_needs():
    heavy = ("jax", "matplotlib", "numba", "optax", "pandas", "scipy", "sklearn", "zarr")
    code = (
        "import sys\n"
        "from ntkreg.cli import main\n"
        f"for command in {sorted(COMMANDS)}:\n"
        "    assert main([command, '--help']) == 0\n"
        f"    found = set({heavy}) & set(sys.modules)\n"
        "    if found: sys.exit(f'{command} --help imports {sorted(found)}')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("--debug") >= len(COMMANDS)


@pytest.mark.slow
def test_ctrl_c_ends_the_first_compilation_and_keeps_what_is_compiled(config, tmp_path, listening):
    kept = tmp_path / "kept"
    request = [sys.executable, "-m", "ntkreg", "fit", config, "--output", str(tmp_path / "fit")]
    run = subprocess.Popen(
        listening([*request, "--architecture", "{recipe: cntk, depth: 2}"]),
        env=os.environ | {"NUMBA_CACHE_DIR": str(kept)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(kept.glob("*/*.nbc")):
        assert run.poll() is None
        time.sleep(0.1)
    time.sleep(5)
    run.send_signal(signal.SIGINT)
    assert "interrupted" in run.communicate()[1]
    assert run.returncode == 130
    # The loop that calls all others is the last to be compiled.
    assert not list(kept.glob("*/stages.run_stages-*.nbc"))


def test_warm_says_what_is_compiled(monkeypatch, capsys):
    monkeypatch.setattr("ntkreg.kernels.warm.warm", lambda: 3)
    assert main(["warm"]) == 0
    assert capsys.readouterr().out == "3 networks are compiled.\n"
    assert main(["warm", "--n_jobs", "2"]) == 2
    assert "warm: unknown option --n_jobs" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "at_once"), [(130, True), (2, False)])
def test_only_an_interrupted_process_with_jax_ends_at_once(monkeypatch, status, at_once):
    ended = []
    monkeypatch.setattr(sys.modules["ntkreg.cli.main"], "main", lambda: status)
    monkeypatch.setitem(sys.modules, "jax", object())
    monkeypatch.setattr(os, "_exit", ended.append)
    with pytest.raises(SystemExit) as stop:
        cli.command()
    assert stop.value.code == status
    assert ended == [status] * at_once
