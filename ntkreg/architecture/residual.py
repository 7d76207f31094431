"""`Residual`: the sum of two branches of layers."""

from dataclasses import dataclass
from typing import Any

from ntkreg.architecture.base import Layer
from ntkreg.errors import SpecError

__all__ = ["Residual"]


@dataclass(frozen=True)
class Residual(Layer):
    """Sum of two branches that read the same values: x -> body(x) + shortcut(x).

    NNGP and NTK of the sum are the sums of the branches' own, since a branch that ends in
    weights of its own has mean zero whatever the other one does (Garriga-Alonso et al. 2019,
    arXiv 1808.05587). `Architecture` checks that this holds: both branches must
    give Gaussians, and one of them must have weights.

    Parameters
    ----------
    body : sequence of Layer
        At least one; may hold further `Residual` blocks.
    shortcut : sequence of Layer, default=()
        None for the identity; a `Conv` of the body's stride where sizes change.

    Examples
    --------
    >>> from ntkreg.architecture import Conv, Relu, Residual
    >>> block = Residual((Relu(), Conv(stride=2)), (Conv(1, stride=2),))
    """

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()

    def __post_init__(self) -> None:
        self._keep(
            body=_branch("body", self.body),
            shortcut=_branch("shortcut", self.shortcut),
        )
        if not self.body:
            raise SpecError("Residual: body must have at least one layer; got none.")


def _branch(name: str, layers: Any) -> tuple[Layer, ...]:
    if not isinstance(layers, tuple | list):
        raise SpecError(f"Residual: {name} must be a sequence of layers; got {layers!r}.")
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise SpecError(f"Residual: {name} layer {i} must be a Layer; got {layer!r}.")
    return tuple(layers)
