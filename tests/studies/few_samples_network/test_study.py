"""The few-samples study of finite networks: rows, draws, resuming, what stands beside them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ntkreg.cli import main
from ntkreg.data import ChannelStandardizer, balanced_draws
from ntkreg.errors import DataError, SpecError, StoreMismatchError
from ntkreg.estimators import FiniteNetworkClassifier
from ntkreg.report.few_samples_network.page import network_table
from ntkreg.report.register import write_benchmark
from ntkreg.studies.few_samples_network import study as few_samples_finite
from ntkreg.studies.few_samples_network.beside import beside_kernel
from ntkreg.studies.few_samples_network.config import FewSamplesNetworkConfig
from ntkreg.studies.few_samples_network.plan import plan_few_samples_network
from ntkreg.studies.few_samples_network.study import run_few_samples_network
from ntkreg.studies.shared.config import make_config


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Noisy 4 x 4 images of two channels whose class is the brighter half."""
    rng = np.random.default_rng(0)

    def draw(n):
        y = np.arange(n) % 2
        x = rng.integers(0, 100, size=(n, 4, 4, 2))
        x[:, :2] += 100 * (y == 0)[:, None, None, None]
        x[:, 2:] += 100 * (y == 1)[:, None, None, None]
        return x.astype(np.uint8), y

    (x_train, y_train), (x_test, y_test) = draw(40), draw(16)
    path = tmp_path_factory.mktemp("images") / "halves.npz"
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


@pytest.fixture(scope="module")
def config(images):
    return FewSamplesNetworkConfig(
        str(images),
        {"recipe": "cntk", "depth": 1, "readout": "flatten"},
        pool=24,
        n_test=12,
        n_samples=(4, 8),
        n_draws=(3, 1),
        width=8,
        n_steps=15,
        n_epochs=10,
        learning_rate=1e-2,
        batch_size=4,
        n_networks=2,
    )


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return run_few_samples_network(config, folder), folder


def test_every_size_and_draw_has_one_row(run):
    rows, folder = run
    assert list(zip(rows.n, rows.draw, strict=True)) == [(4, 0), (4, 1), (4, 2), (8, 0)]
    assert set(rows["get"]) == {"network"}
    assert set(rows.depth) == {1}
    assert rows.n_steps.tolist() == [15, 15, 15, 20]  # 10 epochs of two batches
    pd.testing.assert_frame_equal(pd.read_csv(folder / "rows.csv"), rows)
    with np.load(folder / "predictions.npz") as archive:
        answers = dict(archive)
    right = 100 * (answers["predicted"] == answers["y_test"]).mean(axis=1)
    np.testing.assert_allclose(rows.accuracy, right)


def test_a_row_is_the_classifier_on_the_draw_of_the_kernels(run, config, images):
    rows, _ = run
    with np.load(images) as archive:
        data = dict(archive)
    pool = balanced_draws(data["y_train"], 24, 1, 0)[0]
    scaler = ChannelStandardizer()
    X_pool = scaler.fit_transform(data["x_train"][pool].astype(np.float32) / 255)
    X_test = scaler.transform(data["x_test"][:12].astype(np.float32) / 255)
    y = data["y_train"][pool]
    index = balanced_draws(y, 4, 20, 1)[2]
    model = FiniteNetworkClassifier(
        few_samples_finite.from_dict(config.architecture),
        width=8,
        parametrization="standard",
        loss="cross_entropy",
        optimizer="adam",
        learning_rate=1e-2,
        n_steps=15,
        tol=0,
        n_networks=2,
        random_state=2,
    ).fit(X_pool[index], y[index])
    row = rows[(rows.n == 4) & (rows.draw == 2)].iloc[0]
    assert row.accuracy == pytest.approx(100 * model.score(X_test, data["y_test"][:12]))
    assert row.loss == pytest.approx(model.loss_curve_[-1].mean(), rel=1e-4)


def test_a_folder_is_gone_on_with_and_only_what_is_missing_is_trained(
    run, config, images, tmp_path, monkeypatch
):
    rows, folder = run
    trained = []
    original = few_samples_finite.train_draw

    def count(config, task, n, draw, index):
        trained.append((n, draw))
        return original(config, task, n, draw, index)

    monkeypatch.setattr(few_samples_finite, "train_draw", count)
    (folder / "cells" / "n4_draw1.json").unlink()
    again = run_few_samples_network(config, folder)
    assert trained == [(4, 1)]
    drop = ["seconds", "loss"]  # the loss is left to rounding, the clock to itself
    pd.testing.assert_frame_equal(again.drop(columns=drop), rows.drop(columns=drop))
    longer = run_few_samples_network(replace(config, n_draws=(4, 1)), folder)
    assert trained[1:] == [(4, 3)]
    assert len(longer) == 5


def test_draws_of_other_settings_are_refused_with_the_difference(run, config):
    with pytest.raises(StoreMismatchError, match="width: stored 8, asked 9"):
        run_few_samples_network(replace(config, width=9), run[1])


def _rows(n, values, singles=None):
    return pd.DataFrame(
        {
            "n": n,
            "draw": range(len(values)),
            "accuracy": values,
            "accuracy_single": values if singles is None else singles,
        }
    )


def test_networks_stand_beside_the_kernel_on_the_draws_that_both_have():
    networks = _rows(20, [10.0, 20.0, 30.0], [9.0, 19.0, 29.0])
    kernels = pd.DataFrame(
        {"n": [20, 20, 20, 40], "draw": [1, 2, 3, 0], "accuracy": [17.0, 25.0, 99.0, 99.0]}
    )
    (line,) = beside_kernel(networks, kernels).to_dict("records")
    assert line["network"] == 20
    assert line["single"] == 19
    assert line["draw_std"] == pytest.approx(10)
    assert (line["kernel"], line["n_paired"], line["difference"]) == (21, 2, 4)
    assert line["difference_error"] == pytest.approx(1)  # of 3 and 5
    assert line["resnet34"] == 17.50
    (alone,) = beside_kernel(_rows(24, [10.0])).to_dict("records")
    assert np.isnan(alone["kernel"])
    assert np.isnan(alone["resnet34"])


def test_kernel_rows_are_read_and_checked(config, tmp_path):
    path = tmp_path / "rows.csv"
    line = {"get": "ntk", "depth": 1, "n": 4, "draw": 0, "accuracy": 50.0, "seed": 0}
    other = replace(config, kernel_rows=str(path), kernel_depth=1)
    with pytest.raises(FileNotFoundError, match="no kernel_rows"):
        run_few_samples_network(other, tmp_path / "a")
    pd.DataFrame([line]).drop(columns="draw").to_csv(path)
    with pytest.raises(DataError, match="no column draw"):
        run_few_samples_network(other, tmp_path / "a")
    pd.DataFrame([line | {"seed": 3}]).to_csv(path)
    with pytest.raises(SpecError, match=r"seed \[3\], not 0"):
        run_few_samples_network(other, tmp_path / "a")
    pd.DataFrame([line, line | {"get": "nngp", "depth": 2}]).to_csv(path)
    with pytest.raises(SpecError, match=r"kernel_depth must be one of \[1, 2\]; got 2"):
        run_few_samples_network(replace(other, kernel_depth=2), tmp_path / "a")


def test_the_command_prints_the_table_and_makes_the_page(run, config, tmp_path, capsys):
    _, folder = run
    path = tmp_path / "rows.csv"
    line = {"get": "ntk", "depth": 1, "n": 8, "draw": 0, "accuracy": 25.0, "seed": 0}
    pd.DataFrame([line]).to_csv(path)
    file = tmp_path / "config.yaml"
    keys = {k: v for k, v in config.__dict__.items() if k not in ("kernel_rows", "kernel_depth")}
    file.write_text(json.dumps(keys | {"kernel_rows": str(path), "kernel_depth": 1}))
    assert main(["few-samples-network", str(file), "--output", str(folder)]) == 0
    out = capsys.readouterr().out
    accuracy = pd.read_csv(folder / "rows.csv").accuracy.iloc[-1]
    assert f"{accuracy - 25:+.1f}" in out
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "network less kernel" in page
    assert "cntk(" in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_draws": [3, 1, 1]}, "n_draws must be one number, or one for each of 2"),
        ({"n_draws": [0]}, r"n_draws\[0\] must be an integer >= 1"),
        ({"n_samples": [26]}, "at most pool"),
        ({"learning_rate": None}, "adam has no stable rate"),
        ({"optimizer": "adm"}, "optimizer must be one of"),
        ({"architecture": {"recipe": "cntkk"}}, "Did you mean 'cntk'"),
        ({"kernel_rows": "rows.csv"}, "give both or neither"),
        ({"width": 0}, "width must be an integer >= 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(config, changes, message):
    with pytest.raises(SpecError, match=message):
        make_config(FewSamplesNetworkConfig, {**config.__dict__, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_samples": (5,), "n_draws": (1,)}, "n_samples must hold multiples"),
        ({"n_test": 17}, "n_test must be at most 16"),
    ],
)
def test_sizes_that_the_data_cannot_give_are_refused(config, tmp_path, changes, message):
    with pytest.raises(SpecError, match=message):
        run_few_samples_network(replace(config, **changes), tmp_path)


def test_benchmark_files_hold_the_table_rows_and_picture(run, tmp_path):
    _, folder = run
    (tmp_path / "said.md").write_text("At most {{fitted: 4; 4}} % fitted.")
    made = write_benchmark(folder, tmp_path / "cnn", tmp_path / "said.md")
    # The kernel's rows are not kept beside: what was made with them is.
    suffixes = ["csv", "json", "yaml", "beside.csv", "md", "png"]
    assert [path.name for path in made] == [f"cnn.{suffix}" for suffix in suffixes]
    words = made[-2].read_text(encoding="utf-8")
    table = network_table(pd.read_csv(folder / "beside.csv"))
    assert f"| {table.n.iloc[-1]} | {table.draws.iloc[-1]} | {table.network.iloc[-1]} |" in words
    for wanted in ("At most 1", "](cnn.png)", "n_epochs: 10", "jax: "):
        assert wanted in words
    assert len(pd.read_csv(made[0])) == len(pd.read_csv(folder / "rows.csv"))
    assert made[-1].read_bytes().startswith(b"\x89PNG")


def _cell(**changes):
    found = {
        "get": "network", "depth": 1, "n": 4, "draw": 0, "accuracy": 50.0, "loss": float("nan"),
        "accuracy_single": 50.0, "train_accuracy": 1.0, "learning_rate": 0.1, "n_steps": 3,
        "n_networks": 2, "seconds": 0.1, "seed": 0, "predicted": [0, 1, 1],
    }  # fmt: skip
    return json.dumps({k: v for k, v in (found | changes).items() if v is not ...})


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "3", '{"n": 1, "n": 1}', "[" * 100_000, "\0" * 100,
        _cell(n=...), _cell(more=1), _cell(accuracy="high"), _cell(accuracy=None),
        _cell(predicted=...), _cell(predicted=3), _cell(predicted=[0, 1]),
        _cell(predicted=[0, 1, "2"]), _cell(predicted=[0, 1, None]), _cell(predicted=[[0], 1, 1]),
    ],
    ids=lambda content: content[:20],
)  # fmt: skip
def test_a_damaged_draw_says_which_file_and_what_to_do(tmp_path, content):
    cell = tmp_path / "n4_draw0.json"
    cell.write_text(content)
    with pytest.raises(DataError, match=r"n4_draw0\.json.*Delete this file, and the draw is"):
        few_samples_finite._read_cell(cell, np.array([0, 1, 2]))


def test_a_sound_draw_comes_back(tmp_path):
    cell = tmp_path / "n4_draw0.json"
    cell.write_text(_cell())
    found, predicted = few_samples_finite._read_cell(cell, np.array([0, 1, 2], np.uint8))
    assert (found["accuracy"], predicted.tolist(), predicted.dtype) == (50.0, [0, 1, 1], np.uint8)
    cell.write_text(_cell(predicted=["a", "b", "a"]))
    assert few_samples_finite._read_cell(cell, np.array(["a", "b", "c"]))[1].tolist()[1] == "b"
    link = tmp_path / "link.json"
    link.symlink_to(cell)
    with pytest.raises(DataError, match="a symbolic link"):
        few_samples_finite._read_cell(link, np.array(["a", "b", "c"]))


def test_planted_links_cost_no_victim_its_content(run, config, tmp_path):
    folder = shutil.copytree(run[1], tmp_path / "copy")
    victim = tmp_path / "victim"
    victim.write_text("precious")
    names = ("rows.csv", "predictions.npz", "summary.csv", "beside.csv", "config.yaml")
    for name in (*names, "record.json"):
        (folder / name).unlink()
        (folder / name).symlink_to(victim)
        (folder / f"{name}.tmp").symlink_to(victim)
    run_few_samples_network(config, folder)
    assert victim.read_text() == "precious"
    assert not any(path.is_symlink() for path in folder.iterdir())


def test_the_plan_counts_what_a_run_trains(run, config):
    rows, _ = run
    (plan,) = plan_few_samples_network(config, "nowhere")
    assert plan.counts == {
        "draws": len(rows),
        "networks": rows.n_networks.sum(),
        "steps": rows.n_steps.sum(),
        "passes of an image": 4 * (rows.n_steps * rows.n_networks).sum(),
    }
    assert set(plan.seconds) == {"n = 4", "n = 8", "compiling"}
    assert min(plan.seconds["n = 4"], plan.seconds["n = 8"]) > 0  # all is compiled already here
    assert not Path("nowhere").exists()
