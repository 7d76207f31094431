"""What the three ways to an empirical NTK have in common."""

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp

from ntkreg.finite.base import Network, Params

__all__ = ["OUTPUTS", "Method", "Outputs", "add_product", "cotangents", "rows_per_input"]

Outputs = Literal["trace", "full", "sum"]

OUTPUTS: tuple[str, ...] = get_args(Outputs)
"""What becomes of the outputs; see `ntkreg.finite.empirical_kernels`."""


class Method(ABC):
    """A way to the NTK of one block of inputs with another: features of each, their product.

    The product is a matrix with `rows_per_input` rows an input of the left block, output
    after output, and as many columns an input of the right one.

    Parameters
    ----------
    network : Network
    outputs : {"trace", "full", "sum"}
    """

    def __init__(self, network: Network, outputs: Outputs) -> None:
        self.network = network
        self.outputs = outputs

    @abstractmethod
    def features(self, params: Params, x: Any) -> Any:
        """Return what the product needs to know of a block of inputs."""

    @abstractmethod
    def product(self, params: Params, left: Any, right: Any) -> jax.Array:
        """Return the NTK of two blocks from their features."""


def rows_per_input(network: Network, outputs: Outputs) -> int:
    """Return how many rows of the NTK one input has."""
    return network.n_outputs if outputs == "full" else 1


def cotangents(network: Network, outputs: Outputs, dtype: Any) -> jax.Array:
    """Return the directions (k, n_outputs) in the outputs whose gradients are wanted.

    Scaled so that the products of gradients, summed over the k directions for ``"trace"``,
    are the kernel.
    """
    o = network.n_outputs
    if outputs == "sum":
        return jnp.full((1, o), o**-0.5, dtype)
    return jnp.eye(o, dtype=dtype) * (o**-0.5 if outputs == "trace" else 1.0)


@partial(jax.jit, donate_argnums=0)
def add_product(total: jax.Array, left: jax.Array, right: jax.Array) -> jax.Array:
    """Return total + the products of gradients, (n, k, p) with (m, k, p)."""
    a, b = (g.reshape(-1, g.shape[-1]) for g in (left, right))
    return total + a @ b.T
