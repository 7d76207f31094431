"""Bytes that engines keep of each input while a Gram is computed, and that a thread works in."""

import numpy as np

from ntkreg.kernels.compiled.lanes import n_lanes
from ntkreg.kernels.engine import Engine, OuterEngine
from ntkreg.kernels.flip import FlipEngine
from ntkreg.kernels.image.engine import ImageEngine
from ntkreg.kernels.image.inputs import _ROOM
from ntkreg.kernels.passes import PassesEngine

__all__ = ["prepared_bytes", "scratch_bytes"]


def prepared_bytes(engine: Engine, n: int, m: int | None, flip: FlipEngine | None = None) -> int:
    """Return the most that an engine keeps of inputs beside them; computes nothing.

    Tables of images, of the latest blocks while they find room: of rows as x and, before that, as
    z; of columns as z.

    Parameters
    ----------
    engine : Engine
    n, m : int
        Rows and columns; None for the rows again.
    flip : FlipEngine or None
        What engines around it average.
    """
    if isinstance(engine, PassesEngine):
        return sum(prepared_bytes(each, n, m, flip) for each in engine.engines)
    if isinstance(engine, OuterEngine):
        flip = engine if isinstance(engine, FlipEngine) else flip
        return prepared_bytes(engine.engine, n, m, flip)
    if not isinstance(engine, ImageEngine):
        return 0
    lanes = n_lanes(engine.runnable.dtype)
    as_z, as_x = _group_bytes(engine)
    rows = -(-n // lanes) * (as_z + as_x)
    if m is not None:
        columns = -(-m // lanes) * as_z
        flipped_rows = 0 if flip is None or flip.commutes else min(_ROOM, rows)
        return min(_ROOM, rows) + flipped_rows + (1 if flip is None else 2) * min(_ROOM, columns)
    if flip is None:
        return min(_ROOM, rows)
    groups = -(-min(engine.block, n) // lanes)
    first, second = _halves(0, groups)
    images = 1 + sum(stop - start for start, stop in first) / groups
    flips = 1 + sum(stop - start for start, stop in second) / groups
    if not flip.commutes:
        return 2 * min(_ROOM, int(images * rows + (flips - 1) * rows))
    return min(_ROOM, int(images * rows)) + min(_ROOM, int(flips * -(-n // lanes) * as_z))


def scratch_bytes(engine: Engine) -> int:
    """Return the memory that a thread of an image engine's loops works in, and their sums."""
    if isinstance(engine, PassesEngine):
        return max(scratch_bytes(each) for each in engine.engines)
    if isinstance(engine, OuterEngine):
        return scratch_bytes(engine.engine)
    if not isinstance(engine, ImageEngine):
        return 0
    rooms = (stage.make_room() for stage in engine.runnable.stages)
    program = engine.runnable.program
    reads = (1 + program.n_tangents) * program.n_reads * engine.block**2 * 8
    return reads + sum(room.space.nbytes + room.target.nbytes for room in rooms)


def _halves(start: int, stop: int) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Return the slices of a block on the diagonal that `FlipEngine` halves, as rows, as columns.

    Tables are those of a slice, in groups of lanes.
    """
    if stop - start <= 1:
        return {(start, stop)}, {(start, stop)}
    middle = start - (start - stop) // 2
    above, below = _halves(start, middle), _halves(middle, stop)
    return above[0] | below[0] | {(start, middle)}, above[1] | below[1] | {(middle, stop)}


def _group_bytes(engine: ImageEngine) -> tuple[int, int]:
    """Return the bytes of the tables of as many images as there are lanes, as z and as x."""
    runnable, (height, width, channels) = engine.runnable, engine.shape
    numbers = (height + 2) * (width * runnable.stages[0].columns_stored + 2)
    lanes = max(channels, 3) * n_lanes(runnable.dtype)
    as_z = as_x = 0
    for k, stage in enumerate(runnable.stages):
        tables = stage.images(np.zeros((1, numbers if k == 0 else 0, lanes), runnable.dtype))
        as_z += sum(table.nbytes for table in tables)
        as_x += tables.pixels.nbytes + tables.a.nbytes + tables.b.nbytes
    return as_z, as_x
