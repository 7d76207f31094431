"""One function per layer: from its dataclass to ``init`` and ``apply`` in JAX.

To add a layer, write a function that returns its `Block` and decorate it with
``@rule(TheLayer)``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from ntkreg.architecture import (
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    LocalAvgPool,
    Relu,
)
from ntkreg.errors import SpecError
from ntkreg.finite.base import Params
from ntkreg.finite.scaling import Parametrization, Role, Scale, bias_scale, weight_scale

__all__ = ["Block", "Plan", "build", "rule", "weighted_layers"]


@dataclass(frozen=True)
class Block:
    """A layer made ready for inputs of one shape.

    Attributes
    ----------
    apply : callable
        (params, x (n, *shape_in)) -> (n, *shape); pure.
    shape : tuple of int
        What it gives for one input.
    wide : bool
        Whether the last axis of `shape` is a hidden width (it is not before the first
        layer with weights).
    init : callable
        (key, dtype) -> params.
    trainable : pytree of bool, rates : pytree of float
        In the structure of params; `rates` are those of `Scale.adam_rate`.
    """

    apply: Callable[[Params, jax.Array], jax.Array]
    shape: tuple[int, ...]
    wide: bool
    init: Callable[[jax.Array, Any], Params] = lambda key, dtype: {}
    trainable: Any = field(default_factory=dict)
    rates: Any = field(default_factory=dict)


@dataclass
class Plan:
    """Widths still to be given out, in the order in which the layers come.

    Attributes
    ----------
    parametrization : {"ntk", "standard", "mup"}
    widths : tuple of int
        Of every layer with weights, the read-out's last.
    given : int
        How many of them are taken.
    """

    parametrization: Parametrization
    widths: tuple[int, ...]
    given: int = 0

    def next_width(self, wide: bool) -> tuple[int, Role]:
        """Return the next layer's width and role; `wide` says whether its input is hidden."""
        width = self.widths[self.given]
        self.given += 1
        last = self.given == len(self.widths)
        role: Role = ("output" if wide else "only") if last else ("hidden" if wide else "input")
        return width, role


Rule = Callable[[Any, tuple[int, ...], bool, Plan], Block]

_RULES: dict[type[Layer], Rule] = {}


def rule(cls: type[Layer]) -> Callable[[Rule], Rule]:
    """Register a function (layer, shape, wide, plan) -> `Block` for a class of layers."""

    def register(function: Rule) -> Rule:
        _RULES[cls] = function
        return function

    return register


def build(layer: Layer, shape: tuple[int, ...], wide: bool, plan: Plan) -> Block:
    """Return a layer's `Block` for inputs of `shape`.

    Raises
    ------
    SpecError
        If no rule is known for the layer.
    ShapeError
        If inputs of this shape are too small for it.
    """
    if type(layer) not in _RULES:
        raise SpecError(f"finite_network: no finite layer is known for {layer!r}.")
    return _RULES[type(layer)](layer, shape, wide, plan)


def weighted_layers(layers: Sequence[Layer]) -> Iterator[Layer]:
    """Yield the layers with weights in the order in which they take their widths."""
    for layer in layers:
        if isinstance(layer, Dense | Conv):
            yield layer


def _affine(
    layer: Dense | Conv,
    kernel: tuple[int, ...],
    product: Callable[[jax.Array, jax.Array], jax.Array],
    shape: tuple[int, ...],
    role: Role,
    plan: Plan,
) -> Block:
    """Return the block of ``product(x, w) + b``; `kernel` is the shape of w, fan-out last."""
    *fans, fan_out = kernel
    fan_in = 1
    for fan in fans:
        fan_in *= fan
    scales: dict[str, Scale] = {
        "w": weight_scale(plan.parametrization, role, fan_in, fan_out, layer.weight_std)
    }
    shapes = {"w": kernel}
    if layer.bias_std:
        scales["b"] = bias_scale(plan.parametrization, role, fan_out, layer.bias_std)
        shapes["b"] = (fan_out,)

    def init(key: jax.Array, dtype: Any) -> Params:
        keys = dict(zip(("w", "b"), jax.random.split(key), strict=True))
        return {
            name: scale.init_std * jax.random.normal(keys[name], shapes[name], dtype)
            for name, scale in scales.items()
        }

    def apply(params: Params, x: jax.Array) -> jax.Array:
        y = scales["w"].multiplier * product(x, params["w"])
        return y + scales["b"].multiplier * params["b"] if "b" in scales else y

    return Block(
        apply,
        shape,
        True,
        init,
        {name: layer.trainable for name in scales},
        {name: scale.adam_rate for name, scale in scales.items()},
    )


@rule(Dense)
def _dense(layer: Dense, shape: tuple[int, ...], wide: bool, plan: Plan) -> Block:
    width, role = plan.next_width(wide)
    return _affine(layer, (*shape, width), jnp.matmul, (width,), role, plan)


@rule(Conv)
def _conv(layer: Conv, shape: tuple[int, ...], wide: bool, plan: Plan) -> Block:
    width, role = plan.next_width(wide)

    def product(x: jax.Array, w: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(
            x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    kernel = (layer.window, layer.window, shape[-1], width)
    return _affine(layer, kernel, product, (*shape[:2], width), role, plan)


@rule(Relu)
def _relu(layer: Relu, shape: tuple[int, ...], wide: bool, plan: Plan) -> Block:
    return Block(lambda params, x: jax.nn.relu(x), shape, wide)


@rule(Flatten)
def _flatten(layer: Flatten, shape: tuple[int, ...], wide: bool, plan: Plan) -> Block:
    size = shape[0] * shape[1] * shape[2]
    return Block(lambda params, x: x.reshape(len(x), size), (size,), wide)


@rule(GlobalAvgPool)
def _global_avg_pool(layer: GlobalAvgPool, shape: tuple[int, ...], wide: bool, plan: Plan) -> Block:
    return Block(lambda params, x: x.mean(axis=(1, 2)), shape[2:], wide)


@rule(LocalAvgPool)
def _local_avg_pool(layer: LocalAvgPool, shape: tuple[int, ...], wide: bool, plan: Plan) -> Block:
    side = 2 * layer.half_width + 1

    def apply(params: Params, x: jax.Array) -> jax.Array:
        window = (1, side, side, 1)
        box = jax.lax.reduce_window(x, 0.0, jax.lax.add, window, (1, 1, 1, 1), "SAME")
        return box / side**2

    return Block(apply, shape, wide)
