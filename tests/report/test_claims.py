"""What remarks claim in words, beside the figures that they take from the rows."""

import numpy as np
import pandas as pd
import pytest
from benchmark_pages import FOLDER, table, words

from ntkreg.report.few_samples_network import quoted as network
from ntkreg.report.register import REPORTS
from ntkreg.report.shared.kept import KeptStudy
from ntkreg.studies.compare.statistics import pair_tests, summary
from ntkreg.studies.few_samples.summary import exact_accuracies
from ntkreg.studies.precision.errors import least_eigenvalues
from ntkreg.studies.shared.intervals import mean_interval, ratio_interval
from ntkreg.studies.shared.published import CIFAR2_DEPTHS


def kept(stem):
    study = KeptStudy(FOLDER / stem, {})
    return KeptStudy(FOLDER / stem, REPORTS[study.record()["study"]].derived)


def test_one_kernel_has_the_highest_mean_at_every_n():
    rows = kept("cifar10_best_kernel").table("rows")
    draws = rows.pivot_table(index=["n", "draw"], columns="kernel", values="accuracy")
    assert set(draws.groupby("n").mean().idxmax(axis=1)) == {"Myrtle-7 ZCA flip NTK"}


def test_no_network_is_ahead_of_its_kernel_and_the_kernel_twice():
    study = kept("cifar10_few_samples_cnn")
    assert network.ahead(study) == "40 and 320"
    assert network.level(study) == "10, 20, 80 and 160"
    assert "at n = 40 and by" in words("cifar10_few_samples_cnn.md")


def test_depths_gain_together_and_no_step_alone_and_the_published_leap_lies_outside():
    study = kept("cifar2_depths")
    rows = study.table("rows")
    own = rows[(rows["get"] == "ntk") & (rows.n == 100)]
    draws = own.pivot_table(index="draw", columns="depth", values="accuracy")
    assert mean_interval(draws[20] - draws[2]).low > 0
    steps = study.table("steps")
    assert (steps[steps["get"] == "ntk"].verdict == "inside").all()
    first = steps[(steps["get"] == "ntk") & (steps.n == 100) & (steps.depth == 3)]
    known = [row.accuracy for row in CIFAR2_DEPTHS]
    assert known[1] - known[0] > first.high.item()


def test_every_published_figure_on_cntk_gap_lies_inside():
    comparison = kept("cifar10_few_samples").table("comparison")
    assert (comparison[comparison["get"] == "ntk"].verdict == "inside").all()


def test_float32_makes_least_eigenvalues_of_near_copies_negative_with_pooling():
    least = least_eigenvalues(kept("cifar10_precision").table("rows"), "nngp", "near copies")
    pooled = [name for name in least.index if name.startswith(("gap", "myrtle"))]
    assert len(pooled) == 5
    assert (least.float32[pooled] < 0).all()


def test_scaled_optimisers_move_farther_and_their_drift_is_undecided():
    study = kept("optimizers_mnist")
    runs, scaled = study.table("runs"), ["rmsprop", "adam", "adagrad"]
    own = runs[(runs.width == 128) & (runs.labels == "correct")]
    moved = own.pivot(index="seed", columns="optimizer", values="moved")
    for optimizer in moved.columns.drop("gradient_descent"):
        assert ratio_interval(moved[optimizer], moved.gradient_descent).low > 1
    verdicts = study.table("verdicts").set_index(["subject", "quantity"]).verdict
    for optimizer in scaled:
        assert verdicts[optimizer, "kernel drift over that of gradient descent"] == "undecided"
        assert verdicts[optimizer, "gap over that of gradient descent, width 256"] == (
            "farther from the kernel"
        )


@pytest.mark.parametrize("name", ["mnist", "cifar10", "conv8", "conv16"])
def test_rows_that_disagree_with_theory_are_named_with_their_intervals(name):
    page = f"widths_{name}.md"
    rows = table(page, "Slopes against width") + table(page, "Ensembles")
    against = [row for row in rows if row[3] == "disagrees"]
    for row in against:
        assert f"{float(row[5]):.{len(row[5].split('.')[1])}f} ({row[6]}" in words(page)
    assert bool(against) != ("Every row that is decided agrees" in words(page))


def test_what_points_away_from_theory_on_8_x_8_pixels_is_as_told():
    study = kept("widths_conv8")
    slopes, limits = study.table("slopes"), study.table("limits")
    both = pd.concat([slopes, limits])
    wide = both[(both.verdict == "undecided") & both.low.notna()]
    lengths = (wide.high - wide.low).set_axis(
        wide.quantity.fillna(wide.formula).str.cat(wide.parametrization, " ")
    )
    widest = ["ntk_drift ntk", "feature_drift mup"]
    assert lengths[widest].min() > 2 * lengths.drop(widest).max()
    [away] = limits[(limits.verdict == "undecided") & (limits.expected == 1)].itertuples()
    assert away.low > 1


def test_open_slopes_at_the_start_on_16_x_16_pixels_hold_the_expected_one():
    slopes = kept("widths_conv16").table("slopes")
    start = slopes.quantity.str.startswith(("nngp_", "ntk_")) & (slopes.quantity != "ntk_drift")
    resolved = slopes[start & (slopes.n_widths > 0)]
    assert set(resolved.verdict) == {"undecided"}
    assert (resolved.low <= resolved.expected).all()
    assert (resolved.expected <= resolved.high).all()


def test_no_model_is_told_from_any_other_on_uci_and_two_pairs_only_before_correction():
    study = kept("compare_uci")
    found, tests = study.table("summary").set_index("model"), study.table("tests")
    assert (tests.verdict == "not told apart").all()
    assert found.accuracy.idxmax() == "NTK"
    assert found["rank"].idxmin() == "Laplace"
    pairs = tests[tests.p < 0.05][["first", "second"]].to_numpy().tolist()
    assert pairs == [["NTK", "polynomial"], ["NNGP", "polynomial"]]


def test_ntk_and_laplace_are_alike_in_the_mean_and_not_set_by_set():
    study = kept("compare_uci")
    tests = study.table("tests").set_index(["first", "second"]).loc[("NTK", "Laplace")]
    assert tests.low > -1
    assert tests.high < 1
    alike = study.table("alike").set_index(["first", "second"])["mean"]
    assert alike["NTK", "Laplace"] < alike["NTK", "NNGP"]
    accuracies = study.table("accuracies").pivot(index="set", columns="model", values="mean")
    assert ((accuracies.NTK - accuracies.Laplace).abs() > 2).sum() > 5


def test_no_kernel_on_few_images_is_told_from_another():
    study = kept("compare_images")
    found = study.table("summary").set_index("model")
    assert found.accuracy.idxmax() == found["rank"].idxmin() == "CNTK"
    assert (study.table("tests").verdict == "not told apart").all()


@pytest.mark.parametrize("stem", ["compare_uci", "compare_images", "compare_uci_nested"])
def test_comparisons_follow_from_their_rows(stem):
    study = kept(stem)
    rows, models = study.table("rows"), list(study.config()["models"])
    rows = exact_accuracies(rows, rows.n_test)
    tests, found = study.table("tests"), pair_tests(rows, models)
    for name in ("difference", "low", "high", "p_holm"):
        np.testing.assert_allclose(found[name], tests[name], rtol=1e-9)
    assert (found.verdict == tests.verdict).all()
    ranks = summary(rows, models)
    np.testing.assert_allclose(ranks["rank"], study.table("summary")["rank"], atol=1e-9)
    assert (rows.groupby(["set", "model"]).size() == rows.split.max() + 1).all()
    assert study.config()["budget"] == 30
