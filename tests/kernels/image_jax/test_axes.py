"""Packed tiles, checked pixel pair by pixel pair against definitions."""

import itertools

import numpy as np
import pytest

from ntkreg.architecture import (
    Architecture,
    AvgPool,
    Conv,
    Flatten,
    GlobalAvgPool,
    LocalAvgPool,
)
from ntkreg.kernels.image.compiler import compile_image_network
from ntkreg.kernels.image.readout import readout_weights
from ntkreg.kernels.image_jax.axes import packed_axes


def rows_of(*layers, n, readout=None):
    """The rows of every stage, for images of n rows."""
    network = Architecture((*layers, *(readout or (GlobalAvgPool(),))))
    program = compile_image_network([network], n, 12)
    return [rows for rows, _ in packed_axes(program)]


def pairs(axis, level):
    """Pixels p and p' of all entries, (n_e, N) each."""
    p = np.arange(axis.moduli[level])
    return np.broadcast_arrays(p, (p + axis.offsets[level][:, None]) % axis.moduli[level])


@pytest.mark.parametrize("padding", ["SAME", "CIRCULAR"])
@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_every_pair_of_pixels_is_one_entry_and_none_is_wasted(n, padding):
    (axis,) = rows_of(Conv(padding=padding), n=n)
    p, q = pairs(axis, 0)
    assert sorted(zip(p.ravel(), q.ravel(), strict=True)) == [
        *itertools.product(range(n), repeat=2)
    ]


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("n", [5, 6, 7])
def test_masked_slices_sum_the_windows_of_both_images(n, padding, stride):
    (axis,) = rows_of(Conv(stride=stride, padding=padding), n=n)
    field = np.random.default_rng(0).normal(size=(n, n))  # of pairs of pixels of the input
    m = axis.sizes[-1]
    origin = max((m - 1) * stride + 3 - n, 0) // 2 if padding == "SAME" else 0
    wanted = np.zeros((m, m))
    for a, b, j in itertools.product(range(m), range(m), range(3)):
        p, q = stride * a - origin + j, stride * b - origin + j
        if 0 <= p < n and 0 <= q < n:
            wanted[a, b] += field[p, q]
    p, q = pairs(axis, 0)
    tiles = np.where((p < n) & (q < n), field[np.minimum(p, n - 1), np.minimum(q, n - 1)], np.pi)
    tiles = np.pad(tiles, [(0, 0), (origin, 3 * stride)], constant_values=np.pi)
    mask, size = axis.masks[0], axis.moduli[-1]
    got = sum(mask[:, j] * tiles[:, j : j + stride * (size - 1) + 1 : stride] for j in range(3))
    p, q = pairs(axis, len(axis.sizes) - 1)
    inside = (p < m) & (q < m)
    np.testing.assert_allclose(got[inside], wanted[p[inside], q[inside]], rtol=1e-12)
    assert not got[~inside].any()


@pytest.mark.parametrize("pool", [2, 3])
@pytest.mark.parametrize("n", [6, 7, 8])
def test_pooling_takes_every_pair_to_that_of_its_squares_and_drops_the_rest(n, pool):
    before, after = rows_of(Conv(), AvgPool(pool), Conv(), n=n)
    p, q = pairs(before, 0)
    first, second = pairs(after, 0)
    there = np.zeros((after.n_offsets, after.moduli[0]))
    for e, target in itertools.product(range(len(p)), range(before.targets.shape[1])):
        for i in np.flatnonzero(before.pools[e, target]):
            to = before.targets[e, target]
            assert (first[to, i // pool], second[to, i // pool]) == (
                p[e, i] // pool,
                q[e, i] // pool,
            )
            there[to, i // pool] += 1
    assert (there[(first < n // pool) & (second < n // pool)] == pool * pool).all()
    assert there.sum() == (n // pool * pool) ** 2


@pytest.mark.parametrize("half_width", [0, 1, 2])
def test_reading_weighs_every_pair_as_the_read_out_says(half_width):
    readout = (LocalAvgPool(half_width), Flatten())
    (axis,) = rows_of(Conv(), n=9, readout=readout)
    p, q = pairs(axis, 0)
    wanted = readout_weights(readout[0], 9)
    np.testing.assert_array_equal(axis.weight[0], wanted[p, q])
    assert np.isclose(axis.weight.sum(), wanted.sum())
    assert axis.n_offsets == 4 * half_width + 1


def test_flatten_runs_the_offset_zero_alone():
    axes = rows_of(Conv(), AvgPool(2), Conv(), n=8, readout=(Flatten(),))
    assert [list(axis.offsets[0]) for axis in axes] == [[0, 1, 7], [0]]
