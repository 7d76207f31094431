"""Layers over S and one tangent, row by row, in place: any windows, any activation.

The activation's loop over a row is called by its address (`loops.duals`).
"""

from typing import Any, NamedTuple

import numpy as np
from numba.core import types

from ntkreg.kernels.compiled.addresses import call, declare, row_type
from ntkreg.kernels.compiled.flags import by_address, expanded, wide_vectors
from ntkreg.kernels.compiled.lanes import ONE, TWO, ZERO, lanes
from ntkreg.kernels.image.loops.duals import RowArguments
from ntkreg.kernels.image.loops.rows import clear, window_sums
from ntkreg.kernels.image.loops.tiles import (
    Tile,
    clear_right,
    spare_row,
    step_type,
    summed_tile,
    three_rows,
    tile_type,
    windows_to_row,
    wrapped,
)

__all__ = ["OneTangentArguments", "any_layer", "declare_one_tangent", "layer_ahead"]


class OneTangentArguments(NamedTuple):
    """What a LAYER over S and a tangent needs."""

    step: Any
    tile: Tile
    fields: Any  # (S, T)
    trained: Any
    tables: Any  # (x, z), (a, b) each
    dual: Any
    size: Any  # (rows, columns) before, (rows, columns) after
    x_first: Any  # first pixel (row, column) of the tile in x
    z_first: Any
    paired: Any


def declare_one_tangent(number: types.Type, dual: types.Type) -> types.Type:
    """Return numba's type of the arguments in a dtype."""
    row, u = row_type(number), types.uint64
    return declare(
        OneTangentArguments, step_type(number), tile_type(number), (row, row), number,
        ((row, row), (row, row)), dual, (u,) * 4, (u, u), (u, u), types.boolean,
    )  # fmt: skip


@expanded
def _places_in_tables(step, r, x_first, z_first):
    """First entries of row r in the tables of x and of z, which may wrap around."""
    row = wrapped(z_first[0] + r, step.height)
    x_at = step.table + (x_first[0] + r) * step.width + x_first[1]
    return x_at, step.table + row * step.width + z_first[1]


@by_address
def any_layer(arguments):
    """Run a LAYER with any windows."""
    wide_vectors()
    step, tile, (to_s, to_t), trained, (x, z), dual, size, x_first, z_first, paired = arguments
    rows_in, columns_in, h, w = size
    n = lanes(z[0])
    s, t = summed_tile(step, tile, n, to_s, to_t, rows_in, columns_in)
    done = -np.int64(step.origin_row)
    layer = (step.factor, step.bias, trained)
    # What is read ahead is not wanted: it goes to a row that is not used.
    ahead, following = ZERO, spare_row(step.window) * tile.pitch
    for r in range(h):
        done = windows_to_row(step, tile, n, s, t, r, done, rows_in, columns_in, w)
        cov, tan, rows = three_rows(step, tile, r)
        x_at, z_at = _places_in_tables(step, r, x_first, z_first)
        row = RowArguments(
            (cov, tan, rows), (to_s, to_t, tile.pad * n + r * tile.pitch), (x[0], x[1], x_at),
            (z[0], z[1], z_at), w, layer, step.parameter, dual, paired,
            (to_s, to_t, ahead), (cov, tan, following),
        )  # fmt: skip
        call(step.row, row)
        if w < columns_in:
            clear_right(to_s, tile, n, r, w)
            clear_right(to_t, tile, n, r, w)


@by_address
def layer_ahead(arguments):
    """Run a LAYER with 3 x 3 windows that keep the image's size, before any activation but ReLU.

    Rows are summed over windows two rows ahead, inside the loop of the dual (`RowArguments`),
    into a ring of four.
    """
    wide_vectors()
    step, tile, (s, t), trained, (x, z), dual, size, x_first, z_first, _ = arguments
    h, w = size[2], size[3]
    n, pitch = lanes(z[0]), tile.pitch
    three, four = np.uint64(3), np.uint64(4)
    ring_s, ring_t = tile.ring_s, tile.ring_t
    layer = (step.factor, step.bias, trained)
    first, length = (tile.pad - ONE) * n, w * n
    clear(ring_s, ZERO, length)
    clear(ring_t, ZERO, length)
    window_sums(s, t, first, n, three, ring_s, ring_t, pitch, length)
    if h > 1:
        window_sums(s, t, first + pitch, n, three, ring_s, ring_t, TWO * pitch, length)
    else:
        clear(ring_s, TWO * pitch, length)
        clear(ring_t, TWO * pitch, length)
    for r in range(h):
        slot = (r + three) % four * pitch
        ahead, following = first + (r + TWO) * pitch, slot
        # Nothing is left to read ahead: zeros; the loop then reads the row that it writes, against
        # its promise of distinct arrays, but what comes of that goes to a fifth row, unused.
        if r + TWO >= h:
            ahead, following = first + r * pitch, four * pitch
            clear(ring_s, slot, length)
            clear(ring_t, slot, length)
        x_at, z_at = _places_in_tables(step, r, x_first, z_first)
        rows = (r % four * pitch, (r + ONE) % four * pitch, (r + TWO) % four * pitch)
        row = RowArguments(
            (ring_s, ring_t, rows), (s, t, tile.pad * n + r * pitch), (x[0], x[1], x_at),
            (z[0], z[1], z_at), w, layer, step.parameter, dual, False,
            (s, t, ahead), (ring_s, ring_t, following),
        )  # fmt: skip
        call(step.row, row)
