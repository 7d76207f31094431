r"""The duals of activations in jax.numpy, on the tables of the compiled loops.

Each function has the signature and the formulas of its namesake in `ntkreg.kernels.image.loops`,
files `relu`, `erf` and `exponential`, where they are explained: from the covariance of an entry
and two numbers of each argument to E[phi phi'] and E[phi' phi'].
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from ntkreg.architecture import (
    Cos,
    Erf,
    Gaussian,
    Gelu,
    Layer,
    LeakyRelu,
    NormalizedGaussian,
    Relu,
    Sin,
)
from ntkreg.errors import SpecError
from ntkreg.kernels.compiled.arc_cosine import horner, relu_dual
from ntkreg.kernels.image.loops.duals import parameter

__all__ = ["Pair", "dual"]

Pair = tuple[Any, Any]
"""Covariance after the activation, and the factor of the tangent."""


def _relu(cov: Any, xa: Any, xb: Any, za: Any, zb: Any, parameter: float) -> Pair:
    d = relu_dual(cov.dtype.name, 0.5)
    polynomial: Any = horner
    correlation = cov * (xa * za)
    u = 1 - jnp.abs(correlation)
    root = jnp.where(u > d.tiny, jnp.sqrt(jnp.maximum(u, 0)), 0)
    kappa0 = d.half + jnp.copysign(d.half - root * polynomial(d.a, u), correlation)
    return xb * zb * (u * root * polynomial(d.c, u) + jnp.maximum(correlation, 0)), kappa0


def _leaky_relu(cov: Any, xa: Any, xb: Any, za: Any, zb: Any, parameter: float) -> Pair:
    value, slope = _relu(cov, xa, xb, za, zb, parameter)
    share = (1 - parameter) ** 2
    return parameter * cov + share * value, parameter + share * slope


def _angle(c: Any, w: Any) -> Pair:
    """Return arcsin c and 1 - c^2, not below what Cauchy and Schwarz allow."""
    u = jnp.maximum(1 - jnp.abs(c), w - w * w / 2)
    square = u * (2 - u)
    return jnp.arctan2(c, jnp.sqrt(square)), square


def _erf(cov: Any, xa: Any, xb: Any, za: Any, zb: Any, parameter: float) -> Pair:
    w = xa * za
    angle, square = _angle(2 * cov * w, w)
    return 2 / np.pi * angle, 4 / np.pi * (w / jnp.sqrt(square))


def _gelu(cov: Any, xa: Any, xb: Any, za: Any, zb: Any, parameter: float) -> Pair:
    w, both = xa * za, xb * zb
    c = cov * w
    angle, square = _angle(c, w)
    g = jnp.sqrt(square)
    over = w / g
    rest = jnp.maximum(1 + w * w - both * w, 2 * w)
    value = cov * angle + c * c * over + both * g
    slope = angle + c / g * (over * over + rest)
    return cov / 4 + value / (2 * np.pi), 1 / 4 + slope / (2 * np.pi)


def _sine(cov: Any, xa: Any, xb: Any, za: Any, zb: Any, parameter: float) -> Pair:
    size, rest = jnp.abs(cov), xa + za
    up = jnp.exp(jnp.minimum(size - rest, 0))
    down = jnp.exp(-size - rest)
    # Where S is small the exponentials nearly cancel; b is exp(-q/2), and sinh exact.
    sinh = jnp.where(size < 1, xb * zb * jnp.sinh(jnp.minimum(size, 1)), (up - down) / 2)
    return jnp.copysign(sinh, cov), (up + down) / 2


def _cosine(cov: Any, xa: Any, xb: Any, za: Any, zb: Any, parameter: float) -> Pair:
    return _sine(cov, xa, xb, za, zb, parameter)[::-1]


def _gaussian(cov: Any, xa: Any, xb: Any, za: Any, zb: Any, parameter: float) -> Pair:
    value = jnp.exp(jnp.minimum(2 * parameter * cov - (xa + za), 0))
    return value, 2 * parameter * value


def _normalized_gaussian(cov: Any, xa: Any, xb: Any, za: Any, zb: Any, parameter: float) -> Pair:
    c = jnp.clip(cov * (xa * za), -1, 1)
    value = jnp.exp(parameter * (c - 1))
    return xb * zb * value, parameter * value


_DUALS: dict[type, Callable[..., Pair]] = {
    Relu: _relu,
    LeakyRelu: _leaky_relu,
    Erf: _erf,
    Gelu: _gelu,
    Sin: _sine,
    Cos: _cosine,
    Gaussian: _gaussian,
    NormalizedGaussian: _normalized_gaussian,
}


def dual(activation: Layer) -> Callable[[Any, Any, Any, Any, Any], Pair]:
    """Return the dual of an activation: (S, a, b of x, a, b of z) to value and slope.

    Raises
    ------
    SpecError
        If there is none here.
    """
    if type(activation) not in _DUALS:
        raise SpecError(
            f'backend="jax" has no dual for {activation!r}. Use backend=None, or the kernel_fn '
            "of ntkreg.kernels.to_stax(network) in the network's place."
        )
    function, number = _DUALS[type(activation)], float(parameter(activation))
    return lambda *arguments: function(*arguments, number)
