r"""Exponential, arcsine and hyperbolic sine for compiled loops: lanes stay vectors.

A call of the C library's functions would keep LLVM from vectorising the loop around it, so
these are polynomials, with full relative precision (a few roundings).
"""

from collections.abc import Callable
from functools import cache
from math import comb, factorial
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic, overload
from numpy.polynomial import Polynomial

from ntkreg.kernels.compiled.arc_cosine import Coefficients, interpolate, unrolled_horner
from ntkreg.kernels.compiled.flags import inlined

__all__ = ["arcsine", "constants_of", "exponential", "short_sinh"]


def constants_of(make: Callable[[str], Any]) -> Any:
    """Return a function for compiled loops that gives ``make(dtype)`` for its argument's dtype.

    Numbers written in a loop are float64 and would make its arithmetic so.
    """

    def constants(number: Any) -> Any:
        raise NotImplementedError("constants_of: for compiled loops only.")

    @overload(constants)
    def _constants(number):
        values = make(number.name)
        return lambda number: values

    return constants


def _shortened(taylor: list[float], dtype: str, degrees: tuple[int, int], high: float) -> Any:
    """A Taylor series by a polynomial of degrees[0] (float32) or [1] (float64) on [0, high]."""
    degree = degrees[dtype == "float64"]
    return tuple(map(np.dtype(dtype).type, interpolate(Polynomial(taylor), degree, 0.0, high)))


class _Exponential(NamedTuple):
    """Of e^x = 2^k e^r. `shift`, when added, rounds to integers and leaves them in the last bits.

    `high` and `low` add up to log 2; k `high` is exact (Cody and Waite 1980).
    """

    least: Any
    per_octave: Any
    shift: Any
    high: Any
    low: Any
    one: Any
    series: Coefficients


@constants_of
@cache
def _exponential(dtype: str) -> _Exponential:
    kind, double = np.dtype(dtype).type, dtype == "float64"
    half, degree = np.log(2) / 2, 10 if double else 5
    taylor = Polynomial([1 / factorial(k + 1) for k in range(20)])  # (e^r - 1) / r
    series = interpolate(taylor, degree, -half, half)
    return _Exponential(
        least=kind(-708 if double else -87),
        per_octave=kind(1 / np.log(2)),
        shift=kind(1.5 * 2.0 ** (52 if double else 23)),
        high=kind(0.693145751953125),
        low=kind(1.42860682030941723212e-6),
        one=kind(1),
        series=tuple(map(kind, series)),
    )


def _power_of_two(typing_context: Any, shifted: Any) -> Any:
    """Return 2^k of k + `shift`, by its bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        size, place, one = (64, 52, 1023 << 52) if shifted.bitwidth == 64 else (32, 23, 127 << 23)
        integer = ir.IntType(size)
        bits = builder.shl(builder.bitcast(arguments[0], integer), integer(place))
        return builder.bitcast(builder.add(bits, integer(one)), arguments[0].type)

    return shifted(shifted), generate


power_of_two: Any = intrinsic(_power_of_two)


@inlined
def exponential(x):
    """Return e^x for x <= 0; the least normal number or so instead of anything smaller."""
    e = _exponential(x)
    x = max(x, e.least)
    shifted = x * e.per_octave + e.shift
    k = shifted - e.shift
    r = (x - k * e.high) - k * e.low
    return power_of_two(shifted) * (e.one + r * unrolled_horner(e.series, r))


class _Arcsine(NamedTuple):
    half: Any
    right_angle: Any
    series: Coefficients


@constants_of
@cache
def _arcsine(dtype: str) -> _Arcsine:
    kind = np.dtype(dtype).type
    # (arcsin(sqrt z) / sqrt z - 1) / z, needed to z = 1/4, where terms fall like 4^-k.
    taylor = [comb(2 * k, k) / 4.0**k / (2 * k + 1) for k in range(1, 50)]
    return _Arcsine(kind(0.5), kind(np.pi / 2), _shortened(taylor, dtype, (5, 12), 0.25))


@inlined
def arcsine(x, u):
    """Return arcsin x, where u = 1 - abs(x) may be given more precisely than x has it."""
    c = _arcsine(x)
    size = abs(x)
    near = size > c.half  # to 1: arcsin x = pi/2 - 2 arcsin sqrt(u / 2)
    z = c.half * u if near else x * x
    root = np.sqrt(z) if near else size
    angle = root + root * (z * unrolled_horner(c.series, z))
    return np.copysign(c.right_angle - (angle + angle) if near else angle, x)


@constants_of
@cache
def _sinh(dtype: str) -> Coefficients:
    taylor = [1 / factorial(2 * k + 1) for k in range(1, 12)]
    return _shortened(taylor, dtype, (3, 6), 1.0)


@inlined
def short_sinh(x):
    """Return sinh x for abs(x) <= 1."""
    z = x * x
    return x + x * (z * unrolled_horner(_sinh(x), z))
