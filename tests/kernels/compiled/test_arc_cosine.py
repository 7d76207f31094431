"""The polynomial dual of the compiled loops against extended precision."""

import mpmath
import numba
import numpy as np
import pytest

from ntkreg.kernels.compiled.arc_cosine import in_every_lane, kappas, positive_kappas, relu_dual
from ntkreg.kernels.compiled.flags import compiled
from ntkreg.kernels.compiled.lanes import lanes
from ntkreg.kernels.compiled.vectors import load, store

ERRORS = {"float32": 4e-7, "float64": 2e-15}


@numba.njit
def _values(correlations, dual):
    out = np.empty((2, len(correlations)), dtype=correlations.dtype)
    for i in range(len(correlations)):
        out[0, i], out[1, i] = kappas(correlations[i], dual)
    return out


def _exact(correlations):
    with mpmath.workdps(40):
        k0 = [1 - mpmath.acos(mpmath.mpf(float(c))) / mpmath.pi for c in correlations]
        k1 = [
            mpmath.sqrt(1 - mpmath.mpf(float(c)) ** 2) / mpmath.pi + mpmath.mpf(float(c)) * k
            for c, k in zip(correlations, k0, strict=True)
        ]
        return np.array([[float(v) for v in k0], [float(v) for v in k1]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_polynomials_are_the_dual_to_the_dtype_s_rounding(dtype):
    near_one = 1 - np.logspace(-3, -14, 60)
    c = np.concatenate([np.linspace(-1, 1, 401), near_one, -near_one]).astype(dtype)
    c = c[1 - np.abs(c) > 4 * np.finfo(dtype).eps]
    error = np.abs(_values(c, relu_dual(dtype)) - _exact(c))
    assert error.max() <= ERRORS[dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_correlations_within_their_rounding_of_one_count_as_one(dtype):
    eps = np.finfo(dtype).eps
    c = np.array([1 - 4 * eps, 1 - 8 * eps, 4 * eps - 1, 8 * eps - 1], dtype)
    kappa0, _ = _values(c, relu_dual(dtype))
    assert kappa0[0] == 1
    assert kappa0[2] == 0
    assert np.abs(kappa0 - _exact(c)[0]).max() <= np.sqrt(eps)
    assert 0 < kappa0[3] < 2 * np.sqrt(eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_correlations_beyond_one_are_clamped_not_nan(dtype):
    c = np.array([1 + 1e-6, -1 - 1e-6, 1, -1, 0], dtype)
    k0, k1 = _values(c, relu_dual(dtype))
    assert np.allclose(k0, [1, 0, 1, 0, 0.5], atol=ERRORS[dtype])
    assert np.allclose(k1, [1, 0, 1, 0, 1 / np.pi], atol=2e-6)


def test_gain_scales_kappa0_only():
    c = np.linspace(-1, 1, 11)
    plain, scaled = _values(c, relu_dual("float64")), _values(c, relu_dual("float64", 0.25))
    assert np.allclose(scaled[0], plain[0] / 4, rtol=1e-14)
    assert np.array_equal(scaled[1], plain[1])


@compiled
def _in_vectors(correlations, dual, out):
    every = in_every_lane(dual)
    for i in range(np.uint64(0), np.uint64(len(correlations)), lanes(correlations)):
        k0, k1 = kappas(load(correlations, i), every)
        store(out[0], i, k0)
        store(out[1], i, k1)
        k0, k1 = positive_kappas(load(correlations, i), every)
        store(out[2], i, k0)
        store(out[3], i, k1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vectors_give_what_numbers_give_and_positive_ones_the_same_for_less(dtype):
    eps = np.finfo(dtype).eps
    edges = [0, 1 - 8 * eps, 1 - 4 * eps, 1 - 2 * eps, 1, 1 + 2 * eps]
    c = np.concatenate([edges, np.linspace(0, 1, 58), -np.linspace(0, 1, 64)]).astype(dtype)
    dual, out = relu_dual(dtype, 0.5), np.empty((4, len(c)), dtype)
    _in_vectors(c, dual, out)
    wanted = _values(c, dual)
    np.testing.assert_allclose(out[:2], wanted, rtol=0, atol=4 * eps)
    np.testing.assert_allclose(out[2:, :64], wanted[:, :64], rtol=0, atol=4 * eps)
    assert (out[2, np.abs(c - 1) < 5 * eps] == 0.5).all()
