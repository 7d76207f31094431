r"""The dual of ReLU with one square root, as polynomials (for the compiled loops).

With :math:`u = 1 - |\lambda|` and :math:`s = \sqrt u`,

.. math::
    \kappa_0(|\lambda|) = 1 - s A(u), \qquad \kappa_1(|\lambda|) = |\lambda| + s^3 C(u),

where :math:`A(u) = \arccos(1-u) / (\pi s)` and
:math:`C(u) = (\sin\theta - \theta\cos\theta) / (\pi s^3)`, :math:`\theta = \arccos(1-u)`,
are analytic on [0, 1] (nearest singularity at u = 2), so that their Chebyshev
interpolants converge like 5.8 to the minus degree. With :math:`\kappa_0(-\lambda) = 1 -
\kappa_0(\lambda)` and :math:`\kappa_1(-\lambda) = \kappa_1(\lambda) - \lambda`, both signs need

.. math::
    \kappa_0 = \tfrac12 \pm (\tfrac12 - s A), \qquad \kappa_1 = \max(\lambda, 0) + s^3 C .

The form keeps full *relative* precision of :math:`\kappa_1 - \lambda` near 1, where the
textbook form subtracts nearly equal numbers. Cho and Saul 2009, eqs. 3-6.
"""

from collections.abc import Callable
from functools import cache
from math import factorial
from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.polynomial import Chebyshev, Polynomial

from ntkreg.kernels.flags import FASTMATH, inlined

__all__ = ["Coefficients", "Dual", "horner", "interpolate", "kappas", "relu_dual"]

Coefficients = tuple[np.floating, ...]
"""A polynomial in u, constant term first, in the dtype of the loop."""

_DEGREES = {"float32": (6, 5), "float64": (19, 17)}
"""Degrees of A and C: errors 6e-8 and 5e-8 in float32, 1e-15 in float64."""


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
    f: Callable[[np.ndarray], np.ndarray], degree: int, low: float = 0.0, high: float = 1.0
) -> np.ndarray:
    """Coefficients, constant term first, of the Chebyshev interpolant of `f` on an interval."""
    nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
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
    a, c = (interpolate(f, degree) for f, degree in zip((_a, _c), _DEGREES[dtype], strict=True))
    constants = (kind(gain / 2), kind(4 * np.finfo(dtype).eps), kind(1), kind(0))
    return Dual(tuple(kind(gain * v) for v in a), tuple(kind(v) for v in c), *constants)


def horner(coefficients: Coefficients, u: np.floating) -> np.floating:
    """Value at u of a polynomial; inside compiled loops it is unrolled by its length."""
    return coefficients[0] + (u * horner(coefficients[1:], u) if len(coefficients) > 1 else 0)


@overload(horner, jit_options={"fastmath": FASTMATH})
def _unrolled_horner(coefficients, u):
    # A loop over the coefficients would keep LLVM from vectorising the loop around it.
    if len(coefficients) == 1:
        return lambda coefficients, u: coefficients[0]
    return lambda coefficients, u: coefficients[0] + u * horner(coefficients[1:], u)


@inlined
def kappas(correlation, dual):
    """Return (gain * kappa0, kappa1) of a correlation, clamped to [-1, 1].

    A correlation within its own rounding of 1 is taken as 1: kappa0 has infinite slope
    there, and inputs that are equal must get equal kernels, or their Gram looks regular.
    """
    u = dual.one - abs(correlation)
    root = np.sqrt(u) if u > dual.tiny else dual.zero
    kappa0 = dual.half + np.copysign(dual.half - root * horner(dual.a, u), correlation)
    return kappa0, u * root * horner(dual.c, u) + max(correlation, dual.zero)
