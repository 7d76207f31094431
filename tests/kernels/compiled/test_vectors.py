"""Vectors of lanes as values in compiled loops."""

import numpy as np
import pytest

from ntkreg.kernels.compiled.flags import compiled
from ntkreg.kernels.compiled.lanes import n_lanes
from ntkreg.kernels.compiled.vectors import load, spread, store


@compiled
def _combine(a, b, x, out, at):
    store(out, at, load(out, at) + spread(x) * load(a, at) + load(b, at + np.uint64(1)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_and_products_go_lane_by_lane_and_touch_nothing_else(dtype):
    n = n_lanes(np.dtype(dtype))
    a, b, out = np.random.default_rng(0).normal(size=(3, 4 * n)).astype(dtype)
    wanted = out.copy()
    there = slice(n, 2 * n)
    wanted[there] = out[there] + 3 * a[there] + b[n + 1 : 2 * n + 1]
    _combine(a, b, np.dtype(dtype).type(3), out, np.uint64(n))
    np.testing.assert_allclose(out, wanted, rtol=8 * np.finfo(dtype).eps)
    assert np.array_equal(out[:n], wanted[:n])
    assert np.array_equal(out[2 * n :], wanted[2 * n :])


def test_vectors_of_two_dtypes_do_not_mix():
    @compiled
    def mixed(a, b, out):
        store(out, np.uint64(0), load(a, np.uint64(0)) + load(b, np.uint64(0)))

    with pytest.raises(Exception, match="No implementation of function"):
        mixed(np.zeros(16, np.float32), np.zeros(8), np.zeros(16, np.float32))
