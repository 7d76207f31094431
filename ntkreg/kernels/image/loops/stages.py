"""The compiled loops of the image engine: tiles through a stage's operations, in cache.

One image x and a group of images z at a time, a pair a lane (`lanes`). For every offset the tile
of all fields, S and one T or several, is loaded, from the pixels or from what pooling left, runs
through the stage's operations in place, is read or pooled, and is forgotten.
"""

from typing import NamedTuple

import numpy as np

from ntkreg.kernels.compiled.flags import counting_nothing, inlined, wide_vectors
from ntkreg.kernels.compiled.lanes import lanes
from ntkreg.kernels.image.geometry import Axis, Field
from ntkreg.kernels.image.loops.duals import dual_row
from ntkreg.kernels.image.loops.fields import in_order, parts
from ntkreg.kernels.image.loops.first_layer import first_layer
from ntkreg.kernels.image.loops.layers import layer_in_vectors
from ntkreg.kernels.image.loops.pooling import pool_row
from ntkreg.kernels.image.loops.rows import (
    clear,
    load_field,
    load_products,
    read_columns,
    read_rows,
    window_sums,
)
from ntkreg.kernels.image.loops.tiles import (
    Images,
    Steps,
    carve,
    clear_right,
    move,
    own_s,
    span,
    spare_row,
    summed_tile,
    three_rows,
    windows_to_row,
)
from ntkreg.kernels.image.program import Loop, Op

__all__ = ["StageArrays", "run_stages"]

_LAYER, _READ = int(Op.LAYER), int(Op.READ)
_AHEAD, _FIRST, _FIRST_RESIZE = (int(loop) for loop in (Loop.AHEAD, Loop.FIRST, Loop.FIRST_RESIZE))


@inlined
def _wrapped(row, height):
    return row - height if row >= height else row


@inlined
def _set_own(tile, register, h, w, variance, tangent, mark):
    """Put the exact values of the diagonal into the tile of offset (0, 0)."""
    n, one = lanes(tile.row_s), np.uint64(1)
    start, end = span(tile, register)
    for f in range(np.uint64(tile.fields.shape[0])):
        field, values = tile.fields[f, start:end], tangent[f - one] if f > 0 else variance
        for r in range(h):
            at, source = tile.pad * n + r * tile.pitch, (mark + r * w) * n
            for p in range(w * n):
                field[at + p] = values[source + p]


@inlined
def _read(field, tile, row_weight, column_weight, h, w, out):
    """Weighted sum over a field's tile: rows in the loop's dtype, then columns in float64."""
    n = lanes(field)
    clear(tile.row_s, 0 * w, w * n)
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    first, last = tile.pad * n, h - one
    for r in range(np.uint64(0), h, np.uint64(4)):
        a, b, c = min(r + one, last), min(r + two, last), min(r + three, last)
        weights = (
            row_weight[r],
            row_weight[a] if r + one < h else 0.0,
            row_weight[b] if r + two < h else 0.0,
            row_weight[c] if r + three < h else 0.0,
        )
        at = (
            first + r * tile.pitch,
            first + a * tile.pitch,
            first + b * tile.pitch,
            first + c * tile.pitch,
        )
        read_rows(field, at, weights, tile.row_s, w * n)
    read_columns(tile.row_s, column_weight, out, w, n)


@counting_nothing
def _layer(
    steps, k, tile, to_s, to_t, trained, x, z, dual, h, w, rows_in, columns_in, x_first, z_first,
    paired,
):  # fmt: skip
    """Run a LAYER over S and a tangent, row by row, in place.

    Not inlined: its constants need registers.
    """
    wide_vectors()
    n = lanes(z[0])
    s, t = summed_tile(steps, k, tile, n, to_s, to_t, rows_in, columns_in)
    done = -np.int64(steps.origin_row[k])
    layer = (steps.factor[k], steps.bias[k], trained)
    height, width = steps.height[k], steps.width[k]
    unused = (np.uint64(0), spare_row(steps.window[k]) * tile.pitch)
    for r in range(h):
        done = windows_to_row(steps, k, tile, n, s, t, r, done, rows_in, columns_in, w)
        cov, tan, rows = three_rows(steps, k, tile, r)
        row = _wrapped(z_first[0] + r, height)
        dual_row(
            steps.activation[k], cov, tan, rows, to_s, to_t, tile.pad * n + r * tile.pitch, x, z,
            steps.table[k] + (x_first[0] + r) * width + x_first[1],
            steps.table[k] + row * width + z_first[1],
            w, layer, steps.parameter[k], dual, paired, unused,
        )  # fmt: skip
        if w < columns_in:
            clear_right(to_s, tile, n, r, w)
            clear_right(to_t, tile, n, r, w)


@counting_nothing
def _layer_ahead(steps, k, tile, s, t, trained, x, z, dual, h, w, x_first, z_first):
    """`_layer` for 3 x 3 windows that keep the image's size, before any activation but ReLU.

    Rows are summed over windows two rows ahead, inside the loop of the dual (`dual_row`), into a
    ring of four.
    """
    wide_vectors()
    n, pitch = lanes(z[0]), tile.pitch
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    ring_s, ring_t = tile.ring_s, tile.ring_t
    layer = (steps.factor[k], steps.bias[k], trained)
    height, width = steps.height[k], steps.width[k]
    first, size = (tile.pad - one) * n, w * n
    clear(ring_s, one - one, size)
    clear(ring_t, one - one, size)
    window_sums(s, t, first, n, three, ring_s, ring_t, pitch, size)
    if h > 1:
        window_sums(s, t, first + pitch, n, three, ring_s, ring_t, two * pitch, size)
    else:
        clear(ring_s, two * pitch, size)
        clear(ring_t, two * pitch, size)
    for r in range(h):
        slot = (r + three) % four * pitch
        ahead = (first + (r + two) * pitch, slot)
        # Nothing is left to read ahead: zeros; the loop then reads the row that it writes, against
        # its promise of distinct arrays, but what comes of that goes to a fifth row, unused.
        if r + two >= h:
            ahead = (first + r * pitch, four * pitch)
            clear(ring_s, slot, size)
            clear(ring_t, slot, size)
        row = _wrapped(z_first[0] + r, height)
        rows = (r % four * pitch, (r + one) % four * pitch, (r + two) % four * pitch)
        dual_row(
            steps.activation[k], ring_s, ring_t, rows, s, t, tile.pad * n + r * pitch, x, z,
            steps.table[k] + (x_first[0] + r) * width + x_first[1],
            steps.table[k] + row * width + z_first[1],
            w, layer, steps.parameter[k], dual, False, ahead,
        )  # fmt: skip


@inlined
def _load_pixels(tile, to, x, x_at, z, z_at, channels, w, paired):
    """A row of the first tile: products of the pixels, over all channels, and no tangent."""
    n = lanes(tile.row_s)
    for f in range(np.uint64(1), np.uint64(tile.fields.shape[0])):
        clear(tile.fields[f], to, w * n)
    load_products(tile.fields[0], to, x, x_at, z, z_at, channels, w, paired)


@inlined
def _pool(tile, tiles, rows, columns, ey, ex, a, b, side, field_columns, fields):
    """Add one piece of the tile (`Pieces`) to the fields after pooling."""
    n = lanes(tile.row_s)
    at = tile.pad * n + rows.first[ey, a] * tile.pitch + columns.first[ex, b] * n
    to = rows.before[ey, a] * field_columns + rows.entries[ey, a] * columns.before[ex, b]
    to += rows.place[ey, a] * columns.entries[ex, b] + columns.place[ex, b]
    times, count = columns.times[ex, b], columns.adjacent[ex, b]
    for _ in range(rows.times[ey, a] if times > 0 else times):
        pool_row(
            tiles, at, tile.pitch, rows.adjacent[ey, a], side * n, count, fields, to * n, times,
        )  # fmt: skip
        at += side * tile.pitch
        to += columns.entries[ex, b]


@inlined
def _open_rows(rows, ey, field_columns, target):
    """Zeros where tiles of row offset `ey` are the first to be added to an offset after pooling.

    Here and not all at once: they are in cache when they are added to.
    """
    n = lanes(target)
    for a in range(rows.times.shape[1]):
        if rows.opens[ey, a] > 0:
            at, size = rows.before[ey, a] * field_columns, rows.entries[ey, a] * field_columns
            for f in range(np.uint64(target.shape[0])):
                clear(target[f], at * n, size * n)


class StageArrays(NamedTuple):
    """A stage, as the loops want it (`RunnableStage`), and the images of a block with its tables.

    `x` has an image a row or, if images are paired with themselves, is `z`.
    """

    steps: Steps
    trained: tuple[np.ndarray, ...]  # of every tangent field; compiled for their number
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


@counting_nothing
def run_stages(turns, stages, dual, wanted, paired, out):
    """Run an image network for images x and groups of images z, all stages turn by turn.

    Parameters
    ----------
    turns : uint64 array (n_turns, 3)
        Stage, first row offset, and the one after the last (`image.schedule.Turn`).
    stages : tuple of StageArrays
    dual : Dual
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
                    stage, start, stop = turns[k, 0], turns[k, 1], turns[k, 2]
                    _run_turn(stages[stage], start, stop, i, g, dual, paired, out)


@counting_nothing
def _run_turn(stage, start, stop, i, g, dual, paired, out):
    """Run the tiles of row offsets `start` to `stop` for an image of x and a group of z."""
    wide_vectors()
    steps, trained, rows, columns = stage.steps, stage.trained, stage.rows, stage.columns
    field, after, source, target = stage.field, stage.after, stage.source, stage.target
    x, z, side, pixel_width, scale = stage.x, stage.z, stage.pool, stage.pixel_width, stage.scale
    height, width, window = stage.largest
    n, one = lanes(z.a), np.uint64(1)
    zero = one - one
    n_fields = one + np.uint64(len(trained))
    tile = carve(stage.space, n, n_fields, stage.registers, height, width, window)
    tiles = parts(tile.fields, zero, zero, tile.size, (trained[0], *trained))
    targets = parts(target, zero, zero, np.uint64(target.shape[1]), (trained[0], *trained))
    za, zb, z_pixels = z.a[g], z.b[g], z.pixels[g].reshape(-1)
    xa, xb, x_pixels = x.a[i], x.b[i], x.pixels[i].reshape(-1)
    channels = np.uint64(z.pixels.shape[2]) // n
    fresh = len(steps.op) > 0 and not paired and channels == 3
    fresh = fresh and (steps.loop[0] == _FIRST or steps.loop[0] == _FIRST_RESIZE)
    for ey in range(start, stop):
        if side > 0:
            _open_rows(rows.pieces, ey, after.columns, target)
        for ex in range(np.uint64(columns.length.shape[1])):
            exact = paired and ey == rows.own and ex == columns.own
            h, w = rows.length[0, ey], columns.length[0, ex]
            first_x = (rows.x[0, ey] + one) * pixel_width + columns.x[0, ex] + one
            first_z = (rows.z[0, ey] + one) * pixel_width + columns.z[0, ex] + one
            for r in range(zero if fresh else h):
                to = tile.pad * n + r * tile.pitch
                if pixel_width > 0:
                    row = _wrapped(rows.z[0, ey] + r, height) - rows.z[0, ey]
                    in_x, in_z = first_x + r * pixel_width, first_z + row * pixel_width
                    _load_pixels(
                        tile, to, x_pixels, in_x, z_pixels, in_z, channels, w, paired
                    )  # fmt: skip
                else:
                    at = field.row_before[ey] * field.columns
                    at += h * field.column_before[ex] + r * w
                    for f in range(n_fields):
                        load_field(tile.fields[f], to, source[f], at * n, scale, w * n)
                for f in range(n_fields):
                    clear_right(tile.fields[f], tile, n, r, w)
            for k in range(len(steps.op)):
                op, before, level = steps.op[k], steps.level_in[k], steps.level[k]
                register = steps.register[k]
                start, end = span(tile, register)
                h, w = rows.length[level, ey], columns.length[level, ex]
                if op == _LAYER:
                    x_first = (rows.x[level, ey], columns.x[level, ex])
                    z_first = (rows.z[level, ey], columns.z[level, ex])
                    table, width = steps.table[k], steps.width[k]
                    x_at = table + x_first[0] * width + x_first[1]
                    z_at = table + z_first[0] * width + z_first[1]
                    to = tile.pad * n
                    layer = (steps.factor[k], steps.bias[k], in_order(trained, k))
                    s = tile.fields[0, start:end]
                    t = parts(tile.fields, one, start, end, trained)
                    tables, at = ((xa, xb), (za, zb)), (x_at, z_at, width)
                    room = np.uint64(tile.rows.shape[1])
                    spare = (tile.row_s, parts(tile.rows, one, zero, room, trained))
                    place = (steps.stride[k], steps.origin_row[k], steps.origin_column[k])
                    before_h, before_w = rows.length[before, ey], columns.length[before, ex]
                    if fresh and k == 0:
                        first_layer(
                            steps.loop[k], steps.stride[k], x_pixels, z_pixels, place,
                            (h, w), first_x, first_z, pixel_width, s, t, spare, to,
                            tile.pitch, tables, at, layer, dual,
                        )  # fmt: skip
                    elif steps.loop[k] >= _FIRST and not paired:
                        layer_in_vectors(
                            steps.loop[k], steps.kind[k], s, t, spare, to, tile.pitch,
                            (before_h, before_w, h, w),
                            place, tables[0], tables[1], at, layer, dual,
                        )  # fmt: skip
                    else:
                        # Others know one tangent: run once for each, the first last.
                        for done in range(n_fields - one):
                            which = n_fields - one - done
                            of, at_s, end_s = own_s(tile, which, register, n, before_h)
                            fields = (
                                tile.fields[of, at_s:end_s],
                                tile.fields[which, start:end],
                            )
                            its_trained = layer[2][which - one]
                            if steps.loop[k] == _AHEAD and not paired:
                                _layer_ahead(
                                    steps, k, tile, fields[0], fields[1], its_trained,
                                    tables[0], tables[1], dual, h, w, x_first, z_first,
                                )  # fmt: skip
                            else:
                                _layer(
                                    steps, k, tile, fields[0], fields[1], its_trained,
                                    tables[0], tables[1], dual, h, w, before_h, before_w,
                                    x_first, z_first, paired,
                                )  # fmt: skip
                elif op == _READ:
                    q = steps.readout[k]
                    # Tiles of which only another read-out has entries.
                    if not (rows.read[q, ey] and columns.read[q, ex]):
                        continue
                    if exact:
                        _set_own(
                            tile, register, h, w, z.variance[g], z.tangent[g],
                            steps.mark[k],
                        )  # fmt: skip
                    for f in range(n_fields):
                        _read(
                            tile.fields[f, start:end], tile, rows.weight[q, ey],
                            columns.weight[q, ex], h, w, out[f, steps.slot[k], i, g],
                        )  # fmt: skip
                else:
                    move(steps, k, tile, n, h, w)
            if side > 0:
                if exact:
                    _set_own(tile, zero, h, w, z.variance[g], z.tangent[g], stage.pool_mark)
                for a in range(rows.pieces.times.shape[1]):
                    for b in range(columns.pieces.times.shape[1]):
                        _pool(
                            tile, tiles, rows.pieces, columns.pieces, ey, ex, np.uint64(a),
                            np.uint64(b), side, after.columns, targets,
                        )  # fmt: skip
