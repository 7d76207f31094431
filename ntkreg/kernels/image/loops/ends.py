"""How tiles begin and end: loaded from pixels or a field, read, or pooled into the next field."""

from typing import Any, NamedTuple

import numpy as np
from numba.core import types

from ntkreg.kernels.compiled.addresses import declare, loaded, row_type
from ntkreg.kernels.compiled.flags import by_address, expanded, wide_vectors
from ntkreg.kernels.compiled.lanes import ONE, TWO, ZERO, lanes
from ntkreg.kernels.image.loops.fields import parts
from ntkreg.kernels.image.loops.pooling import pool_row
from ntkreg.kernels.image.loops.rows import (
    clear,
    load_products,
    load_scaled,
    read_columns,
    read_rows,
)
from ntkreg.kernels.image.loops.tiles import wrapped

__all__ = [
    "LoadArguments",
    "OpenArguments",
    "OwnArguments",
    "PoolArguments",
    "ReadArguments",
    "declare_load",
    "declare_open",
    "declare_own",
    "declare_pool",
    "declare_read",
    "load_field",
    "load_pixels",
    "open_rows",
    "pool_tile",
    "read_tile",
    "set_own",
]


class LoadArguments(NamedTuple):
    """What loading a tile needs: its stage, its place, and of which images."""

    stage: Any  # pointer to the StageArrays
    fields: Any
    first: Any
    pitch: Any
    ey: Any
    ex: Any
    i: Any
    g: Any
    paired: Any


def declare_load(stage: types.Type, number: types.Type) -> types.Type:
    """Return numba's type of the arguments for a type of stage in a dtype."""
    u, fields = types.uint64, row_type(number, 2)
    return declare(LoadArguments, types.CPointer(stage), fields, u, u, u, u, u, u, types.boolean)


@by_address
def load_pixels(arguments):
    """Load the products of the pixels, over all channels, and no tangent."""
    wide_vectors()
    pointer, fields, first, pitch, ey, ex, i, g, paired = arguments
    stage = loaded(pointer)
    rows, columns, width = stage.rows, stage.columns, stage.pixel_width
    x, z = stage.x.pixels[i].reshape(-1), stage.z.pixels[g].reshape(-1)
    n = lanes(z)
    channels = np.uint64(stage.z.pixels.shape[2]) // n
    h, w = rows.length[ZERO, ey], columns.length[ZERO, ex]
    first_x = (rows.x[ZERO, ey] + ONE) * width + columns.x[ZERO, ex] + ONE
    first_z = (rows.z[ZERO, ey] + ONE) * width + columns.z[ZERO, ex] + ONE
    for r in range(h):
        to = first + r * pitch
        row = wrapped(rows.z[ZERO, ey] + r, stage.largest[0]) - rows.z[ZERO, ey]
        for f in range(ONE, np.uint64(fields.shape[0])):
            clear(fields[f], to, w * n)
        load_products(
            fields[ZERO], to, x, first_x + r * width, z, first_z + row * width, channels, w, paired
        )
        for f in range(np.uint64(fields.shape[0])):
            clear(fields[f], to + w * n, first)


@by_address
def load_field(arguments):
    """Load what a pooling left."""
    wide_vectors()
    pointer, fields, first, pitch, ey, ex, _, _, _ = arguments
    stage = loaded(pointer)
    n, field, source = lanes(fields), stage.field, stage.source
    h, w = stage.rows.length[ZERO, ey], stage.columns.length[ZERO, ex]
    at = field.row_before[ey] * field.columns + h * field.column_before[ex]
    for r in range(h):
        to = first + r * pitch
        for f in range(np.uint64(fields.shape[0])):
            load_scaled(fields[f], to, source[f], (at + r * w) * n, stage.scale, w * n)
            clear(fields[f], to + w * n, first)


class OwnArguments(NamedTuple):
    """What the exact values of the diagonal need to get into the tile of offset (0, 0)."""

    fields: Any
    start: Any  # of the tile's register
    first: Any
    pitch: Any
    size: Any  # (rows, columns)
    variance: Any
    tangent: Any
    mark: Any


def declare_own(number: types.Type) -> types.Type:
    """Return numba's type of the arguments in a dtype."""
    u, double = types.uint64, types.float64
    values = row_type(double), row_type(double, 2)
    return declare(OwnArguments, row_type(number, 2), u, u, u, (u, u), *values, u)


@expanded
def _set_own(fields, start, first, pitch, size, variance, tangent, mark):
    h, w = size
    n = lanes(fields)
    for f in range(np.uint64(fields.shape[0])):
        field, values = fields[f, start:], tangent[f - ONE] if f > 0 else variance
        for r in range(h):
            at, source = first + r * pitch, (mark + r * w) * n
            for p in range(w * n):
                field[at + p] = values[source + p]


@by_address
def set_own(arguments):
    """Put the exact values of the diagonal into a tile."""
    fields, start, first, pitch, size, variance, tangent, mark = arguments
    _set_own(fields, start, first, pitch, size, variance, tangent, mark)


class ReadArguments(NamedTuple):
    """What a READ of one field needs."""

    field: Any
    sums: Any  # work space, a row
    first: Any
    pitch: Any
    weights: Any  # (of rows, of columns)
    size: Any  # (rows, columns)
    out: Any


def declare_read(number: types.Type) -> types.Type:
    """Return numba's type of the arguments in a dtype."""
    u, row, weight = types.uint64, row_type(number), row_type(types.float64)
    return declare(ReadArguments, row, row, u, u, (weight, weight), (u, u), weight)


@by_address
def read_tile(arguments):
    """Weighted sum over a field's tile: rows in the loop's dtype, then columns in float64."""
    wide_vectors()
    field, sums, first, pitch, (row_weight, column_weight), (h, w), out = arguments
    n = lanes(field)
    clear(sums, ZERO, w * n)
    three, last = np.uint64(3), h - ONE
    for r in range(ZERO, h, np.uint64(4)):
        a, b, c = min(r + ONE, last), min(r + TWO, last), min(r + three, last)
        weights = (
            row_weight[r],
            row_weight[a] if r + ONE < h else 0.0,
            row_weight[b] if r + TWO < h else 0.0,
            row_weight[c] if r + three < h else 0.0,
        )
        at = (first + r * pitch, first + a * pitch, first + b * pitch, first + c * pitch)
        read_rows(field, at, weights, sums, w * n)
    read_columns(sums, column_weight, out, w, n)


class OpenArguments(NamedTuple):
    """What the offsets after pooling need to be opened."""

    stage: Any  # pointer to the StageArrays
    ey: Any


def declare_open(stage: types.Type) -> types.Type:
    """Return numba's type of the arguments for a type of stage."""
    return declare(OpenArguments, types.CPointer(stage), types.uint64)


@by_address
def open_rows(arguments):
    """Zeros where tiles of row offset `ey` are the first to be added to an offset after pooling.

    Here and not all at once: they are in cache when they are added to.
    """
    wide_vectors()
    pointer, ey = arguments
    stage = loaded(pointer)
    rows, columns, target = stage.rows.pieces, stage.after.columns, stage.target
    n = lanes(target)
    for a in range(rows.times.shape[1]):
        if rows.opens[ey, a] > 0:
            at, size = rows.before[ey, a] * columns, rows.entries[ey, a] * columns
            for f in range(np.uint64(target.shape[0])):
                clear(target[f], at * n, size * n)


class PoolArguments(NamedTuple):
    """What pooling of a tile needs."""

    stage: Any  # pointer to the StageArrays
    fields: Any
    tiles: Any  # a tuple of the same
    first: Any
    pitch: Any
    ey: Any
    ex: Any
    size: Any  # (rows, columns)
    g: Any
    exact: Any  # whether to set the diagonal's exact values before


def declare_pool(stage: types.Type, number: types.Type, n_tangents: int) -> types.Type:
    """Return numba's type of the arguments for a type of stage in a dtype."""
    u, tiles = types.uint64, (row_type(number),) * (1 + n_tangents)
    fields = row_type(number, 2)
    return declare(
        PoolArguments, types.CPointer(stage), fields, tiles, u, u, u, u, (u, u), u, types.boolean
    )


@by_address
def pool_tile(arguments):
    """Add a tile to the fields after pooling, piece by piece (`Pieces`)."""
    wide_vectors()
    pointer, own, tiles, first, pitch, ey, ex, size, g, exact = arguments
    stage = loaded(pointer)
    if exact:
        variance, tangent = stage.z.variance[g], stage.z.tangent[g]
        _set_own(own, ZERO, first, pitch, size, variance, tangent, stage.pool_mark)
    rows, columns, target = stage.rows.pieces, stage.columns.pieces, stage.target
    fields = parts(target, ZERO, ZERO, np.uint64(target.shape[1]), tiles)
    for a in range(np.uint64(rows.times.shape[1])):
        for b in range(np.uint64(columns.times.shape[1])):
            _pool_piece(stage, tiles, fields, first, pitch, (ey, ex), (a, b))


@expanded
def _pool_piece(stage, tiles, fields, first, pitch, offset, piece):
    rows, columns, side = stage.rows.pieces, stage.columns.pieces, stage.pool
    (ey, ex), (a, b), n = offset, piece, lanes(tiles[0])
    at = first + rows.first[ey, a] * pitch + columns.first[ex, b] * n
    to = rows.before[ey, a] * stage.after.columns + rows.entries[ey, a] * columns.before[ex, b]
    to += rows.place[ey, a] * columns.entries[ex, b] + columns.place[ex, b]
    times, count = columns.times[ex, b], columns.adjacent[ex, b]
    for _ in range(rows.times[ey, a] if times > 0 else times):
        pool_row(tiles, at, pitch, rows.adjacent[ey, a], side * n, count, fields, to * n, times)
        at += side * pitch
        to += columns.entries[ex, b]
