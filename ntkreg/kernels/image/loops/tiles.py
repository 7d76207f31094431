"""What the image loops work on: operations, images, tiles in a work space, rows of window sums."""

from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype
from numba.core import types

from ntkreg.kernels.compiled.addresses import declare, row_type
from ntkreg.kernels.compiled.flags import by_address, counting_nothing, expanded
from ntkreg.kernels.compiled.lanes import ONE, TWO, ZERO, lanes
from ntkreg.kernels.image.loops.rows import add_row, clear, copy_row, take_every, window_sums
from ntkreg.kernels.image.program import Op

__all__ = [
    "Images",
    "MoveArguments",
    "Tile",
    "carve",
    "clear_right",
    "declare_move",
    "move",
    "own_s",
    "span",
    "spare_row",
    "step_dtype",
    "step_type",
    "summed_tile",
    "take_lanes_apart",
    "three_rows",
    "tile_type",
    "windows_to_row",
    "wrapped",
]

_COPY = int(Op.COPY)


_STEP = (
    ("op", "i8"),
    ("register", "u8"),
    ("other", "u8"),
    ("level_in", "u8"),
    ("level", "u8"),
    ("window", "u8"),
    ("stride", "u8"),
    ("origin_row", "u8"),
    ("origin_column", "u8"),
    ("factor", None),
    ("bias", None),
    ("parameter", None),
    ("table", "u8"),  # first entry in the images' a and b
    ("mark", "u8"),  # first entry in the images' variance and tangent
    ("readout", "u8"),  # whose weights a READ takes
    ("slot", "u8"),
    ("circular", "u8"),
    ("has_tables", "u8"),  # whether there is an activation
    ("height", "u8"),  # rows of `level`
    ("width", "u8"),  # columns of the tables at `level`: the image's, twice if circular
    ("loop", "u8"),  # which loop runs a layer (`Loop`)
    ("run", "u8"),  # its address; of others than layers that of theirs
    ("run_paired", "u8"),  # that of a layer's where images are paired with themselves
    ("row", "u8"),  # that of the loop over a row for the activation's dual
)


def step_dtype(dtype: np.dtype) -> np.dtype:
    """Return the dtype of an operation as the loops know it, reals in `dtype`.

    Addresses (`compiled.addresses`) are of loops in that dtype.
    """
    return np.dtype([(name, kind or dtype) for name, kind in _STEP], align=True)


class Images(NamedTuple):
    """A block of images with a stage's tables.

    As x: an image a row. As z (or as x, to pair each image with itself): a group of images a
    row, the lanes of a number side by side.
    """

    pixels: np.ndarray  # (n, (h + 2) * (columns stored + 2), channels), over sqrt(channels)
    a: np.ndarray  # (n, entries), of every activation in turn
    b: np.ndarray
    variance: np.ndarray  # (n, entries) float64, S(p, p) at every mark
    tangent: np.ndarray  # (n, tangents, entries)


class Tile(NamedTuple):
    """Work space: registers for all fields, the last rows' sums, one row."""

    fields: Any  # (1 + tangents, registers * size and more)
    registers: Any
    size: Any
    rows: Any  # (1 + tangents, row)
    ring_s: Any
    ring_t: Any
    row_s: Any
    row_t: Any
    pitch: Any
    pad: Any


def step_type(number: types.Type) -> types.Type:
    """Return numba's type of an operation, reals of type `number`."""
    return from_dtype(step_dtype(np.dtype(number.name)))


def tile_type(number: types.Type) -> Tile:
    """Return numba's types of a `Tile` in a dtype."""
    row, rows, u = row_type(number), row_type(number, 2), types.uint64
    return Tile(rows, u, u, rows, row, row, row, row, u, u)


@expanded
def spare_row(window):
    """Number of the row behind those in use, in the ring and in the work rows."""
    return max(window, np.uint64(4))


@expanded
def wrapped(row, height):
    """A row of an image that wraps around."""
    return row - height if row >= height else row


@expanded
def span(tile, register):
    """Where a register's tile lies in every field."""
    return register * tile.size, (register + ONE) * tile.size


@expanded
def carve(space, n, fields, registers, height, width, window):
    """Cut the work space up; a quarter of 4096 bytes (float32) between neighbours.

    A load looks blocked by an earlier store when their addresses agree modulo 4096.
    """
    pad = window - ONE  # 2 or more
    pitch = (width + pad + pad) * n
    size = (height + ONE) * pitch + pad * n
    step = (size + np.uint64(1023)) // np.uint64(1024) * np.uint64(1024) + np.uint64(256)
    at = registers * step
    ring = (spare_row(window) + ONE) * pitch + np.uint64(256)
    row = ring
    u = np.uint64
    block = at + u(512)
    at = fields * block
    all_fields = space[:at].reshape((fields, block))
    ring_s, ring_t = space[at : at + ring], space[at + ring : at + ring + ring]
    at += ring + ring
    rows = space[at : at + fields * row].reshape((fields, row))
    return Tile(
        all_fields, registers, step, rows, ring_s, ring_t, rows[0], rows[1], pitch, pad
    )  # fmt: skip


@expanded
def clear_right(field, tile, n, r, columns):
    """Zeros to the right of a row of a field's tile, for the windows that reach there."""
    clear(field, tile.pad * n + r * tile.pitch + columns * n, tile.pad * n)


@expanded
def windows_to_row(step, tile, n, s, t, r, done, rows_in, columns_in, columns):
    """Bring row r's window sums into three rows to be added; return the input rows used.

    The last `window` input rows, summed horizontally, are kept in a ring. For windows of 3 they
    are the three rows; for others their sum is the first of `tile.row_s`, with two of zeros.
    """
    window, stride, circular = step.window, step.stride, step.circular
    top, left = step.origin_row, step.origin_column
    last = np.int64(stride * r + window) - np.int64(top) - 1
    done = max(done, last + 1 - np.int64(window))
    margin = window - ONE
    while done <= last:
        to = np.uint64((done + np.int64(top)) % np.int64(window)) * tile.pitch
        row = np.uint64(done % np.int64(rows_in)) if circular else np.uint64(max(done, 0))
        if circular or 0 <= done < np.int64(rows_in):
            at = tile.pad * n + row * tile.pitch
            if circular:
                after = at + columns_in * n
                for p in range(margin * n):
                    s[after + p] = s[at + p]
                    t[after + p] = t[at + p]
                    s[at - ONE - p] = s[after - ONE - p]
                    t[at - ONE - p] = t[after - ONE - p]
            full = ((columns - ONE) * stride + ONE) * n
            window_sums(s, t, at - left * n, n, window, tile.ring_s, tile.ring_t, to, full)
            if stride > 1:
                take_every(tile.ring_s, tile.ring_t, to, n, stride, columns)
        else:
            clear(tile.ring_s, to, columns * n)
            clear(tile.ring_t, to, columns * n)
        done += 1
    if window != 3:
        window_sums(
            tile.ring_s, tile.ring_t, ZERO, tile.pitch, window,
            tile.row_s, tile.row_t, ZERO, columns * n,
        )  # fmt: skip
    return done


@expanded
def three_rows(step, tile, r):
    """The rows that `windows_to_row` leaves, and where: always from top to bottom."""
    n = np.uint64(3)
    top = step.stride * r % n if step.window == 3 else ZERO
    at = (top * tile.pitch, (top + ONE) % n * tile.pitch, (top + TWO) % n * tile.pitch)
    if step.window == 3:
        return tile.ring_s, tile.ring_t, at
    return tile.row_s, tile.row_t, at


@expanded
def summed_tile(step, tile, n, s, t, rows, columns):
    """The tile that window sums read: a copy where the first rows come again at the end."""
    if step.circular:
        start, end = span(tile, tile.registers - ONE)
        copy_s, copy_t = tile.fields[0, start:end], tile.fields[1, start:end]
        for r in range(rows):
            at = tile.pad * n + r * tile.pitch
            copy_row(s, copy_s, at, columns * n)
            copy_row(t, copy_t, at, columns * n)
        return copy_s, copy_t
    return s, t


@expanded
def own_s(tile, field, register, n, rows):
    """Where a layer on a tangent finds S: in a copy, but the first tangent, which runs last."""
    start, end = span(tile, register)
    if field > ONE:
        to, after = span(tile, tile.registers - ONE)
        size = (tile.pad + tile.pad) * n + rows * tile.pitch
        copy_row(tile.fields[0, start:end], tile.fields[2, to:after], ZERO, size)
        return TWO, to, after
    return ZERO, start, end


class MoveArguments(NamedTuple):
    """What COPY and ADD need."""

    step: Any
    tile: Tile
    n: Any  # numbers of a pixel
    size: Any  # (rows, columns)


def declare_move(number: types.Type) -> types.Type:
    """Return numba's type of the arguments of a COPY or ADD in a dtype."""
    u = types.uint64
    return declare(MoveArguments, step_type(number), tile_type(number), u, (u, u))


@by_address
def move(arguments):
    """COPY or ADD."""
    step, tile, n, (h, w) = arguments
    start, end = span(tile, step.register)
    other_start, other_end = span(tile, step.other)
    for f in range(np.uint64(tile.fields.shape[0])):
        here, there = tile.fields[f, start:end], tile.fields[f, other_start:other_end]
        for r in range(h):
            at = tile.pad * n + r * tile.pitch
            if step.op == _COPY:
                copy_row(here, there, at, (w + tile.pad) * n)  # with its zeros
            else:
                add_row(there, here, at, w * n)


@counting_nothing
def take_lanes_apart(groups, rows):
    """Groups of images, lanes last, (groups, numbers * lanes) to an image a row, (n, numbers)."""
    n, count = lanes(groups), np.uint64(rows.shape[0])
    for g in range(np.uint64(groups.shape[0])):
        for lane in range(min(n, count - g * n)):
            for p in range(np.uint64(rows.shape[1])):
                rows[g * n + lane, p] = groups[g, p * n + lane]
