"""The hot loops: layers of 3 x 3 and 1 x 1 windows with ReLU or no activation.

In vectors of lanes (`compiled.vectors`), in place, row by row. A row's sums over windows go down
columns first: v = above + here + below, where `above` is kept in a spare row because the tile's
own is overwritten by then; then along the row, v of the last two columns being at hand. So a
number is loaded three times in place of six and nothing of the sums is stored. v runs a column
ahead of the dual, which is one long chain of dependent instructions; v fills the units it
leaves idle. `t` is a tuple of tangent fields: each costs its sums and a product with the slope.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba.core import types

from ntkreg.kernels.compiled.addresses import declare, row_type
from ntkreg.kernels.compiled.arc_cosine import in_every_lane
from ntkreg.kernels.compiled.flags import by_address, inlined, wide_vectors
from ntkreg.kernels.compiled.lanes import ONE, TWO, ZERO, lanes
from ntkreg.kernels.compiled.vectors import load, spread, store
from ntkreg.kernels.image.loops.fields import (
    add_all,
    clear_all,
    load_all,
    none_of,
    spread_layer,
    store_all,
    tangents,
    times_all,
    with_first,
)
from ntkreg.kernels.image.loops.relu import positive_relu, relu
from ntkreg.kernels.image.loops.rows import clear
from ntkreg.kernels.image.program import Kind, Loop

__all__ = ["FieldsOfTile", "LayerArguments", "declare_layer", "fields_type", "layer_of"]


class FieldsOfTile(NamedTuple):
    """A tile and its tangents, first pixel at `first`, rows `pitch` numbers apart.

    With `first` numbers, two pixels or more, of zeros left and right of each row, and room for
    another row. `spare` is work space, a row and a pixel for every field.
    """

    s: Any
    t: Any  # a tuple of arrays
    spare: Any  # (array, tuple of arrays)
    first: Any
    pitch: Any


class LayerArguments(NamedTuple):
    """What a layer over a tile and its tangents needs, in place."""

    tile: FieldsOfTile
    size: Any  # (rows, columns) before, (rows, columns) after
    place: Any  # (stride, top, left): the first window begins so many pixels before the tile
    x: Any  # (a, b), the dual's tables: a number a pixel
    z: Any  # and the lanes of each
    at: Any  # (x, z, width): the first pixel in the tables, and pixels between their rows
    layer: Any  # (factor, bias, trained of every tangent)
    dual: Any


def fields_type(number: types.Type, n_tangents: int) -> FieldsOfTile:
    """Return numba's types of a `FieldsOfTile`."""
    row, u = row_type(number), types.uint64
    rows = (row,) * n_tangents
    return FieldsOfTile(row, rows, (row, rows), u, u)


def declare_layer(number: types.Type, n_tangents: int, dual: types.Type) -> types.Type:
    """Return numba's type of the arguments of a layer in a dtype."""
    row, u = row_type(number), types.uint64
    layer = (number, number, (number,) * n_tangents)
    tile = fields_type(number, n_tangents)
    return declare(
        LayerArguments, tile, (u,) * 4, (u,) * 3, (row, row), (row, row), (u,) * 3, layer, dual
    )


def _finish(dual: Any, trained_only: bool) -> Any:
    """What follows the sums of the fields: the affine part, then a dual or none.

    `trained_only`: the factor `trained` is known to be 1.
    """

    @inlined
    def run(s, t, at, sums, layer, x, x_at, z, z_at, constants):
        (sum_s, sum_t), (factor, bias, trained) = sums, layer
        cov = factor * sum_s + bias
        tangent = tangents(factor, sum_t, trained, cov)
        if trained_only:
            tangent = with_first(factor * sum_t[0] + cov, tangent)
        if dual is None:
            store(s, at, cov)
            store_all(t, at, tangent)
        else:
            one, two = spread(x[0][x_at]), spread(x[1][x_at])
            a, b = load(z[0], z_at), load(z[1], z_at)
            value, slope = dual(cov, one, two, a, b, bias, constants)
            store(s, at, value)
            store_all(t, at, times_all(tangent, slope))

    return run


@inlined
def _down(s, above, at, here, below):
    """Sum of a column's three rows; the middle one becomes the next row's upper one."""
    middle = load(s, here)
    total = load(above, at) + middle + load(s, below)
    store(above, at, middle)
    return total


@inlined
def _each_down(t, above, at, here, below):
    """`_down` of every tangent."""
    middle = load_all(t, here)
    total = add_all(add_all(load_all(above, at), middle), load_all(t, below))
    store_all(above, at, middle)
    return total


def _same_size(finish: Any) -> Any:
    """3 x 3 windows that keep the size: the package's hottest loop."""

    @by_address
    def run(arguments):
        wide_vectors()
        (s, t, spare, first, pitch), size, _place, x, z, at, layer, dual = arguments
        n = lanes(s)
        h, w = size[2], size[3]
        x_at, z_at, width = at
        above_s, above_t = spare
        constants, layer = in_every_lane(dual), spread_layer(layer)
        clear(above_s, ZERO, w * n + n)
        clear_all(above_t, ZERO, w * n + n)
        clear(s, first + h * pitch, w * n + n)
        clear_all(t, first + h * pitch, w * n + n)
        for r in range(h):
            to, za = first + r * pitch, z_at * n
            left_s, left_t = constants.zero, none_of(t, constants.zero)
            here_s = _down(s, above_s, ZERO, to, to + pitch)
            here_t = _each_down(t, above_t, ZERO, to, to + pitch)
            # Two columns at a time: of six sums along the row five are enough.
            for p in range(ZERO, w, TWO):
                i = p * n
                j = i + n
                k = j + n
                right_s = _down(s, above_s, j, to + j, to + j + pitch)
                right_t = _each_down(t, above_t, j, to + j, to + j + pitch)
                pair_s, pair_t = here_s + right_s, add_all(here_t, right_t)
                sums = left_s + pair_s, add_all(left_t, pair_t)
                finish(s, t, to + i, sums, layer, x, x_at + p, z, za + i, constants)
                left_s, left_t = right_s, right_t
                if p + ONE < w:
                    here_s = _down(s, above_s, k, to + k, to + k + pitch)
                    here_t = _each_down(t, above_t, k, to + k, to + k + pitch)
                    sums = pair_s + here_s, add_all(pair_t, here_t)
                    finish(s, t, to + j, sums, layer, x, x_at + p + ONE, z, za + j, constants)
            x_at += width
            z_at += width

    return run


@inlined
def _column(s, rows, at):
    return load(s, rows[0] + at) + load(s, rows[1] + at) + load(s, rows[2] + at)


@inlined
def _nine(s, rows, one, two, three):
    """Sum over a window."""
    return _column(s, rows, one) + _column(s, rows, two) + _column(s, rows, three)


@inlined
def _each_column(t, rows, at):
    above = add_all(load_all(t, rows[0] + at), load_all(t, rows[1] + at))
    return add_all(above, load_all(t, rows[2] + at))


@inlined
def _each_nine(t, rows, one, two, three):
    """`_nine` of every tangent."""
    return add_all(
        add_all(_each_column(t, rows, one), _each_column(t, rows, two)),
        _each_column(t, rows, three),
    )


def _other_size(finish: Any) -> Any:
    """3 x 3 windows with strides, or without padding: a smaller tile is left in the same place.

    No entry is overwritten before it is read: output (r, p) lies not below or right of the
    windows of all later ones.
    """

    @by_address
    def run(arguments):
        wide_vectors()
        (s, t, _spare, first, pitch), size, place, x, z, at, layer, dual = arguments
        n = lanes(s)
        h_in, w_in, h, w = size
        stride, top, left = place
        x_at, z_at, width = at
        constants, layer = in_every_lane(dual), spread_layer(layer)
        below = first + h_in * pitch
        clear(s, below, (w_in + ONE) * n)
        clear_all(t, below, (w_in + ONE) * n)
        for r in range(h):
            i = np.int64(stride * r) - np.int64(top)
            row = first + np.uint64(i) * pitch
            rows = (
                row if i >= 0 else below,
                row + pitch if i + 1 < np.int64(h_in) else below,
                row + pitch + pitch if i + 2 < np.int64(h_in) else below,
            )
            to = first + r * pitch
            for p in range(w):
                i_0 = (stride * p - left) * n
                i_1 = i_0 + n
                i_2 = i_1 + n
                sums = _nine(s, rows, i_0, i_1, i_2), _each_nine(t, rows, i_0, i_1, i_2)
                finish(s, t, to + p * n, sums, layer, x, x_at + p, z, (z_at + p) * n, constants)
            clear(s, to + w * n, first)
            clear_all(t, to + w * n, first)
            x_at += width
            z_at += width

    return run


def _pointwise(finish: Any) -> Any:
    """1 x 1 windows."""

    @by_address
    def run(arguments):
        wide_vectors()
        (s, t, _spare, first, pitch), size, place, x, z, at, layer, dual = arguments
        n = lanes(s)
        h, w = size[2], size[3]
        stride = place[0]
        x_at, z_at, width = at
        constants, layer = in_every_lane(dual), spread_layer(layer)
        for r in range(h):
            to, row = first + r * pitch, first + stride * r * pitch
            for p in range(w):
                i = row + stride * p * n
                sums = load(s, i), load_all(t, i)
                finish(s, t, to + p * n, sums, layer, x, x_at + p, z, (z_at + p) * n, constants)
            if stride > 1:
                clear(s, to + w * n, first)
                clear_all(t, to + w * n, first)
            x_at += width
            z_at += width

    return run


def _kinds(make: Callable[[Any], Any], trained_only: bool) -> tuple[Any, Any, Any]:
    """A loop before no activation, ReLU, and ReLU of what is not negative (then trained)."""
    return (
        make(_finish(None, False)),
        make(_finish(relu, False)),
        make(_finish(positive_relu, trained_only)),
    )


_SAME = _kinds(_same_size, True)
_RESIZE = _kinds(_other_size, False)
_POINT = _kinds(_pointwise, False)

_LOOPS = {
    Loop.FIRST: _SAME,
    Loop.FIRST_RESIZE: _RESIZE,
    Loop.SAME: _SAME,
    Loop.RESIZE: _RESIZE,
    Loop.POINT: _POINT,
}
"""By kind each. FIRST layers too, over a tile of products, where there are not three channels."""


def layer_of(loop: Loop, kind: Kind) -> Any:
    """Return the loop that runs an operation over a tile; POSITIVE is trained in the first T."""
    return _LOOPS[loop][kind]
