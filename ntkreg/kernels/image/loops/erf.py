r"""Duals of Erf and Gelu for the image loops.

Both are functions of an angle whose sine is c = S / sqrt(P), P = (q + k)(q' + k), k = 1/2 for
Erf and 1 for Gelu. With w = sqrt(k k / P), Cauchy and Schwarz give 1 - c^2 >= 2w - w^2, which
keeps 1 - abs(c) above 0 where rounding would not (equal inputs of large variance have just
this value).
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ntkreg.kernels.compiled.flags import inlined
from ntkreg.kernels.compiled.math import arcsine, constants_of

__all__ = ["erf", "erf_diagonal", "gelu", "gelu_diagonal"]


class _Constants(NamedTuple):
    half: Any
    one: Any
    two: Any
    quarter: Any
    per_circle: Any
    per_right_angle: Any


@constants_of
@cache
def _constants(dtype: str) -> _Constants:
    return _Constants(*map(np.dtype(dtype).type, (0.5, 1, 2, 0.25, 0.5 / np.pi, 2 / np.pi)))


@inlined
def _angle(c, w, k):
    """Return arcsin c and 1 - c^2."""
    u = max(k.one - abs(c), w - k.half * (w * w))
    return arcsine(c, u), u * (k.two - u)


@inlined
def erf(cov, xa, xb, za, zb, parameter, dual):
    """A = 1/sqrt(1 + 2q); b is not needed (Williams 1997, eq. 11; Lee et al. 2019)."""
    k = _constants(cov)
    w = xa * za
    angle, square = _angle((cov + cov) * w, w, k)
    slope = w / np.sqrt(square)
    return k.per_right_angle * angle, k.per_right_angle * (slope + slope)


@inlined
def erf_diagonal(q, parameter, tiny):
    """S = q = q'; arctan, as its argument has no cancellation."""
    root = np.sqrt(1.0 + 4.0 * q)
    value = 2.0 / np.pi * np.arctan2(2.0 * q, root)
    return 1.0 / np.sqrt(1.0 + 2.0 * q), 0.0, value, 4.0 / np.pi / root


@inlined
def gelu(cov, xa, xb, za, zb, parameter, dual):
    """A = 1/sqrt(1 + q), b = q/sqrt(1 + q); Tsuchida et al. 2021, arXiv 2002.08517.

    With g = sqrt(1 - c^2) = D / sqrt(P) the terms of the formula are S^2/(P D) = c^2 w / g,
    q q' D / P = b b' g, S/D = c/g, and 1 + (1 - q q')/P = 1 + w^2 - b b' w >= 2w.
    """
    k = _constants(cov)
    w, both = xa * za, xb * zb
    c = cov * w
    angle, square = _angle(c, w, k)
    g = np.sqrt(square)
    inverse = k.one / g
    over = w * inverse
    rest = max(k.one + w * w - both * w, w + w)
    value = cov * angle + c * c * over + both * g
    slope = angle + c * inverse * (over * over + rest)
    return k.quarter * cov + k.per_circle * value, k.quarter + k.per_circle * slope


@inlined
def gelu_diagonal(q, parameter, tiny):
    """S = q = q', where D = sqrt(1 + 2q)."""
    one, root = 1.0 + q, np.sqrt(1.0 + 2.0 * q)
    a = 1.0 / np.sqrt(one)
    angle = np.arctan2(q, root)
    value = q * angle + 2.0 * q * (q / one) / root
    slope = angle + q / root * (1.0 / (root * root) + 2.0 / one)
    return a, q * a, 0.25 * q + 0.5 / np.pi * value, 0.25 + 0.5 / np.pi * slope
