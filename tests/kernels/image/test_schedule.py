"""Stages in turns: every turn's input is complete, in memory, and used before it is overwritten."""

import numpy as np
import pytest

from ntkreg.architecture import (
    Architecture,
    AvgPool,
    Conv,
    Flatten,
    GlobalAvgPool,
    LocalAvgPool,
    Relu,
    myrtle,
)
from ntkreg.kernels.image import runnable
from ntkreg.kernels.image import stage as image_stage
from ntkreg.kernels.image.compiler import compile_image_network
from ntkreg.kernels.image.engine import ImageEngine
from ntkreg.kernels.image.geometry import stage_geometries
from ntkreg.kernels.image.schedule import schedule

CONV, CIRCULAR = (Conv(), Relu()), (Conv(padding="CIRCULAR"), Relu())
NETWORKS = {
    "one stage": Architecture((*CONV, GlobalAvgPool())),
    "Myrtle": myrtle(5),
    "pools of two and three": Architecture(
        (*CONV, AvgPool(2), *CONV, AvgPool(3), *CONV, GlobalAvgPool())
    ),
    "two pools in a row": Architecture((*CONV, AvgPool(2), AvgPool(2), GlobalAvgPool())),
    "a stride drops offsets": Architecture(
        (*CONV, AvgPool(2), Conv(stride=2), Relu(), AvgPool(2), *CONV, GlobalAvgPool())
    ),
    "few offsets": Architecture((*CONV, AvgPool(2), *CONV, AvgPool(2), *CONV, Flatten())),
    "near offsets": Architecture((*CONV, AvgPool(3), *CONV, LocalAvgPool(1), Flatten())),
    "wraps": Architecture((*CIRCULAR, AvgPool(2), *CIRCULAR, GlobalAvgPool())),
    "wraps above": Architecture((*CIRCULAR, AvgPool(2), *CONV, AvgPool(2), GlobalAvgPool())),
    "wraps below": Architecture((*CONV, AvgPool(2), *CONV, AvgPool(2), *CIRCULAR, GlobalAvgPool())),
}
SIZES = [(16, 16), (13, 18)]
CACHES = [np.inf, 2**15, 2**12, 0]


def _geometries(name, size, cache):
    size = (18, 12) if "wraps" in name else size
    return stage_geometries(compile_image_network([NETWORKS[name]], *size), cache)


def _feeds(geometries, stage):
    """Row offsets that every row offset of a stage is made of."""
    pieces, feeds = geometries[stage - 1].rows.pieces, {}
    for e, piece in np.argwhere(pieces.times > 0):
        feeds.setdefault(int(pieces.number[e, piece]), set()).add(int(e))
    return feeds


class _Memory:
    """Rows of a field: whose each is, and of which row offsets it has been made so far."""

    def __init__(self, geometry):
        self.owner = np.full(int((geometry.field.row_before + geometry.field.row_length).max()), -1)
        self.made_of = {}

    def add(self, e, pieces):
        touched = np.flatnonzero(pieces.times[e])
        where = {i: slice(b, b + n) for i in touched for b, n in [_at(pieces, e, i)]}
        for i in touched:
            if pieces.opens[e, i]:
                self.owner[where[i]] = pieces.number[e, i]
                self.made_of[int(pieces.number[e, i])] = set()
        for i in touched:
            assert (self.owner[where[i]] == pieces.number[e, i]).all(), "nobody wrote over it"
            self.made_of[int(pieces.number[e, i])].add(int(e))


def _at(pieces, e, i):
    return int(pieces.before[e, i]), int(pieces.entries[e, i])


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_turn_finds_its_input_complete(name, size, cache):
    geometries = _geometries(name, size, cache)
    memories = {k: _Memory(g) for k, g in enumerate(geometries) if k > 0}
    done = [0] * len(geometries)
    for turn in schedule(geometries):
        assert done[turn.stage] == turn.start < turn.stop
        done[turn.stage] = turn.stop
        geometry = geometries[turn.stage]
        for e in range(turn.start, turn.stop):
            if turn.stage > 0:
                memory, field = memories[turn.stage], geometry.field
                at = int(field.row_before[e])
                assert (memory.owner[at : at + int(field.row_length[e])] == e).all()
                assert memory.made_of[e] == _feeds(geometries, turn.stage)[e]
            if turn.stage + 1 < len(geometries):
                memories[turn.stage + 1].add(e, geometry.rows.pieces)
    assert done == [geometry.rows.length.shape[1] for geometry in geometries]


def test_turns_take_the_cache_they_are_given_or_an_offset_each():
    whole, *others = [_geometries("Myrtle", (16, 16), cache)[1] for cache in (np.inf, 2**15, 0)]
    n = 8 * np.arange(1, 9)
    rows = 8 * np.array([*n, *n[-2::-1]])  # entries of every row offset
    assert whole.turns == (15,)
    assert whole.field.size == whole.entries == 64**2
    most = 2**15 // (64 * 2)
    for geometry, room in zip(others, (most, 0), strict=True):
        parts = np.split(rows, geometry.turns[:-1])
        assert all(len(part) == 1 for part in parts if part.sum() > room)
        assert geometry.field.size <= 2 * max(part.sum() for part in parts)
    assert len(others[1].turns) == 15


@pytest.mark.parametrize("name", NETWORKS)
def test_values_have_the_same_bits_in_any_turns(name, monkeypatch):
    make_room = image_stage.RunnableStage.make_room

    def used(stage):
        room = make_room(stage)
        room.target[:] = np.nan
        return room

    monkeypatch.setattr(image_stage.RunnableStage, "make_room", used)
    shape = (18, 12, 2) if "wraps" in name else (16, 13, 3)
    X = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    values = []
    for cache in CACHES:
        monkeypatch.setattr(runnable, "_CACHE", cache)
        engine = ImageEngine(shape, X.dtype, ("nngp", "ntk"), 1, (NETWORKS[name],))
        values.append((engine.cross(X, X), engine.diagonal(X)))
    for cross, diagonal in values:
        assert np.isfinite(cross).all()
        np.testing.assert_array_equal(cross, values[0][0])
        np.testing.assert_array_equal(diagonal, values[0][1])
