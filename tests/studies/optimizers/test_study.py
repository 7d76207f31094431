from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ntkreg import finite
from ntkreg.studies.optimizers import runs as runs_module
from ntkreg.studies.optimizers.measures import batch_row, level_rows, pair_rows
from ntkreg.studies.optimizers.plan import plan_optimizers
from ntkreg.studies.optimizers.runs import Run, RunSpec
from ntkreg.studies.optimizers.starts import Start
from ntkreg.studies.optimizers.study import run_optimizers, run_specs
from ntkreg.studies.optimizers.verdicts import make_verdicts

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(10, 20))
START = Start(
    RNG.normal(size=6), RNG.normal(size=4), FEATURES[:6] @ FEATURES[:6].T,
    FEATURES[6:] @ FEATURES[:6].T,
)  # fmt: skip
Y = RNG.choice([-1.0, 1.0], size=6)


def ended(optimizer="gradient_descent", outputs=None, losses=(1.0,), moved=(1.0,), **given):
    outputs = np.zeros((len(losses), 4)) if outputs is None else outputs
    spec = RunSpec("correct", optimizer, 8, given.get("batch_size"), 0.1, 0)
    kernel, steps = given.get("kernel", START.K), np.arange(len(losses))
    return Run(
        spec, "reached", 0.5, 0.0, steps, np.array(losses), outputs, np.array(moved),
        float(np.linalg.norm(moved)), 1.0, kernel,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tables(optimizers_folder):
    names = ["runs", "levels", "pairs", "batches", "stops", "curves", "verdicts"]
    return {name: pd.read_csv(optimizers_folder / f"{name}.csv") for name in names}


def test_every_run_of_the_comparison_has_one_row_and_the_last_level(tables):
    runs = tables["runs"]
    # Two optimisers, two seeds: correct labels at both widths, random ones at the larger,
    # and noisy ones for gradient descent.
    assert len(runs) == 8 + 4 + 2
    assert not runs.duplicated(["labels", "optimizer", "width", "seed"]).any()
    assert (runs.outcome == "reached").all()
    assert (runs.train_loss <= 0.05).all()
    assert (runs.test_error[runs.labels == "correct"] < 50).all()
    assert len(tables["levels"]) == 2 * 8
    assert len(tables["pairs"]) == 2 * 2
    assert len(tables["batches"]) == 2 * 2
    assert len(tables["stops"]) == 2 * 2 * 60


def test_optimisers_start_from_the_same_point(optimizers_config, optimizers_folder):
    files = {}
    for path in (optimizers_folder / "runs").glob("correct-*-w8-*-s3-*.npz"):
        files[path.name.split("-")[1]] = np.load(path)
    assert set(files) == {"gradient_descent", "adam"}
    first, other = files.values()
    np.testing.assert_array_equal(first["outputs"][0], other["outputs"][0])
    assert np.abs(first["outputs"][-1] - other["outputs"][-1]).max() > 0.01


def test_a_killed_study_goes_on_with_what_is_not_there(
    optimizers_config, optimizers_folder, tmp_path, monkeypatch
):
    trained = []

    def counting(*args, **kwargs):
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append(kwargs["seeds"])
        return train(*args, **kwargs)

    train = finite.train
    monkeypatch.setattr(runs_module.finite, "train", counting)
    with pytest.raises(KeyboardInterrupt):
        run_optimizers(optimizers_config, tmp_path, progress=False)
    assert not (tmp_path / "runs.csv").exists()
    kept = sorted(p.name for p in (tmp_path / "runs").iterdir())
    assert len(kept) == 3
    monkeypatch.setattr(runs_module.finite, "train", train)
    rows = run_optimizers(optimizers_config, tmp_path, progress=False)
    whole = pd.read_csv(optimizers_folder / "runs.csv")
    pd.testing.assert_frame_equal(rows.drop(columns="seconds"), whole.drop(columns="seconds"))
    # Nothing is trained any more, and what is left of it are the files.
    monkeypatch.setattr(runs_module.finite, "train", None)
    run_optimizers(replace(optimizers_config, seeds=(3,)), tmp_path, progress=False)


def test_all_but_the_trajectory_is_asked_at_the_width_given(optimizers_config):
    specs = list(run_specs(replace(optimizers_config, width=8)))
    assert len(specs) == 14 + 4
    asked = {s.width for s in specs if s.labels != "correct" or s.batch_size}
    assert asked == {8}
    assert {s.width for s in specs} == {8, 32}


def test_the_same_configuration_asks_for_no_run_twice(optimizers_config):
    specs = list(run_specs(optimizers_config))
    assert len(set(specs)) == len(specs) == 14 + 4


def test_a_run_on_the_kernel_trajectory_has_no_gap_to_it_and_one_that_stays_has_one():
    path = START.path(Y)
    times = np.array([0.0, 0.3, 2.0, 9.0])
    losses = [path.loss(t) for t in times]
    follows = ended(outputs=path.flow(times)[1], losses=losses)
    stays = ended(outputs=np.tile(START.f0_test, (4, 1)), losses=losses)
    levels = (losses[1], 1.01 * losses[3])
    gaps = pd.DataFrame([*level_rows(follows, START, path, levels)])
    assert gaps.step.tolist() == [1, 3]
    np.testing.assert_allclose(gaps.kernel_gap, 0, atol=1e-9)
    gaps = pd.DataFrame([*level_rows(stays, START, path, levels)])
    np.testing.assert_allclose(gaps.kernel_gap, 1)
    assert not [*level_rows(follows, START, path, (losses[3] / 2,))]


def test_distances_of_end_points_are_in_units_of_gradient_descents_way():
    gd = ended(outputs=START.f0_test + np.array([[2.0, 0, 0, 0]]), moved=[3.0, 4.0])
    adam = ended("adam", START.f0_test + np.array([[0, 1.0, 0, 0]]), moved=[3.0, -6.0],
                 kernel=1.5 * START.K)  # fmt: skip
    [row] = pair_rows({"gradient_descent": gd, "adam": adam}, START)
    assert (row["first"], row["second"]) == ("gradient_descent", "adam")
    assert row["parameters"] == pytest.approx(2)
    assert row["function"] == pytest.approx(5**0.5 / 2)
    assert row["kernel"] == pytest.approx(0.5)


def test_the_noise_scale_is_the_learning_rate_times_n_over_batch_less_one():
    gd = ended(outputs=START.f0_test + np.ones((1, 4)), moved=[1.0, 0.0])
    sgd = ended("sgd", gd.outputs + 0.5, moved=[1.0, 0.25], batch_size=2)
    row = batch_row(sgd, gd, START, np.ones(4))
    assert row["noise_scale"] == pytest.approx(0.5 * (6 / 2 - 1))
    assert row["function"] == pytest.approx(0.5)
    assert row["parameters"] == pytest.approx(0.25)


def test_kernels_on_noisy_labels_are_fitted_to_the_labels_of_their_seed(tables):
    stops = tables["stops"]
    analytic = stops[stops.kernel == "analytic"]
    best = analytic.groupby("seed").flow_loss.min()
    assert best[0] != best[3]
    np.testing.assert_allclose(stops.alpha * stops.time, 20)
    curves = tables["curves"]
    first = curves[curves.step == 1]
    assert (first.time < curves.time.max()).all()
    assert curves.flow_distance.between(0, 2).all()


def synthetic(optimizers_config, tables, slopes, random_error=50.0):
    """Return the study's tables with gaps and errors made up."""
    levels = tables["levels"].copy()
    jitter = 1 + 0.02 * levels.seed
    levels["kernel_gap"] = jitter * levels.width.astype(float) ** levels.optimizer.map(slopes)
    runs = tables["runs"].copy()
    runs["test_error"] = np.where(runs.labels == "random", random_error, 20.0) + 0.1 * runs.seed
    made = make_verdicts(optimizers_config, {**tables, "levels": levels, "runs": runs})
    return made.set_index(["quantity", "subject"]).verdict


def test_verdicts_follow_the_slope_of_the_gap(optimizers_config, tables):
    slopes = {"gradient_descent": -0.8, "adam": -0.01}
    verdicts = synthetic(optimizers_config, tables, slopes)
    relative = "slope of the gap over that of gradient descent"
    assert verdicts[relative, "adam"] == "falls behind with width"
    verdicts = verdicts["slope of the gap against width"]
    assert verdicts.to_dict() == {
        "gradient_descent": "within the bound",
        "adam": "slower than the bound",
    }
    swapped = {"gradient_descent": -0.01, "adam": -0.8}
    verdicts = synthetic(optimizers_config, tables, swapped)
    ratio = "gap over that of gradient descent, width 32"
    assert verdicts[ratio, "adam"] == "nearer to the kernel"
    assert verdicts["slope of the gap against width", "adam"] == "within the bound"
    assert verdicts[relative, "adam"] == "comes nearer with width"


def test_verdicts_follow_the_errors_on_random_labels(optimizers_config, tables):
    quantity = "test error, random less correct labels, points"
    slopes = {"gradient_descent": -1.0, "adam": -1.0}
    for error, verdict in ((50.0, "worse"), (10.0, "better")):
        verdicts = synthetic(optimizers_config, tables, slopes, error)[quantity]
        assert set(verdicts) == {f"random labels are {verdict}"}


def test_one_seed_decides_nothing(optimizers_config, tables):
    one = {
        name: table[table.seed == 3] if "seed" in table else table for name, table in tables.items()
    }
    verdicts = make_verdicts(replace(optimizers_config, seeds=(3,)), one)
    assert set(verdicts.verdict) == {"undecided"}
    assert (verdicts.n == 1).all()


def test_stopping_and_ridge_are_near_and_nearest_where_little_is_learnt(tables):
    stops = tables["stops"]
    first = stops.time == stops.groupby(["kernel", "seed"]).time.transform("min")
    assert stops.distance.max() < 0.5
    assert stops.distance[first].max() < 0.1
    assert set(stops.kernel) == {"analytic", "empirical"}


def test_the_plan_counts_what_a_run_trains(optimizers_config, optimizers_folder):
    (plan,) = plan_optimizers(optimizers_config, "nowhere")
    runs = [p for p in (optimizers_folder / "runs").iterdir() if not p.name.startswith("start-")]
    assert plan.counts["runs"] == len(runs)
    # Two widths and optimisers, and sgd at one of them.
    assert plan.counts["kinds to compile"] == 2 * 2 + 1
    steps = sum(int(np.load(path)["steps"][-1]) for path in runs)
    assert steps / 2 < plan.counts["steps"] < 2 * steps
    assert set(plan.seconds) == {"width 8", "width 32", "compiling"}
    stored = sum(path.stat().st_size for path in runs)
    assert stored / 1.5 < plan.disk_bytes < 1.5 * stored
