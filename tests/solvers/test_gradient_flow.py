"""Shares that are learnt, against their definitions in many digits."""

import mpmath
import numpy as np
import pytest

from ntkreg.solvers.gradient_flow import descent_share, flow_share, over_eigenvalues

SLOPES = np.array([0.0, 1e-12, 0.3, 0.5, 0.50001, 1.0, 1.7])


def test_the_flow_keeps_its_digits_where_little_is_learnt():
    t = np.array([0.0, 1e-3, 5.0, 1e6])
    with mpmath.workdps(60):
        wanted = [[float(1 - mpmath.exp(-mpmath.mpf(a) * s)) for s in SLOPES] for a in t]
    np.testing.assert_allclose(flow_share(SLOPES, t), wanted, rtol=1e-13, atol=0)


@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_descent_is_the_product_of_its_steps_and_alternates_beyond_one(rate):
    steps = np.array([0.0, 1.0, 2.0, 7.0])
    with mpmath.workdps(60):
        wanted = [[float(1 - (1 - mpmath.mpf(rate) * s) ** int(k)) for s in SLOPES] for k in steps]
    np.testing.assert_allclose(descent_share(SLOPES, steps, rate), wanted, rtol=1e-12, atol=0)
    if rate == 1.0:
        assert descent_share(SLOPES, steps, rate)[1, -1] > 1


def test_many_small_steps_are_the_flow():
    found = descent_share(SLOPES, np.array([1e7]), 1e-7)
    np.testing.assert_allclose(found, flow_share(SLOPES, np.array([1.0])), rtol=1e-6)


def test_over_eigenvalues_takes_the_limit_where_they_are_zero():
    values, t = np.array([0.0, 1e-9, 2.0]), np.array([0.5, 3.0])
    found = over_eigenvalues(flow_share(values, t), values, t[:, None])
    np.testing.assert_array_equal(found[:, 0], t)
    np.testing.assert_allclose(found[:, 1], t, rtol=1e-8)
    np.testing.assert_allclose(found[:, 2], (1 - np.exp(-2 * t)) / 2)
