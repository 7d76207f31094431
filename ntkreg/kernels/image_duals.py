"""The duals of activations inside the image loops, by number.

An activation acts on one entry: from the covariance S of its arguments and two numbers a, b of
each argument (tables made once for each image from the variances) to E[phi phi'] and
E[phi' phi'], the factor of the tangent. On the diagonal, where S = q, it also gives the
numbers themselves. To add one: its pair of functions in a file of its own, and a line in
`dual_row`, `diagonal_row` and `NUMBERS`.
"""

from typing import Any

import numpy as np

from ntkreg.architecture import Identity, Layer, Relu
from ntkreg.errors import SpecError
from ntkreg.kernels.flags import inlined, row_of_vectors
from ntkreg.kernels.lanes import lanes
from ntkreg.kernels.relu_dual import kappas

__all__ = ["diagonal_row", "dual_row", "number_of", "parameter"]

NUMBERS: dict[type, int] = {Identity: 0, Relu: 1}
"""Activations as the loops know them."""


def number_of(activation: Layer) -> int:
    """Return the number of an activation; SpecError if it has none."""
    try:
        return NUMBERS[type(activation)]
    except KeyError:
        raise SpecError(
            f"The image engine has no dual for {activation!r}. Use the kernel_fn of "
            "ntkreg.kernels.to_stax(network) in the network's place."
        ) from None


def parameter(activation: Layer) -> float:
    """Return the one number that an activation is given, or 0."""
    return next(iter(activation.parameters.values()), 0.0)


@inlined
def relu(cov, xa, xb, za, zb, parameter, dual):
    """A = 1/sqrt(q), b = sqrt(q/2): Cho and Saul 2009, eqs. 3-6."""
    kappa0, kappa1 = kappas(cov * (xa * za), dual)
    return xb * zb * kappa1, kappa0


@inlined
def relu_diagonal(q, parameter, tiny):
    """Half the variance; a = b = 0 where there is none (or so little that 1/q overflows)."""
    var = q if q >= tiny else 0.0
    slope = 0.5 if var > 0.0 else 0.0
    return (1.0 / np.sqrt(var) if var > 0.0 else 0.0), np.sqrt(0.5 * var), 0.5 * var, slope


def _row_loop(entry: Any) -> Any:
    """The loop over a row of a tile for the dual of one entry."""

    @inlined
    def run(
        cov, tan, rows, s, t, to, xa, xb, x_at, za, zb, z_at, columns, layer, parameter, dual,
        paired, ahead_s, ahead_t, ahead, next_s, next_t, following,
    ):  # fmt: skip
        # The tile and the sums come twice: what is read ahead does not overlap what is written.
        row_of_vectors()
        r0, r1, r2 = rows
        n = lanes(za)
        factor, bias, trained = layer
        z_at *= lanes(za)
        if paired:
            x_at *= lanes(za)
            for i in range(columns * lanes(za)):
                c = factor * (cov[r0 + i] + cov[r1 + i] + cov[r2 + i]) + bias
                tangent = tan[r0 + i] + tan[r1 + i] + tan[r2 + i]
                a, b = x_at + i, z_at + i
                value, slope = entry(c, xa[a], xb[a], za[b], zb[b], parameter, dual)
                s[to + i] = value
                t[to + i] = (factor * tangent + trained * c) * slope
        else:
            for p in range(columns):
                one, two = xa[x_at + p], xb[x_at + p]
                for lane in range(lanes(za)):
                    i = p * lanes(za) + lane
                    b = z_at + i
                    c = factor * (cov[r0 + i] + cov[r1 + i] + cov[r2 + i]) + bias
                    tangent = tan[r0 + i] + tan[r1 + i] + tan[r2 + i]
                    value, slope = entry(c, one, two, za[b], zb[b], parameter, dual)
                    s[to + i] = value
                    t[to + i] = (factor * tangent + trained * c) * slope
                    j, k = ahead + i, following + i
                    next_s[k] = ahead_s[j] + ahead_s[j + n] + ahead_s[j + n + n]
                    next_t[k] = ahead_t[j] + ahead_t[j + n] + ahead_t[j + n + n]

    return run


def _diagonal_loop(entry: Any) -> Any:
    """The loop over a row of the tile p = p' for the diagonal of one activation."""

    @inlined
    def run(q, tan, rows, s, t, to, a, b, first, n, layer, parameter, tiny):
        row_of_vectors()
        factor, bias, trained = layer
        r0, r1, r2 = rows
        for p in range(n):
            var = factor * (q[r0 + p] + q[r1 + p] + q[r2 + p]) + bias
            tangent = tan[r0 + p] + tan[r1 + p] + tan[r2 + p]
            one, two, value, slope = entry(var, parameter, tiny)
            a[first + p] = one
            b[first + p] = two
            s[to + p] = value
            t[to + p] = (factor * tangent + trained * var) * slope

    return run


_relu_row = _row_loop(relu)
_relu_diagonal_row = _diagonal_loop(relu_diagonal)


@inlined
def _identity_row(cov, tan, rows, s, t, to, n, layer):
    row_of_vectors()
    factor, bias, trained = layer
    r0, r1, r2 = rows
    for p in range(n):
        c = factor * (cov[r0 + p] + cov[r1 + p] + cov[r2 + p]) + bias
        tangent = tan[r0 + p] + tan[r1 + p] + tan[r2 + p]
        s[to + p] = c
        t[to + p] = factor * tangent + trained * c


@inlined
def dual_row(
    kind, cov, tan, rows, s, t, to, x, z, x_at, z_at, columns, layer, parameter, dual, paired,
    ahead,
):  # fmt: skip
    """Three rows of sums to a row of the tile: their sum, the affine part, the dual of `kind`.

    `cov` and `tan` hold the three rows of both fields at `rows`; `x` and `z` are the tables a
    and b of both images; `paired` says that x has lanes too. Meanwhile, unless `paired` or
    without an activation, a row further down is summed over windows of 3: from `ahead` [0] of
    the tile to `ahead` [1] of `cov` and `tan`. The two have nothing to do with each other, but a
    dual alone leaves the vector units idle a third of the time.
    """
    xa, xb = x
    za, zb = z
    if kind == 1:
        _relu_row(
            cov, tan, rows, s, t, to, xa, xb, x_at, za, zb, z_at, columns, layer, parameter, dual,
            paired, s, t, ahead[0], cov, tan, ahead[1],
        )  # fmt: skip
    else:
        _identity_row(cov, tan, rows, s, t, to, columns * lanes(za), layer)


@inlined
def diagonal_row(kind, q, tan, rows, s, t, to, a, b, first, n, layer, parameter, tiny):
    """`dual_row` where x is z and p = p', in float64; also fills the tables a and b."""
    if kind == 1:
        _relu_diagonal_row(q, tan, rows, s, t, to, a, b, first, n, layer, parameter, tiny)
    else:
        _identity_row(q, tan, rows, s, t, to, n, layer)
