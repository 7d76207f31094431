r"""How the duals of activations change with what they are made of, in closed form.

Where the covariance S and the variances q, q' of Gaussians (u, v) move at rates dS, dq, dq',
:math:`F = E[\phi(u) \phi(v)]` and :math:`G = E[\phi'(u) \phi'(v)]` (`ntkreg.kernels.duals`) move at
:math:`dF = G\, dS + \partial_q F\, dq + \partial_{q'} F\, dq'` (Price 1958), and G likewise.

ReLU's G has an infinite slope where u = v, the only singularity here. It meets a rate of S that
vanishes faster: what moves u and v alike keeps them equal. So there the rate of G is 0, and is
taken as 0 where a correlation is within its rounding of 1 or -1.
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
from ntkreg.kernels.duals import Pair, correlation, determinant, dual, kappa0

__all__ = ["Moments", "dual_rates"]

_ROUNDING = 4 * np.finfo(float).eps

Moments = tuple[np.ndarray, np.ndarray, np.ndarray]
"""S, q and q', or their rates: float64 arrays that broadcast to one shape."""


def dual_rates(layer: Activation, at: Moments, rates: Moments) -> Pair:
    """Return the rates of E[phi phi'] and E[phi' phi'].

    Parameters
    ----------
    layer : Activation
    at : (S, q, q')
        As in `ntkreg.kernels.duals.dual`.
    rates : (dS, dq, dq')
        Along leading axes of their own, if there are several rates.

    Raises
    ------
    SpecError
        If the layer's dual is not known.
    """
    s, q, r = at
    ds, dq, dr = rates
    match layer:
        case Relu():
            return _leaky_relu(0.0, at, rates)
        case LeakyRelu(slope):
            return _leaky_relu(slope, at, rates)
        case Erf():
            return _erf(at, rates)
        case Gelu():
            return _gelu(at, rates)
        case Sin() | Cos():
            value, factor = dual(layer, s, q, r)
            return factor * ds - value * (dq + dr) / 2, value * ds - factor * (dq + dr) / 2
        case Gaussian(gamma):
            rate = dual(layer, s, q, r)[0] * gamma * (2 * ds - dq - dr)
            return rate, 2 * gamma * rate
        case NormalizedGaussian(gamma):
            norm, dnorm, c, dc = _correlation(at, rates)
            value = np.exp(gamma * (c - 1))
            return value * (dnorm + gamma * norm * dc), gamma**2 * value * dc
        case Identity():
            return ds, np.zeros_like(ds)
    raise SpecError(f"{layer!r} has no derivative in ntkreg.kernels.gradient.duals.")


def _correlation(at: Moments, rates: Moments) -> tuple[np.ndarray, ...]:
    """Return sqrt(q q') and its rate, S over it and its rate; all 0 where a variance is 0."""
    (s, q, r), (ds, dq, dr) = at, rates
    norm, c = correlation(s, q, r)
    share = (_ratio(dq, q) + _ratio(dr, r)) / 2
    return norm, norm * share, c, _ratio(ds, norm) - c * share


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a / b, 0 where b is."""
    zeros = np.zeros(np.broadcast_shapes(a.shape, b.shape))
    return np.divide(a, b, out=zeros, where=np.broadcast_to(b != 0, zeros.shape))


def _leaky_relu(slope: float, at: Moments, rates: Moments) -> Pair:
    share = (1 - slope) ** 2 / 2
    _, dnorm, c, dc = _correlation(at, rates)
    near = 1 - np.abs(c) <= _ROUNDING
    sine = np.where(near, 0, np.sqrt((1 - c) * (1 + c)))
    # kappa1 - c kappa0 = sine / pi, and kappa0' = 1 / (pi sine).
    value = (slope + share * kappa0(c)) * rates[0] + share * sine / np.pi * dnorm
    return value, share / np.pi * _ratio(dc, sine)


def _erf(at: Moments, rates: Moments) -> Pair:
    (s, q, r), (ds, dq, dr) = at, rates
    value, slope = dual(Erf(), *at)
    a, b = 1 + 2 * q, 1 + 2 * r
    root = 4 / np.pi / slope  # sqrt(a b - 4 s^2)
    value = slope * (ds - s * (dq / a + dr / b))
    return value, -slope / root**2 * (b * dq + a * dr - 4 * s * ds)


def _gelu(at: Moments, rates: Moments) -> Pair:
    (s, q, r), (ds, dq, dr) = at, rates
    a, b = 1 + q, 1 + r
    det = determinant(s, q, r)
    square = 1 + q + r + det  # a b - s^2
    root = np.sqrt(square)
    terms = 1 / square + 1 / a + 1 / b
    value = dual(Gelu(), *at)[1] * ds
    slope = (1 / root + a * b / root**3 * terms + 2 * s**2 / (root * square**2)) * ds
    for mine, other, x, dx in ((a, b, r, dq), (b, a, q, dr)):
        by_value = det / (2 * mine * root) + x * root / (other * mine**2)
        by_value -= s**2 / (a * b * root) * (1 / mine + other / (2 * square))
        value = value + by_value / (2 * np.pi) * dx
        by_slope = 1 / (2 * mine) + other / (2 * square) * terms + other / square**2 + 1 / mine**2
        slope = slope - s / root * by_slope * dx
    return value, slope / (2 * np.pi)
