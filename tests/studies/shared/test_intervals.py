import numpy as np
import pytest
from scipy import stats

from ntkreg.studies.shared.intervals import loglog_slopes, mean_interval, ratio_interval

VALUES = np.random.default_rng(0).normal(2, 1, size=5)


def test_the_interval_of_a_mean_is_students():
    found = mean_interval([*VALUES, np.nan])
    wanted = stats.ttest_1samp(VALUES, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert (found.estimate, found.n) == (pytest.approx(VALUES.mean()), 5)


def test_one_value_has_no_interval_and_none_has_no_mean():
    found = mean_interval([3.0])
    assert (found.estimate, found.n) == (3, 1)
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(mean_interval([]).estimate)


def test_the_interval_of_a_ratio_is_paired_and_turns_over_with_it():
    below = np.exp(VALUES)
    found = ratio_interval(3 * below, below)
    assert (found.estimate, found.low, found.high) == pytest.approx((3, 3, 3))
    there, back = ratio_interval(below, VALUES**2), ratio_interval(VALUES**2, below)
    assert there.low == pytest.approx(1 / back.high)
    assert there.estimate == pytest.approx(1 / back.estimate)


def test_slopes_of_powers_are_their_exponents_line_by_line():
    x = [16, 64, 1024]
    y = np.array([[7 * v**-0.5 for v in x], [v**1.25 for v in x]])
    np.testing.assert_allclose(loglog_slopes(x, y), [-0.5, 1.25])
    assert np.isnan(loglog_slopes([16], [[1.0], [2.0]])).all()
