"""Groups of images side by side: one number of sixteen or eight images, 64 bytes."""

import numpy as np
import pytest

from ntkreg.kernels.compiled.flags import counting_nothing
from ntkreg.kernels.compiled.lanes import aligned, group, lanes, n_lanes
from ntkreg.kernels.image.loops.tiles import take_lanes_apart

DTYPES = [np.dtype("float32"), np.dtype("float64")]


@counting_nothing
def _lanes_of(array):
    return lanes(array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_lanes_fill_a_cache_line(dtype):
    assert n_lanes(dtype) * dtype.itemsize == 64
    assert _lanes_of(np.zeros(1, dtype)) == n_lanes(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3,), (2, 5), (7, 1, 16)])
def test_aligned_arrays_begin_at_a_cache_line(dtype, shape):
    held = [aligned(shape, dtype) for _ in range(5)]  # at once, so at five places
    for array in held:
        assert (array.shape, array.dtype) == (shape, dtype)
        assert array.ctypes.data % 64 == 0
        assert array.flags.c_contiguous
        assert not array.any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 7, 8, 9, 15, 16, 17, 33])
def test_images_come_apart_again_as_they_were_grouped(dtype, n):
    images = np.random.default_rng(n).normal(size=(n, 2, 5)).astype(dtype)
    groups = group(images, dtype)
    size = n_lanes(dtype)
    assert groups.shape == (-(-n // size), 2, 5 * size)
    assert groups.ctypes.data % 64 == 0
    k = n - 1
    assert groups[k // size, 1, 3 * size + k % size] == images[k, 1, 3]
    rows = np.full((n, 10), np.nan, dtype)
    take_lanes_apart(groups.reshape(len(groups), -1), rows)
    assert np.array_equal(rows.reshape(images.shape), images)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_last_group_is_filled_up_with_zeros(dtype):
    size = n_lanes(dtype)
    groups = group(np.ones((size + 1, 3), dtype), dtype).reshape(2, 3, size)
    assert groups[0].all()
    assert groups[1, :, 0].all()
    assert not groups[1, :, 1:].any()


def test_tables_in_float64_have_as_many_lanes_as_the_loops():
    groups = group(np.ones((3, 4)), np.dtype("float32"), np.dtype("float64"))
    assert (groups.shape, groups.dtype) == ((1, 4 * 16), np.float64)


def test_outside_of_compiled_loops_lanes_says_where_it_belongs():
    with pytest.raises(NotImplementedError, match="compiled loops only"):
        lanes(np.zeros(3))
