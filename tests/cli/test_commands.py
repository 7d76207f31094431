import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from ntkreg.cli import main
from ntkreg.data import load_digits_split
from ntkreg.studies.saved_model import load_model

ROOT = Path(__file__).resolve().parents[2]


def record(folder):
    return json.loads((Path(folder) / "record.json").read_text())


def test_fit_then_predict_gives_the_same_accuracy(config, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["fit", config, "--output", str(out), "--n_test", "500"]) == 0
    accuracy = record(out)["results"]["accuracy"]
    assert accuracy > 60
    assert f"accuracy {accuracy:.2f} % of 500 inputs" in capsys.readouterr().out
    csv = tmp_path / "made" / "p.csv"
    assert main(["predict", str(out), "--data", "digits", "--output", str(csv)]) == 0
    assert f"accuracy {accuracy:.2f} % of 500 inputs" in capsys.readouterr().out
    rows = pd.read_csv(csv)
    assert list(rows.columns[:3]) == ["index", "predicted", "score_0"]
    np.testing.assert_array_equal(rows.label, load_digits_split().y_test)
    assert 100 * (rows.predicted == rows.label).mean() == pytest.approx(accuracy)


def test_predict_on_an_archive_without_labels(config, tmp_path):
    assert main(["fit", config, "--output", str(tmp_path / "out")]) == 0
    data = load_digits_split()
    np.savez(tmp_path / "new.npz", mine=data.X_test[:7])
    csv = tmp_path / "p.csv"
    request = ["--data", str(tmp_path / "new.npz"), "--key", "mine", "--output", str(csv)]
    assert main(["predict", str(tmp_path / "out" / "model"), *request]) == 0
    rows = pd.read_csv(csv)
    assert len(rows) == 7
    assert "label" not in rows


def test_the_resolved_config_and_its_hash_are_stored_and_reproduce_the_run(
    config, tmp_path, capsys
):
    out, again = tmp_path / "out", tmp_path / "again"
    assert main(["fit", config, "--alpha", "0.5", "--output", str(out)]) == 0
    stored = yaml.safe_load((out / "config.yaml").read_text())
    assert stored["alpha"] == 0.5
    assert stored["architecture"]["depth"] == 2
    assert stored["architecture"]["bias_std"] == 0
    assert main(["fit", str(out / "config.yaml"), "--output", str(again)]) == 0
    assert record(again)["config_hash"] == record(out)["config_hash"]
    for key in ("accuracy", "condition", "alpha"):
        assert record(again)["results"][key] == record(out)["results"][key]
    capsys.readouterr()
    assert main(["fit", config, "--alpha", "0.5", "--print_config"]) == 0
    assert capsys.readouterr().out.startswith(f"# SHA-256 {record(out)['config_hash']}\n")
    assert record(out)["environment"]["ntkreg"]
    assert record(out)["data"]["source"] == "digits"


def test_print_config_is_a_config_and_its_hash_follows_every_key(config, tmp_path, capsys):
    def printed(*arguments):
        assert main(["fit", *arguments, "--print_config"]) == 0
        return capsys.readouterr().out

    base = printed(config)
    copy = tmp_path / "copy.yaml"
    copy.write_text(base)
    assert printed(str(copy)) == base
    other = {
        "--data": "images.npz",
        "--architecture.depth": "3",
        "--task": "regress",
        "--n_train": "61",
        "--n_test": "null",
        "--preprocessing": "none",
        "--zca_regularization": "0.2",
        "--get": "nngp",
        "--normalize": "unit_diagonal",
        "--alpha": "0",
        "--alpha_scale": "absolute",
        "--dtype": "float64",
        "--store_kernel": "true",
    }
    hashes = {printed(config, key, value).splitlines()[0] for key, value in other.items()}
    assert len(hashes | {base.splitlines()[0]}) == len(other) + 1


def test_the_output_folder_is_named_after_the_config(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", config]) == 0
    assert (tmp_path / "results" / "small" / "model" / "model.json").exists()


def test_a_stored_kernel_gives_the_same_model_and_serves_other_ridges(config, tmp_path):
    plain, stored = tmp_path / "plain", tmp_path / "stored"
    assert main(["fit", config, "--output", str(plain)]) == 0
    request = ["fit", config, "--store_kernel", "true", "--output", str(stored)]
    assert main(request) == 0
    files = sorted(p for p in (stored / "kernel").rglob("*") if p.is_file())
    before = {p: p.stat().st_mtime_ns for p in files if "values" in str(p)}
    assert before
    for name in ("plain", "stored"):
        csv = str(tmp_path / f"{name}.csv")
        assert main(["predict", str(tmp_path / name), "--data", "digits", "--output", csv]) == 0
    ours, theirs = (pd.read_csv(tmp_path / f"{n}.csv") for n in ("plain", "stored"))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert main([*request, "--alpha", "0.1"]) == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before


@pytest.mark.parametrize("stored", ["false", "true"])
def test_whitening_can_be_chosen_and_predict_whitens_alike(config, tmp_path, capsys, stored):
    out = tmp_path / "out"
    options = ["--preprocessing", "zca", "--zca_regularization", "0.5", "--store_kernel", stored]
    assert main(["fit", config, *options, "--n_test", "500", "--output", str(out)]) == 0
    accuracy = record(out)["results"]["accuracy"]
    assert accuracy > 60
    assert load_model(out / "model")[0].regularization == 0.5
    csv = str(tmp_path / "p.csv")
    assert main(["predict", str(out), "--data", "digits", "--output", csv]) == 0
    assert capsys.readouterr().out.count(f"accuracy {accuracy:.2f} % of 500 inputs") == 2


def test_a_stored_kernel_of_another_network_is_refused(config, tmp_path, capsys):
    request = ["fit", config, "--store_kernel", "true", "--output", str(tmp_path / "out")]
    assert main(request) == 0
    assert main([*request, "--architecture.depth", "3"]) == 2
    assert "depth" in capsys.readouterr().err


def test_regression_reports_r2_and_predicts_numbers(tmp_path, capsys):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = X[:, 0] + 0.5 * np.abs(X[:, 1]) + 3
    np.savez(tmp_path / "t.npz", x_train=X[:60], y_train=y[:60], x_test=X[60:], y_test=y[60:])
    path = tmp_path / "r.yaml"
    path.write_text(
        f"data: {tmp_path / 't.npz'}\ntask: regress\narchitecture: {{recipe: fully_connected, "
        "bias_std: 0.5}\nalpha: 1.0e-2\n"
    )
    assert main(["fit", str(path), "--output", str(tmp_path / "out")]) == 0
    assert record(tmp_path / "out")["results"]["r2"] > 0.8
    assert "root mean squared error" in capsys.readouterr().out
    csv = str(tmp_path / "p.csv")
    request = ["--data", str(tmp_path / "t.npz"), "--output", csv]
    assert main(["predict", str(tmp_path / "out"), *request]) == 0
    rows = pd.read_csv(csv)
    assert list(rows.columns) == ["index", "predicted", "label"]
    assert np.corrcoef(rows.predicted, rows.label)[0, 1] > 0.9


def test_plan_says_pairs_time_and_bytes_and_writes_nothing(config, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["plan", config]) == 0
    text = capsys.readouterr().out
    assert "1,830 pairs" in text  # 60 * 61 / 2
    assert "2,400 pairs" in text  # 40 * 60
    assert re.search(r"time +about", text)
    assert "disk" not in text
    assert main(["plan", config, "--store_kernel", "true", "--n_train", "10"]) == 0
    text = capsys.readouterr().out
    assert "55 pairs" in text
    assert "disk" in text
    assert os.listdir(tmp_path) == ["small.yaml"]


def test_plan_explains_what_will_run_once_and_only_if_asked(config, capsys):
    assert main(["plan", config]) == 0
    assert "RELU" not in capsys.readouterr().out
    assert main(["plan", config, "--explain"]) == 0
    text = capsys.readouterr().out
    assert text.count("RELU  t = (t + c) kappa0(c), c = kappa1(c)   (2 times)") == 1
    assert "1,830 pairs" in text
    network = "{recipe: cntk, depth: 2}"
    assert main(["plan", config, "--explain", "--architecture", network, "--n_train", "2"]) == 0
    assert "stage 1 of 1: 8 x 8 pixels, 225 tiles" in capsys.readouterr().out


def test_plan_refuses_what_cannot_fit_and_says_what_would(config, monkeypatch, capsys):
    monkeypatch.setattr("ntkreg.gram.plan.free_memory", lambda: 20_000)
    assert main(["plan", config]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "What would fit" in error


def test_plan_reads_a_few_samples_file_too(tmp_path, capsys):
    rng = np.random.default_rng(0)
    path = tmp_path / "tiny.npz"
    images = rng.integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
    labels = np.arange(20) % 2
    np.savez(path, x_train=images, y_train=labels, x_test=images[:6], y_test=labels[:6])
    config = str(ROOT / "configs" / "cifar10_few_samples.yaml")
    sizes = ["--pool", "10", "--n_test", "6", "--n_samples", "[2,4]", "--depths", "[1,2]"]
    assert main(["plan", config, "--data", str(path), *sizes]) == 0
    text = capsys.readouterr().out
    assert "55 pairs" in text
    assert "60 pairs" in text
    assert "2 variants" in text


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

    monkeypatch.setattr("ntkreg.studies.fit.run_fit", too_late)
    (tmp_path / "taken").write_text("")
    for output in (tmp_path / "taken", tmp_path / "taken" / "below"):
        assert main(["fit", config, "--output", str(output)]) == 2
        assert str(output) in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told_before_work(config, tmp_path, capsys, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    # Not by chmod: an administrator may write everywhere.
    monkeypatch.setattr("ntkreg.cli.options.replacing", refuse)
    monkeypatch.setattr("ntkreg.studies.fit.run_fit", lambda *a, **k: 1 / 0)
    assert main(["fit", config, "--output", str(tmp_path / "out")]) == 2
    assert "Permission denied. Give another path" in capsys.readouterr().err


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


def test_quickstart_and_few_samples_resolve_their_configs(capsys):
    assert main(["quickstart", "--print_config", "--n_splits", "7"]) == 0
    assert "n_splits: 7" in capsys.readouterr().out
    path = str(ROOT / "configs" / "cifar10_few_samples.yaml")
    assert main(["few-samples", path, "--print_config", "--data", "mine.npz"]) == 0
    assert "data: mine.npz" in capsys.readouterr().out


def test_quickstart_without_a_config_or_an_output_writes_into_results(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    sizes = ["--n_images", "30", "--n_splits", "1", "--conv_depth", "1", "--dense_depth", "1"]
    assert main(["quickstart", *sizes]) == 0
    page = Path("results", "quickstart", "page.html")
    assert f"page   {page}\n" in capsys.readouterr().out
    assert page.exists()
    (tmp_path / "mine.yaml").write_text("n_images: 30\nn_splits: 1\n")
    assert main(["quickstart", "mine.yaml", *sizes]) == 0
    assert Path("results", "mine", "page.html").exists()


def test_fewer_images_of_the_quickstart_are_enough(capsys):
    assert main(["quickstart", "--n_images", "100", "--print_config"]) == 0
    found = yaml.safe_load(capsys.readouterr().out)
    assert (found["n_train"], found["n_shown"]) == ([50], 100)
    assert main(["quickstart", "--n_images", "100", "--n_train", "[50,95]"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ntkreg: the options given: n_train must leave at least 10 of n_images")
    assert "got [50, 95]. Raise n_images or lower n_train." in error


def test_few_samples_runs_end_to_end_on_tiny_images(tmp_path, capsys):
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 10
    images = rng.integers(0, 100, (40, 4, 4, 3)) + 15 * labels[:, None, None, None]
    path, out = tmp_path / "tiny.npz", tmp_path / "out"
    images = images.astype(np.uint8)
    np.savez(path, x_train=images, y_train=labels, x_test=images[:20], y_test=labels[:20])
    config = str(ROOT / "configs" / "cifar10_few_samples.yaml")
    sizes = ["--pool", "30", "--n_test", "20", "--n_samples", "[10,20]", "--n_draws", "2"]
    request = [config, "--data", str(path), *sizes, "--depths", "[2,5]", "--output", str(out)]
    assert main(["few-samples", *request]) == 0
    text = capsys.readouterr().out
    assert "page.html" in text
    assert (out / "page.html").exists()
    assert len(pd.read_csv(out / "rows.csv")) == 2 * 2 * 2 * 2
    assert record(out)["config_hash"]


def test_two_runs_on_the_same_draws_are_compared_end_to_end(tmp_path, capsys):
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    images = (rng.integers(0, 150, (40, 4, 4, 3)) + 60 * labels[:, None, None, None]) // 2
    np.savez(
        tmp_path / "tiny.npz",
        x_train=images[:20].astype(np.uint8),
        y_train=labels[:20],
        x_test=images[20:].astype(np.uint8),
        y_test=labels[20:],
    )
    config = tmp_path / "few.yaml"
    sizes = "pool: 12\nn_test: 20\nn_samples: [4, 6]\nn_draws: 3\nalpha: 1.0e-3\n"
    network = "architecture: {recipe: cntk, depth: 2}\n"
    config.write_text(f"data: {tmp_path / 'tiny.npz'}\n{network}{sizes}")
    for name, options in (("plain", []), ("flip", ["--symmetry", "flip"])):
        assert main(["few-samples", str(config), "--output", str(tmp_path / name), *options]) == 0
    comparison = tmp_path / "compare.yaml"
    comparison.write_text(
        f"kernels:\n  plain: {tmp_path / 'plain'}\n  flip: {tmp_path / 'flip'}\nget: [ntk]\n"
    )
    capsys.readouterr()
    out = tmp_path / "out"
    assert main(["few-samples-compare", str(comparison), "--output", str(out)]) == 0
    assert "Best kernel at each n" in capsys.readouterr().out
    assert (out / "page.html").exists()
    assert len(pd.read_csv(out / "comparison.csv")) == 2 * 2
    more = "{gone: " + str(tmp_path / "gone") + "}"
    assert main(["few-samples-compare", str(comparison), "--kernels", more]) == 2
    assert "gone/rows.csv is missing. Run `ntkreg few-samples`" in capsys.readouterr().err
    assert main(["few-samples-compare", str(comparison), "--print_config"]) == 0
    assert "- ntk" in capsys.readouterr().out


def test_precision_runs_end_to_end_on_tiny_images(tmp_path, capsys):
    rng = np.random.default_rng(0)
    path, out = tmp_path / "tiny.npz", tmp_path / "out"
    x, y = rng.integers(0, 256, (40, 4, 4, 3)).astype(np.uint8), np.arange(40) % 10
    np.savez(path, x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    config = tmp_path / "precision.yaml"
    config.write_text(
        f"data: {path}\nnetworks: {{flat: {{recipe: cntk, depths: [1, 2], readout: flatten}}}}\n"
    )
    sizes = ["--n_train", "10", "--n_copies", "2", "--n_test", "20", "--alphas", "[0.0,1e-3]"]
    assert main(["precision", str(config), *sizes, "--output", str(out)]) == 0
    text = capsys.readouterr().out
    assert "flat 2" in text
    assert (out / "page.html").exists()
    assert len(pd.read_csv(out / "rows.csv")) == 2 * 2 * 3 * 3 * 2
    assert record(out)["config_hash"]
    assert main(["precision", str(config), "--n_train", "15"]) == 2
    assert "n_train must be a multiple of the number of classes (10)" in capsys.readouterr().err


@pytest.mark.slow
def test_the_example_configuration_runs_out_of_the_box(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "ntkreg", "fit", str(ROOT / "configs" / "digits_fit.yaml")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert record(tmp_path / "results" / "digits_fit")["results"]["accuracy"] > 93


@pytest.mark.slow
def test_ctrl_c_stops_a_fit_quietly_and_the_same_command_goes_on(config, tmp_path):
    out = tmp_path / "out"
    network = "{recipe: cntk, depth: 30, readout: gap}"
    request = [sys.executable, "-m", "ntkreg", "fit", config, "--architecture", network]
    request += ["--store_kernel", "true", "--n_train", "250", "--output", str(out)]
    # A job in the background of a shell inherits an ignored SIGINT: the child listens anew.
    # Not by a function between fork and exec, which JAX, where another test loaded it, forbids.
    listen = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    listening = [sys.executable, "-c", listen + "os.execv(sys.argv[1], sys.argv[1:])", *request]
    process = subprocess.Popen(listening, stderr=subprocess.PIPE, text=True)
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
    assert record(out)["results"]["accuracy"] > 60


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
