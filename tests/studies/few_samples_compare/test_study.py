import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from ntkreg.errors import DataError, SpecError
from ntkreg.studies.few_samples.study import FewSamplesConfig, run_few_samples
from ntkreg.studies.few_samples_compare.study import (
    FewSamplesCompareConfig,
    run_few_samples_compare,
)
from ntkreg.studies.shared.paired import compare_with_best


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two networks on the same draws of noisy images; their folders."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("runs")
    y = np.arange(60) % 2
    x = rng.integers(0, 150, size=(60, 4, 4, 1))
    x[:, :2] += 60 * y[:, None, None, None]
    x = x.astype(np.uint8)
    np.savez(folder / "x.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    gap = FewSamplesConfig(
        str(folder / "x.npz"),
        {"recipe": "cntk", "depth": 3},
        depths=(1, 3),
        pool=24,
        n_test=20,
        n_samples=(4, 8),
        n_draws=4,
        alpha=1e-3,
    )
    flat = replace(
        gap, architecture={"recipe": "cntk", "depth": 2, "readout": "flatten"}, depths=None
    )
    run_few_samples(gap, folder / "gap")
    run_few_samples(flat, folder / "flat")
    return folder


@pytest.fixture
def config(runs):
    return FewSamplesCompareConfig({"GAP": str(runs / "gap"), "flat": str(runs / "flat")})


def test_every_network_is_compared_at_its_greatest_depth_with_both_kernels(config, tmp_path):
    comparison = run_few_samples_compare(config, tmp_path)
    assert len(comparison) == 2 * 4
    assert set(zip(comparison.name, comparison.depth, strict=True)) == {("GAP", 3), ("flat", 2)}
    assert set(comparison.kernel) == {"GAP NTK", "GAP NNGP", "flat NTK", "flat NNGP"}
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "comparison.csv"), comparison)
    assert (comparison.groupby("n")["mean"].idxmax() == [0, 4]).all()
    assert (comparison.verdict == "best").tolist() == [True, False, False, False] * 2


def test_means_and_paired_differences_are_those_of_the_runs(config, runs, tmp_path):
    comparison = run_few_samples_compare(config, tmp_path).set_index(["n", "kernel"])
    answers = {}
    for name, depth in (("GAP", 3), ("flat", 2)):
        rows = pd.read_csv(runs / name.lower() / "rows.csv")
        stored = np.load(runs / name.lower() / "predictions.npz")
        for get in ("ntk", "nngp"):
            chosen = (rows["get"] == get) & (rows.depth == depth) & (rows.n == 8)
            answers[f"{name} {get.upper()}"] = (stored["predicted"] == stored["y_test"])[chosen]
    found = compare_with_best(answers, n=8, pool=24)
    for kernel, line in found.items():
        ours = comparison.loc[(8, kernel)]
        assert ours["mean"] == pytest.approx(100 * answers[kernel].mean())
        assert ours.verdict == line["verdict"]
        assert ours.low == pytest.approx(line["low"])


def test_one_of_the_two_kernels_can_be_left_out(config, tmp_path):
    comparison = run_few_samples_compare(replace(config, get="nngp"), tmp_path)
    assert set(comparison.kernel) == {"GAP NNGP", "flat NNGP"}


def test_what_each_network_is_stands_beside_the_result(config, tmp_path):
    run_few_samples_compare(config, tmp_path)
    kernels = pd.read_csv(tmp_path / "kernels.csv", keep_default_na=False).set_index("name")
    assert kernels.network["flat"] == "cntk(depth=2, readout='flatten')"
    assert kernels.symmetry.tolist() == ["none", "none"]
    record = json.loads((tmp_path / "record.json").read_text())
    assert (record["pool"], record["n_test"], record["n_samples"]) == (24, 20, [4, 8])


def changed(runs, target, **values):
    """Copy a run as if it had other settings."""
    folder = shutil.copytree(runs / "flat", target)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    record = json.loads((folder / "record.json").read_text())
    record["n_test"] = values.pop("n_test", record["n_test"])
    record["data"]["sha256"] = values.pop("data", record["data"]["sha256"])
    (folder / "config.yaml").write_text(yaml.safe_dump(config | values))
    (folder / "record.json").write_text(json.dumps(record))
    return str(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pool", 26),
        ("seed", 1),
        ("n_samples", [4, 10]),
        ("n_draws", 5),
        ("classes", [0, 1]),
        ("n_test", 19),
        ("data", "0" * 64),
    ],
)
def test_runs_on_other_draws_are_refused_with_what_differs(config, runs, tmp_path, key, value):
    other = changed(runs, tmp_path / "other", **{key: value})
    config = replace(config, kernels=config.kernels | {"other": other})
    with pytest.raises(SpecError, match=rf"GAP .* and other .* differ in {key}: .*Run one"):
        run_few_samples_compare(config, tmp_path / "out")


def test_a_run_without_stored_predictions_says_how_to_get_them(config, runs, tmp_path):
    old = shutil.copytree(runs / "flat", tmp_path / "old")
    (old / "predictions.npz").unlink()
    config = replace(config, kernels=config.kernels | {"old": str(old)})
    with pytest.raises(DataError, match=r"predictions.npz is missing.*kernels already there"):
        run_few_samples_compare(config, tmp_path / "out")


@pytest.mark.parametrize("name", ["rows.csv", "record.json", "config.yaml", "predictions.npz"])
def test_a_damaged_file_of_a_run_is_named(config, runs, tmp_path, name):
    copy = shutil.copytree(runs / "flat", tmp_path / "copy")
    (copy / name).write_bytes(b"\xff{")
    config = replace(config, kernels=config.kernels | {"copy": str(copy)})
    with pytest.raises(DataError, match=f"{name} cannot be read|finished few-samples run"):
        run_few_samples_compare(config, tmp_path / "out")


def test_rows_and_predictions_of_different_runs_are_refused(config, runs, tmp_path):
    copy = shutil.copytree(runs / "flat", tmp_path / "copy")
    shutil.copy(runs / "gap" / "predictions.npz", copy / "predictions.npz")
    config = replace(config, kernels=config.kernels | {"copy": str(copy)})
    with pytest.raises(DataError, match="not the folder of one finished few-samples run"):
        run_few_samples_compare(config, tmp_path / "out")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kernels": {"a": "x"}}, "kernels must map two or more names"),
        ({"kernels": ["a", "b"]}, "kernels must map two or more names"),
        ({"kernels": {"a": "x", "b": None}}, "kernels: b must have a folder; got None"),
        ({"get": ["ntk", "rbf"]}, "get must be one of ntk, nngp; got 'rbf'"),
        ({"get": []}, "get must be ntk, nngp or both"),
        ({"get": ["ntk", "ntk"]}, "get must be ntk, nngp or both"),
        ({"get": 3}, "get must be"),
    ],
)
def test_wrong_settings_are_refused(values, message):
    with pytest.raises(SpecError, match=message):
        FewSamplesCompareConfig(**{"kernels": {"a": "x", "b": "y"}} | values)


def test_rows_of_other_kernels_or_numbers_are_not_a_finished_run(config, runs, tmp_path):
    copy = shutil.copytree(runs / "flat", tmp_path / "copy")
    text = (copy / "rows.csv").read_text()
    (copy / "rows.csv").write_text(text.replace("ntk", "other"))
    config = replace(config, kernels=config.kernels | {"copy": str(copy)})
    with pytest.raises(DataError, match="copy: is not the folder of one finished"):
        run_few_samples_compare(config, tmp_path / "out")


def test_two_names_of_one_folder_are_refused(config, runs, tmp_path):
    config = replace(config, kernels={"a": str(runs / "flat"), "b": str(runs / "flat")})
    with pytest.raises(SpecError, match="folders of their own"):
        run_few_samples_compare(config, tmp_path / "out")
