"""The compiled loops of the image engine: tiles through a stage's operations, in cache.

One image x and a group of images z at a time, a pair a lane (`lanes`). For every offset the tile
of all fields, S and one T or several, is loaded, from the pixels or from what pooling left, runs
through the stage's operations in place, is read or pooled, and is forgotten.
"""

from typing import NamedTuple

import numpy as np

from ntkreg.kernels.flags import counting_nothing, inlined, wide_vectors
from ntkreg.kernels.image_duals import diagonal_row, dual_row
from ntkreg.kernels.image_fields import in_order, parts
from ntkreg.kernels.image_layers import first_layer, layer_in_vectors
from ntkreg.kernels.image_pooling import pool_row
from ntkreg.kernels.image_program import Loop, Op
from ntkreg.kernels.image_rows import (
    add_row,
    clear,
    copy_row,
    load_channel,
    load_field,
    load_three_channels,
    read_columns,
    read_rows,
    take_every,
    window_sums,
)
from ntkreg.kernels.lanes import lanes

__all__ = ["Images", "Steps", "run_diagonal", "run_stage", "take_lanes_apart"]

_LAYER, _COPY, _ADD, _READ = (int(op) for op in Op)
_AHEAD, _FIRST, _FIRST_RESIZE = (int(loop) for loop in (Loop.AHEAD, Loop.FIRST, Loop.FIRST_RESIZE))


class Steps(NamedTuple):
    """A stage's operations as arrays (n_steps,); reals in the kernel's dtype."""

    op: np.ndarray
    register: np.ndarray
    other: np.ndarray
    level_in: np.ndarray
    level: np.ndarray
    window: np.ndarray
    stride: np.ndarray
    origin_row: np.ndarray
    origin_column: np.ndarray
    factor: np.ndarray
    bias: np.ndarray
    activation: np.ndarray
    parameter: np.ndarray
    table: np.ndarray  # first entry in the images' a and b
    mark: np.ndarray  # first entry in the images' variance and tangent
    readout: np.ndarray  # whose weights a READ takes
    slot: np.ndarray
    circular: np.ndarray
    loop: np.ndarray  # which loop runs a layer (`Loop`), and what of it (`Kind`)
    kind: np.ndarray
    height: np.ndarray  # rows of `level`
    width: np.ndarray  # columns of the tables at `level`: the image's, twice if circular


class Images(NamedTuple):
    """A block of images with a stage's tables.

    As x: an image a row. As z (or as x, to pair each image with itself): a group of images a
    row, the lanes of a number side by side.
    """

    pixels: np.ndarray  # (n, channels, h * columns stored), over sqrt(channels)
    a: np.ndarray  # (n, entries), of every activation in turn
    b: np.ndarray
    variance: np.ndarray  # (n, entries) float64, S(p, p) at every mark
    tangent: np.ndarray  # (n, tangents, entries)


class _Tile(NamedTuple):
    """Work space: registers for all fields, the last rows' sums, one row."""

    fields: np.ndarray  # (1 + tangents, registers * size and more)
    registers: np.uint64
    size: np.uint64
    rows: np.ndarray  # (1 + tangents, row)
    ring_s: np.ndarray
    ring_t: np.ndarray
    row_s: np.ndarray
    row_t: np.ndarray
    pitch: np.uint64
    pad: np.uint64


@inlined
def _spare_row(window):
    """Number of the row behind those in use, in the ring and in the work rows."""
    return max(window, np.uint64(4))


@inlined
def _span(tile, register):
    """Where a register's tile lies in every field."""
    return register * tile.size, (register + np.uint64(1)) * tile.size


@inlined
def _carve(space, n, fields, registers, height, width, window):
    """Cut the work space up; a quarter of 4096 bytes (float32) between neighbours.

    A load looks blocked by an earlier store when their addresses agree modulo 4096.
    """
    pad = window - np.uint64(1)  # 2 or more
    pitch = (width + pad + pad) * n
    size = (height + np.uint64(1)) * pitch + pad * n
    step = (size + np.uint64(1023)) // np.uint64(1024) * np.uint64(1024) + np.uint64(256)
    at = registers * step
    ring = (_spare_row(window) + np.uint64(1)) * pitch + np.uint64(256)
    row = ring
    u = np.uint64
    block = at + u(512)
    at = fields * block
    all_fields = space[:at].reshape((fields, block))
    ring_s, ring_t = space[at : at + ring], space[at + ring : at + ring + ring]
    at += ring + ring
    rows = space[at : at + fields * row].reshape((fields, row))
    return _Tile(
        all_fields, registers, step, rows, ring_s, ring_t, rows[0], rows[1], pitch, pad
    )  # fmt: skip


@inlined
def _clear_right(field, tile, n, r, columns):
    """Zeros to the right of a row of a field's tile, for the windows that reach there."""
    clear(field, tile.pad * n + r * tile.pitch + columns * n, tile.pad * n)


@inlined
def _windows_to_row(steps, k, tile, n, s, t, r, done, rows_in, columns_in, columns):
    """Bring row r's window sums into three rows to be added; return the input rows used.

    The last `window` input rows, summed horizontally, are kept in a ring. For windows of 3 they
    are the three rows; for others their sum is the first of `tile.row_s`, with two of zeros.
    """
    window, stride, circular = steps.window[k], steps.stride[k], steps.circular[k]
    top, left = steps.origin_row[k], steps.origin_column[k]
    last = np.int64(stride * r + window) - np.int64(top) - 1
    done = max(done, last + 1 - np.int64(window))
    margin = window - np.uint64(1)
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
                    s[at - np.uint64(1) - p] = s[after - np.uint64(1) - p]
                    t[at - np.uint64(1) - p] = t[after - np.uint64(1) - p]
            full = ((columns - np.uint64(1)) * stride + np.uint64(1)) * n
            window_sums(s, t, at - left * n, n, window, tile.ring_s, tile.ring_t, to, full)
            if stride > 1:
                take_every(tile.ring_s, tile.ring_t, to, n, stride, columns)
        else:
            clear(tile.ring_s, to, columns * n)
            clear(tile.ring_t, to, columns * n)
        done += 1
    if window != 3:
        window_sums(
            tile.ring_s, tile.ring_t, np.uint64(0), tile.pitch, window,
            tile.row_s, tile.row_t, np.uint64(0), columns * n,
        )  # fmt: skip
    return done


@inlined
def _three_rows(steps, k, tile, r):
    """The rows that `_windows_to_row` leaves, and where: always from top to bottom."""
    one, n = np.uint64(1), np.uint64(3)
    top = steps.stride[k] * r % n if steps.window[k] == 3 else n - n
    at = (top * tile.pitch, (top + one) % n * tile.pitch, (top + one + one) % n * tile.pitch)
    if steps.window[k] == 3:
        return tile.ring_s, tile.ring_t, at
    return tile.row_s, tile.row_t, at


@inlined
def _source(steps, k, tile, n, s, t, rows, columns):
    """The tile that window sums read: a copy where the first rows come again at the end."""
    if steps.circular[k]:
        one = np.uint64(1)
        start, end = _span(tile, tile.registers - one)
        copy_s, copy_t = tile.fields[0, start:end], tile.fields[1, start:end]
        for r in range(rows):
            at = tile.pad * n + r * tile.pitch
            copy_row(s, copy_s, at, columns * n)
            copy_row(t, copy_t, at, columns * n)
        return copy_s, copy_t
    return s, t


@inlined
def _s_for(tile, field, register, n, rows):
    """Where a layer on a tangent finds S: in a copy, but the first tangent, which runs last."""
    zero, one, two = np.uint64(0), np.uint64(1), np.uint64(2)
    start, end = _span(tile, register)
    if field > one:
        to, after = _span(tile, tile.registers - one)
        size = (tile.pad + tile.pad) * n + rows * tile.pitch
        copy_row(tile.fields[0, start:end], tile.fields[2, to:after], zero, size)
        return two, to, after
    return zero, start, end


@inlined
def _move(steps, k, tile, n, h, w):
    """COPY or ADD."""
    start, end = _span(tile, steps.register[k])
    other_start, other_end = _span(tile, steps.other[k])
    for f in range(np.uint64(tile.fields.shape[0])):
        here, there = tile.fields[f, start:end], tile.fields[f, other_start:other_end]
        for r in range(h):
            at = tile.pad * n + r * tile.pitch
            if steps.op[k] == _COPY:
                copy_row(here, there, at, (w + tile.pad) * n)  # with its zeros
            else:
                add_row(there, here, at, w * n)


@inlined
def _keep(tile, n, h, w, variance, tangent, mark):
    """Copy the tile of offset (0, 0) to a mark."""
    one = np.uint64(1)
    for r in range(h):
        at, to = tile.pad * n + r * tile.pitch, (mark + r * w) * n
        for p in range(w * n):
            variance[to + p] = tile.fields[0, at + p]
        for f in range(np.uint64(tangent.shape[0])):
            for p in range(w * n):
                tangent[f, to + p] = tile.fields[f + one, at + p]


@counting_nothing
def _layer_of_own(steps, k, tile, s, t, trained, h, w, rows_in, columns_in, a, b, tiny):
    """Run a LAYER on p = p' and fill its tables."""
    wide_vectors()
    n = lanes(a)
    cov_in, tan_in = _source(steps, k, tile, n, s, t, rows_in, columns_in)
    done = -np.int64(steps.origin_row[k])
    for r in range(h):
        done = _windows_to_row(
            steps, k, tile, n, cov_in, tan_in, r, done, rows_in, columns_in, w
        )  # fmt: skip
        cov, tan, three = _three_rows(steps, k, tile, r)
        first = (steps.table[k] + r * steps.width[k]) * n
        diagonal_row(
            steps.activation[k], cov, tan, three, s, t, tile.pad * n + r * tile.pitch, a, b, first,
            w * n, (steps.factor[k], steps.bias[k], trained), steps.parameter[k], tiny,
        )  # fmt: skip
        if steps.width[k] > w and steps.activation[k] > 0:
            for p in range(first, first + w * n):
                a[p + w * n] = a[p]
                b[p + w * n] = b[p]
        if w < columns_in:
            _clear_right(s, tile, n, r, w)
            _clear_right(t, tile, n, r, w)


@counting_nothing
def run_diagonal(steps, trained, rows, columns, registers, largest, tiny, mark, space, z):
    """Run a stage on p = p', z with z, in float64, and fill z's tables and marks.

    `z.variance` and `z.tangent` hold the fields at the stage's input in their first entries.
    Variances below `tiny` count as zero; `mark` is where the stage's end goes, 0 for nowhere.
    """
    wide_vectors()
    height, width, window = largest
    n, one = lanes(z.a), np.uint64(1)
    n_fields = one + np.uint64(len(trained))
    tile = _carve(space, n, n_fields, registers, height, width, window)
    ey, ex = rows.own, columns.own
    for g in range(np.uint64(len(z.a))):
        a, b, variance, tangent = z.a[g], z.b[g], z.variance[g], z.tangent[g]
        h, w = rows.length[0, ey], columns.length[0, ex]
        for r in range(h):
            at = tile.pad * n + r * tile.pitch
            for f in range(n_fields):
                values = tangent[f - one] if f > 0 else variance
                for p in range(w * n):
                    tile.fields[f, at + p] = values[r * w * n + p]
                _clear_right(tile.fields[f], tile, n, r, w)
        for k in range(len(steps.op)):
            op, before, level = steps.op[k], steps.level_in[k], steps.level[k]
            h, w = rows.length[level, ey], columns.length[level, ex]
            if op == _LAYER:
                rows_in, columns_in = rows.length[before, ey], columns.length[before, ex]
                start, end = _span(tile, steps.register[k])
                for done in range(n_fields - one):
                    which = n_fields - one - done
                    of, at_s, end_s = _s_for(tile, which, steps.register[k], n, rows_in)
                    _layer_of_own(
                        steps, k, tile, tile.fields[of, at_s:end_s], tile.fields[which, start:end],
                        trained[which - one][k], h, w, rows_in, columns_in, a, b, tiny,
                    )  # fmt: skip
            elif op == _READ:
                _keep(tile, n, h, w, variance, tangent, steps.mark[k])
            else:
                _move(steps, k, tile, n, h, w)
        if mark > 0:
            _keep(tile, n, h, w, variance, tangent, mark)


@inlined
def _wrapped(row, height):
    return row - height if row >= height else row


@inlined
def _set_own(tile, register, h, w, variance, tangent, mark):
    """Put the exact values of the diagonal into the tile of offset (0, 0)."""
    n, one = lanes(tile.row_s), np.uint64(1)
    start, end = _span(tile, register)
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
    s, t = _source(steps, k, tile, n, to_s, to_t, rows_in, columns_in)
    done = -np.int64(steps.origin_row[k])
    layer = (steps.factor[k], steps.bias[k], trained)
    height, width = steps.height[k], steps.width[k]
    unused = (np.uint64(0), _spare_row(steps.window[k]) * tile.pitch)
    for r in range(h):
        done = _windows_to_row(steps, k, tile, n, s, t, r, done, rows_in, columns_in, w)
        cov, tan, rows = _three_rows(steps, k, tile, r)
        row = _wrapped(z_first[0] + r, height)
        dual_row(
            steps.activation[k], cov, tan, rows, to_s, to_t, tile.pad * n + r * tile.pitch, x, z,
            steps.table[k] + (x_first[0] + r) * width + x_first[1],
            steps.table[k] + row * width + z_first[1],
            w, layer, steps.parameter[k], dual, paired, unused,
        )  # fmt: skip
        if w < columns_in:
            _clear_right(to_s, tile, n, r, w)
            _clear_right(to_t, tile, n, r, w)


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
def _load_pixels(tile, to, x, x_at, z, z_at, w, paired):
    """A row of the first tile: products of the pixels, over all channels, and no tangent."""
    n = lanes(tile.row_s)
    for f in range(np.uint64(1), np.uint64(tile.fields.shape[0])):
        clear(tile.fields[f], to, w * n)
    if x.shape[0] == 3:
        rows = (x[0], x[1], x[2]), (z[0], z[1], z[2])
        load_three_channels(tile.fields[0], to, rows[0], x_at, rows[1], z_at, w, paired)
    else:
        for c in range(x.shape[0]):
            load_channel(tile.fields[0], to, c == 0, x[c], x_at, z[c], z_at, w, paired)


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
def _clear_until(rows, ey, field_columns, target, cleared):
    """Zeros in the rows of the field that tiles of row offset `ey` are the first to be added to.

    Here and not all at once: they are in cache when they are added to.
    """
    n, end = lanes(target), cleared
    for a in range(rows.times.shape[1]):
        if rows.times[ey, a] > 0:
            end = max(end, (rows.before[ey, a] + rows.entries[ey, a]) * field_columns)
    for f in range(np.uint64(target.shape[0])):
        clear(target[f], cleared * n, (end - cleared) * n)
    return end


@counting_nothing
def run_stage(
    steps, trained, rows, columns, field, after, registers, largest, dual, space, x, z, wanted,
    paired, pooled, pixel_width, scale, source, target, out,
):  # fmt: skip
    """Run all tiles of a stage for every image of x with every group of z.

    Parameters
    ----------
    steps : Steps
    trained : tuple of arrays (n_steps,)
        Of every tangent field; their number is known when this is compiled.
    rows, columns : Axis
    field, after : Field
        Where tiles lie in `source` and in `target`.
    registers : int
    largest : (height, width, window), the largest of the stage
    dual : Dual
    space : array
        Work space.
    x, z : Images
        x an image a row, or, if `paired`, the same groups as z, each image with itself.
    wanted : bool array (len(x), len(z))
    paired : bool
    pooled : (side, mark)
        Side of the pooling that ends the stage, or 0.
    pixel_width : int
        Columns of the pixels as stored; 0 to load `source` times `scale` instead.
    source, target : arrays (1 + tangents, entries * lanes)
        Fields of one pair at the stage's input and at the next one's.
    out : float64 array (1 + tangents, n_reads, len(x), len(z), lanes)
        NNGP and every tangent field at each read, added to.
    """
    wide_vectors()
    height, width, window = largest
    n, one = lanes(z.a), np.uint64(1)
    zero = one - one
    n_fields = one + np.uint64(len(trained))
    tile = _carve(space, n, n_fields, registers, height, width, window)
    tiles = parts(tile.fields, zero, zero, tile.size, (trained[0], *trained))
    targets = parts(target, zero, zero, np.uint64(target.shape[1]), (trained[0], *trained))
    side, mark = pooled
    for g in range(np.uint64(z.pixels.shape[0])):
        za, zb, z_pixels = z.a[g], z.b[g], z.pixels[g]
        for i in range(np.uint64(x.pixels.shape[0])):
            if not wanted[i, g]:
                continue
            fresh = len(steps.op) > 0 and not paired and x.pixels.shape[1] == 3
            fresh = fresh and (steps.loop[0] == _FIRST or steps.loop[0] == _FIRST_RESIZE)
            xa, xb, x_pixels = x.a[i], x.b[i], x.pixels[i]
            cleared = np.uint64(0)
            for ey in range(np.uint64(rows.length.shape[1])):
                if side > 0:
                    cleared = _clear_until(rows.pieces, ey, after.columns, target, cleared)
                for ex in range(np.uint64(columns.length.shape[1])):
                    exact = paired and ey == rows.own and ex == columns.own
                    h, w = rows.length[0, ey], columns.length[0, ex]
                    for r in range(h):
                        to = tile.pad * n + r * tile.pitch
                        if fresh:
                            pass
                        elif pixel_width > 0:
                            row = _wrapped(rows.z[0, ey] + r, height)
                            in_x = (rows.x[0, ey] + r + one) * pixel_width + columns.x[0, ex]
                            in_z = (row + one) * pixel_width + columns.z[0, ex]
                            _load_pixels(tile, to, x_pixels, in_x, z_pixels, in_z, w, paired)
                        else:
                            at = field.row_before[ey] * field.columns
                            at += h * field.column_before[ex] + r * w
                            for f in range(n_fields):
                                load_field(tile.fields[f], to, source[f], at * n, scale, w * n)
                        for f in range(n_fields):
                            _clear_right(tile.fields[f], tile, n, r, w)
                    for k in range(len(steps.op)):
                        op, before, level = steps.op[k], steps.level_in[k], steps.level[k]
                        register = steps.register[k]
                        start, end = _span(tile, register)
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
                                    steps.loop[k], x_pixels, z_pixels, place, (h, w),
                                    (rows.x[0, ey] + one) * pixel_width + columns.x[0, ex],
                                    (rows.z[0, ey] + one) * pixel_width + columns.z[0, ex],
                                    pixel_width, s, t, spare, to, tile.pitch, tables, at, layer,
                                    dual,
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
                                    of, at_s, end_s = _s_for(tile, which, register, n, before_h)
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
                            _move(steps, k, tile, n, h, w)
                    if side > 0:
                        if exact:
                            _set_own(tile, zero, h, w, z.variance[g], z.tangent[g], mark)
                        for a in range(rows.pieces.times.shape[1]):
                            for b in range(columns.pieces.times.shape[1]):
                                _pool(
                                    tile, tiles, rows.pieces, columns.pieces, ey, ex, np.uint64(a),
                                    np.uint64(b), np.uint64(side), after.columns, targets,
                                )  # fmt: skip


@counting_nothing
def take_lanes_apart(groups, rows):
    """Groups of images, lanes last, (groups, numbers * lanes) to an image a row, (n, numbers)."""
    n, count = lanes(groups), np.uint64(rows.shape[0])
    for g in range(np.uint64(groups.shape[0])):
        for lane in range(min(n, count - g * n)):
            for p in range(np.uint64(rows.shape[1])):
                rows[g * n + lane, p] = groups[g, p * n + lane]
