"""Duals of Sin, Cos, Gaussian and NormalizedGaussian for the image loops: exponentials."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ntkreg.kernels.compiled.flags import inlined
from ntkreg.kernels.compiled.math import constants_of, exponential, short_sinh

__all__ = [
    "cosine",
    "cosine_diagonal",
    "gaussian",
    "gaussian_diagonal",
    "normalized_gaussian",
    "normalized_gaussian_diagonal",
    "sine",
    "sine_diagonal",
]


class _Constants(NamedTuple):
    zero: Any
    half: Any
    one: Any


@constants_of
@cache
def _constants(dtype: str) -> _Constants:
    return _Constants(*map(np.dtype(dtype).type, (0, 0.5, 1)))


@inlined
def sine(cov, xa, xb, za, zb, parameter, dual):
    """A = q/2, b = exp(-q/2): both sums of exp(S - a - a') and exp(-S - a - a').

    Louart et al. 2018, table 1. Where S is small, the difference has a series of its own.
    """
    k = _constants(cov)
    size, rest = abs(cov), xa + za
    up = exponential(min(size - rest, k.zero))
    down = exponential(-size - rest)
    sinh = xb * zb * short_sinh(size) if size < k.one else k.half * (up - down)
    return np.copysign(sinh, cov), k.half * (up + down)


@inlined
def sine_diagonal(q, parameter, tiny):
    """S = q = q'."""
    once, twice = np.exp(-0.5 * q), np.expm1(-2.0 * q)
    return 0.5 * q, once, -0.5 * twice, 1.0 + 0.5 * twice


@inlined
def cosine(cov, xa, xb, za, zb, parameter, dual):
    """As `sine` with value and slope exchanged."""
    slope, value = sine(cov, xa, xb, za, zb, parameter, dual)
    return value, slope


@inlined
def cosine_diagonal(q, parameter, tiny):
    """As `sine_diagonal` with value and slope exchanged."""
    a, b, slope, value = sine_diagonal(q, parameter, tiny)
    return a, b, value, slope


@inlined
def gaussian(cov, xa, xb, za, zb, parameter, dual):
    """A = gamma q; b is not needed (Rahimi and Recht 2007)."""
    k = _constants(cov)
    twice = parameter + parameter
    value = exponential(min(twice * cov - (xa + za), k.zero))
    return value, twice * value


@inlined
def gaussian_diagonal(q, parameter, tiny):
    """1 and 2 gamma."""
    return parameter * q, 0.0, 1.0, 2.0 * parameter


@inlined
def normalized_gaussian(cov, xa, xb, za, zb, parameter, dual):
    """A = 1/sqrt(q), b = sqrt(q): Shankar et al. 2020."""
    k = _constants(cov)
    c = max(min(cov * (xa * za), k.one), -k.one)
    value = exponential(parameter * (c - k.one))
    return xb * zb * value, parameter * value


@inlined
def normalized_gaussian_diagonal(q, parameter, tiny):
    """The variance and gamma; a = b = 0 where there is no variance."""
    var = q if q >= tiny else 0.0
    return (1.0 / np.sqrt(var) if var > 0.0 else 0.0), np.sqrt(var), var, parameter
