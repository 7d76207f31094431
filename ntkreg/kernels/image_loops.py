"""The compiled loops of the image engine: one packed tile through a whole program, in cache.

Layout. Images lie flat, pixel after pixel. For a row offset e the tile is the h - abs(e)
rows that both images have; for a packed column offset d, column j of x meets column
(j + d) mod w of z, so that every tile row is full. z is rotated by d once for all row
offsets; then both images' rows are contiguous and every loop below is one flat,
vectorised pass over the tile. Only the horizontal window sums see the packed seam (left of
columns 0 and w - d): masks of zeros and ones keep them from crossing it.

Indices are unsigned because a signed one costs a wrap-around test.
"""

from typing import NamedTuple

import numpy as np

from ntkreg.kernels.flags import compiled, inlined, wide_vectors
from ntkreg.kernels.image_program import Op
from ntkreg.kernels.relu_dual import kappas

__all__ = ["Images", "Offsets", "Steps", "run_block", "variance_tables"]

_CONV3_RELU = int(Op.CONV3_RELU)
_CONV = int(Op.CONV)
_RELU = int(Op.RELU)
_SCALE = int(Op.SCALE)
_ONE = np.uint64(1)
_IN_CACHE = np.uint64(8)
"""Images of x whose tables stay in the second-level cache while z goes by."""


class Steps(NamedTuple):
    """`ImageProgram.operations` as arrays (n_steps,); floats in the kernel's dtype."""

    op: np.ndarray
    radius: np.ndarray
    slot: np.ndarray
    bias: np.ndarray
    trained: np.ndarray
    factor: np.ndarray


class Images(NamedTuple):
    """A block of images with their tables; variances per ReLU and diagonals per read."""

    pixels: np.ndarray  # (n, channels, h*w), scaled by the program's input scale
    inverse_norm: np.ndarray  # (n, n_relus, h*w), 1/sqrt(q), 0 where q is 0
    norm: np.ndarray  # (n, n_relus, h*w), sqrt(q gain / 2)
    variance: np.ndarray  # (n, n_reads, h*w) float64, S(p, p) at each read
    tangent: np.ndarray  # (n, n_reads, h*w) float64, T(p, p) at each read


class Offsets(NamedTuple):
    """`ReadoutWeights` as the loops need it; all indices unsigned."""

    columns: np.ndarray  # (n_columns,)
    column_weights: np.ndarray  # (n_columns, w)
    x_start: np.ndarray  # (n_rows,), first flat pixel of x
    z_start: np.ndarray  # (n_rows,)
    n_rows: np.ndarray  # (n_rows,), rows of the tile
    row_weights: np.ndarray  # (n_rows, h)


@inlined
def _window_sum(q, rows, radius, h, w):
    """Replace q by its sums over windows, zeros outside: first along rows, then columns."""
    size = h * w
    rows[:] = q
    for a in range(_ONE, radius + _ONE):
        for i in range(h):
            at = i * w
            for j in range(at + a, at + w):
                rows[j] += q[j - a]
            for j in range(at, at + w - a):
                rows[j] += q[j + a]
    q[:] = rows
    for a in range(_ONE, radius + _ONE):
        shift = a * w
        for p in range(shift, size):
            q[p] += rows[p - shift]
        for p in range(size - shift):
            q[p] += rows[p + shift]


@compiled
def variance_tables(steps, gain, tiny, h, w, images):
    """Run the program on p = p', x = z of every image, and fill its tables (float64 inside).

    Variances below `tiny` count as zero: their reciprocals would overflow in pairs.
    """
    h, w = np.uint64(h), np.uint64(w)
    n, channels, size = np.uint64(len(images.pixels)), np.uint64(images.pixels.shape[1]), h * w
    q, t, rows = np.empty(size), np.empty(size), np.empty(size)
    for i in range(n):
        q[:] = 0.0
        t[:] = 0.0
        for c in range(channels):
            for p in range(size):
                q[p] += np.float64(images.pixels[i, c, p]) ** 2
        for k in range(len(steps.op)):
            op, radius, m = steps.op[k], steps.radius[k], steps.slot[k]
            if op == _CONV or op == _CONV3_RELU:
                _window_sum(q, rows, radius, h, w)
                _window_sum(t, rows, radius, h, w)
                for p in range(size):
                    q[p] += steps.bias[k]
                    t[p] += steps.trained[k] * q[p]
            if op == _RELU or op == _CONV3_RELU:
                for p in range(size):
                    var = q[p] if q[p] >= tiny else 0.0
                    images.inverse_norm[i, m, p] = 1.0 / np.sqrt(var) if var > 0.0 else 0.0
                    images.norm[i, m, p] = np.sqrt(0.5 * gain * var)
                    t[p] = 0.5 * gain * t[p] if var > 0.0 else 0.0
                    q[p] = 0.5 * gain * var
            elif op == _SCALE:
                for p in range(size):
                    q[p] *= steps.factor[k]
                    t[p] *= steps.factor[k]
            elif op != _CONV:
                images.variance[i, m] = q
                images.tangent[i, m] = t


@compiled
def _rotate(source, out, d, h, w):
    """Rotate every image row to the left by d columns: (k, h*w) -> (k, h*w)."""
    for k in range(source.shape[0]):
        for i in range(h):
            at = i * w
            out[k, at : at + w - d] = source[k, at + d : at + w]
            out[k, at + w - d : at + w] = source[k, at : at + d]


@compiled
def _seam_masks(left, right, d, w):
    """1 where the pixel a + 1 to the left (right) is on the same side of the seam, else 0."""
    for a in range(left.shape[0]):
        for p in range(left.shape[1]):
            j = p % w
            start, stop = (0, w - d) if j < w - d else (w - d, w)
            left[a, p] = 1 if j - a - 1 >= start else 0
            right[a, p] = 1 if j + a + 1 < stop else 0


@inlined
def _row_sums(s, t, sums, tangents, left, right, radius, pad, n):
    """Horizontal window sums of both fields of a tile."""
    if radius == 0:
        for p in range(pad, pad + n):
            sums[p] = s[p]
            tangents[p] = t[p]
    else:
        for p in range(n):
            at = pad + p
            sums[at] = left[0, p] * s[at - _ONE] + s[at] + right[0, p] * s[at + _ONE]
            tangents[at] = left[0, p] * t[at - _ONE] + t[at] + right[0, p] * t[at + _ONE]
        for a in range(_ONE, radius):
            for p in range(n):
                at, shift = pad + p, a + _ONE
                sums[at] += left[a, p] * s[at - shift] + right[a, p] * s[at + shift]
                tangents[at] += left[a, p] * t[at - shift] + right[a, p] * t[at + shift]


@inlined
def _column_sums(rows, field, radius, w, pad, n):
    """Vertical window sums of the row sums, back into the tile."""
    first = pad - radius * w
    for t in range(n):
        field[pad + t] = rows[first + t]
    for a in range(_ONE, radius + radius + _ONE):
        for t in range(n):
            field[pad + t] += rows[first + a * w + t]


@inlined
def _bias_tangent(s, t, bias, trained, pad, n):
    for p in range(pad, pad + n):
        s[p] += bias
        t[p] += trained * s[p]


@inlined
def _scale(s, t, factor, pad, n):
    for p in range(pad, pad + n):
        s[p] *= factor
        t[p] *= factor


@inlined
def _conv3_relu(sums, tangents, s, t, x, i, z_inverse, z_norm, m, at, dual, layer, w, pad, n):
    """Vertical 3-sums, bias, tangent and ReLU dual in one pass: the package's hot loop.

    Plainly: S' = (sums of 3 rows) + bias, T' = (sums of 3 rows) + trained S',
    lambda = S' / sqrt(q q'), S = gain/2 sqrt(q q') kappa1(lambda), T = gain/2 T' kappa0(lambda).
    """
    x_at, z_at = at
    bias, trained = layer
    up = pad - w
    down = pad + w
    for p in range(n):
        cov = sums[up + p] + sums[pad + p] + sums[down + p]
        if bias > dual.zero:  # LLVM makes two loops of it
            cov += bias
        tan = tangents[up + p] + tangents[pad + p] + tangents[down + p] + trained * cov
        c = cov * (x.inverse_norm[i, m, x_at + p] * z_inverse[m, z_at + p])
        k0, k1 = kappas(c, dual)
        s[pad + p] = x.norm[i, m, x_at + p] * z_norm[m, z_at + p] * k1
        t[pad + p] = tan * k0


@inlined
def _relu(s, t, x, i, z_inverse, z_norm, m, at, dual, pad, n):
    """ReLU dual alone, in place: `_conv3_relu` without the convolution."""
    x_at, z_at = at
    for p in range(n):
        c = s[pad + p] * (x.inverse_norm[i, m, x_at + p] * z_inverse[m, z_at + p])
        k0, k1 = kappas(c, dual)
        s[pad + p] = x.norm[i, m, x_at + p] * z_norm[m, z_at + p] * k1
        t[pad + p] *= k0


@inlined
def _load(s, t, x, i, z_pixels, at, pad, n):
    """Input covariance of the tile; the tangent starts at zero."""
    x_at, z_at = at
    for p in range(n):
        s[pad + p] = x.pixels[i, 0, x_at + p] * z_pixels[0, z_at + p]
        t[pad + p] = 0
    for c in range(_ONE, np.uint64(z_pixels.shape[0])):
        for p in range(n):
            s[pad + p] += x.pixels[i, c, x_at + p] * z_pixels[c, z_at + p]


@inlined
def _weighted_sum(field, partial, row_weights, column_weights, e, d, w, pad, rows):
    """Sum over the tile of row weight times column weight times field, as float64."""
    for j in range(w):
        partial[j] = 0
    for r in range(rows):
        weight = row_weights[e, r]
        for j in range(w):
            partial[j] += weight * field[pad + r * w + j]
    total = 0.0
    for j in range(w):
        total += column_weights[d, j] * np.float64(partial[j])
    return total


@compiled
def _weighted_diagonal(values, i, k, row_weights, column_weights, e, d, w, rows):
    """As `_weighted_sum`, of an image with itself at offset (0, 0), where lambda is exactly 1."""
    total = 0.0
    for r in range(rows):
        for j in range(w):
            total += row_weights[e, r] * column_weights[d, j] * values[i, k, r * w + j]
    return total


@compiled
def run_block(steps, dual, offsets, x, z, symmetric, h, w, max_radius, out):
    """Add the values of all pairs of two blocks of images to `out`.

    Parameters
    ----------
    steps, dual, offsets, x, z : Steps, Dual, Offsets, Images, Images
    symmetric : bool
        x is z: only pairs i <= j are computed.
    h, w, max_radius : int
    out : float64 array (2, n_reads, len(x), len(z))
        NNGP and NTK at each read, in stored scale.
    """
    wide_vectors()
    size = h * w
    kind = x.pixels.dtype
    pad = np.uint64(max(max_radius, 1) * w)
    width = np.uint64(w)
    # A quarter of 4096 bytes apart (float32) modulo 4096: a load looks blocked by an earlier
    # store when their addresses agree in these 12 bits, which cost 10 %.
    stride = (size + 2 * max(max_radius, 1) * w + 1023) // 1024 * 1024 + 256
    space = np.zeros(4 * stride, dtype=kind)
    s, t = space[:stride], space[stride : 2 * stride]
    sums, tangents = space[2 * stride : 3 * stride], space[3 * stride :]
    left = np.zeros((max(max_radius, 1), size), dtype=kind)
    right = np.zeros_like(left)
    partial = np.zeros(w, dtype=kind)
    rotated_inverse, rotated_norm = np.empty_like(z.norm[0]), np.empty_like(z.norm[0])
    rotated_pixels = np.empty_like(z.pixels[0])
    n_x = np.uint64(x.pixels.shape[0])
    for first in range(np.uint64(0), n_x, _IN_CACHE):
        for d in range(np.uint64(len(offsets.columns))):
            shift = np.int64(offsets.columns[d])
            _seam_masks(left, right, shift, w)
            for j in range(np.uint64(z.pixels.shape[0])):
                if shift == 0:
                    z_inverse, z_norm, z_pixels = z.inverse_norm[j], z.norm[j], z.pixels[j]
                else:
                    z_inverse, z_norm, z_pixels = rotated_inverse, rotated_norm, rotated_pixels
                    _rotate(z.inverse_norm[j], z_inverse, shift, h, w)
                    _rotate(z.norm[j], z_norm, shift, h, w)
                    _rotate(z.pixels[j], z_pixels, shift, h, w)
                for i in range(first, min(first + _IN_CACHE, n_x)):
                    if symmetric and i > j:
                        break
                    for e in range(np.uint64(len(offsets.n_rows))):
                        at = (offsets.x_start[e], offsets.z_start[e])
                        rows = offsets.n_rows[e]
                        n = rows * width
                        _load(s, t, x, i, z_pixels, at, pad, n)
                        for p in range(pad + n, pad + n + pad):  # zeros below the tile
                            sums[p] = 0
                            tangents[p] = 0
                        for k in range(len(steps.op)):
                            op, m = steps.op[k], steps.slot[k]
                            if op == _CONV3_RELU or op == _CONV:
                                radius = steps.radius[k]
                                _row_sums(s, t, sums, tangents, left, right, radius, pad, n)
                                layer = (steps.bias[k], steps.trained[k])
                                if op == _CONV3_RELU:
                                    _conv3_relu(
                                        sums, tangents, s, t, x, i, z_inverse, z_norm, m, at,
                                        dual, layer, width, pad, n,
                                    )  # fmt: skip
                                else:
                                    _column_sums(sums, s, radius, width, pad, n)
                                    _column_sums(tangents, t, radius, width, pad, n)
                                    _bias_tangent(s, t, layer[0], layer[1], pad, n)
                            elif op == _RELU:
                                _relu(s, t, x, i, z_inverse, z_norm, m, at, dual, pad, n)
                            elif op == _SCALE:
                                _scale(s, t, steps.factor[k], pad, n)
                            else:
                                weights = (offsets.row_weights, offsets.column_weights)
                                if symmetric and i == j and shift == 0 and at[0] == at[1]:
                                    out[0, m, i, j] += _weighted_diagonal(
                                        x.variance, i, m, weights[0], weights[1], e, d, width, rows
                                    )
                                    out[1, m, i, j] += _weighted_diagonal(
                                        x.tangent, i, m, weights[0], weights[1], e, d, width, rows
                                    )
                                else:
                                    out[0, m, i, j] += _weighted_sum(
                                        s, partial, weights[0], weights[1], e, d, width, pad, rows
                                    )
                                    out[1, m, i, j] += _weighted_sum(
                                        t, partial, weights[0], weights[1], e, d, width, pad, rows
                                    )
