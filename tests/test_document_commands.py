"""Every command line in README.md, the other documents and `--help` works as it stands there."""

import argparse
import contextlib
import io
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from ntkreg.cli import main
from ntkreg.cli.main import COMMANDS
from ntkreg.cli.studies import STUDIES

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [path for folder in ("", "docs", "benchmarks")
             for path in sorted((ROOT / folder).glob("*.md"))]  # fmt: skip
PROGRAMS = ("ntkreg", "python", "make", "pip", "rm")

FOLDERS = {name: study.folder for name, study in STUDIES.items()}
WORK = {
    **{name: [f"ntkreg.studies.{f}.study.run_{f}"] for name, f in FOLDERS.items()},
    "predict": ["ntkreg.studies.fit.study.run_predict"],
    "plan": [f"ntkreg.studies.{f}.plan.plan_{f}" for f in FOLDERS.values()],
    "report": [
        f"ntkreg.report.register.{name}"
        for name in ("write_page", "write_benchmark", "write_joined", "remake_benchmark")
    ],
    "gram": ["ntkreg.studies.gram.study.run_gram", "ntkreg.gram.collection.kernel_folders"],
    "warm": ["ntkreg.kernels.warm.warm"],
}
"""Where the work of a command begins: what comes before it is run here as it is."""

WORDS = {"CONFIG": "configs/digits_fit.yaml", "PATH": "data"}
"""What is put for words in capitals; COMMAND stands for each command in turn."""

SLURM = {"$SLURM_ARRAY_TASK_ID": "7", "$SLURM_CPUS_PER_TASK": "2"}
"""What a queue sets for a job."""


class Started(Exception):
    """Work would begin now."""


def joined(text):
    """Join lines that a backslash continues; whole-line comments lose their mark."""
    return re.sub(r"\\\n(?:#\s*)?\s*", "", text)


def help_of(*arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main([*arguments, "--help"])
    return out.getvalue()


def spans(text):
    """Return code within text that begins as a command does."""
    found = (" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", text))
    return [code for code in found if code.split()[:1] and code.split()[0] in PROGRAMS[:3]]


def collect():
    """Return every command line with where it stands."""
    lines = {}
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        found = [
            line
            for block in re.findall(r"```(?:ba)?sh\n(.*?)```", text, re.DOTALL)
            for line in joined(block).splitlines()
        ]
        found += spans(re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        lines[path.relative_to(ROOT).as_posix()] = found
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        comments = "\n".join(line for line in path.read_text().splitlines() if line.startswith("#"))
        found = re.findall(r"^#\s+(ntkreg .*)$", joined(comments), re.MULTILINE)
        lines[path.relative_to(ROOT).as_posix()] = found + spans(re.sub(r"\n#", "", comments))
    for path in sorted((ROOT / "scripts").glob("*.py")):
        text = path.read_text().split('"""')[1]
        found = re.findall(r"^(?:    |Run it: )(python .*?)(?: \(.*)?$", text, re.MULTILINE)
        lines[path.relative_to(ROOT).as_posix()] = found + spans(text)
    for name in ["", *COMMANDS]:
        examples = help_of(*filter(None, [name])).partition("examples:\n")[2]
        lines[f"ntkreg {name} --help"] = [
            line.strip() for line in joined(examples).split("\n\n")[0].splitlines() if line
        ]
    return [
        pytest.param(line, id=f"{where}: {line}")
        for where, found in lines.items()
        for line in dict.fromkeys(found)
        if line.strip() and not line.startswith("#")
    ]


LINES = collect()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder like a fresh checkout, without data or results."""
    where = tmp_path_factory.mktemp("checkout")
    for name in ("configs", "scripts"):
        shutil.copytree(ROOT / name, where / name)
    return where


def words_of(line):
    """Return the words that a shell makes of a line, with words in capitals replaced."""
    for name, value in SLURM.items():
        line = line.replace(name, value)
    words = shlex.split(line, comments=True)
    while re.match(r"[A-Z_]+=", words[0]):  # a setting of the environment
        words.pop(0)
    return [re.sub(r"\b(CONFIG|PATH)\b", lambda m: WORDS[m[1]], word) for word in words]


def start(arguments, monkeypatch):
    """Run `ntkreg` up to its work; return what that was called with, None where it has none."""
    name = arguments[0]
    for target in WORK.get(name, ()):

        def begin(*args, **kwargs):
            raise Started(args)

        monkeypatch.setattr(target, begin)
    try:
        assert main(arguments) == 0, "refused"
    except Started as call:
        return call.args[0]
    except SystemExit as stop:  # of --help and --version
        if stop.code:
            raise
    return None


def check_ntkreg(arguments, monkeypatch):
    if arguments[:1] == ["COMMAND"]:
        for name in COMMANDS:
            check_ntkreg([name, *arguments[1:]], monkeypatch)
        return
    if arguments and len(arguments) == 1 and arguments != ["quickstart"]:
        # Text about a command, not a line to type.
        assert arguments[0] in COMMANDS or arguments[0].startswith("-")
        return
    call = start(arguments, monkeypatch)
    if not {"--help", "--print_config", "--version"} & set(arguments):
        assert call is not None, "no work began"
        others = ("predict", "plan", "report")
        if arguments[0] not in others and arguments[:2] != ["gram", "status"]:
            said = "--output" in arguments or Path("results") in call[1].parents
            assert said, "nothing says where results go"


def check_python(arguments, monkeypatch):
    if arguments[:2] == ["-m", "ntkreg"]:
        return check_ntkreg(arguments[2:], monkeypatch)
    script, *options = arguments
    assert script.startswith(("scripts/", "tests/oracles/")), f"{script}: an unknown script"
    path = ROOT / script
    if "ArgumentParser" not in path.read_text():
        assert path.exists()
        assert not options or "sys.argv" in path.read_text(), f"{script} takes no options"
        return None
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(self, *args, **kwargs):
        raise Started(parse(self, *args, **kwargs))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(sys, "argv", [str(path), *options])
    monkeypatch.syspath_prepend(path.parent)
    with pytest.raises(Started):
        runpy.run_path(str(path), run_name="__main__")
    return None


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_of_the_documents_comes_to_its_work(line, folder, monkeypatch):
    monkeypatch.chdir(folder)
    program, *arguments = words_of(line)
    if program == "ntkreg":
        check_ntkreg(arguments, monkeypatch)
    elif program == "python":
        check_python(arguments, monkeypatch)
    elif program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert len(arguments) == 1
        assert arguments[0] in targets
    elif program == "pip":
        assert arguments == ["install", "."]
    else:
        pytest.fail(f"{line!r}: this test does not know what {program} is. Teach it.")


def test_the_lines_are_found_where_they_stand():
    ids = [param.id for param in LINES]
    for wanted in (
        "README.md: ntkreg quickstart",
        "README.md: make quickstart",
        "CONTRIBUTING.md: python scripts/bench_kernels.py --only image",
        "configs/cifar10_best_kernel.yaml: ntkreg few-samples configs/cifar10_lap.yaml "
        "--preprocessing zca --symmetry flip --output results/few_lap_zca_flip",
        "benchmarks/optimizers_mnist.md: python -m ntkreg optimizers",
        "scripts/compare_finite.py: python scripts/compare_finite.py",
        "ntkreg few-samples --help: ntkreg few-samples configs/cifar10_few_samples.yaml "
        "--pool 40 --n_test 20 --n_samples '[10,20]' --depths '[4,5]'",
    ):
        assert any(found.startswith(wanted) for found in ids), wanted


DIGITS = ("configs/digits_fit.yaml", "results/digits_fit", "configs/digits_gram.yaml",
          "results/digits_gram")  # fmt: skip


def on_digits(line):
    """Whether a line needs no data but scikit-learn's digits, and a minute at most."""
    words = words_of(line)
    if words[0] != "ntkreg" or "my_images.npz" in words:
        return False
    return words[1:] == ["quickstart"] or bool(set(DIGITS) & set(words))


@pytest.mark.slow
def test_every_line_about_digits_runs_to_its_end(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    lines = [param.values[0] for param in LINES if on_digits(param.values[0])]
    requests = dict.fromkeys(tuple(words_of(line)[1:]) for line in lines)
    # A model must be there before anything is predicted with it, a kernel before it goes on.
    later = {"predict", "status", "--resume", "--extend"}
    for request in sorted(requests, key=lambda request: bool(later & set(request))):
        assert main(request) == 0, (request, capsys.readouterr().err)
    assert Path("results/quickstart/page.html").exists()
    assert Path("predictions.csv").exists()
