"""The hot loops of a network's first layer: 3 x 3 windows on pixels, ReLU, trained.

There is no tile yet: products of pixels are taken as the layer needs them, and kept as long as
another window needs them. There is no tangent yet, and covariances have either sign.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.core import types

from ntkreg.kernels.compiled.addresses import declare, row_type
from ntkreg.kernels.compiled.arc_cosine import in_every_lane
from ntkreg.kernels.compiled.flags import by_address, inlined, wide_vectors
from ntkreg.kernels.compiled.lanes import ONE, TWO, ZERO, lanes
from ntkreg.kernels.compiled.vectors import load, spread, store
from ntkreg.kernels.image.loops.fields import (
    clear_all,
    spread_layer,
    store_all,
    times_all,
    with_first,
)
from ntkreg.kernels.image.loops.layers import FieldsOfTile, fields_type
from ntkreg.kernels.image.loops.relu import relu
from ntkreg.kernels.image.loops.rows import clear
from ntkreg.kernels.image.program import Loop

__all__ = ["FirstArguments", "Pixels", "declare_first", "first_layer_of"]


class Pixels(NamedTuple):
    """Pixels of an image and of a group, three channels, with a pixel of zeros around them."""

    x: Any
    z: Any
    x_at: Any  # the tile's first pixel
    z_at: Any
    width: Any  # pixels between rows


class FirstArguments(NamedTuple):
    """What a network's first layer needs: 3 x 3 windows and ReLU, trained in the first tangent."""

    pixels: Pixels
    size: Any  # (rows, columns), after the layer
    place: Any  # as in `LayerArguments`, and the rest too
    tile: FieldsOfTile
    tables: Any  # (x, z)
    at: Any
    layer: Any
    dual: Any


def declare_first(number: types.Type, n_tangents: int, dual: types.Type) -> types.Type:
    """Return numba's type of the arguments of a first layer in a dtype."""
    row, u = row_type(number), types.uint64
    layer = (number, number, (number,) * n_tangents)
    return declare(
        FirstArguments, Pixels(row, row, u, u, u), (u, u), (u,) * 3,
        fields_type(number, n_tangents), ((row, row), (row, row)), (u,) * 3, layer, dual,
    )  # fmt: skip


@inlined
def _product(x, x_at, z, z_at):
    """Covariance of two pixels over three channels, which lie side by side."""
    n, three = lanes(z), np.uint64(3)
    i, j = three * x_at, three * z_at
    first = spread(x[i]) * load(z, j) + spread(x[i + ONE]) * load(z, j + n)
    return first + spread(x[i + TWO]) * load(z, j + n + n)


@inlined
def _row_of_products(x, x_at, z, z_at, n):
    """Sum of the products of three neighbours."""
    total = _product(x, x_at, z, z_at) + _product(x, x_at + ONE, z, z_at + n)
    return total + _product(x, x_at + TWO, z, z_at + n + n)


@inlined
def _finish(s, t, to, sums, layer, x, x_at, z, z_at, constants):
    """What follows the sums over a window."""
    factor, bias, trained = layer
    one, two = spread(x[0][x_at]), spread(x[1][x_at])
    cov = factor * sums + bias
    value, slope = relu(cov, one, two, load(z[0], z_at), load(z[1], z_at), bias, constants)
    store(s, to, value)
    tangent = cov * slope
    store_all(t, to, with_first(tangent, times_all(trained, tangent)))


@inlined
def _down(above, here, at, x, x_at, z, z_at):
    """Sum of a column's three products; two rows are kept for the next row of windows."""
    middle, below = load(here, at), _product(x, x_at, z, z_at)
    total = load(above, at) + middle + below
    store(above, at, middle)
    store(here, at, below)
    return total


@by_address
def _same_size(arguments):
    """Windows that keep the size: a new product each."""
    wide_vectors()
    (x, z, x_at, z_at, pixel_width), size, _place, fields, tables, at, layer, dual = arguments
    s, t, spare, first, pitch = fields
    n = lanes(s)
    h, w = size
    a_at, b_at, width = at
    above, here = spare[0], spare[1][0]
    constants, layer = in_every_lane(dual), spread_layer(layer)
    clear(above, ZERO, w * n + n)
    for p in range(w + ONE):
        store(here, p * n, _product(x, x_at + p, z, (z_at + p) * n))
    for r in range(h):
        to = first + r * pitch
        x_at += pixel_width
        z_at += pixel_width
        # Sums over columns are there a window before they are needed: the dual need not wait.
        left, z_n, last = constants.zero, z_at * n, w - ONE
        middle = _down(above, here, ZERO, x, x_at, z, z_n)
        right = _down(above, here, n, x, x_at + ONE, z, z_n + n)
        for p in range(last):
            i = p * n
            j = i + n + n
            ahead = _down(above, here, j, x, x_at + p + TWO, z, z_n + j)
            _finish(
                s, t, to + i, left + middle + right, layer, tables[0], a_at + p, tables[1],
                b_at * n + i, constants,
            )  # fmt: skip
            left, middle, right = middle, right, ahead
        _finish(
            s, t, to + last * n, left + middle + right, layer, tables[0], a_at + last, tables[1],
            (b_at + last) * n, constants,
        )  # fmt: skip
        clear(s, to + w * n, first)
        clear_all(t, to + w * n, first)
        a_at += width
        b_at += width


@inlined
def _column_of_two(rows, p):
    """Sum of a column's three products; the lowest is kept for the next row of windows."""
    kept, x, x_at, z, z_at, x_row, z_row, n = rows
    i, j = x_at + p, z_at + p * n
    middle = _product(x, i + x_row, z, j + z_row)
    below = _product(x, i + x_row + x_row, z, j + z_row + z_row)
    total = load(kept, p * n) + middle + below
    store(kept, p * n, below)
    return total


@by_address
def _every_two(arguments):
    """Windows two pixels apart, which share a row and a column: four new products each."""
    wide_vectors()
    (x, z, x_at, z_at, pixel_width), size, place, fields, tables, at, layer, dual = arguments
    s, t, spare, first, pitch = fields
    n = lanes(s)
    h, w = size
    z_row, last = pixel_width * n, w - ONE
    _, top, left = place
    a_at, b_at, width = at
    kept = spare[0]
    constants, layer = in_every_lane(dual), spread_layer(layer)
    x_at -= top * pixel_width + left
    z_at -= top * pixel_width + left
    for p in range(TWO * w + ONE):
        store(kept, p * n, _product(x, x_at + p, z, (z_at + p) * n))
    for r in range(h):
        to, z_n = first + r * pitch, z_at * n
        rows = kept, x, x_at, z, z_n, pixel_width, z_row, n
        before = _column_of_two(rows, ZERO)
        sums = before + _column_of_two(rows, ONE), _column_of_two(rows, TWO)
        for p in range(last):
            i = TWO * p + TWO
            ahead = _column_of_two(rows, i + ONE), _column_of_two(rows, i + TWO)
            _finish(
                s, t, to + p * n, sums[0] + sums[1], layer, tables[0], a_at + p, tables[1],
                (b_at + p) * n, constants,
            )  # fmt: skip
            sums = sums[1] + ahead[0], ahead[1]
        _finish(
            s, t, to + last * n, sums[0] + sums[1], layer, tables[0], a_at + last, tables[1],
            (b_at + last) * n, constants,
        )  # fmt: skip
        clear(s, to + w * n, first)
        clear_all(t, to + w * n, first)
        x_at += TWO * pixel_width
        z_at += TWO * pixel_width
        a_at += width
        b_at += width


@by_address
def _other_size(arguments):
    """Others: all nine products, for each window anew."""
    wide_vectors()
    (x, z, x_at, z_at, pixel_width), size, place, fields, tables, at, layer, dual = arguments
    s, t, _spare, first, pitch = fields
    n = lanes(s)
    h, w = size
    stride, top, left = place
    a_at, b_at, width = at
    constants, layer = in_every_lane(dual), spread_layer(layer)
    x_at -= top * pixel_width + left
    z_at -= top * pixel_width + left
    for r in range(h):
        to = first + r * pitch
        below = pixel_width + pixel_width
        for p in range(w):
            i, j = x_at + stride * p, z_at + stride * p
            sums = (
                _row_of_products(x, i, z, j * n, n)
                + _row_of_products(x, i + pixel_width, z, (j + pixel_width) * n, n)
                + _row_of_products(x, i + below, z, (j + below) * n, n)
            )
            _finish(
                s, t, to + p * n, sums, layer, tables[0], a_at + p, tables[1], (b_at + p) * n,
                constants,
            )  # fmt: skip
        clear(s, to + w * n, first)
        clear_all(t, to + w * n, first)
        x_at += stride * pixel_width
        z_at += stride * pixel_width
        a_at += width
        b_at += width


def first_layer_of(loop: Loop, stride: int) -> Any:
    """Return the loop that runs a FIRST or FIRST_RESIZE layer on pixels of three channels."""
    if loop == Loop.FIRST:
        return _same_size
    return _every_two if stride == 2 else _other_size
