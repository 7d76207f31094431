import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from ntkreg.cli import main
from ntkreg.data import load_digits_split
from ntkreg.estimators.saved_model import load_model

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


def test_quickstart_and_few_samples_resolve_their_configs(capsys):
    assert main(["quickstart", "--print_config", "--n_splits", "7"]) == 0
    assert "n_splits: 7" in capsys.readouterr().out
    path = str(ROOT / "configs" / "cifar10_few_samples.yaml")
    assert main(["few-samples", path, "--print_config", "--data", "mine.npz"]) == 0
    assert "data: mine.npz" in capsys.readouterr().out


@pytest.mark.usefixtures("blank_pictures")
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


@pytest.mark.usefixtures("blank_pictures")
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
