"""The compiled loops of the image engine: tiles through a stage's operations, in cache.

One image x and a group of images z at a time, a pair a lane (`lanes`). For every offset the tile
of all fields, S and one T or several, is loaded, from the pixels or from what pooling left, runs
through the stage's operations in place, is read or pooled, and is forgotten. What a tile runs
through is called by address (`compiled.addresses`): a network compiles what it needs.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.core import types

from ntkreg.kernels.compiled.addresses import call, declare, loaded, row_type, store_at, to_pointer
from ntkreg.kernels.compiled.flags import by_address, counting_nothing, inlined
from ntkreg.kernels.compiled.lanes import ONE, ZERO, lanes
from ntkreg.kernels.image.geometry import Axis, Field
from ntkreg.kernels.image.loops.ends import (
    LoadArguments,
    OpenArguments,
    OwnArguments,
    PoolArguments,
    ReadArguments,
)
from ntkreg.kernels.image.loops.fields import in_order, parts
from ntkreg.kernels.image.loops.first_layer import FirstArguments, Pixels
from ntkreg.kernels.image.loops.layers import FieldsOfTile, LayerArguments
from ntkreg.kernels.image.loops.one_tangent import OneTangentArguments
from ntkreg.kernels.image.loops.tiles import Images, MoveArguments, carve, own_s, span
from ntkreg.kernels.image.program import Loop, Op

__all__ = [
    "NO_LOOPS",
    "StageArrays",
    "StageLoops",
    "TurnArguments",
    "declare_turn",
    "keep_stage",
    "run_stages",
    "run_turn",
]

_LAYER, _READ = int(Op.LAYER), int(Op.READ)
_FIRST, _FIRST_RESIZE = int(Loop.FIRST), int(Loop.FIRST_RESIZE)


class StageLoops(NamedTuple):
    """Addresses of a stage's loops (`loops.ends`), 0 of those that it does not need."""

    load: np.uint64
    read: np.uint64
    own: np.uint64
    open: np.uint64
    pool: np.uint64


NO_LOOPS = StageLoops(ZERO, ZERO, ZERO, ZERO, ZERO)


class StageArrays(NamedTuple):
    """A stage, as the loops want it (`RunnableStage`), and the images of a block with its tables.

    `x` has an image a row or, if images are paired with themselves, is `z`.
    """

    steps: np.ndarray  # of `step_dtype`
    trained: tuple[np.ndarray, ...]  # of every tangent field; compiled for their number
    loops: StageLoops
    dual: Any
    rows: Axis
    columns: Axis
    field: Field  # where tiles lie in `source`
    after: Field  # and in `target`
    registers: np.uint64
    largest: tuple[np.uint64, np.uint64, np.uint64]  # height, width, window
    pool: np.uint64  # side of the pooling that ends the stage, or 0
    pool_mark: np.uint64
    pixel_width: np.uint64  # columns of the pixels as stored; 0 to load `source` times `scale`
    scale: np.floating
    space: np.ndarray  # for work
    source: np.ndarray  # (1 + tangents, entries * lanes), of one pair, at the stage's input
    target: np.ndarray  # and at the next one's
    x: Images
    z: Images


class TurnArguments(NamedTuple):
    """Row offsets `start` to `stop` of a stage, for an image of x and a group of z."""

    stage: Any  # pointer to its StageArrays
    start: Any
    stop: Any
    i: Any
    g: Any
    paired: Any
    out: Any


def declare_turn(stage: types.Type) -> types.Type:
    """Return numba's type of the arguments of a turn."""
    u, out = types.uint64, row_type(types.float64, 5)
    declare(TurnArguments, types.voidptr, u, u, u, u, types.boolean, out)  # as `run_stages` has it
    return declare(TurnArguments, types.CPointer(stage), u, u, u, u, types.boolean, out)


@counting_nothing
def keep_stage(stage, memory):
    """Write a stage where `run_turn` finds it: a tuple of many arrays is slow to hand in."""
    store_at(memory, stage)


@counting_nothing
def run_stages(turns, stages, run, wanted, paired, out):
    """Run an image network for images x and groups of images z, all stages turn by turn.

    Parameters
    ----------
    turns : uint64 array (n_turns, 3)
        Stage, first row offset, and the one after the last (`image.schedule.Turn`).
    stages : uint64 array (n_stages,)
        Address of every stage's StageArrays.
    run : int
        Address of `run_turn`, compiled for these.
    wanted : bool array (len(x), len(z))
    paired : bool
        Whether x is z, each image with itself.
    out : float64 array (1 + tangents, n_reads, len(x), len(z), lanes)
        NNGP and every tangent field at each read, added to.
    """
    for g in range(np.uint64(wanted.shape[1])):
        for i in range(np.uint64(wanted.shape[0])):
            if wanted[i, g]:
                for k in range(np.uint64(turns.shape[0])):
                    stage = to_pointer(stages[turns[k, 0]])
                    call(run, TurnArguments(stage, turns[k, 1], turns[k, 2], i, g, paired, out))


class _InWork(NamedTuple):
    """Tables and pixels of the image and of the group in work."""

    a_b: Any  # (x, z), (a, b) each
    x_pixels: Any
    z_pixels: Any


@inlined
def _tables_of(x, i, z, g):
    tables = ((x.a[i], x.b[i]), (z.a[g], z.b[g]))
    return _InWork(tables, x.pixels[i].reshape(-1), z.pixels[g].reshape(-1))


@inlined
def _first_pixels(stage, ey, ex):
    """Where a tile begins in the pixels of x and of z, which have a border of one pixel."""
    width = stage.pixel_width
    x_at = (stage.rows.x[ZERO, ey] + ONE) * width + stage.columns.x[ZERO, ex] + ONE
    return x_at, (stage.rows.z[ZERO, ey] + ONE) * width + stage.columns.z[ZERO, ex] + ONE


@inlined
def _run_layer(stage, tile, tables, k, fresh, ey, ex, paired):
    """Run a LAYER over a tile, in place; `fresh` where it takes its input from the pixels."""
    step, rows, columns, trained = stage.steps[k], stage.rows, stage.columns, stage.trained
    before, level, n = step.level_in, step.level, lanes(tables.z_pixels)
    h, w = rows.length[level, ey], columns.length[level, ex]
    size = (rows.length[before, ey], columns.length[before, ex], h, w)
    x_first = (rows.x[level, ey], columns.x[level, ex])
    z_first = (rows.z[level, ey], columns.z[level, ex])
    x_at = step.table + x_first[0] * step.width + x_first[1]
    z_at = step.table + z_first[0] * step.width + z_first[1]
    at, place = (x_at, z_at, step.width), (step.stride, step.origin_row, step.origin_column)
    layer = (step.factor, step.bias, in_order(trained, k))
    start, end = span(tile, step.register)
    spare = (tile.row_s, parts(tile.rows, ONE, ZERO, np.uint64(tile.rows.shape[1]), trained))
    s, t = tile.fields[ZERO, start:end], parts(tile.fields, ONE, start, end, trained)
    fields = FieldsOfTile(s, t, spare, tile.pad * n, tile.pitch)
    if fresh:
        x, z = _first_pixels(stage, ey, ex)
        pixels = Pixels(tables.x_pixels, tables.z_pixels, x, z, stage.pixel_width)
        first = FirstArguments(pixels, (h, w), place, fields, tables.a_b, at, layer, stage.dual)
        call(step.run, first)
    elif step.loop >= _FIRST and not paired:
        x, z = tables.a_b
        call(step.run, LayerArguments(fields, size, place, x, z, at, layer, stage.dual))
    else:
        # Others know one tangent: run once for each, the first last.
        run = step.run_paired if paired else step.run
        n_tangents = np.uint64(len(trained))
        for done in range(n_tangents):
            which = n_tangents - done
            of, at_s, end_s = own_s(tile, which, step.register, n, size[0])
            both = (tile.fields[of, at_s:end_s], tile.fields[which, start:end])
            one = OneTangentArguments(
                step, tile, both, layer[2][which - ONE], tables.a_b, stage.dual, size, x_first,
                z_first, paired,
            )  # fmt: skip
            call(run, one)


@inlined
def _run_read(stage, tile, step, ey, ex, i, g, exact, out):
    """Add a tile's weighted sums to the results."""
    rows, columns, z, q = stage.rows, stage.columns, stage.z, step.readout
    # Tiles of which only another read-out has entries are left out.
    if rows.read[q, ey] and columns.read[q, ex]:
        size = (rows.length[step.level, ey], columns.length[step.level, ex])
        first = tile.pad * lanes(tile.row_s)
        start, end = span(tile, step.register)
        if exact:
            own = OwnArguments(
                tile.fields, start, first, tile.pitch, size, z.variance[g], z.tangent[g], step.mark
            )
            call(stage.loops.own, own)
        weights = (rows.weight[q, ey], columns.weight[q, ex])
        for f in range(np.uint64(tile.fields.shape[0])):
            read = ReadArguments(
                tile.fields[f, start:end], tile.row_s, first, tile.pitch, weights, size,
                out[f, step.slot, i, g],
            )  # fmt: skip
            call(stage.loops.read, read)


@by_address
def run_turn(turn):
    """Run the tiles of some row offsets of a stage: load, run, leave."""
    pointer, start, stop, i, g, paired, out = turn
    stage = loaded(pointer)
    steps, rows, columns = stage.steps, stage.rows, stage.columns
    n = lanes(stage.z.a)
    height, width, window = stage.largest
    n_fields = ONE + np.uint64(len(stage.trained))
    tile = carve(stage.space, n, n_fields, stage.registers, height, width, window)
    first = tile.pad * n
    tiles = parts(tile.fields, ZERO, ZERO, tile.size, (stage.trained[0], *stage.trained))
    tables = _tables_of(stage.x, i, stage.z, g)
    fresh = len(steps) > 0 and not paired and np.uint64(stage.z.pixels.shape[2]) // n == 3
    fresh = fresh and (steps[0].loop == _FIRST or steps[0].loop == _FIRST_RESIZE)
    for ey in range(start, stop):
        if stage.pool > 0:
            call(stage.loops.open, OpenArguments(pointer, ey))
        for ex in range(np.uint64(columns.length.shape[1])):
            exact = paired and ey == rows.own and ex == columns.own
            if not fresh:
                load = LoadArguments(pointer, tile.fields, first, tile.pitch, ey, ex, i, g, paired)
                call(stage.loops.load, load)
            level = ZERO
            for k in range(np.uint64(len(steps))):
                step = steps[k]
                level = step.level
                if step.op == _LAYER:
                    _run_layer(stage, tile, tables, k, fresh and k == 0, ey, ex, paired)
                elif step.op == _READ:
                    _run_read(stage, tile, step, ey, ex, i, g, exact, out)
                else:
                    size = (rows.length[level, ey], columns.length[level, ex])
                    call(step.run, MoveArguments(step, tile, n, size))
            if stage.pool > 0:
                size = (rows.length[level, ey], columns.length[level, ex])
                pool = PoolArguments(
                    pointer, tile.fields, tiles, first, tile.pitch, ey, ex, size, g, exact
                )
                call(stage.loops.pool, pool)
