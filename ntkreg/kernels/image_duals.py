"""The duals of activations inside the image loops, by number.

An activation acts on one entry: from the covariance S of its arguments and two numbers a, b of
each argument (tables made once for each image from the variances) to E[phi phi'] and
E[phi' phi'], the factor of the tangent. On the diagonal, where S = q, it also gives the
numbers themselves. To add one: its pair of functions in a file of its own, and a line in
`dual_row`, `diagonal_row` and `NUMBERS`.
"""

from typing import Any

import numpy as np

from ntkreg.architecture import Activation, Identity, Relu
from ntkreg.kernels.flags import inlined, row_of_vectors
from ntkreg.kernels.lanes import lanes
from ntkreg.kernels.relu_dual import kappas

__all__ = ["NUMBERS", "diagonal_row", "dual_row", "parameter"]

NUMBERS: dict[type, int] = {Identity: 0, Relu: 1}
"""Activations as the loops know them."""


def parameter(activation: Activation) -> float:
    """The one number that an activation has, or 0."""
    return getattr(activation, {}.get(type(activation), ""), 0.0)


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
        cov, tan, step, s, t, to, xa, xb, x_at, za, zb, z_at, columns, layer, parameter, dual,
        paired,
    ):  # fmt: skip
        row_of_vectors()
        two_steps = step + step
        factor, bias, trained = layer
        z_at *= lanes(za)
        if paired:
            x_at *= lanes(za)
            for i in range(columns * lanes(za)):
                c = factor * (cov[i] + cov[i + step] + cov[i + two_steps]) + bias
                tangent = tan[i] + tan[i + step] + tan[i + two_steps]
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
                    c = factor * (cov[i] + cov[i + step] + cov[i + two_steps]) + bias
                    tangent = tan[i] + tan[i + step] + tan[i + two_steps]
                    value, slope = entry(c, one, two, za[b], zb[b], parameter, dual)
                    s[to + i] = value
                    t[to + i] = (factor * tangent + trained * c) * slope

    return run


def _diagonal_loop(entry: Any) -> Any:
    """The loop over a row of the tile p = p' for the diagonal of one activation."""

    @inlined
    def run(q, tan, step, s, t, to, a, b, first, n, layer, parameter, tiny):
        row_of_vectors()
        factor, bias, trained = layer
        two_steps = step + step
        for p in range(n):
            var = factor * (q[p] + q[p + step] + q[p + two_steps]) + bias
            tangent = tan[p] + tan[p + step] + tan[p + two_steps]
            one, two, value, slope = entry(var, parameter, tiny)
            a[first + p] = one
            b[first + p] = two
            s[to + p] = value
            t[to + p] = (factor * tangent + trained * var) * slope

    return run


_relu_row = _row_loop(relu)
_relu_diagonal_row = _diagonal_loop(relu_diagonal)


@inlined
def _identity_row(cov, tan, step, s, t, to, n, layer):
    row_of_vectors()
    factor, bias, trained = layer
    two_steps = step + step
    for p in range(n):
        c = factor * (cov[p] + cov[p + step] + cov[p + two_steps]) + bias
        tangent = tan[p] + tan[p + step] + tan[p + two_steps]
        s[to + p] = c
        t[to + p] = factor * tangent + trained * c


@inlined
def dual_row(
    kind, cov, tan, step, s, t, to, x, z, x_at, z_at, columns, layer, parameter, dual, paired
):  # fmt: skip
    """Three rows of sums, `step` apart, to a row of the tile: sum, affine part, dual of `kind`.

    `cov` and `tan` hold the rows of both fields; `x` and `z` are the tables a and b of both
    images; `paired` says that x has lanes too.
    """
    xa, xb = x
    za, zb = z
    if kind == 1:
        _relu_row(
            cov, tan, step, s, t, to, xa, xb, x_at, za, zb, z_at, columns, layer, parameter, dual,
            paired,
        )  # fmt: skip
    else:
        _identity_row(cov, tan, step, s, t, to, columns * lanes(za), layer)


@inlined
def diagonal_row(kind, q, tan, step, s, t, to, a, b, first, n, layer, parameter, tiny):
    """`dual_row` where x is z and p = p', in float64; also fills the tables a and b."""
    if kind == 1:
        _relu_diagonal_row(q, tan, step, s, t, to, a, b, first, n, layer, parameter, tiny)
    else:
        _identity_row(q, tan, step, s, t, to, n, layer)
