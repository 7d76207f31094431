"""Which units of a network can change places, or signs, without changing its outputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from ntkreg.architecture import (
    Activation,
    Conv,
    Dense,
    Erf,
    Identity,
    Layer,
    Residual,
    Sin,
)
from ntkreg.errors import SpecError
from ntkreg.finite.base import Network, Params
from ntkreg.finite.network import FiniteNetwork
from ntkreg.landscape.checks import check_seed

__all__ = ["Axis", "Change", "Symmetries", "apply_symmetry", "draw_symmetry", "symmetries_of"]

_ODD = (Erf, Sin, Identity)
"""Activations with f(-x) = -f(x), through which a unit's sign passes."""


class Axis(NamedTuple):
    """Which units an axis of a parameter array belongs to.

    Attributes
    ----------
    axis : int
    units : int
        Number of the group of units; -1 for inputs and outputs, which stay in place.
    """

    axis: int
    units: int


class Change(NamedTuple):
    """A permutation and signs of one group: unit j becomes ``signs[j]`` times ``order[j]``."""

    order: np.ndarray
    signs: np.ndarray


@dataclass(frozen=True)
class Symmetries:
    """The groups of units of a network that change places together.

    Attributes
    ----------
    axes : pytree
        In the structure of the parameters, a tuple of `Axis` for each array.
    sizes : dict of int to int
        Units in each group.
    odd : frozenset of int
        Groups whose units can change sign.
    """

    axes: Any
    sizes: dict[int, int]
    odd: frozenset[int]


class _Groups:
    """Groups of units, united where a sum of branches ties them."""

    def __init__(self) -> None:
        self.parent = [0]
        self.even: set[int] = set()

    def new(self) -> int:
        self.parent.append(len(self.parent))
        return self.parent[-1]

    def root(self, group: int) -> int:
        while self.parent[group] != group:
            group = self.parent[group]
        return group

    def unite(self, one: int, other: int) -> int:
        # The least number stays, so that what is tied to group 0, inputs and outputs, is fixed.
        low, high = sorted((self.root(one), self.root(other)))
        self.parent[high] = low
        return low


def _walk(layers: Sequence[Layer], group: int, groups: _Groups) -> tuple[tuple[Any, ...], int]:
    """Return (input group, output group) of every array, and the group of the last output."""
    tags: list[Any] = []
    for layer in layers:
        if isinstance(layer, Dense | Conv):
            before, group = group, groups.new()
            tags.append((layer, before, group))
        elif isinstance(layer, Residual):
            body, last = _walk(layer.body, group, groups)
            shortcut, other = _walk(layer.shortcut, group, groups)
            group = groups.unite(last, other)
            tags.append((body, shortcut))
        else:
            if isinstance(layer, Activation) and not isinstance(layer, _ODD):
                groups.even.add(group)
            tags.append(())
    return tuple(tags), group


def symmetries_of(network: Network) -> Symmetries:
    """Return the groups of units of a network from `finite_network`.

    Units of a dense or convolutional layer change places with the rows of the layers that read
    them, through activations, poolings and flattening; a residual block ties its branches'
    outputs (and, with an identity shortcut, its input). Signs pass where every activation that
    acts on the group is odd.

    Raises
    ------
    SpecError
        If the network is not from `finite_network`, or has no hidden layer.
    """
    if not isinstance(network, FiniteNetwork):
        raise SpecError(
            "symmetries_of: network must come from finite_network: only its units can change "
            f"places; got {network!r}."
        )
    return _symmetries_of(network)


@lru_cache(maxsize=64)
def _symmetries_of(network: FiniteNetwork) -> Symmetries:
    groups = _Groups()
    tags, last = _walk(network.architecture.layers, 0, groups)
    groups.unite(0, last)
    even = {groups.root(group) for group in groups.even}
    shapes = jax.eval_shape(lambda: network.init(0))
    sizes: dict[int, int] = {}

    def axes(tag: Any, own: Any) -> Any:
        if isinstance(own, tuple):
            return tuple(axes(t, o) for t, o in zip(tag, own, strict=True))
        if not own:
            return {}
        before, after = (groups.root(g) or -1 for g in tag[1:])
        w = len(own["w"].shape)
        if after > 0:
            sizes[after] = own["w"].shape[-1]
        found: dict[str, tuple[Axis, ...]] = {"w": (Axis(w - 2, before), Axis(w - 1, after))}
        if "b" in own:
            found["b"] = (Axis(0, after),)
        return found

    tagged = axes(tags, shapes)
    if not sizes:
        raise SpecError(
            f"symmetries_of: {network.architecture!r} has no hidden units that could change places."
        )
    return Symmetries(tagged, sizes, frozenset(sizes) - even)


def apply_symmetry(network: Network, params: Params, changes: dict[int, Change]) -> Params:
    """Return the parameters (one draw, not stacked) with units moved and signs changed.

    The outputs stay the same.

    Parameters
    ----------
    network : FiniteNetwork
    params : from ``network.init``
    changes : dict of int to Change
        By group (`symmetries_of`); groups left out stay.

    Returns
    -------
    NumPy arrays in the structure of `params`.
    """
    symmetries = symmetries_of(network)
    network.check_params("apply_symmetry", params)

    def moved(array: Any, axes: tuple[Axis, ...]) -> np.ndarray:
        found = np.asarray(array)
        for axis, units in axes:
            if units in changes:
                found = _along(found, axis, changes[units])
        return found

    return jax.tree.map(moved, params, symmetries.axes)


def _along(array: np.ndarray, axis: int, change: Change) -> np.ndarray:
    """Move units along an axis, which may hold them once for each pixel of a flattened image."""
    n = len(change.order)
    shape = array.shape
    split = array.reshape(*shape[:axis], shape[axis] // n, n, *shape[axis + 1 :])
    signs = change.signs.astype(array.dtype).reshape(-1, *[1] * (len(shape) - axis - 1))
    return (np.take(split, change.order, axis=axis + 1) * signs).reshape(shape)


def draw_symmetry(network: Network, seed: int = 0) -> dict[int, Change]:
    """Return a random symmetry of a network: a permutation, and signs where they pass."""
    symmetries = symmetries_of(network)
    rng = np.random.default_rng(check_seed("draw_symmetry", seed))
    return {
        group: Change(
            rng.permutation(n),
            rng.choice([-1.0, 1.0], n) if group in symmetries.odd else np.ones(n),
        )
        for group, n in sorted(symmetries.sizes.items())
    }
