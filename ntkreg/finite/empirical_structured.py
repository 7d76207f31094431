"""Layer-wise contraction: the NTK from activations and backpropagated cotangents.

The gradient of an output with respect to the weights of a layer is the product of what
comes in, h (positions, fan-in), with what is propagated back, d (positions, fan-out). So no
gradient need ever be formed: for a dense layer

    Theta(x, z) = <h(x), h(z)> <d(x), d(z)>

and for a convolution the same summed over pairs of positions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal

import jax
import jax.numpy as jnp

from ntkreg.finite.base import Params
from ntkreg.finite.blocks import Affine, Block
from ntkreg.finite.empirical_method import (
    Method,
    Outputs,
    add_product,
    cotangents,
    rows_per_input,
)
from ntkreg.finite.network import FiniteNetwork

__all__ = ["LayerWise", "Order", "affine_layers"]

Order = Literal["positions", "gradients", "readout"]
"""How a layer is contracted: over pairs of positions; by its gradients after all, where
positions are many; or, for the last layer, whose cotangents are the same for every input,
with activations alone."""


@dataclass(frozen=True)
class LayerFeatures:
    """What is known of a block at one layer.

    Attributes
    ----------
    incoming : array (n, positions, fan_in); none in the order "gradients"
    back : array (n, k, positions, fan_out); none but in the order "positions"
        Propagated back to what the layer gives, for k rows an input.
    gradients : array (n, k, entries); none but in the order "gradients"
    """

    incoming: Any = None
    back: Any = None
    gradients: Any = None


jax.tree_util.register_dataclass(
    LayerFeatures, data_fields=["incoming", "back", "gradients"], meta_fields=[]
)


class LayerWise(Method):
    """Products of activations times products of cotangents, layer after layer.

    Parameters
    ----------
    network : FiniteNetwork
    outputs : {"trace", "full", "sum"}
    orders : sequence of {"positions", "gradients", "readout"}
        One for each trained layer.
    """

    def __init__(self, network: FiniteNetwork, outputs: Outputs, orders: Sequence[Order]) -> None:
        super().__init__(network, outputs)
        self.orders = tuple(orders)
        self.layers = [a for a in affine_layers(network.blocks) if a.trainable]

    def features(self, params: Params, x: Any) -> list[LayerFeatures]:
        """Return activations and cotangents of a block, layer after layer."""
        return _features(self.network, self.outputs, self.orders)(params, x)

    def product(self, params: Params, left: Any, right: Any) -> jax.Array:
        """Return the NTK of two blocks from their features."""
        k = rows_per_input(self.network, self.outputs)
        n, m = (len(jax.tree.leaves(side)[0]) for side in (left, right))
        total = jnp.zeros((k * n, k * m), jax.tree.leaves(left)[0].dtype)
        for layer, order, a, b in zip(self.layers, self.orders, left, right, strict=True):
            if order == "gradients":
                total = add_product(total, a.gradients, b.gradients)
            else:
                scales = layer.multiplier**2, layer.bias_multiplier**2
                rule = _add_readout if order == "readout" else _add_positions
                total = rule(total, a, b, *scales)
        return total


def affine_layers(blocks: Sequence[Block]) -> Iterator[Affine]:
    """Yield the layers with weights, those in residual blocks too, in the order of parameters."""
    for block in blocks:
        if block.affine is not None:
            yield block.affine
        for branch in block.branches:
            yield from affine_layers(branch)


@lru_cache(maxsize=32)
def _features(network: FiniteNetwork, outputs: Outputs, orders: tuple[Order, ...]) -> Any:
    layers = [a for a in affine_layers(network.blocks) if a.trainable]

    @jax.jit
    def run(params: Params, x: jax.Array) -> list[LayerFeatures]:
        # What is added to a layer's outputs has their cotangents as gradient.
        shifts = [
            None if order == "readout" else jnp.zeros((len(x), *layer.shape), x.dtype)
            for layer, order in zip(layers, orders, strict=True)
        ]
        f, pull, incoming = jax.vjp(
            lambda shifts: _shifted(network, params, x, shifts), shifts, has_aux=True
        )

        def pull_all(direction: jax.Array) -> list[jax.Array | None]:
            return pull(jnp.broadcast_to(direction, f.shape))[0]

        back = jax.vmap(pull_all, out_axes=1)(cotangents(network, outputs, x.dtype))
        return [
            _of_layer(layer, order, h, d, outputs == "trace")
            for layer, order, h, d in zip(layers, orders, incoming, back, strict=True)
        ]

    return run


def _shifted(
    network: FiniteNetwork, params: Params, x: jax.Array, shifts: list[jax.Array | None]
) -> tuple[jax.Array, list[jax.Array]]:
    """Return the outputs with a shift after each trained layer, and what comes in there."""
    waiting = iter(shifts)
    incoming = []

    def follow(blocks: Sequence[Block], own: Params, x: jax.Array) -> jax.Array:
        for block, p in zip(blocks, own, strict=True):
            if block.branches:
                body, shortcut = (follow(b, q, x) for b, q in zip(block.branches, p, strict=True))
                x = body + shortcut
                continue
            y = block.apply(p, x)
            if block.affine is not None and block.affine.trainable:
                incoming.append(block.affine.windows(x))
                shift = next(waiting)
                y = y if shift is None else y + shift
            x = y
        return x

    return follow(network.blocks, params, x), incoming


def _of_layer(
    layer: Affine, order: Order, h: jax.Array, d: jax.Array | None, trace: bool
) -> LayerFeatures:
    """Return a layer's features from h (n, positions.., fan_in), d (n, k, positions.., fan_out)."""
    n, fan_out = len(h), layer.shape[-1]
    h = h.reshape(n, -1, layer.fan_in)
    if d is None:
        return LayerFeatures(incoming=h)
    d = d.reshape(n, -1, h.shape[1], fan_out)
    if order == "gradients":
        # One large product an input: XLA takes five times as long with k as a batch axis.
        back = d.swapaxes(2, 3).reshape(n, -1, h.shape[1])
        g = (layer.multiplier * (back @ h)).reshape(n, d.shape[1], -1)
        if layer.bias_multiplier:
            g = jnp.concatenate([g, layer.bias_multiplier * d.sum(axis=2)], axis=2)
        return LayerFeatures(gradients=g.reshape(n, 1, -1) if trace else g)
    if trace:
        # The sum over outputs is one over channels.
        d = d.swapaxes(1, 2).reshape(n, 1, h.shape[1], -1)
    return LayerFeatures(incoming=h, back=d)


@partial(jax.jit, donate_argnums=0)
def _add_readout(
    total: jax.Array, a: LayerFeatures, b: LayerFeatures, weight: float, bias: float
) -> jax.Array:
    """Add the last layer: its cotangents are orthonormal, or one of norm 1."""
    n, m = len(a.incoming), len(b.incoming)
    k = len(total) // n
    incoming = weight * (a.incoming[:, 0] @ b.incoming[:, 0].T) + bias
    eye = jnp.eye(k, dtype=total.dtype)
    return total + (incoming[:, None, :, None] * eye[None, :, None]).reshape(n * k, m * k)


@partial(jax.jit, donate_argnums=0)
def _add_positions(
    total: jax.Array, a: LayerFeatures, b: LayerFeatures, weight: float, bias: float
) -> jax.Array:
    """Add a layer: products of incoming positions times products of cotangents."""
    n, k, p, c = a.back.shape
    m = len(b.back)
    rows, columns = (s.incoming.reshape(-1, s.incoming.shape[-1]) for s in (a, b))
    incoming = weight * (rows @ columns.T) + bias  # (n p, m p)
    if p == 1 or k == 1:
        back = a.back.reshape(-1, c) @ b.back.reshape(-1, c).T
        products = incoming.reshape(n, 1, p, m, 1, p) * back.reshape(n, k, p, m, k, p)
        return total + products.sum(axis=(2, 5)).reshape(total.shape)
    # One product with cotangents at a time: k p^2 c and k^2 p c instead of k^2 p^2 c.
    incoming = incoming.reshape(n, p, m, p)
    half = jnp.einsum("npmr,nkpc->nkmrc", incoming, a.back)
    return total + jnp.einsum("nkmrc,mlrc->nkml", half, b.back).reshape(total.shape)
