r"""The dual of ReLU with one square root, as polynomials (for the compiled loops).

With :math:`u = 1 - |\lambda|` and :math:`s = \sqrt u`,

.. math::
    \kappa_0(|\lambda|) = 1 - s A(u), \qquad \kappa_1(|\lambda|) = |\lambda| + s^3 C(u),

where :math:`A(u) = \arccos(1-u) / (\pi s)` and
:math:`C(u) = (\sin\theta - \theta\cos\theta) / (\pi s^3)`, :math:`\theta = \arccos(1-u)`,
are analytic on [0, 1] (nearest singularity at u = 2), so that interpolants converge like 5.8 to
the minus degree; nodes are chosen for what s and s^3 leave of the error. With
:math:`\kappa_0(-\lambda) = 1 - \kappa_0(\lambda)` and
:math:`\kappa_1(-\lambda) = \kappa_1(\lambda) - \lambda`, both signs need

.. math::
    \kappa_0 = \tfrac12 \pm (\tfrac12 - s A), \qquad \kappa_1 = \max(\lambda, 0) + s^3 C .

The form keeps *relative* precision of :math:`\kappa_1 - \lambda` near 1, where the
textbook form subtracts nearly equal numbers. Cho and Saul 2009, eqs. 3-6.
"""

from collections.abc import Callable
from functools import cache
from math import factorial
from typing import Any, NamedTuple

import numpy as np
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.polynomial import Chebyshev, Polynomial
from scipy.special import roots_jacobi

from ntkreg.kernels.compiled.flags import FASTMATH, inlined
from ntkreg.kernels.compiled.vectors import (
    absolute,
    larger,
    root_above,
    spread,
    spread_all,
    with_sign,
)

__all__ = [
    "Coefficients",
    "Dual",
    "horner",
    "in_every_lane",
    "interpolate",
    "kappas",
    "positive_kappas",
    "relu_dual",
    "unrolled_horner",
]

Coefficients = tuple[np.floating, ...]
"""A polynomial in u, constant term first, in the dtype of the loop."""

_DEGREES = {"float32": (6, 4), "float64": (16, 14)}
"""Degrees of A and C: errors of s A and s^3 C 4e-8 and 9e-8 in float32, 8e-16 in float64."""


def _theta(u: np.ndarray) -> np.ndarray:
    return 2 * np.arcsin(np.sqrt(u / 2))  # arccos(1 - u) without cancellation


def _a(u: np.ndarray) -> np.ndarray:
    return _theta(u) / (np.pi * np.sqrt(u))


def _c(u: np.ndarray) -> np.ndarray:
    t = _theta(u)
    # Below t = 1, sin t - t cos t cancels; it is sum of (-1)^(k+1) 2k t^(2k+1) / (2k+1)!.
    series = sum(
        (-1) ** (k + 1) * 2 * k * t ** (2 * k + 1) / factorial(2 * k + 1) for k in range(1, 14)
    )
    return np.where(t < 1, series, np.sin(t) - t * np.cos(t)) / (np.pi * u**1.5)


def interpolate(
    f: Callable[[np.ndarray], np.ndarray],
    degree: int,
    low: float = 0.0,
    high: float = 1.0,
    power: int = 0,
) -> np.ndarray:
    """Coefficients, constant term first, of a polynomial through `f` at nodes in an interval.

    The nodes are those of a Jacobi polynomial: the error times (u - low)^(power / 2) is nearly
    even over the interval and nearly the least there is. For power 0 they are Chebyshev's.
    """
    nodes = roots_jacobi(degree + 1, -0.5, power - 0.5)[0]
    size = high - low
    on_square = Chebyshev.fit(nodes, f(low + size * ((nodes + 1) / 2)), degree, domain=[-1, 1])
    return on_square.convert(kind=Polynomial)(Polynomial([-(low + high) / size, 2 / size])).coef


class Dual(NamedTuple):
    """Constants of the dual in a loop's dtype; `a` and `half` carry the gain on kappa0.

    `tiny` is 4 eps: nearer to 1 than that, a correlation counts as 1.
    """

    a: Coefficients
    c: Coefficients
    half: Any
    tiny: Any
    one: Any
    zero: Any


@cache
def relu_dual(dtype: str, gain: float = 1.0) -> Dual:
    """Return the constants of (gain * kappa0, kappa1) for a dtype's loops."""
    kind = np.dtype(dtype).type
    for_a, for_c = _DEGREES[dtype]
    a, c = interpolate(_a, for_a, power=1), interpolate(_c, for_c, power=3)
    constants = (kind(gain / 2), kind(4 * np.finfo(dtype).eps), kind(1), kind(0))
    return Dual(tuple(kind(gain * v) for v in a), tuple(kind(v) for v in c), *constants)


def horner(coefficients: Coefficients, u: Any) -> Any:
    """Value at u of a polynomial, in Python; `unrolled_horner` in compiled loops."""
    return coefficients[0] + (u * horner(coefficients[1:], u) if len(coefficients) > 1 else 0)


def _unrolled_horner(typing_context: Any, coefficients: Any, u: Any) -> Any:
    """Value at u of a polynomial, of a number or of whole vectors.

    A loop over the coefficients would keep LLVM from vectorising the loop around it.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *lower, value = cgutils.unpack_tuple(builder, arguments[0])
        flags = tuple(sorted(FASTMATH))
        for coefficient in reversed(lower):
            value = builder.fmul(arguments[1], value, flags=flags)
            value = builder.fadd(coefficient, value, flags=flags)
        return value

    return u(coefficients, u), generate


unrolled_horner: Any = intrinsic(_unrolled_horner)


@inlined
def kappas(correlation, dual):
    """Return (gain * kappa0, kappa1) of a correlation, clamped to [-1, 1].

    A correlation within its own rounding of 1 is taken as 1: kappa0 has infinite slope
    there, and inputs that are equal must get equal kernels, or their Gram looks regular.
    """
    u = dual.one - absolute(correlation)
    root = root_above(u, dual.tiny, dual.zero)
    kappa0 = dual.half + with_sign(dual.half - root * unrolled_horner(dual.a, u), correlation)
    return kappa0, u * root * unrolled_horner(dual.c, u) + larger(correlation, dual.zero)


@inlined
def positive_kappas(correlation, dual):
    """Return the same of a correlation that is known not to be negative: a sixth less work.

    kappa1 = 1 - u (1 - s C) needs no correlation beside u, which is 1 - c (a b) at once.
    """
    u = dual.one - correlation
    root = root_above(u, dual.tiny, dual.zero)
    kappa0 = (dual.half + dual.half) - root * unrolled_horner(dual.a, u)
    return kappa0, dual.one - u * (dual.one - root * unrolled_horner(dual.c, u))


@inlined
def in_every_lane(dual):
    """Return the constants as vectors of lanes."""
    return Dual(
        spread_all(dual.a), spread_all(dual.c), spread(dual.half), spread(dual.tiny),
        spread(dual.one), spread(dual.zero),
    )  # fmt: skip
