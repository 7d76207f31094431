"""Jacobian contraction: the gradients of both blocks, then their products."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from ntkreg.finite.base import Network, Params
from ntkreg.finite.empirical_method import (
    Method,
    Outputs,
    add_product,
    cotangents,
    rows_per_input,
)

__all__ = ["JacobianContraction", "gradients"]


class JacobianContraction(Method):
    """Gradients of every input and output, one matrix product for each parameter array.

    Features are (n, rows_per_input, entries), one array for each of trained parameters.
    """

    def features(self, params: Params, x: Any) -> list[jax.Array]:
        """Return the gradients of a block."""
        return _gradients(self.network, self.outputs)(params, x)

    def product(self, params: Params, left: Any, right: Any) -> jax.Array:
        """Return the NTK of two blocks from their gradients."""
        k = rows_per_input(self.network, self.outputs)
        total = jnp.zeros((k * len(left[0]), k * len(right[0])), left[0].dtype)
        for a, b in zip(left, right, strict=True):
            total = add_product(total, a, b)
        return total


def gradients(network: Network, outputs: Outputs, params: Params, x: jax.Array) -> Params:
    """Return the gradients of inputs (n, *shape) along `cotangents`. Pure.

    Returns
    -------
    pytree
        As the trained parameters, with two axes in front: inputs and cotangents.
    """
    trained, fixed = network.split(params)
    directions = cotangents(network, outputs, x.dtype)

    def of_one(one: jax.Array) -> Params:
        _, pull = jax.vjp(lambda t: network.apply(network.join(t, fixed), one[None])[0], trained)
        return jax.vmap(lambda direction: pull(direction)[0])(directions)

    return jax.vmap(of_one)(x)


@lru_cache(maxsize=32)
def _gradients(network: Network, outputs: Outputs) -> Any:
    k = rows_per_input(network, outputs)

    @jax.jit
    def run(params: Params, x: jax.Array) -> list[jax.Array]:
        found = gradients(network, outputs, params, x)
        return [g.reshape(len(x), k, -1) for g in jax.tree.leaves(found)]

    return run
