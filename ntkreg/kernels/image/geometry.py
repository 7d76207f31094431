"""Where the tiles of a stage lie: offsets, their sizes, where their entries go, as arrays.

A tile of offset (d_row, d_column) holds the pairs of pixels p' = p + d with both in the
image: along an axis of n pixels, n - |d| of them, from p = max(-d, 0) on. With wrapping
(CIRCULAR) convolutions d runs over 0..n-1, p' = (p + d) mod n and the tile has n entries. Rows
and columns are independent of each other, so everything here is one axis at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ntkreg.architecture import Layer
from ntkreg.kernels.image.program import ImageProgram, Op, Stage
from ntkreg.kernels.image.readout import read_weights

__all__ = ["Axis", "Field", "Geometry", "layer_entries", "stage_geometries"]


class Axis(NamedTuple):
    """One axis of all tiles of a stage; e numbers the offsets. Integers are unsigned."""

    length: np.ndarray  # (n_levels, n_e), entries of the tile
    x: np.ndarray  # (n_levels, n_e), first pixel of x
    z: np.ndarray  # (n_levels, n_e), first pixel of z
    weight: np.ndarray  # (n_readouts, n_e, longest) float64, of the entries at a READ
    read: np.ndarray  # (n_readouts, n_e) bool, whether any weight is not 0
    pieces: "Pieces"  # where pooling takes the entries
    own: np.uint64  # the e of offset 0


class Pieces(NamedTuple):
    """Where pooling takes the entries of one axis, (n_e, n_pieces): one offset after it a piece.

    `adjacent` neighbouring entries, the first of them `first`, go to the entry `place`, the ones a
    pooling window further to the next, `times` times; 0 where there is no such piece.
    """

    first: np.ndarray
    adjacent: np.ndarray
    place: np.ndarray
    times: np.ndarray
    before: np.ndarray  # entries before those of the offset after pooling
    entries: np.ndarray  # entries of that offset
    number: np.ndarray  # that offset's e
    opens: np.ndarray  # 1 at the first piece of all that goes to that offset


class Field(NamedTuple):
    """Where tiles lie in a stage's input field, one after another along each axis.

    Rows of offsets lie in turns: a turn in one half of the memory, the next in the other, so that
    it stays in cache. Along the columns all offsets have a place of their own.
    """

    row_length: np.ndarray  # (n_e,)
    row_before: np.ndarray  # (n_e,), entries before this offset's
    column_length: np.ndarray
    column_before: np.ndarray
    columns: np.uint64  # all entries along the columns

    @property
    def size(self) -> int:
        """Entries of the memory."""
        return int((self.row_before + self.row_length).max() * self.columns)


class Below(NamedTuple):
    """One axis of a stage as the pooling before it sees it."""

    offsets: np.ndarray  # (n_e,), at the stage's first level
    entries: np.ndarray  # (n_e,)
    before: np.ndarray  # (n_e,)
    size: int
    circular: bool


@dataclass(frozen=True)
class Geometry:
    """A stage's tiles."""

    rows: Axis
    columns: Axis
    field: Field
    turns: tuple[int, ...]  # of rows of offsets: the e after each turn's last
    rows_below: Below
    columns_below: Below

    def entries_at(self, level: int) -> int:
        """Entries of all tiles at a level."""
        return int(self.rows.length[level].sum()) * int(self.columns.length[level].sum())

    @property
    def entries(self) -> int:
        """Entries of all tiles at the first level."""
        return self.entries_at(0)


def _before(entries: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(entries)[:-1]]).astype(np.uint64)


def _unsigned(a: Any) -> np.ndarray:
    return np.ascontiguousarray(a).astype(np.uint64)


def _offsets(n: int, circular: bool) -> np.ndarray:
    return np.arange(n) if circular else np.arange(-(n - 1), n)


def _pairs(d: np.ndarray, n: int, circular: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels p and p' of every entry (n_e, n), and whether the entry exists."""
    i = np.arange(n)[None]
    if circular:
        p = np.broadcast_to(i, (len(d), n))
        return p, (p + d[:, None]) % n, np.ones(p.shape, bool)
    return i + np.maximum(-d, 0)[:, None], i + np.maximum(d, 0)[:, None], i < n - abs(d)[:, None]


def _pieces(
    d: int, n: int, circular: bool, side: int, after: Below | None
) -> list[tuple[int, ...]]:
    """What `Pieces` says of the offset d between n pixels, a tuple each, for windows of `side`."""
    if after is None:
        return []
    later, entries, before, m, later_circular = after
    number = {int(v): k for k, v in enumerate(later)}
    found: list[tuple[int, ...]] = []
    # A wrapping offset is two: d up to the image's edge, d - n behind it. Pixels p and p + d lie
    # in windows Y and Y + e, with e either of the two multiples of the side next to d.
    for offset in (d, d - n) if circular else (d,):
        for e in (offset // side, offset // side + 1):
            rest = offset - side * e
            low, high = max(0, -e), min(m, m - e)
            k = number.get(e % m if later_circular else e, -1)
            if abs(rest) < side and low < high and k >= 0:
                first = side * low + max(0, -rest) - (0 if circular else max(-d, 0))
                place = low if later_circular else 0
                there = int(before[k]), int(entries[k]), k
                found.append((first, side - abs(rest), place, high - low, *there))
    return found


def _stacked(pieces: list[list[tuple[int, ...]]]) -> Pieces:
    """All offsets' pieces as arrays, with empty ones to fill up."""
    table = np.zeros((len(Pieces._fields), len(pieces), max(map(len, pieces))), np.uint64)
    open_ones = set()
    for k, found in enumerate(pieces):
        for i, piece in enumerate(found):
            table[:, k, i] = *piece, piece[-1] not in open_ones
            open_ones.add(piece[-1])
    return Pieces(*table)


def _axis(
    sizes: Sequence[int],
    strides: Sequence[int],
    end: int,
    circular: bool,
    read: np.ndarray,
    pool: int,
    after: Below | None,
) -> tuple[Axis, np.ndarray]:
    """One axis of a stage.

    Parameters
    ----------
    sizes, strides : of the stage's levels
    end : the level after the last operation
    read : weights (n_readouts, n, n) of the read-outs at the end, 0 of read-outs in other stages
    pool, after : side of the pooling at the end, and where it leads

    Returns
    -------
    Axis
        Of the offsets that are read or pooled, all others left out.
    array of int (n_e,)
        These offsets, in pixels at the end.
    """
    n = sizes[end]
    d = _offsets(n, circular)
    p, q, exists = _pairs(d, n, circular)
    safe_p, safe_q = np.minimum(p, n - 1), np.minimum(q, n - 1)
    weight = np.where(exists, read[:, safe_p, safe_q], 0.0)
    pieces = [_pieces(int(v), n, circular, pool, after) for v in d]
    used = weight.any(axis=(0, 2)) | np.array([len(p) > 0 for p in pieces])
    d, weight = d[used], weight[:, used]
    pieces = [p for p, keep in zip(pieces, used, strict=True) if keep]
    back = strides[end]
    length, x, z = [], [], []
    for size, stride in zip(sizes, strides, strict=True):
        here = d * (back // stride)
        length.append(np.full(len(d), size) if circular else size - abs(here))
        x.append(np.maximum(-here, 0))
        z.append(np.maximum(here, 0))
    axis = Axis(
        length=_unsigned(length),
        x=_unsigned(x),
        z=_unsigned(z),
        weight=np.ascontiguousarray(weight),
        read=np.ascontiguousarray(np.any(weight != 0, axis=2)),
        pieces=_stacked(pieces),
        own=np.uint64(np.flatnonzero(d == 0)[0]),
    )
    return axis, d


def stage_geometries(program: ImageProgram, cache: float = np.inf) -> list[Geometry]:
    """Return the geometry of every stage; only offsets that something later reads are there.

    Fields after poolings lie in turns (`Field`) of at most `cache` bytes, or of one row of offsets
    if that is more; offsets that wrap around come in no useful order, and have one turn.
    """
    most = cache / (64 * (1 + program.n_tangents))
    done: list[Geometry] = []
    for k, stage in reversed(list(enumerate(program.stages))):
        after = done[-1] if done else None
        below = (None, None) if after is None else (after.rows_below, after.columns_below)
        rows, row_offsets = _stage_axis(stage, "h", program.readouts, below[0])
        columns, column_offsets = _stage_axis(stage, "w", program.readouts, below[1])
        h, w = rows.length[0], columns.length[0]
        wraps = any(near.circular for near in program.stages[max(k - 1, 0) : k + 1])
        turns = (len(h),) if wraps else _turns(h, most / int(w.sum()))
        field = Field(h, _in_turns(h, turns), w, _before(w), np.uint64(w.sum()))
        rows_below = Below(row_offsets, h, field.row_before, stage.levels[0].h, stage.circular)
        columns_below = Below(
            column_offsets, w, field.column_before, stage.levels[0].w, stage.circular
        )
        done.append(Geometry(rows, columns, field, turns, rows_below, columns_below))
    return done[::-1]


def _turns(rows: np.ndarray, most: float) -> tuple[int, ...]:
    """Ends of turns of at most `most` rows of entries, or one offset each."""
    ends, room = [], 0.0
    for e, length in enumerate(rows):
        room -= int(length)
        if room < 0:
            ends.append(e)
            room = most - int(length)
    return (*ends[1:], len(rows))


def _in_turns(rows: np.ndarray, turns: tuple[int, ...]) -> np.ndarray:
    """Entries before each offset's, of turns in one half of the memory and in the other."""
    parts = np.split(rows, turns[:-1])
    half = max(part.sum() for part in parts)
    return np.concatenate([_before(part) + half * np.uint64(k % 2) for k, part in enumerate(parts)])


def layer_entries(stage: Stage, geometry: Geometry) -> int:
    """Entries that pass a LAYER of a stage, for one pair of images: its work."""
    return sum(geometry.entries_at(o.level) for o in stage.operations if o.op == Op.LAYER)


def _stage_axis(
    stage: Stage, side: str, readouts: Sequence[Layer], after: Below | None
) -> tuple[Axis, np.ndarray]:
    """One axis of a stage, and its offsets in pixels of the first level."""
    levels, circular = stage.levels, stage.circular
    sizes = [getattr(level, side) for level in levels]
    end = levels.index(stage.end)
    weights = read_weights(stage, readouts, sizes[end])
    strides = [level.stride for level in levels]
    axis, offsets = _axis(sizes, strides, end, circular, weights, stage.pool, after)
    return axis, offsets * stage.end.stride
