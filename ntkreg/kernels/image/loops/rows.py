"""What happens to one row of a tile, but for duals: sums, copies, loads. All flat vectors.

A tile lies row after row, pixels of a row `lanes` numbers apart, with room for a window's
padding to the left and right of every row.
"""

from ntkreg.kernels.compiled.flags import inlined, row_of_vectors
from ntkreg.kernels.compiled.lanes import lanes
from ntkreg.kernels.compiled.vectors import load, spread, store

__all__ = [
    "add_row",
    "clear",
    "copy_row",
    "load_products",
    "load_scaled",
    "read_columns",
    "read_rows",
    "take_every",
    "window_sums",
]


@inlined
def clear(row, at, n):
    """row[at : at + n] = 0."""
    row_of_vectors()
    zero = spread(row.dtype.type(0))
    for i in range(at, at + n, lanes(row)):
        store(row, i, zero)


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
def copy_row(field, out, at, n):
    """Copy a row of a tile."""
    row_of_vectors()
    for p in range(at, at + n):
        out[p] = field[p]


@inlined
def add_row(field, out, at, n):
    """Add a row of a tile to another's."""
    row_of_vectors()
    for p in range(at, at + n):
        out[p] += field[p]


@inlined
def _pixel(x, at, paired):
    """A pixel of x for every lane: one for all, or, `paired`, each lane's own."""
    return load(x, at * lanes(x)) if paired else spread(x[at])


@inlined
def load_products(s, to, x, x_at, z, z_at, channels, columns, paired):
    """A row of covariances: products of pixels, summed over their channels."""
    row_of_vectors()
    n = lanes(s)
    for p in range(columns):
        i, j = (x_at + p) * channels, (z_at + p) * channels
        total = _pixel(x, i, paired) * load(z, j * n)
        for c in range(1, channels):
            total = total + _pixel(x, i + c, paired) * load(z, (j + c) * n)
        store(s, to + p * n, total)


@inlined
def load_scaled(tile, to, field, at, factor, n):
    """A row of a field that pooling left, times a factor."""
    row_of_vectors()
    for p in range(n):
        tile[to + p] = factor * field[at + p]


@inlined
def read_rows(field, at, weights, sums, n):
    """Add four rows, each times its weight, to the sums: one at a time waits for the sums."""
    row_of_vectors()
    a, b, c, d = at
    kind = field.dtype.type
    one, two, three, four = kind(weights[0]), kind(weights[1]), kind(weights[2]), kind(weights[3])
    for p in range(n):
        left = one * field[a + p] + two * field[b + p]
        sums[p] += left + (three * field[c + p] + four * field[d + p])


@inlined
def read_columns(sums, weights, out, columns, n):
    """Add the sums of all columns, each times its weight, to the result; n lanes."""
    row_of_vectors()
    for p in range(columns):
        weight = weights[p]
        for lane in range(n):
            out[lane] += weight * sums[p * n + lane]
