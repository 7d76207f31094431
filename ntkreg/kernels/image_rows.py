"""What happens to one row of a tile, but for duals: sums, copies, loads. All flat vectors.

A tile lies row after row, pixels of a row `lanes` numbers apart, with room for a window's
padding to the left and right of every row.
"""

from ntkreg.kernels.flags import inlined, row_of_vectors
from ntkreg.kernels.lanes import lanes

__all__ = [
    "add_rows",
    "copy_rows",
    "fill",
    "load_channel",
    "load_field",
    "pool_row",
    "read_columns",
    "read_rows",
    "take_every",
    "window_sums",
]


@inlined
def fill(row, at, n, value):
    """row[at : at + n] = value."""
    row_of_vectors()
    for p in range(n):
        row[at + p] = value


@inlined
def window_sums(s, t, at, step, k, out_s, out_t, to, n):
    """Sums over k pieces of n numbers that lie `step` apart."""
    row_of_vectors()
    if k == 3:
        a, b = at + step, at + step + step
        for p in range(n):
            out_s[to + p] = s[at + p] + s[a + p] + s[b + p]
            out_t[to + p] = t[at + p] + t[a + p] + t[b + p]
    elif k == 2:
        a = at + step
        for p in range(n):
            out_s[to + p] = s[at + p] + s[a + p]
            out_t[to + p] = t[at + p] + t[a + p]
    else:
        for p in range(n):
            out_s[to + p] = s[at + p]
            out_t[to + p] = t[at + p]
        for _ in range(1, k):
            at += step
            for p in range(n):
                out_s[to + p] += s[at + p]
                out_t[to + p] += t[at + p]


@inlined
def take_every(s, t, at, pixel, stride, columns):
    """Keep every stride-th pixel of a row, in place."""
    row_of_vectors()
    for j in range(1, columns):
        to, source = at + j * pixel, at + j * stride * pixel
        for p in range(pixel):
            s[to + p] = s[source + p]
            t[to + p] = t[source + p]


@inlined
def copy_rows(s, t, out_s, out_t, n):
    """Copy a tile, both fields."""
    row_of_vectors()
    for p in range(n):
        out_s[p] = s[p]
        out_t[p] = t[p]


@inlined
def add_rows(s, t, out_s, out_t, n):
    """Add a tile to another, both fields."""
    row_of_vectors()
    for p in range(n):
        out_s[p] += s[p]
        out_t[p] += t[p]


@inlined
def load_channel(s, to, first, x, x_at, z, z_at, columns, n, paired):
    """Add one channel's products to a row of covariances; the `first` channel sets them.

    `n` is the number of lanes: as a constant it would make LLVM unroll the inner loop, and
    then gather and scatter along the outer one. `paired`: every lane has an x of its own.
    """
    row_of_vectors()
    z_at *= n
    if paired:
        x_at *= n
        for i in range(columns * n):
            s[to + i] = (0 if first else s[to + i]) + x[x_at + i] * z[z_at + i]
    elif first:
        for p in range(columns):
            value = x[x_at + p]
            for i in range(p * n, p * n + n):
                s[to + i] = value * z[z_at + i]
    else:
        for p in range(columns):
            value = x[x_at + p]
            for i in range(p * n, p * n + n):
                s[to + i] += value * z[z_at + i]


@inlined
def load_field(s, t, to, field_s, field_t, at, factor, n):
    """A row of the field that pooling left, times a factor."""
    row_of_vectors()
    for p in range(n):
        s[to + p] = factor * field_s[at + p]
        t[to + p] = factor * field_t[at + p]


@inlined
def read_rows(s, t, at, weights, sums_s, sums_t, n):
    """Add four rows, each times its weight, to the sums: one at a time waits for the sums."""
    row_of_vectors()
    a, b, c, d = at
    kind = s.dtype.type
    one, two, three, four = kind(weights[0]), kind(weights[1]), kind(weights[2]), kind(weights[3])
    for p in range(n):
        sums_s[p] += one * s[a + p] + two * s[b + p] + (three * s[c + p] + four * s[d + p])
        sums_t[p] += one * t[a + p] + two * t[b + p] + (three * t[c + p] + four * t[d + p])


@inlined
def read_columns(sums, weights, out, columns, n):
    """Add the sums of all columns, each times its weight, to the result; n lanes."""
    row_of_vectors()
    for p in range(columns):
        weight = weights[p]
        for lane in range(n):
            out[lane] += weight * sums[p * n + lane]


@inlined
def pool_row(s, t, at, step, count, field_s, field_t, to, times, n):
    """Add `count` neighbouring pixels to a pixel of the field, `times` times, `step` further.

    As in `load_channel`, `n` is the number of lanes.
    """
    row_of_vectors()
    if count == 2:
        for _ in range(times):
            after = at + n
            for lane in range(n):
                field_s[to + lane] += s[at + lane] + s[after + lane]
                field_t[to + lane] += t[at + lane] + t[after + lane]
            at += step
            to += n
    else:
        for _ in range(times):
            for i in range(at, at + count * n, n):
                for lane in range(n):
                    field_s[to + lane] += s[i + lane]
                    field_t[to + lane] += t[i + lane]
            at += step
            to += n
