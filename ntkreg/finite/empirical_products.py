"""NTK-vector products: forward derivatives along the gradients of the other block."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from ntkreg.finite.base import Network, Params
from ntkreg.finite.empirical_jacobian import gradients
from ntkreg.finite.empirical_method import Method, Outputs, cotangents

__all__ = ["VectorProducts"]


class VectorProducts(Method):
    """A column of the NTK is the derivative of all left outputs along one right gradient.

    Features are the inputs themselves.
    """

    def features(self, params: Params, x: Any) -> Any:
        """Return the block."""
        return x

    def product(self, params: Params, left: Any, right: Any) -> jax.Array:
        """Return the NTK of two blocks of inputs."""
        return _product(self.network, self.outputs)(params, left, right)


@lru_cache(maxsize=32)
def _product(network: Network, outputs: Outputs) -> Any:
    @jax.jit
    def run(params: Params, x: jax.Array, z: jax.Array) -> jax.Array:
        trained, fixed = network.split(params)
        _, push = jax.linearize(lambda t: network.apply(network.join(t, fixed), x), trained)
        # (m, k, n, n_outputs): along the gradient of each z and cotangent.
        changes = jax.vmap(jax.vmap(push))(gradients(network, outputs, params, z))
        directions = cotangents(network, outputs, x.dtype)
        if outputs == "full":
            return changes.transpose(2, 3, 0, 1).reshape(changes[0, 0].size, -1)
        return jnp.einsum("mkno,ko->nm", changes, directions)

    return run
