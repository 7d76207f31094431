"""The loops' own functions against extended precision."""

import mpmath
import numba
import numpy as np
import pytest

from ntkreg.kernels.compiled.math import arcsine, exponential, short_sinh

DTYPES = ["float32", "float64"]


def _over(function):
    """Compile a loop over a scalar function."""

    @numba.njit
    def run(x, u, out):
        for i in range(len(x)):
            out[i] = function(x[i], u[i])

    def values(x, u):
        out = np.empty_like(x)
        run(x, u, out)
        return out

    return values


_exponential = _over(numba.njit(lambda x, u: exponential(x)))
_sinh = _over(numba.njit(lambda x, u: short_sinh(x)))
_arcsine = _over(numba.njit(lambda x, u: arcsine(x, u)))


def _error(got, exact, x):
    """Greatest relative error in units of the dtype's eps."""
    with mpmath.workdps(40):
        off = [
            abs(mpmath.mpf(float(g)) / exact(mpmath.mpf(float(v))) - 1)
            for g, v in zip(got, x, strict=True)
        ]
        return float(max(off)) / np.finfo(got.dtype).eps


@pytest.mark.parametrize("dtype", DTYPES)
def test_exponential_has_full_relative_precision(dtype):
    least = -87 if dtype == "float32" else -708
    x = -np.concatenate([np.linspace(0, -least, 1501), np.logspace(-20, 0, 200)]).astype(dtype)
    assert _error(_exponential(x, x), mpmath.exp, x) <= 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_exponential_of_what_is_far_below_zero_is_next_to_nothing_and_of_zero_is_one(dtype):
    x = np.array([0, -1e3, -1e30, -np.inf], dtype)
    values = _exponential(x, x)
    assert values[0] == 1
    assert (values[1:] >= 0).all()
    assert (values[1:] < 1e-36).all()
    assert np.isnan(_exponential(np.array([np.nan], dtype), x[:1]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_short_sinh_has_full_relative_precision(dtype):
    x = np.concatenate([np.linspace(1e-9, 1, 801), np.logspace(-30, 0, 200)]).astype(dtype)
    assert _error(_sinh(x, x), mpmath.sinh, x) <= 2
    assert np.array_equal(_sinh(-x, x), -_sinh(x, x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_arcsine_has_full_relative_precision(dtype):
    near = 1 - np.logspace(-7 if dtype == "float32" else -15, -1, 200)
    x = np.concatenate([np.linspace(0.01, 1, 801), np.logspace(-30, 0, 200), near]).astype(dtype)
    assert _error(_arcsine(x, 1 - x), mpmath.asin, x) <= 3
    assert np.array_equal(_arcsine(-x, 1 - x), -_arcsine(x, 1 - x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_arcsine_takes_the_distance_to_one_from_who_knows_it_better(dtype):
    u = np.logspace(-30, -12, 50).astype(dtype)
    got = np.pi / 2 - _arcsine(np.ones_like(u), u).astype(float)
    assert np.allclose(got, np.sqrt(2 * u.astype(float)), rtol=0, atol=4 * np.finfo(dtype).eps)
