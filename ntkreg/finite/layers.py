"""Linear layers, poolings and residual blocks: one function from each to its `Block`."""

import math
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp

from ntkreg.architecture import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    LocalAvgPool,
    Residual,
)
from ntkreg.architecture.shapes import output_size, window_origin
from ntkreg.errors import ShapeError
from ntkreg.finite.base import Params
from ntkreg.finite.blocks import Affine, Block, Parameter, Plan, build_all, rule
from ntkreg.finite.scaling import Role, bias_scale, weight_scale

__all__ = ["weighted_layers"]


def weighted_layers(layers: Sequence[Layer]) -> Iterator[Layer]:
    """Yield the layers with weights in the order in which they take their widths."""
    for layer in layers:
        if isinstance(layer, Dense | Conv):
            yield layer
        elif isinstance(layer, Residual):
            yield from weighted_layers((*layer.body, *layer.shortcut))


def _affine(
    layer: Dense | Conv,
    kernel: tuple[int, ...],
    windows: Callable[[jax.Array], jax.Array],
    shape: tuple[int, ...],
    role: Role,
    plan: Plan,
) -> Block:
    """Return the block of ``windows(x) @ w + b``; `kernel` is the shape of w, fan-out last."""
    fan_in, fan_out = math.prod(kernel[:-1]), kernel[-1]
    weights = weight_scale(plan.parametrization, role, fan_in, fan_out, layer.weight_std)
    biases = bias_scale(plan.parametrization, role, fan_out, layer.bias_std)
    parameters = {"w": Parameter(kernel, weights, layer.trainable)}
    if layer.bias_std:
        parameters["b"] = Parameter((fan_out,), biases, layer.trainable)

    def apply(params: Params, x: jax.Array) -> jax.Array:
        y = weights.multiplier * (windows(x) @ params["w"].reshape(fan_in, fan_out))
        if not layer.bias_std:
            return y
        b = biases.multiplier * params["b"]
        return y + b.reshape((1,) * (y.ndim - 1) + b.shape)

    affine = Affine(
        windows,
        shape,
        fan_in,
        weights.multiplier,
        biases.multiplier if layer.bias_std else 0.0,
        layer.trainable,
    )
    return Block(apply, shape, True, parameters, affine)


@rule(Dense)
def _dense(layer: Dense, shape: tuple[int, ...], wide: bool, plan: Plan) -> Block:
    width, role = plan.next_width(wide)
    return _affine(layer, (*shape, width), lambda x: x, (width,), role, plan)


@rule(Conv)
def _conv(layer: Conv, shape: tuple[int, ...], wide: bool, plan: Plan) -> Block:
    width, role = plan.next_width(wide)
    height, width_out = output_size(layer, (shape[0], shape[1]))
    side, stride = layer.window, layer.stride
    pads = [(0, 0)]
    for n, count in zip(shape, (height, width_out), strict=False):
        first = window_origin(n, side, stride, layer.padding)
        pads.append((first, max((count - 1) * stride + side - n - first, 0)))
    pads.append((0, 0))

    def windows(x: jax.Array) -> jax.Array:
        # For a matrix product, not lax.conv: on CPUs XLA's gradients of convolutions, and
        # convolutions with one kernel a seed, are 10 to 30 times slower, and in float64
        # they crash (jaxlib 0.10.2). Holds window^2 times the input.
        x = jnp.pad(x, pads, mode="wrap" if layer.padding == "CIRCULAR" else "constant")
        rows, columns = (height - 1) * stride + 1, (width_out - 1) * stride + 1
        return jnp.concatenate(
            [
                x[:, i : i + rows : stride, j : j + columns : stride]
                for i in range(side)
                for j in range(side)
            ],
            axis=-1,
        )

    kernel = (side, side, shape[-1], width)
    return _affine(layer, kernel, windows, (height, width_out, width), role, plan)


@rule(AvgPool)
def _avg_pool(layer: AvgPool, shape: tuple[int, ...], wide: bool, plan: Plan) -> Block:
    window = (1, layer.window, layer.window, 1)

    def apply(params: Params, x: jax.Array) -> jax.Array:
        total = jax.lax.reduce_window(x, 0.0, jax.lax.add, window, window, "VALID")
        return total / layer.window**2

    return Block(apply, (*output_size(layer, (shape[0], shape[1])), shape[2]), wide)


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


@rule(Residual)
def _residual(layer: Residual, shape: tuple[int, ...], wide: bool, plan: Plan) -> Block:
    branches = [build_all(b, shape, wide, plan) for b in (layer.body, layer.shortcut)]
    body, shortcut = (b[-1].shape if b else shape for b in branches)
    if body != shortcut:
        raise ShapeError(
            f"finite_network: Residual: the body gives {body}, the shortcut {shortcut} for one "
            "input. Give both the same width (the shortcut's comes after the body's)."
        )

    def apply(params: Params, x: jax.Array) -> jax.Array:
        ends = []
        for branch, own in zip(branches, params, strict=True):
            y = x
            for block, p in zip(branch, own, strict=True):
                y = block.apply(p, y)
            ends.append(y)
        return ends[0] + ends[1]

    return Block(
        apply,
        body,
        any(b.wide for branch in branches for b in branch[-1:]),
        tuple(tuple(b.parameters for b in branch) for branch in branches),
        branches=tuple(branches),
    )
