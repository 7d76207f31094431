"""The study as a whole, on digits at widths 8, 16, 32, and what single networks give."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from ntkreg import fully_connected, kernel
from ntkreg.errors import DataError, SpecError, StoreMismatchError
from ntkreg.finite import Training, empirical_kernels, finite_network, linear_dynamics, train
from ntkreg.studies.shared.config import config_to_dict
from ntkreg.studies.widths import study as widths
from ntkreg.studies.widths.config import WidthsConfig, network_of
from ntkreg.studies.widths.runs import start_of
from ntkreg.studies.widths.store import RunStore
from ntkreg.studies.widths.task import load_width_data


def tables(folder):
    return {p.stem: p.read_text() for p in sorted(folder.glob("*.csv")) if p.stem != "rows"}


def test_rows_hold_every_network_once_trained_or_not(widths_folder):
    rows = pd.read_csv(widths_folder / "rows.csv")
    assert not rows.duplicated(["depth", "parametrization", "width", "draw"]).any()
    counts = rows.groupby(["parametrization", "width"]).trained.agg(["sum", "size"])
    assert counts.loc["ntk"].to_numpy().tolist() == [[3, 5]] * 3
    assert counts.loc["mup"].to_numpy().tolist() == [[3, 3]] * 3
    assert rows[rows.trained == 0][["ntk_drift", "test_error"]].isna().all(axis=None)
    assert rows.groupby(["depth", "width", "draw"]).start.nunique().eq(1).all()
    assert rows.drop_duplicates(["depth", "width", "draw"]).start.is_unique


def test_a_row_is_what_the_parts_of_the_package_say_of_its_network(widths_config, widths_folder):
    data = load_width_data(widths_config)
    rows = pd.read_csv(widths_folder / "rows.csv")
    row = rows[(rows.parametrization == "ntk") & (rows.width == 16) & (rows.draw == 1)].iloc[0]
    record = json.loads((widths_folder / "record.json").read_text())
    rate = record["learning_rates"]["ntk, 2 hidden"]
    X, X_test, y, y_test = data.X, data.X_test, data.y, data.y_test
    network = finite_network(fully_connected(2), (64,), width=16)
    run = train(network, Training(rate, 8), X, y, seeds=(int(row.start),))
    before, after = ([{k: np.asarray(w[0]) for k, w in layer.items()} for layer in p]
                     for p in (run.start, run.params))  # fmt: skip

    K, limit = (
        empirical_kernels(network, network.init(int(row.start)), X).ntk,
        kernel(fully_connected(2), X),
    )
    assert row.ntk_frobenius == pytest.approx(
        np.linalg.norm(K - limit) / np.linalg.norm(limit), rel=1e-4
    )
    assert row.ntk_operator == pytest.approx(
        np.linalg.norm(K - limit, 2) / np.linalg.norm(limit, 2), rel=1e-4
    )
    moved = np.linalg.norm(after[2]["w"] - before[2]["w"]) / np.linalg.norm(before[2]["w"])
    assert row.weights_hidden == pytest.approx(moved, rel=1e-4)

    def hidden(params):
        h = np.maximum(X @ params[0]["w"] * np.sqrt(2 / 64), 0)
        return np.maximum(h @ params[2]["w"] * np.sqrt(2 / 16), 0)

    h, h_after = hidden(before), hidden(after)
    gram, nngp = h @ h.T, kernel(fully_connected(2), X, get="nngp")
    change = np.linalg.norm(h_after @ h_after.T - gram) / np.linalg.norm(gram)
    assert row.feature_drift == pytest.approx(change, rel=1e-3)
    assert row.nngp_frobenius == pytest.approx(
        np.linalg.norm(gram / 16 - nngp) / np.linalg.norm(nngp), rel=1e-4
    )
    p = np.linalg.svd(h, compute_uv=False)
    p = p[p > 0] / p.sum()
    assert row.rank_start == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-3)

    line = linear_dynamics(network, network.init(int(row.start)), X, y, X_test)
    at = range(9)
    linear = line.at_steps(list(at), rate)[1][..., 0]
    outputs = np.array(
        [
            train(network, Training(rate, k), X, y, seeds=(int(row.start),)).predict(X_test)[0]
            for k in at
        ]
    )[..., 0]
    gaps = np.sqrt(np.square(outputs - linear).mean(axis=1))
    assert row.linear_gap == pytest.approx(gaps[[0, 1, 2, 3, 4, 6, 8]].max(), rel=1e-2)
    assert row.test_error == pytest.approx(100 * np.mean(outputs[-1] * y_test <= 0))
    assert row.test_loss == pytest.approx(np.square(outputs[-1] - y_test).mean(), rel=1e-4)


def test_a_study_killed_midway_goes_on_and_ends_the_same(
    widths_config, widths_folder, tmp_path, monkeypatch
):
    measure, done = widths.measure_network, []

    def until_killed(*arguments, **options):
        if len(done) == limit:
            raise KeyboardInterrupt
        done.append(arguments)
        return measure(*arguments, **options)

    monkeypatch.setattr(widths, "measure_network", until_killed)
    limit = 10
    with pytest.raises(KeyboardInterrupt):
        widths.run_widths(widths_config, tmp_path)
    assert len(list(tmp_path.rglob("*.npz"))) == 10
    assert not list(tmp_path.rglob("*.tmp"))
    limit = 1000
    widths.run_widths(widths_config, tmp_path)
    assert len(done) == 3 * (5 + 3)  # none twice
    assert tables(tmp_path) == tables(widths_folder)


def test_finished_networks_are_read_and_more_starts_are_added(
    widths_config, widths_folder, tmp_path, monkeypatch
):
    copy = shutil.copytree(widths_folder, tmp_path / "copy")
    measure, done = widths.measure_network, []

    def count(task, architecture, width, start, *, trained):
        done.append((task.parametrization, width, trained))
        return measure(task, architecture, width, start, trained=trained)

    monkeypatch.setattr(widths, "measure_network", count)
    widths.run_widths(widths_config, copy)
    assert not done
    assert tables(copy) == tables(widths_folder)
    # Draw 3 of ntk was measured at its start only: now it is trained.
    widths.run_widths(replace(widths_config, n_seeds=(4, 3, 3), n_starts=(5, 6, 5)), copy)
    assert sorted(done) == [("mup", 8, True), ("ntk", 8, True), ("ntk", 16, False)]


def test_a_folder_of_other_settings_and_a_damaged_network_are_refused(
    widths_config, widths_folder, tmp_path
):
    copy = shutil.copytree(widths_folder, tmp_path / "copy")
    with pytest.raises(StoreMismatchError, match=r"n_steps: stored 8, asked 9\. Give another"):
        widths.run_widths(replace(widths_config, n_steps=9), copy)
    path = copy / "networks" / "ntk_2_layers" / "width16_draw0.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"width16_draw0\.npz"):
        widths.run_widths(widths_config, copy)


def test_a_diverged_network_is_noted_and_its_width_has_no_slope(
    widths_config, widths_folder, tmp_path, monkeypatch
):
    from ntkreg import finite
    from ntkreg.errors import DivergenceError

    copy = shutil.copytree(widths_folder, tmp_path / "copy")
    (copy / "networks" / "ntk_2_layers" / "width8_draw1.npz").unlink()

    def diverge(*arguments, **options):
        raise DivergenceError("train: diverged")

    monkeypatch.setattr(finite, "train", diverge, raising=False)
    widths.run_widths(widths_config, copy)
    rows = pd.read_csv(copy / "rows.csv")
    assert rows[rows.diverged == 1][["width", "draw"]].to_numpy().tolist() == [[8, 1]]
    slopes = pd.read_csv(copy / "slopes.csv").set_index(["parametrization", "quantity"])
    assert (slopes.loc[("ntk", "ntk_drift"), "n_widths"] == 0).all()  # 16 and 32 are too few
    assert slopes.loc[("ntk", "ntk_frobenius"), "n_widths"] == 3
    assert set(pd.read_csv(copy / "ensembles.csv").width) == {16, 32}


def test_networks_of_other_widths_do_not_share_their_first_numbers():
    wide, narrow = (
        finite_network(fully_connected(1), (4,), width=n).init(start_of(0, 1, n, 0))
        for n in (32, 16)
    )
    assert not np.isin(np.asarray(narrow[0]["w"]), np.asarray(wide[0]["w"])).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": (8, 16)}, "widths must be at least 3"),
        ({"n_seeds": (1,)}, r"n_seeds\[0\] must be an integer >= 2; got 1"),
        ({"n_seeds": (3, 3)}, "n_seeds must be one number, or one for each of the 3 widths; got 2"),
        ({"n_starts": (-1,)}, r"n_starts\[0\] must be an integer >= 0"),
        ({"n_train": 15}, "n_train must be even"),
        ({"rate": 1.0}, "rate must be between 0 and 1, in stable rates; got 1.0"),
        ({"parametrizations": ("ntk", "standard")}, "parametrizations must be one of ntk, mup"),
        ({"parametrizations": "ntk"}, "parametrizations must be a list of ntk, mup; got 'ntk'"),
        ({"architecture": {"layers": ["Dense"]}}, "architecture must be a recipe with a depth"),
        (
            {"architecture": {"recipe": "cntk", "train_last": False}},
            "architecture must end in a trained Dense layer",
        ),
        ({"data": ""}, "data must be 'digits' or a path"),
    ],
)
def test_settings_that_make_no_sense_are_refused(widths_config, change, message):
    with pytest.raises(SpecError, match=message):
        replace(widths_config, **change)


def test_widths_are_sorted_with_their_numbers_of_networks(widths_config):
    config = replace(widths_config, widths=(32, 8, 16), n_seeds=(2, 4, 3), n_starts=(7,))
    assert (config.widths, config.n_seeds, config.n_starts) == ((8, 16, 32), (4, 3, 2), (7, 7, 7))
    assert network_of(config, 5) == fully_connected(5)
    again = WidthsConfig(**yaml.safe_load(yaml.safe_dump(config_to_dict(config))))
    assert again == config


@pytest.mark.slow
def test_a_process_that_is_killed_loses_no_finished_network(widths_config, widths_folder, tmp_path):
    config, out = tmp_path / "w.yaml", tmp_path / "out"
    config.write_text(yaml.safe_dump(config_to_dict(widths_config)))
    command = [sys.executable, "-m", "ntkreg", "widths", str(config), "--output", str(out)]
    process = subprocess.Popen(command, start_new_session=True)
    while len(list(out.rglob("*.npz"))) < 4 and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {p: p.stat().st_mtime_ns for p in out.rglob("*.npz")}
    assert 4 <= len(kept) < 24
    subprocess.run(command, check=True)
    assert all(p.stat().st_mtime_ns == t for p, t in kept.items())
    assert tables(out) == tables(widths_folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": np.zeros(3)}, "names and numbers are not those"),
        ({"names": np.array(["a b"])}, "names and numbers are not those"),
        ({"names": np.array([""])}, "names and numbers are not those"),
        ({"numbers": np.array(["x"])}, "names and numbers are not those"),
        ({"numbers": np.zeros((2, 2))}, "names and numbers are not those"),
        ({"numbers": None}, "names and numbers are not those"),
        ({"outputs": None}, "arrays are missing"),
        ({"more": np.zeros(3)}, "arrays are missing"),
        ({"outputs": np.array(["x"])}, "arrays are missing or of another kind"),
        ({"outputs": np.zeros(3, complex)}, "arrays are missing or of another kind"),
    ],
)
def test_a_tampered_network_says_which_file_and_what_to_do(
    widths_config, widths_folder, tmp_path, change, message
):
    store = RunStore(tmp_path, widths_config, "hash")
    store.save(2, "ntk", 8, 0, {"loss": 0.5, "outputs": np.arange(3.0)})
    assert store.load(2, "ntk", 8, 0)["loss"] == 0.5
    path = tmp_path / "ntk_2_layers" / "width8_draw0.npz"
    with np.load(path) as found:
        arrays = {**found, **change}
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(DataError, match=rf"width8_draw0\.npz.*{message}.*delete this file"):
        store.load(2, "ntk", 8, 0)


def test_settings_of_a_store_that_are_damaged_are_refused(widths_config, tmp_path):
    (tmp_path / "settings.json").write_text("[]")
    with pytest.raises(DataError, match=r"settings\.json: must hold one JSON object"):
        RunStore(tmp_path, widths_config, "hash")
