"""Fits and verdicts on points whose slope is known."""

import math

import numpy as np
import pytest

from ntkreg.studies.widths.slopes import Fit, fit_limit, fit_slope, judge

WIDTHS = np.array([16, 32, 64, 128, 256, 512, 1024])


def draw(rng, slope, correction=0.0, scatter=0.3, n_seeds=16):
    """Geometric means over starts of 5 n^slope exp(correction / n) exp(scatter * normal)."""
    logs = (
        np.log(5) + slope * np.log(WIDTHS)[:, None] + correction / WIDTHS[:, None]
        + scatter * rng.normal(size=(len(WIDTHS), n_seeds))
    )  # fmt: skip
    error = logs.std(axis=1, ddof=1) / math.sqrt(n_seeds)
    return WIDTHS, np.exp(logs.mean(axis=1)), error, np.full(len(WIDTHS), n_seeds)


@pytest.mark.parametrize("correction", [0.0, 8.0])
@pytest.mark.parametrize("slope", [-1.0, -0.5, 0.0])
def test_the_interval_holds_the_true_slope_in_about_95_of_100_draws(slope, correction):
    rng = np.random.default_rng(0)
    fits = [fit_slope(*draw(rng, slope, correction)) for _ in range(400)]
    held = np.mean([fit.low <= slope <= fit.high for fit in fits])
    assert 0.91 < held < 0.985
    assert abs(np.mean([fit.value for fit in fits]) - slope) < 0.01
    assert abs(np.mean([fit.correction for fit in fits]) - correction) < 0.7


def test_without_the_correction_narrow_widths_would_tilt_the_slope():
    widths, values, errors, n_seeds = draw(np.random.default_rng(1), -0.5, 8.0, 0.02)
    line = np.polyfit(np.log(widths), np.log(values), 1)[0]
    assert abs(line + 0.5) > 0.05
    assert abs(fit_slope(widths, values, errors, n_seeds).value + 0.5) < 0.02


def test_widths_outside_the_asymptotic_range_are_left_out():
    widths, values, errors, n_seeds = draw(np.random.default_rng(2), -1.0, scatter=0.05)
    values[:2] *= (0.2, 0.8)
    fit = fit_slope(widths, values, errors, n_seeds)
    assert (fit.first_width, fit.last_width, fit.n_widths) == (64, 1024, 5)
    assert fit.low <= -1.0 <= fit.high
    assert fit.probability >= 0.05


def test_points_that_no_power_fits_get_a_wider_interval():
    widths, values, errors, n_seeds = draw(np.random.default_rng(3), -0.5, scatter=0.05)
    wavy = values * np.exp(0.3 * np.cos(3 * np.log(widths)))
    smooth, rough = (fit_slope(widths, v, errors, n_seeds) for v in (values, wavy))
    assert rough.probability < 0.05
    assert rough.half_width > 5 * smooth.half_width


def test_points_without_a_logarithm_or_an_error_do_not_count():
    values = 2 / WIDTHS.astype(float)
    errors = np.full(len(WIDTHS), 0.01)
    values[0], values[1], errors[2] = -1.0, np.nan, np.nan
    fit = fit_slope(WIDTHS, values, errors, np.full(len(WIDTHS), 4))
    assert (fit.first_width, fit.n_widths) == (128, 4)
    assert fit.value == pytest.approx(-1)
    assert fit.correction == 0
    none = fit_slope(WIDTHS[:5], values[:5], errors[:5], np.full(5, 4))
    assert math.isnan(none.value)
    assert none.n_widths == 0
    assert judge(none, -1.0, "value") == judge(none, -1.0, "bound") == "undecided"


def test_a_limit_is_what_is_left_at_infinite_width():
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(300):
        values = -0.3 + 4 / WIDTHS + 0.1 * rng.normal(size=len(WIDTHS))
        fit = fit_limit(WIDTHS, values, np.full(len(WIDTHS), 0.1), np.full(len(WIDTHS), 16))
        inside += fit.low <= -0.3 <= fit.high
    assert 0.91 < inside / 300 < 0.985


@pytest.mark.parametrize(
    ("low", "high", "expected", "kind", "verdict"),
    [
        (-0.55, -0.45, -0.5, "value", "agrees"),
        (-0.55, -0.51, -0.5, "value", "agrees"),  # not inside, but all within 0.1
        (-0.65, -0.51, -0.5, "value", "disagrees"),
        (-0.75, -0.65, -0.5, "value", "disagrees"),
        (-0.75, -0.45, -0.5, "value", "undecided"),  # wider than +-0.1
        (-1.5, -1.2, -0.5, "value", "undecided"),
        (-0.55, -0.45, -0.5, "bound", "agrees"),
        (-1.1, -0.9, -0.5, "bound", "agrees"),
        (-1.5, -0.6, -0.5, "bound", "agrees"),  # wide, yet all of it below
        (-0.75, -0.45, -0.5, "bound", "undecided"),
        (-0.45, -0.35, -0.5, "bound", "disagrees"),
        (-0.45, 0.35, -0.5, "bound", "disagrees"),
        (0.6, 1.1, 0.0, "differs", "agrees"),
        (-0.05, 0.05, 0.0, "differs", "disagrees"),
        (-0.5, 0.5, 0.0, "differs", "undecided"),
    ],
)
def test_verdicts(low, high, expected, kind, verdict):
    fit = Fit((low + high) / 2, low, high, 0.0, 0.5, 16, 1024, 7)
    assert judge(fit, expected, kind) == verdict
