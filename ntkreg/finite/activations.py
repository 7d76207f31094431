"""Activations: one function of a number for each."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

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
from ntkreg.finite.blocks import Block, Plan, rule

__all__: list[str] = []

Formula = Callable[[Any, jax.Array], jax.Array]


def _activation(cls: type[Activation]) -> Callable[[Formula], Formula]:
    """Register a function (layer, x) -> array of the same shape for a class of activations."""

    def register(formula: Formula) -> Formula:
        @rule(cls)
        def block(layer: Activation, shape: tuple[int, ...], wide: bool, plan: Plan) -> Block:
            return Block(lambda params, x: formula(layer, x), shape, wide)

        return formula

    return register


@_activation(Relu)
def _relu(layer: Relu, x: jax.Array) -> jax.Array:
    return jax.nn.relu(x)


@_activation(LeakyRelu)
def _leaky_relu(layer: LeakyRelu, x: jax.Array) -> jax.Array:
    return jnp.where(x > 0, x, layer.slope * x)


@_activation(Erf)
def _erf(layer: Erf, x: jax.Array) -> jax.Array:
    return jax.scipy.special.erf(x)


@_activation(Gelu)
def _gelu(layer: Gelu, x: jax.Array) -> jax.Array:
    return jax.nn.gelu(x, approximate=False)


@_activation(Sin)
def _sin(layer: Sin, x: jax.Array) -> jax.Array:
    return jnp.sin(x)


@_activation(Cos)
def _cos(layer: Cos, x: jax.Array) -> jax.Array:
    return jnp.cos(x)


@_activation(Gaussian)
def _gaussian(layer: Gaussian, x: jax.Array) -> jax.Array:
    return 2**0.5 * jnp.sin((2 * layer.gamma) ** 0.5 * x + jnp.pi / 4)


@_activation(NormalizedGaussian)
def _normalized_gaussian(layer: NormalizedGaussian, x: jax.Array) -> jax.Array:
    # sqrt(q) f(x / sqrt(q)): the series of f (see the layer) is the generating function of
    # the Hermite polynomials, so f(u) = exp(sqrt(gamma) u - gamma). The mean over features
    # stands for the variance q; at infinite width they are equal.
    q = jnp.square(x).mean(axis=-1, keepdims=True)
    root = jnp.sqrt(jnp.where(q > 0, q, 1))
    return jnp.where(q > 0, root * jnp.exp(layer.gamma**0.5 * x / root - layer.gamma), 0)


@_activation(Identity)
def _identity(layer: Identity, x: jax.Array) -> jax.Array:
    return x
