"""In which order the stages of an image network run: rows of offsets, as soon as they are complete.

Poolings mix offsets, but only near ones. With the offsets in order, all that goes to one offset
after a pooling comes from 2 s - 1 before it; so the next stage can run on it while it is in
cache, and the whole field, (h w / s^2)^2 entries, is never there.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ntkreg.kernels.image.geometry import Geometry

__all__ = ["Turn", "schedule"]


class Turn(NamedTuple):
    """Row offsets of a stage, `start` to `stop`, that run together."""

    stage: int
    start: int
    stop: int


def schedule(geometries: Sequence[Geometry]) -> list[Turn]:
    """Return all turns of all stages in an order in which every turn finds its input complete."""
    return list(_run(geometries, 0, 0, geometries[0].rows.length.shape[1]))


def _run(geometries: Sequence[Geometry], stage: int, start: int, stop: int) -> Iterator[Turn]:
    """Row offsets `start` to `stop` of a stage and all that they complete in later ones."""
    at = start
    if stage + 1 < len(geometries):
        pieces = geometries[stage].rows.pieces
        first = 0
        for last in geometries[stage + 1].turns:
            feeds = ((pieces.times > 0) & (pieces.number < last)).any(axis=1)
            complete = int(np.flatnonzero(feeds)[-1]) + 1
            if start < complete <= stop:
                if at < complete:
                    yield Turn(stage, at, complete)
                yield from _run(geometries, stage + 1, first, last)
                at = complete
            first = last
    if at < stop:
        yield Turn(stage, at, stop)
