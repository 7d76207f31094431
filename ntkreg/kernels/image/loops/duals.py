"""The duals of activations inside the image loops.

An activation acts on one entry: from the covariance S of its arguments and two numbers a, b of
each argument (tables made once for each image from the variances) to E[phi phi'] and
E[phi' phi'], the factor of the tangent. On the diagonal, where S = q, it also gives the
numbers themselves. To add one: its pair of functions in a file of its own, and a line in
`_ENTRIES`. The layers call an activation's loop over a row by its address.
"""

from typing import Any, NamedTuple

from numba.core import types

from ntkreg.architecture import (
    Cos,
    Erf,
    Gaussian,
    Gelu,
    Identity,
    Layer,
    LeakyRelu,
    NormalizedGaussian,
    Relu,
    Sin,
)
from ntkreg.errors import SpecError
from ntkreg.kernels.compiled.addresses import declare, row_type
from ntkreg.kernels.compiled.flags import by_address, row_of_vectors
from ntkreg.kernels.compiled.lanes import lanes
from ntkreg.kernels.image.loops import erf, exponential, relu

__all__ = [
    "DiagonalArguments",
    "RowArguments",
    "declare_diagonal",
    "declare_row",
    "diagonal_of",
    "parameter",
    "row_of",
]

_ENTRIES: dict[type, tuple[Any, Any]] = {
    Relu: (relu.relu, relu.relu_diagonal),
    LeakyRelu: (relu.leaky_relu, relu.leaky_relu_diagonal),
    Erf: (erf.erf, erf.erf_diagonal),
    Gelu: (erf.gelu, erf.gelu_diagonal),
    Sin: (exponential.sine, exponential.sine_diagonal),
    Cos: (exponential.cosine, exponential.cosine_diagonal),
    Gaussian: (exponential.gaussian, exponential.gaussian_diagonal),
    NormalizedGaussian: (
        exponential.normalized_gaussian,
        exponential.normalized_gaussian_diagonal,
    ),
}
"""The dual of one entry and that of the diagonal, of every activation but Identity."""


class RowArguments(NamedTuple):
    """Three rows of sums to a row of the tile: their sum, the affine part, the dual.

    Meanwhile, unless `paired` or without an activation, a row further down is summed over windows
    of 3, from the tile to `sums`. The two have nothing to do with each other, but a dual alone
    leaves the vector units idle a third of the time. The tile and the sums come twice: what is
    read ahead does not overlap what is written.
    """

    sums: Any  # (S, T, three first entries)
    tile: Any  # (S, T, first entry)
    x: Any  # (a, b, first entry)
    z: Any
    columns: Any
    layer: Any  # (factor, bias, trained)
    parameter: Any
    dual: Any
    paired: Any  # whether x has lanes too
    ahead: Any  # (S, T, first entry) of the tile, and where in the sums to
    following: Any


class DiagonalArguments(NamedTuple):
    """The same where x is z and p = p', in float64; also fills the tables a and b."""

    sums: Any  # (q, T, three first entries)
    tile: Any  # (S, T, first entry)
    tables: Any  # (a, b, first entry)
    n: Any
    layer: Any
    parameter: Any
    tiny: Any


def declare_row(number: types.Type, dual: types.Type) -> types.Type:
    """Return numba's type of the arguments of a row in a dtype."""
    row, u = row_type(number), types.uint64
    sums, tile = (row, row, (u, u, u)), (row, row, u)
    return declare(
        RowArguments, sums, tile, tile, tile, u, (number,) * 3, number, dual, types.boolean, tile,
        tile,
    )  # fmt: skip


def declare_diagonal(table: types.Type) -> types.Type:
    """Return numba's type of the arguments of a diagonal's row; tables of dtype `table`."""
    number, u = types.float64, types.uint64
    row, tables = row_type(number), row_type(table)
    return declare(
        DiagonalArguments, (row, row, (u, u, u)), (row, row, u), (tables, tables, u), u,
        (number,) * 3, number, number,
    )  # fmt: skip


def parameter(activation: Layer) -> float:
    """Return the one number that an activation is given, or 0."""
    return next(iter(activation.parameters.values()), 0.0)


def row_of(activation: Layer) -> Any:
    """Return the loop over a row for an activation's dual; SpecError if it has none."""
    return _loops_of(activation)[0]


def diagonal_of(activation: Layer) -> Any:
    """Return the loop over a row of the diagonal; SpecError if the activation has no dual."""
    return _loops_of(activation)[1]


def _loops_of(activation: Layer) -> tuple[Any, Any]:
    try:
        return _LOOPS[type(activation)]
    except KeyError:
        raise SpecError(
            f"The image engine has no dual for {activation!r}. Use the kernel_fn of "
            "ntkreg.kernels.to_stax(network) in the network's place."
        ) from None


def _row_loop(entry: Any) -> Any:
    """The loop over a row of a tile for the dual of one entry."""

    @by_address
    def run(row):
        row_of_vectors()
        cov, tan, (r0, r1, r2) = row.sums
        s, t, to = row.tile
        xa, xb, x_at = row.x
        za, zb, z_at = row.z
        ahead_s, ahead_t, ahead = row.ahead
        next_s, next_t, following = row.following
        columns, parameter, dual = row.columns, row.parameter, row.dual
        factor, bias, trained = row.layer
        n = lanes(za)
        z_at *= lanes(za)
        if row.paired:
            x_at *= lanes(za)
            for i in range(columns * lanes(za)):
                c = factor * (cov[r0 + i] + cov[r1 + i] + cov[r2 + i]) + bias
                tangent = trained * c
                tangent += factor * (tan[r0 + i] + tan[r1 + i] + tan[r2 + i])
                a, b = x_at + i, z_at + i
                value, slope = entry(c, xa[a], xb[a], za[b], zb[b], parameter, dual)
                s[to + i] = value
                t[to + i] = tangent * slope
        else:
            for p in range(columns):
                one, two = xa[x_at + p], xb[x_at + p]
                for lane in range(lanes(za)):
                    i = p * lanes(za) + lane
                    b = z_at + i
                    c = factor * (cov[r0 + i] + cov[r1 + i] + cov[r2 + i]) + bias
                    tangent = trained * c
                    tangent += factor * (tan[r0 + i] + tan[r1 + i] + tan[r2 + i])
                    value, slope = entry(c, one, two, za[b], zb[b], parameter, dual)
                    s[to + i] = value
                    t[to + i] = tangent * slope
                    j, k = ahead + i, following + i
                    next_s[k] = ahead_s[j] + ahead_s[j + n] + ahead_s[j + n + n]
                    next_t[k] = ahead_t[j] + ahead_t[j + n] + ahead_t[j + n + n]

    return run


def _diagonal_loop(entry: Any) -> Any:
    """The loop over a row of the tile p = p' for the diagonal of one activation."""

    @by_address
    def run(row):
        row_of_vectors()
        q, tan, (r0, r1, r2) = row.sums
        s, t, to = row.tile
        a, b, first = row.tables
        factor, bias, trained = row.layer
        for p in range(row.n):
            var = factor * (q[r0 + p] + q[r1 + p] + q[r2 + p]) + bias
            tangent = tan[r0 + p] + tan[r1 + p] + tan[r2 + p]
            one, two, value, slope = entry(var, row.parameter, row.tiny)
            a[first + p] = one
            b[first + p] = two
            s[to + p] = value
            t[to + p] = (factor * tangent + trained * var) * slope

    return run


@by_address
def _identity_row(row):
    row_of_vectors()
    cov, tan, (r0, r1, r2) = row.sums
    s, t, to = row.tile
    factor, bias, trained = row.layer
    for p in range(row.columns * lanes(s)):
        c = factor * (cov[r0 + p] + cov[r1 + p] + cov[r2 + p]) + bias
        tangent = tan[r0 + p] + tan[r1 + p] + tan[r2 + p]
        s[to + p] = c
        t[to + p] = factor * tangent + trained * c


@by_address
def _identity_diagonal(row):
    row_of_vectors()
    q, tan, (r0, r1, r2) = row.sums
    s, t, to = row.tile
    factor, bias, trained = row.layer
    for p in range(row.n):
        var = factor * (q[r0 + p] + q[r1 + p] + q[r2 + p]) + bias
        tangent = tan[r0 + p] + tan[r1 + p] + tan[r2 + p]
        s[to + p] = var
        t[to + p] = factor * tangent + trained * var


_LOOPS = {
    Identity: (_identity_row, _identity_diagonal),
    **{kind: (_row_loop(one), _diagonal_loop(own)) for kind, (one, own) in _ENTRIES.items()},
}
