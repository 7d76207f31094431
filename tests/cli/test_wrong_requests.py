import errno
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ntkreg.cli import main
from ntkreg.cli.options import prepare_folder
from ntkreg.data import load_digits_split

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "none.npz"], "none.npz: there is no such file"),
        (["--data", "nowhere"], "nowhere: there is no such file or folder"),
        (["--architecture.dpeth", "3"], "unknown argument of recipe fully_connected: 'dpeth'"),
        (["--architecture.depth", "-1"], "depth must be an integer >= 0; got -1"),
        (["--architecture.recipe", "cnkt"], "unknown recipe: 'cnkt'. Did you mean 'cntk'"),
        (["--architecture", "{layers: [Dens]}"], "unknown layer 0: 'Dens'. Did you mean 'Dense'"),
        (["--alpha", "-1"], "alpha must be a finite number >= 0; got -1"),
        (["--n_train", "5000"], "n_train must be at most 1297"),
        (["--n_train", "1"], "two classes"),
        (
            ["--dtype", "float16"],
            "dtype must be one of null, float32, mixed, float64; got 'float16'",
        ),
        (["--task", "rank"], "task must be one of classify, regress"),
    ],
)
def test_a_wrong_request_is_one_clear_line(config, tmp_path, capsys, arguments, message):
    assert main(["fit", config, *arguments, "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_duplicate_images_without_ridge_raise_with_the_remedy(tmp_path, capsys):
    data = load_digits_split()
    twice = np.concatenate([data.X_train[:20]] * 2).astype(np.float64)
    labels = np.concatenate([data.y_train[:20]] * 2)
    path = tmp_path / "twice.npz"
    np.savez(path, x_train=twice, y_train=labels, x_test=twice, y_test=labels)
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {path}\narchitecture: {{recipe: fully_connected}}\nalpha: 0\n")
    assert main(["fit", str(config), "--output", str(tmp_path / "out")]) == 2
    assert "alpha" in capsys.readouterr().err


def test_a_file_where_the_output_folder_should_be_is_told_before_work(
    config, tmp_path, capsys, monkeypatch
):
    def too_late(*args, **kwargs):
        raise AssertionError("worked before looking at the folder")

    monkeypatch.setattr("ntkreg.studies.fit.study.run_fit", too_late)
    (tmp_path / "taken").write_text("")
    for output in (tmp_path / "taken", tmp_path / "taken" / "below"):
        assert main(["fit", config, "--output", str(output)]) == 2
        assert str(output) in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told_before_work(config, tmp_path, capsys, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    # Not by chmod: an administrator may write everywhere.
    monkeypatch.setattr("ntkreg.cli.options.tempfile.TemporaryFile", refuse)
    monkeypatch.setattr("ntkreg.studies.fit.study.run_fit", lambda *a, **k: 1 / 0)
    assert main(["fit", config, "--output", str(tmp_path / "out")]) == 2
    assert f"{tmp_path / 'out'}: Permission denied. Give another path" in capsys.readouterr().err


def test_a_full_disk_is_one_clear_line(config, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"

    def full(*args, **settings):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ntkreg.storage.np.savez", full)
    assert main(["fit", config, "--output", str(out)]) == 2
    error = capsys.readouterr().err
    assert "model.npz: No space left on device. Free some space" in error
    assert not (out / "model" / "model.json").exists()
    assert not (out / "record.json").exists()


def test_predict_without_data_or_model_says_what_to_give(tmp_path, capsys):
    assert main(["predict", str(tmp_path)]) == 2
    assert "--data is missing" in capsys.readouterr().err
    csv = str(tmp_path / "p.csv")
    assert main(["predict", str(tmp_path), "--data", "digits", "--output", csv]) == 2
    assert "holds no fitted model" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_stops_a_fit_quietly_and_the_same_command_goes_on(config, tmp_path, listening):
    out = tmp_path / "out"
    network = "{recipe: cntk, depth: 30, readout: gap}"
    request = [sys.executable, "-m", "ntkreg", "fit", config, "--architecture", network]
    request += ["--store_kernel", "true", "--n_train", "250", "--output", str(out)]
    process = subprocess.Popen(listening(request), stderr=subprocess.PIPE, text=True)
    journal = out / "kernel" / "tiles.txt"
    while process.poll() is None and not (journal.exists() and journal.stat().st_size):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    error = process.communicate()[1]
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert "ntkreg: interrupted." in error
    done = journal.read_text().splitlines()
    assert subprocess.run(request, capture_output=True).returncode == 0
    assert journal.read_text().splitlines()[: len(done)] == done
    assert json.loads((out / "record.json").read_text())["results"]["accuracy"] > 60


def test_a_key_given_twice_and_numbers_without_a_dot_on_the_command_line(config, capsys):
    assert main(["fit", config, "--alpha", "1e-3", "--print_config"]) == 0
    assert "alpha: 0.001" in capsys.readouterr().out
    for value in ("{depth: 3, depth: 5}", "{recipe: cntk, depth: 2, depth: 2}"):
        assert main(["fit", config, "--architecture", value, "--print_config"]) == 2
        error = capsys.readouterr().err
        assert "It is not valid YAML: key 'depth' is given twice" in error


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("alpha", "1" + "0" * 400),
        ("alpha", "1e400"),
        ("alpha", ".nan"),
        ("n_train", "1" + "0" * 30),
        ("architecture", "[" * 3000),
        ("architecture", "{" * 3000),
        ("architecture", "!!python/name:os.system"),
        ("architecture", "{depth: *a}"),
        ("architecture", "{depth: 1000000000}"),
    ],
)
def test_values_beyond_bounds_are_one_short_line(config, capsys, option, value):
    assert main(["fit", config, f"--{option}", value, "--print_config"]) == 2
    error = capsys.readouterr().err
    assert option in error or "depth" in error or "too large" in error
    assert error.count("\n") == 1
    assert len(error) < 900


@pytest.mark.parametrize("name", ["../../../x", "/abs", "a/b", "..", "con", "a\0b"])
def test_names_that_become_files_cannot_leave_the_output(tmp_path, capsys, name):
    text = {"data": "x.npz", "networks": {name: {"recipe": "cntk", "depth": 1}}}
    path = tmp_path / "precision.yaml"
    path.write_text(json.dumps(text))
    assert main(["precision", str(path), "--output", str(tmp_path / "out")]) == 2
    assert "networks must be a name of letters" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["precision.yaml"]


def test_labels_of_another_kind_or_number_are_told_by_predict(config, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["fit", config, "--output", str(out)]) == 0
    X = load_digits_split().X_test[:4]
    path, csv = str(tmp_path / "new.npz"), str(tmp_path / "new.csv")
    cases = {
        "numbers such as 0": np.array(list("abcd")),
        r"of shape (4,)": np.arange(3),
        "NaN or infinity": np.array([0, 1, np.nan, 2]),
        "found complex128": np.zeros(4, complex),
        "found datetime64": np.zeros(4, "M8[s]"),
        "found int64 of shape (4, 1)": np.zeros((4, 1), int),
    }
    for message, labels in cases.items():
        np.savez(path, x_test=X, y_test=labels)
        capsys.readouterr()
        assert main(["predict", str(out), "--data", path, "--output", csv]) == 2
        assert message in capsys.readouterr().err
    for bad in (X.astype(str), X[:0], X + 0j, X[0, 0, 0]):
        np.savez(path, x_test=bad)
        assert main(["predict", str(out), "--data", path, "--output", csv]) == 2
        assert "x_test must be numbers" in capsys.readouterr().err
    assert not Path(csv).exists()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    Path(csv).symlink_to(victim)
    np.savez(path, x_test=X, y_test=np.arange(4))
    assert main(["predict", str(out), "--data", path, "--output", csv]) == 0
    assert victim.read_text() == "precious"


def test_commands_may_look_at_one_folder_at_once(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(prepare_folder, [tmp_path / "shared"] * 200)) == {tmp_path / "shared"}
    assert not list((tmp_path / "shared").iterdir())


@pytest.mark.parametrize("output", ["folder", "file/x.csv"])
def test_predict_writes_a_file_in_a_folder(tmp_path, capsys, output):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    arguments = ["predict", "model", "--data", "digits", "--output", str(tmp_path / output)]
    assert main(arguments) == 2
    assert "--output must be a CSV file to write" in capsys.readouterr().err


def test_an_option_that_is_none_is_one_line_and_help_returns(capsys):
    assert main(["-x"]) == 2
    told = capsys.readouterr().err
    assert told == "ntkreg: unrecognized arguments: -x. See `ntkreg --help`.\n"
    assert main(["--help"]) == 0
    assert main(["--version"]) == 0


def test_plan_does_not_take_an_output_for_its_configuration(config, capsys):
    assert main(["plan", "--output", "other.yaml", config]) == 0
    assert "training inputs" in capsys.readouterr().out
