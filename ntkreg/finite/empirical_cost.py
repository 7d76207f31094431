"""What the three ways to an empirical NTK cost, in seconds and bytes, from the layers' sizes.

Counts per input and per pair of inputs (Novak et al. 2022, arXiv 2206.08720, table 1, for any
network of layers with weights); n and m inputs, o outputs, k rows of the kernel an input.
"""

import math
from dataclasses import dataclass

import jax

from ntkreg.finite.base import Network
from ntkreg.finite.empirical_method import Outputs, rows_per_input
from ntkreg.finite.empirical_structured import Order, affine_layers
from ntkreg.finite.network import FiniteNetwork

__all__ = ["Blocks", "Cost", "LayerSize", "layer_sizes", "method_cost", "orders"]

_RATE = 2.5e10
"""Multiplications and additions (pairs of them) a second on one core."""

_ROWS = 100
"""Rows at which a product of long gradients reaches half the rate: it reads more than it
computes."""

_BANDWIDTH = 3e9
"""Bytes a second of arrays too large for the cache, written and read once."""

_CALL = 1e-4
"""Seconds of one compiled call and what is around it."""


@dataclass(frozen=True)
class LayerSize:
    """Sizes of a layer with weights.

    Attributes
    ----------
    positions, fan_in, fan_out : int
    n_trained : int
        Trained parameters, 0 for a frozen layer.
    last : bool
        Whether it gives the network's outputs.
    """

    positions: int
    fan_in: int
    fan_out: int
    n_trained: int
    last: bool = False

    @property
    def products(self) -> int:
        """Multiplications of one input with the weights."""
        return self.positions * self.fan_in * self.fan_out

    @property
    def activations(self) -> int:
        """Numbers that come in and go out for one input."""
        return self.positions * (self.fan_in + self.fan_out)


@dataclass(frozen=True)
class Cost:
    """Seconds and numbers held of one way.

    Attributes
    ----------
    form, pair, call : float
        Seconds for the features of one input, a pair of inputs, a pair of blocks.
    held, forming, pair_held : float
        Numbers: the features of one input, what making them takes besides, and a pair's.
    right_only : bool
        Whether features are made of right blocks alone.
    """

    form: float
    pair: float
    call: float
    held: float
    forming: float
    pair_held: float
    right_only: bool = False


@dataclass(frozen=True)
class Blocks:
    """How inputs are cut: `rows` at once against `columns` at once."""

    rows: int
    columns: int


def layer_sizes(network: Network) -> list[LayerSize]:
    """Return the sizes of a network's layers.

    A network that is no `FiniteNetwork` counts as one square dense layer of as many parameters.
    """
    if not isinstance(network, FiniteNetwork):
        shapes = jax.eval_shape(lambda: network.split(network.init(0))[0])
        size = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
        side = max(math.isqrt(size), 1)
        return [LayerSize(1, side, side, size)]
    last = network.blocks[-1].affine
    return [
        LayerSize(
            math.prod(a.shape[:-1]),
            a.fan_in,
            a.shape[-1],
            a.trainable * (a.fan_in + bool(a.bias_multiplier)) * a.shape[-1],
            a is last and len(a.shape) == 1,
        )
        for a in affine_layers(network.blocks)
    ]


def orders(network: FiniteNetwork, outputs: Outputs, n: int, m: int) -> tuple[Order, ...]:
    """Return the quickest order for each trained layer, for n inputs with m."""
    found: list[Order] = []
    for size in layer_sizes(network):
        if not size.n_trained:
            continue
        both: tuple[Order, Order] = ("positions", "gradients")
        o, least = network.n_outputs, min(n, m)
        costs = {order: _layer_cost(size, order, o, outputs, least) for order in both}
        seconds = {order: (n + m) * c.form + n * m * c.pair for order, c in costs.items()}
        found.append("readout" if size.last else min(both, key=seconds.__getitem__))
    return tuple(found)


def method_cost(
    method: str, network: Network, outputs: Outputs, n: int, m: int, itemsize: int
) -> Cost:
    """Return the cost of ``"jacobian"``, ``"products"`` or ``"structured"``."""
    sizes = layer_sizes(network)
    o, k = network.n_outputs, rows_per_input(network, outputs)
    q = 1 if outputs == "sum" else o  # cotangents
    double = itemsize / 4
    weights = sum(s.n_trained for s in sizes)
    forward = sum(s.products for s in sizes)
    trained = sum(s.products for s in sizes if s.n_trained)
    activations = sum(s.activations for s in sizes)
    widest = max(s.activations for s in sizes)
    passes = (1 + q) * forward / _RATE
    moved = (1 + q) * activations * itemsize / _BANDWIDTH
    gradient = q * trained / _RATE + 2 * q * weights * itemsize / _BANDWIDTH
    if method == "structured":
        assert isinstance(network, FiniteNetwork)
        chosen = orders(network, outputs, n, m)
        layers = [
            _layer_cost(s, order, o, outputs, min(n, m), itemsize)
            for s, order in zip((s for s in sizes if s.n_trained), chosen, strict=True)
        ]
        return Cost(
            form=double * (passes + sum(c.form for c in layers)) + moved,
            pair=double * sum(c.pair for c in layers),
            call=(2 + len(layers)) * _CALL,
            held=sum(c.held for c in layers),
            forming=activations + q * 3 * widest,
            pair_held=2 * k * k + max(c.pair_held for c in layers),
        )
    form = double * passes + moved + double * gradient
    if method == "jacobian":
        rank = {"full": o * o, "trace": o, "sum": 1}[outputs]
        return Cost(
            form=form,
            pair=double * rank * weights / _thin(k * min(n, m)),
            call=(2 + len(sizes)) * _CALL,
            held=q * weights,
            forming=activations + q * 3 * widest + q * weights,
            pair_held=3 * k * k,
        )
    return Cost(
        form=form,
        pair=double * q * 2 * forward / _RATE + 2 * q * activations * itemsize / _BANDWIDTH,
        call=2 * _CALL,
        held=2 * q * weights,
        forming=activations + q * 3 * widest,
        pair_held=q * (3 * widest + o) + k * k,
        right_only=True,
    )


def _thin(rows: int) -> float:
    """Return the rate of products of long gradients, as many as `rows`."""
    return _RATE * rows / (rows + _ROWS)


def _layer_cost(
    size: LayerSize, order: Order, o: int, outputs: Outputs, n: int, itemsize: int = 4
) -> Cost:
    """Return what one trained layer adds to layer-wise contraction, for n inputs."""
    k = o if outputs == "full" else 1
    q = 1 if outputs == "sum" else o
    p, i, c = size.positions, size.fan_in, size.fan_out
    if order == "readout":
        return Cost(0, i / _RATE + itemsize * k * k / _BANDWIDTH, 0, i, 0, k * k)
    if order == "gradients":
        rank = {"full": o * o, "trace": o, "sum": 1}[outputs]
        # What comes in and back is written before gradients are made of it.
        moved = 2 * p * (i + q * c) + 2 * q * size.n_trained
        form = q * p * i * c / _RATE + moved * itemsize / _BANDWIDTH
        held = q * size.n_trained
        return Cost(form, rank * size.n_trained / _thin(k * n), 0, held, held, k * k)
    held = p * (i + q * c)
    if p == 1 or k == 1:
        work = p * p * (i + k * q * c) / _RATE
        touched = (k * p) ** 2 + (p * p if p > 1 else 0)
    else:
        work = p * p * i / _RATE + (k * p * p * c + k * k * p * c) / _RATE
        touched = p * p + 2 * k * p * c
    return Cost(0, work + itemsize * touched / _BANDWIDTH, 0, held, 0, touched)
