"""What engines keep of each input while a Gram is computed, in bytes."""

import numpy as np

from ntkreg.kernels.compiled.lanes import n_lanes
from ntkreg.kernels.engine import Engine, OuterEngine
from ntkreg.kernels.flip import FlipEngine
from ntkreg.kernels.image.engine import ImageEngine
from ntkreg.kernels.image.inputs import _ROOM
from ntkreg.kernels.passes import PassesEngine

__all__ = ["prepared_bytes"]


def prepared_bytes(engine: Engine, n: int) -> int:
    """Return the most that an engine keeps of n inputs beside them; computes nothing.

    Tables of images, of the latest blocks while they find room; flips have tables of their own.
    """
    if isinstance(engine, PassesEngine):
        return sum(prepared_bytes(each, n) for each in engine.engines)
    if isinstance(engine, OuterEngine):
        each = prepared_bytes(engine.engine, n)
        return 2 * each if isinstance(engine, FlipEngine) else each
    if isinstance(engine, ImageEngine):
        return min(_ROOM, -(-n // n_lanes(engine.runnable.dtype)) * _group_bytes(engine))
    return 0


def _group_bytes(engine: ImageEngine) -> int:
    """Return the bytes of the tables of as many images as there are lanes, as z and as x."""
    runnable, (height, width, channels) = engine.runnable, engine.shape
    numbers = (height + 2) * (width * runnable.stages[0].columns_stored + 2)
    lanes = max(channels, 3) * n_lanes(runnable.dtype)
    total = 0
    for k, stage in enumerate(runnable.stages):
        tables = stage.images(np.zeros((1, numbers if k == 0 else 0, lanes), runnable.dtype))
        as_x = tables.pixels.nbytes + tables.a.nbytes + tables.b.nbytes
        total += sum(table.nbytes for table in tables) + as_x
    return total
