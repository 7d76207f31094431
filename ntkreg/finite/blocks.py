"""Layers made ready for inputs of one shape, and the register of who makes them.

To add a layer, write a function that returns its `Block` and decorate it with
``@rule(TheLayer)`` in `layers` or `activations`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax

from ntkreg.architecture import Layer
from ntkreg.errors import SpecError
from ntkreg.finite.base import Params
from ntkreg.finite.scaling import Parametrization, Role, Scale

__all__ = ["Affine", "Block", "Parameter", "Plan", "build", "build_all", "rule"]


@dataclass(frozen=True)
class Parameter:
    """One array of weights or biases."""

    shape: tuple[int, ...]
    scale: Scale
    trainable: bool


@dataclass(frozen=True)
class Affine:
    """What a layer with weights computes: ``multiplier * windows(x) @ w + bias_multiplier * b``.

    Attributes
    ----------
    windows : callable
        x (n, *shape_in) -> (n, positions..., fan_in); pure. For dense layers x itself.
    shape : tuple of int
        What it gives for one input: (positions..., fan_out).
    fan_in : int
    multiplier, bias_multiplier : float
        The latter 0 without biases.
    trainable : bool
    """

    windows: Callable[[jax.Array], jax.Array]
    shape: tuple[int, ...]
    fan_in: int
    multiplier: float
    bias_multiplier: float
    trainable: bool


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
    parameters : pytree of `Parameter`
        In the structure of params.
    affine : Affine or None
        Of layers with weights.
    branches : tuple of tuples of Block
        Of residual blocks, whose output is the sum of the branches'.
    """

    apply: Callable[[Params, jax.Array], jax.Array]
    shape: tuple[int, ...]
    wide: bool
    parameters: Any = field(default_factory=dict)
    affine: Affine | None = None
    branches: tuple[tuple["Block", ...], ...] = ()


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
    """
    if type(layer) not in _RULES:
        raise SpecError(f"finite_network: no finite layer is known for {layer!r}.")
    return _RULES[type(layer)](layer, shape, wide, plan)


def build_all(
    layers: Sequence[Layer], shape: tuple[int, ...], wide: bool, plan: Plan
) -> tuple[Block, ...]:
    """Return the blocks of layers that follow each other."""
    blocks: list[Block] = []
    for layer in layers:
        blocks.append(build(layer, shape, wide, plan))
        shape, wide = blocks[-1].shape, blocks[-1].wide
    return tuple(blocks)
