"""Where tiles lie, checked pixel pair by pixel pair against definitions."""

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
    Residual,
    myrtle,
)
from ntkreg.kernels.image.compiler import compile_image_network
from ntkreg.kernels.image.geometry import stage_geometries
from ntkreg.kernels.image.readout import readout_weights

CIRCULAR = Conv(padding="CIRCULAR")


def _geometries(*layers, readout=None, size=(6, 5)):
    end = (GlobalAvgPool(),) if readout is None else (readout, Flatten())
    end = (readout,) if isinstance(readout, Flatten) else end
    program = compile_image_network([Architecture((*layers, *end))], *size)
    return program.stages, stage_geometries(program)


def _pairs(axis, level, e, size):
    """Pixel pairs (p, p') of a tile's entries along one axis."""
    first, second = int(axis.x[level, e]), int(axis.z[level, e])
    return [((first + r) % size, (second + r) % size) for r in range(int(axis.length[level, e]))]


def _all_pairs(axis, level, size):
    return [pair for e in range(axis.length.shape[1]) for pair in _pairs(axis, level, e, size)]


@pytest.mark.parametrize("conv", [Conv(), CIRCULAR])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (6, 5)])
def test_every_pair_of_pixels_lies_on_exactly_one_entry(conv, size):
    (_, (geometry,)) = _geometries(conv, size=size)
    for axis, n in zip((geometry.rows, geometry.columns), size, strict=True):
        pairs = _all_pairs(axis, 0, n)
        assert sorted(pairs) == list(itertools.product(range(n), repeat=2))
        assert _pairs(axis, 0, int(axis.own), n) == [(p, p) for p in range(n)]
    assert geometry.entries == (size[0] * size[1]) ** 2


def test_z_begins_within_the_image_and_only_wrapping_tiles_run_past_its_end():
    for conv in (Conv(), CIRCULAR):
        axis = _geometries(conv)[1][0].rows
        assert (axis.z < 6).all()
        assert ((axis.z + axis.length).max() > 6) == (conv is CIRCULAR)
        assert (axis.x + axis.length).max() == 6


@pytest.mark.parametrize(
    ("layers", "size"),
    [
        ((Conv(stride=2), Conv(stride=3)), (11, 14)),
        ((Conv(5, padding="VALID"), Conv(stride=2), Conv(padding="VALID")), (13, 12)),
        ((CIRCULAR, Conv(stride=2, padding="CIRCULAR")), (6, 8)),
        ((Residual((Conv(stride=3), Conv(stride=2)), (Conv(1, stride=6),)),), (13, 7)),
    ],
)
def test_entries_a_stride_apart_become_neighbours(layers, size):
    (stage,), (geometry,) = _geometries(*layers, size=size)
    strides = [level.stride for level in stage.levels]
    for axis, side in ((geometry.rows, "h"), (geometry.columns, "w")):
        sizes = [getattr(level, side) for level in stage.levels]
        end = stage.levels.index(stage.end)
        found = _all_pairs(axis, end, sizes[end])
        assert sorted(found) == list(itertools.product(range(sizes[end]), repeat=2))
        for level, e in itertools.product(range(len(sizes)), range(axis.length.shape[1])):
            coarse, fine = (_pairs(axis, k, e, sizes[k]) for k in (end, level))
            ratio = strides[end] // strides[level]
            offset = (coarse[0][1] - coarse[0][0]) * ratio
            # One offset a tile, the end's times the strides between; and all that lie on it.
            if stage.circular:
                assert {(q - p - offset) % sizes[level] for p, q in fine} == {0}
                assert len(set(fine)) == sizes[level]
            else:
                assert {q - p for p, q in fine} == {offset}
                assert len(set(fine)) == sizes[level] - abs(offset)


def _pooled(axis, stages, n):
    """Where the entries go: {(p, p'): (before, entries, place)}, None for nowhere."""
    end = stages[0].levels.index(stages[0].end)
    side, pieces, found = stages[0].pool, axis.pieces, {}
    for e in range(axis.length.shape[1]):
        pairs = _pairs(axis, end, e, n)
        found.update(dict.fromkeys(pairs))
        for i in range(pieces.times.shape[1]):
            first, count, place, times, before, entries, *_ = (int(a[e, i]) for a in pieces)
            for k, j in itertools.product(range(times), range(count)):
                pair = pairs[first + k * side + j]
                assert found[pair] is None, "every entry goes to one place"
                found[pair] = (before, entries, place + k)
    return found


@pytest.mark.parametrize("pool", [2, 3])
@pytest.mark.parametrize("first", [Conv(), CIRCULAR])
@pytest.mark.parametrize("second", [Conv(), CIRCULAR, Conv(stride=2)])
@pytest.mark.parametrize("size", [(6, 6), (8, 7), (3, 11)])
def test_pooling_takes_every_pair_to_the_entry_of_its_squares(first, second, pool, size):
    stages, (above, below) = _geometries(first, AvgPool(pool), second, size=size)
    for there, here, n in zip(
        (above.rows, above.columns), (below.rows, below.columns), size, strict=True
    ):
        m = n // pool
        lengths = here.length[0].astype(int)
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        wanted = {
            pair: (starts[e], lengths[e], place)
            for e in range(len(lengths))
            for place, pair in enumerate(_pairs(here, 0, e, m))
        }
        got = _pooled(there, stages, n)
        for p, q in itertools.product(range(n), repeat=2):
            # Dropped: what is left over, and offsets that the next stage's stride drops.
            there_is_one = (p // pool, q // pool) in wanted
            assert got.get((p, q)) == (wanted[p // pool, q // pool] if there_is_one else None)
        assert len(wanted) == sum(lengths)
        assert len(wanted) == m**2 or second.stride == 2


def test_the_fields_tiles_lie_one_after_another():
    for geometry in _geometries(Conv(), AvgPool(2), CIRCULAR, size=(7, 9))[1]:
        field = geometry.field
        for length, before in (
            (field.row_length, field.row_before),
            (field.column_length, field.column_before),
        ):
            assert before[0] == 0
            assert np.array_equal(before[1:], np.cumsum(length)[:-1])
        assert field.columns == field.column_length.sum()
        assert field.size == sum(int(h * w) for h in field.row_length for w in field.column_length)


def _offsets(axis):
    return [int(z) - int(x) for x, z in zip(axis.x[0], axis.z[0], strict=True)]


def test_only_the_offsets_that_are_read_are_there():
    assert _offsets(_geometries(Conv(), readout=Flatten())[1][0].rows) == [0]
    assert _offsets(_geometries(CIRCULAR, readout=Flatten())[1][0].columns) == [0]
    local = _geometries(Conv(), readout=LocalAvgPool(1), size=(9, 5))[1][0]
    assert _offsets(local.rows) == [-2, -1, 0, 1, 2]
    assert local.rows.own == 2
    wrapped = _geometries(CIRCULAR, readout=LocalAvgPool(1), size=(9, 5))[1][0]
    assert _offsets(wrapped.rows) == [0, 1, 2, 7, 8]
    assert len(_offsets(_geometries(Conv(), readout=LocalAvgPool(9))[1][0].rows)) == 11


def test_before_a_pooling_only_offsets_that_reach_what_is_read_are_there():
    first, second = _geometries(Conv(), AvgPool(3), Conv(), readout=Flatten(), size=(9, 10))[1]
    assert _offsets(second.rows) == [0]
    # Pixels of one square of three are at most two apart.
    assert _offsets(first.rows) == _offsets(first.columns) == [-2, -1, 0, 1, 2]
    assert (first.rows.pieces.times * first.rows.pieces.adjacent).sum() == 3 * 9
    first = _geometries(Conv(), AvgPool(2), Conv(stride=2), readout=Flatten(), size=(8, 8))[1][0]
    assert _offsets(first.rows) == [-1, 0, 1]
    # A square of five out of seven rows: the others go nowhere, nor do their offsets.
    first = _geometries(Conv(), AvgPool(5), size=(7, 7))[1][0]
    assert _offsets(first.rows) == list(range(-4, 5))


def test_strided_stages_have_the_offsets_that_survive_alone():
    (geometry,) = _geometries(Conv(stride=3), size=(7, 4))[1]
    assert _offsets(geometry.rows) == [-6, -3, 0, 3, 6]
    assert _offsets(geometry.columns) == [-3, 0, 3]


def test_weights_belong_to_the_pairs_at_the_end():
    for conv, readout in itertools.product((Conv(), CIRCULAR), (None, LocalAvgPool(1))):
        (_, (geometry,)) = _geometries(conv, readout=readout)
        wanted = readout_weights(readout or GlobalAvgPool(), 6)
        total = np.zeros((6, 6))
        for e in range(geometry.rows.length.shape[1]):
            for r, pair in enumerate(_pairs(geometry.rows, 0, e, 6)):
                total[pair] += geometry.rows.weight[0, e, r]
        assert np.array_equal(total, wanted)


def test_each_read_out_has_weights_of_its_own_on_the_tiles_that_any_of_them_reads():
    readouts = (LocalAvgPool(1), Flatten(), GlobalAvgPool())
    networks = [Architecture((Conv(), r, *[Flatten()] * (r == readouts[0]))) for r in readouts]
    program = compile_image_network(networks, 6, 5)
    assert program.readouts == readouts
    (geometry,) = stage_geometries(program)
    for axis, n in ((geometry.rows, 6), (geometry.columns, 5)):
        assert axis.length.shape == (1, 2 * n - 1)
        for k, readout in enumerate(readouts):
            wanted, found = readout_weights(readout, n), np.zeros((n, n))
            for e in range(2 * n - 1):
                pairs = _pairs(axis, 0, e, n)
                for r, pair in enumerate(pairs):
                    found[pair] = axis.weight[k, e, r]
                assert axis.read[k, e] == any(wanted[pair] > 0 for pair in pairs)
            assert np.array_equal(found, wanted)


def test_read_outs_in_different_stages_have_weights_there_alone():
    layers = (Conv(), AvgPool(2), Conv(), Flatten())
    networks = [Architecture((layers[0], GlobalAvgPool())), Architecture(layers)]
    first, second = stage_geometries(compile_image_network(networks, 6, 6))
    assert first.rows.weight.any(axis=(1, 2)).tolist() == [True, False]
    assert second.rows.weight.any(axis=(1, 2)).tolist() == [False, True]


def test_a_stage_that_reads_nothing_has_no_weights():
    program = compile_image_network([myrtle(5)], 8, 8)
    geometries = stage_geometries(program)
    assert [bool(g.rows.weight.any()) for g in geometries] == [False, False, True]
    assert [g.entries for g in geometries] == [64**2, 16**2, 4**2]
