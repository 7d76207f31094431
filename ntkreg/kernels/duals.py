r"""Duals of the activations: plain NumPy, vectorised, careful where numbers cancel.

Of Gaussians (u, v) with covariance S and variances q, q', an activation :math:`\phi` gives
the pair :math:`E[\phi(u) \phi(v)]`, :math:`E[\phi'(u) \phi'(v)]`. Formulas and papers are in
the docstrings of `ntkreg.architecture.activations`.

Several of them need :math:`q q' - S^2`, nearly zero where u and v are almost the same. It
is computed as (n - S)(n + S), n = sqrt(q q'), which keeps the relative precision of n - S.
"""

import numpy as np

from ntkreg.architecture import (
    Activation,
    Cos,
    Erf,
    Gaussian,
    Gelu,
    Identity,
    LeakyRelu,
    NormalizedGaussian,
    Relu,
    Sin,
)
from ntkreg.errors import SpecError

__all__ = ["Pair", "correlation", "determinant", "dual", "kappa0", "kappa1"]

_ROUNDING = 1e-9
"""By how much an exponent may exceed 0 where it is 0 but for rounding. With variances beyond 1e7
rounding could make it any number."""

Pair = tuple[np.ndarray, np.ndarray]
"""Covariance after the activation, and the factor that multiplies the NTK."""


def kappa0(correlation: np.ndarray) -> np.ndarray:
    """Arc-cosine kernel of order 0, 1 - acos(c)/pi (Cho and Saul 2009, eq. 4)."""
    return 1 - np.arccos(np.clip(correlation, -1, 1)) / np.pi


def kappa1(correlation: np.ndarray) -> np.ndarray:
    """Arc-cosine kernel of order 1, sqrt(1-c^2)/pi + c kappa0(c) (Cho and Saul 2009, eq. 6)."""
    c = np.clip(correlation, -1, 1)
    return np.sqrt(1 - c**2) / np.pi + c * kappa0(c)


def dual(layer: Activation, s: np.ndarray, q: np.ndarray, r: np.ndarray) -> Pair:
    """Return E[phi phi'] and E[dphi dphi'] of Gaussians with covariance s, variances q and r.

    Parameters
    ----------
    layer : Activation
    s, q, r : float arrays
        Of shapes that broadcast to that of s. q and r are >= 0; abs(s) may exceed sqrt(q r)
        by rounding. ``dual(layer, q, q, q)`` is the dual of a value with itself.

    Returns
    -------
    covariance, slope : arrays of the shape of s

    Raises
    ------
    SpecError
        If the layer's dual is not known.
    """
    match layer:
        case Relu():
            return _leaky_relu(0.0, s, q, r)
        case LeakyRelu(slope):
            return _leaky_relu(slope, s, q, r)
        case Erf():
            return _erf(s, q, r)
        case Gelu():
            return _gelu(s, q, r)
        case Sin():
            return _sinh(s, q, r), _cosh(s, q, r)
        case Cos():
            return _cosh(s, q, r), _sinh(s, q, r)
        case Gaussian(gamma):
            value = np.exp(np.minimum(-gamma * (q + r - 2 * s), _ROUNDING))
            return value, 2 * gamma * value
        case NormalizedGaussian(gamma):
            norm, c = correlation(s, q, r)
            value = np.exp(gamma * (c - 1))
            return norm * value, gamma * value
        case Identity():
            return s, np.ones_like(s)
    raise SpecError(f"{layer!r} has no dual in ntkreg.kernels.duals.")


def correlation(s: np.ndarray, q: np.ndarray, r: np.ndarray) -> Pair:
    """Return sqrt(q r) and s over it, within [-1, 1]; 0 where a variance is 0."""
    norm = np.sqrt(q * r)
    c = np.divide(s, norm, out=np.zeros_like(s), where=np.broadcast_to(norm, s.shape) > 0)
    return norm, np.clip(c, -1, 1)


def determinant(s: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Return q r - s^2 >= 0 without cancellation."""
    norm = np.sqrt(q * r)
    return np.maximum(norm - s, 0) * np.maximum(norm + s, 0)


def _leaky_relu(slope: float, s: np.ndarray, q: np.ndarray, r: np.ndarray) -> Pair:
    # max(x, 0) + slope min(x, 0) = slope x + (1 - slope) relu(x), and E[u relu(v)] = s / 2.
    norm, c = correlation(s, q, r)
    share = (1 - slope) ** 2 / 2
    return slope * s + share * norm * kappa1(c), slope + share * kappa0(c)


def _erf(s: np.ndarray, q: np.ndarray, r: np.ndarray) -> Pair:
    root = np.sqrt(1 + 2 * q + 2 * r + 4 * determinant(s, q, r))  # sqrt((1+2q)(1+2r) - 4 s^2)
    return 2 / np.pi * np.arctan2(2 * s, root), 4 / np.pi / root


def _gelu(s: np.ndarray, q: np.ndarray, r: np.ndarray) -> Pair:
    product, both = q * r, (1 + q) * (1 + r)
    square = 1 + q + r + determinant(s, q, r)  # (1+q)(1+r) - s^2
    root = np.sqrt(square)
    angle = np.arctan2(s, root)
    covariance = s * angle + (s**2 + product * square) / (both * root)
    slope = angle + s / root * (1 / square + (2 + q + r) / both)  # (1 - q r) / both + 1
    return s / 4 + covariance / (2 * np.pi), 1 / 4 + slope / (2 * np.pi)


def _sinh(s: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Return exp(-(q + r) / 2) sinh(s); the exponentials apart would overflow."""
    size = np.abs(s)
    return np.sign(s) * np.exp(np.minimum(size - (q + r) / 2, _ROUNDING)) * -np.expm1(-2 * size) / 2


def _cosh(s: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Return exp(-(q + r) / 2) cosh(s)."""
    size = np.abs(s)
    return np.exp(np.minimum(size - (q + r) / 2, _ROUNDING)) * (1 + np.exp(-2 * size)) / 2
