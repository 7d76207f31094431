"""The duals of activations inside the image loops, by number.

An activation acts on one entry: from the covariance S of its arguments and two numbers a, b of
each argument (tables made once for each image from the variances) to E[phi phi'] and
E[phi' phi'], the factor of the tangent. On the diagonal, where S = q, it also gives the
numbers themselves. To add one: its pair of functions in a file of its own, and a line in
`_OTHERS`.
"""

from typing import Any

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
from ntkreg.kernels.compiled.flags import counting_nothing, inlined, row_apart, row_of_vectors
from ntkreg.kernels.compiled.lanes import lanes
from ntkreg.kernels.image.loops import erf, exponential, relu

__all__ = ["diagonal_row", "dual_row", "number_of", "parameter"]

_OTHERS: dict[type, tuple[Any, Any]] = {
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
"""The dual of one entry and that of the diagonal, of every activation but Identity and Relu."""

NUMBERS: dict[type, int] = {kind: k for k, kind in enumerate((Identity, Relu, *_OTHERS))}
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


def _row_loop(entry: Any, compiler: Any, hints: Any) -> Any:
    """The loop over a row of a tile for the dual of one entry.

    `compiler` and `hints` copy it into its caller (`inlined`, `row_of_vectors`) or leave it
    apart (`counting_nothing`, `row_apart`).
    """

    @compiler
    def run(
        cov, tan, rows, s, t, to, xa, xb, x_at, za, zb, z_at, columns, layer, parameter, dual,
        paired, ahead_s, ahead_t, ahead, next_s, next_t, following,
    ):  # fmt: skip
        # The tile and the sums come twice: what is read ahead does not overlap what is written.
        hints()
        r0, r1, r2 = rows
        n = lanes(za)
        factor, bias, trained = layer
        z_at *= lanes(za)
        if paired:
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


_relu_row = _row_loop(relu.relu, inlined, row_of_vectors)
_relu_diagonal_row = _diagonal_loop(relu.relu_diagonal)


def _first_of(number: int, rows: list[Any]) -> Any:
    """A function that runs the row loop of one kind out of `rows`, kinds `number` and on."""
    row = rows[0]
    if len(rows) == 1:
        return inlined(lambda kind, *arguments: row(*arguments))
    others = _first_of(number + 1, rows[1:])

    @inlined
    def run(kind, *arguments):
        if kind == number:
            row(*arguments)
        else:
            others(kind, *arguments)

    return run


# Relu's loop is inlined in the function that runs a layer; the others', called for each row,
# cost that function no registers.
_other_row = _first_of(2, [_row_loop(e, counting_nothing, row_apart) for e, _ in _OTHERS.values()])
_other_diagonal_row = _first_of(2, [_diagonal_loop(d) for _, d in _OTHERS.values()])


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
    elif kind == 0:
        _identity_row(cov, tan, rows, s, t, to, columns * lanes(za), layer)
    else:
        _other_row(
            kind, cov, tan, rows, s, t, to, xa, xb, x_at, za, zb, z_at, columns, layer, parameter,
            dual, paired, s, t, ahead[0], cov, tan, ahead[1],
        )  # fmt: skip


@inlined
def diagonal_row(kind, q, tan, rows, s, t, to, a, b, first, n, layer, parameter, tiny):
    """`dual_row` where x is z and p = p', in float64; also fills the tables a and b."""
    if kind == 1:
        _relu_diagonal_row(q, tan, rows, s, t, to, a, b, first, n, layer, parameter, tiny)
    elif kind == 0:
        _identity_row(q, tan, rows, s, t, to, n, layer)
    else:
        _other_diagonal_row(kind, q, tan, rows, s, t, to, a, b, first, n, layer, parameter, tiny)
