"""Points, tables and verdicts from networks that were made up."""

import numpy as np
import pandas as pd
import pytest

from ntkreg.studies.widths.quantities import EXPECTATIONS, QUANTITIES
from ntkreg.studies.widths.tables import (
    ensemble_points,
    kernel_points,
    limit_table,
    slope_table,
    spread_points,
)
from ntkreg.studies.widths.task import Ensemble

GROUP = (3, "ntk", 64)


def by_name(points, key="quantity"):
    return {point[key]: point for point in points}


def test_bias_and_fluctuation_of_kernels_come_out_without_mixing():
    rng = np.random.default_rng(0)
    n, n_seeds = 12, 6
    K, shift = np.eye(n) * 3, 0.05 * rng.normal(size=(n, n))
    scale = np.linalg.norm(K)
    squares = {"ntk_bias": [], "ntk_fluctuation": []}
    errors = []
    for _ in range(300):
        kernels = K + shift + 0.2 * rng.normal(size=(n_seeds, n, n))
        found = by_name(kernel_points(GROUP, "ntk", kernels, K))
        for key, list_ in squares.items():
            list_.append(np.sign(found[key]["value"]) * found[key]["value"] ** 2)
        errors.append(found["ntk_fluctuation"]["log_error"] * 2 * squares["ntk_fluctuation"][-1])
    bias, fluctuation = np.mean(squares["ntk_bias"]), np.mean(squares["ntk_fluctuation"])
    # The mean of six starts is six times closer to the noise than to the bias here.
    assert bias == pytest.approx((np.linalg.norm(shift) / scale) ** 2, rel=0.1)
    assert fluctuation == pytest.approx((0.2 * n / scale) ** 2, rel=0.02)
    assert np.mean(errors) == pytest.approx(np.std(squares["ntk_fluctuation"]), rel=0.2)


def test_a_bias_within_its_error_is_not_resolved():
    rng = np.random.default_rng(1)
    found = by_name(kernel_points(GROUP, "ntk", np.eye(5) + rng.normal(size=(8, 5, 5)), np.eye(5)))
    assert np.isnan(found["ntk_bias"]["log_error"])
    assert found["ntk_fluctuation"]["log_error"] > 0


def make_rows(slope, n_seeds=8, widths=(16, 32, 64, 128, 256), key="ntk_drift"):
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "depth": 3,
            "parametrization": "ntk",
            "width": n,
            "draw": draw,
            "trained": float(draw < n_seeds),
            key: n**slope * np.exp(0.05 * rng.normal()) if draw < n_seeds else np.nan,
            "ntk_frobenius": n**-0.5 * np.exp(0.05 * rng.normal()),
            "test_error": 10 + rng.normal(),
        }
        for n in widths
        for draw in range(2 * n_seeds)
    )


def test_starts_without_training_count_for_kernels_only():
    points = pd.DataFrame(spread_points(make_rows(-1)))
    counts = points.groupby("quantity").n_seeds.unique().map(list).to_dict()
    assert counts == {"ntk_drift": [8], "ntk_frobenius": [16], "test_error": [8]}
    drift = points[points.quantity == "ntk_drift"]
    np.testing.assert_allclose(drift.value, 1.0 / drift.width, rtol=0.1)
    assert drift.log_error.between(0.005, 0.035).all()
    errors = points[points.quantity == "test_error"]
    assert errors.value.between(9, 11).all()
    assert errors["std"].between(0.3, 2).all()


def test_one_diverged_network_takes_its_width_out_of_the_slope():
    rows = make_rows(-1)
    rows.loc[(rows.width == 16) & (rows.draw == 3), "ntk_drift"] = np.nan
    table = slope_table(pd.DataFrame(spread_points(rows)))
    first = table.set_index("quantity").first_width
    assert set(first.loc[["ntk_drift"]]) == {32}
    assert first.ntk_frobenius == 16


def test_bounds_and_seen_slopes_of_one_quantity_get_their_own_verdicts():
    table = slope_table(pd.DataFrame(spread_points(make_rows(-0.75))))
    verdicts = {(r.quantity, r.kind): r.verdict for r in table.itertuples()}
    assert verdicts == {
        ("ntk_drift", "bound"): "agrees",
        ("ntk_drift", "value"): "disagrees",
        ("ntk_frobenius", "value"): "agrees",
    }


def test_an_ensemble_that_follows_a_formula_meets_it_and_no_other():
    rng = np.random.default_rng(5)
    mean, std = rng.normal(size=30), rng.uniform(0.5, 1, size=30)
    formulas = {
        "ntk": Ensemble(mean, std**2),
        "nngp": Ensemble(mean + 0.8, 2 * std**2),
        "nngp stopped": Ensemble(mean, std**2),
    }
    points = []
    for n in (16, 32, 64, 128, 256):
        outputs = mean + 2 / n + std * rng.normal(size=(40, 30))
        points += ensemble_points((1, "ntk", n), outputs, formulas)
    table = limit_table(pd.DataFrame(points)).set_index(["formula", "moment"])
    assert table.loc[("ntk", "mean"), "limit"] == pytest.approx(0, abs=0.02)
    assert table.loc[("nngp", "mean"), "limit"] == pytest.approx(
        0.8**2 / (2 * np.mean(std**2)), rel=0.1
    )
    assert table.loc[("nngp", "variance"), "limit"] == pytest.approx(0.5, rel=0.1)
    assert list(table.verdict) == ["agrees", "agrees", "agrees", "agrees", "", ""]
    # Held against the wrong formula, the same rows say so.
    wrong = [p | {"formula": "ntk"} for p in points if p["formula"] == "nngp"]
    assert set(limit_table(pd.DataFrame(wrong)).verdict) <= {"disagrees", "undecided"}
    assert "disagrees" in set(limit_table(pd.DataFrame(wrong)).verdict)


def test_every_expectation_is_about_a_known_quantity():
    assert {e.quantity for e in EXPECTATIONS} <= set(QUANTITIES)
    assert {e.kind for e in EXPECTATIONS} == {"value", "bound"}
