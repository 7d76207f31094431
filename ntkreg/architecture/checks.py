"""Which layer may stand where: a walk through the network that knows no sizes."""

from dataclasses import dataclass

from ntkreg.architecture.activations import Activation, Identity
from ntkreg.architecture.base import MOST, Domain, Layer
from ntkreg.architecture.layers import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LocalAvgPool,
)
from ntkreg.architecture.residual import Residual
from ntkreg.errors import SpecError

__all__ = ["check_network", "first_domain"]

_MOST_NESTED = 50
"""Residual blocks within one another: as deep as a YAML file may be nested."""


@dataclass(frozen=True)
class _Values:
    """What flows between two layers."""

    domain: Domain
    gaussian: bool


def first_domain(layers: tuple[Layer, ...]) -> Domain:
    """Return what the first layer that cares reads; "vector" if none does."""
    return _domain(layers) or "vector"


def check_network(layers: tuple[Layer, ...]) -> None:
    """Raise `SpecError` at the first layer that cannot stand where it does."""
    if not layers:
        raise SpecError("Architecture: a network needs at least one layer; got none.")
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise SpecError(f"Architecture: layer {i} must be a Layer; got {layer!r}.")
    _check_size(layers)
    end = _check_sequence(layers, _Values(first_domain(layers), gaussian=False), "layer")
    if end.domain == "image":
        raise SpecError(
            f"Architecture: the network ends in an image ({layers[-1]!r}). "
            "End it with Flatten or GlobalAvgPool, then Dense(weight_std=1.0)."
        )


def _check_size(layers: tuple[Layer, ...]) -> None:
    """Raise if there are too many layers, those within blocks counted as often as they stand."""
    count, waiting = 0, [(layers, 0)]
    while waiting:
        branch, nested = waiting.pop()
        count += len(branch)
        if count > MOST or nested > _MOST_NESTED:
            raise SpecError(
                f"Architecture: a network may have at most {MOST:,} layers, in blocks nested at "
                f"most {_MOST_NESTED} deep; this one has more. Give it less depth."
            )
        for layer in branch:
            if isinstance(layer, Residual):
                waiting += [(layer.body, nested + 1), (layer.shortcut, nested + 1)]


def _domain(layers: tuple[Layer, ...]) -> Domain | None:
    for layer in layers:
        if layer.reads != "any":
            return layer.reads
        inside = isinstance(layer, Residual) and _domain((*layer.body, *layer.shortcut))
        if inside:
            return inside
    return None


def _check_sequence(layers: tuple[Layer, ...], values: _Values, place: str) -> _Values:
    """Walk `layers`, which get `values`; `place` stands before each one's number in errors."""
    for i, layer in enumerate(layers):
        where = f"Architecture: {place} {i} of {len(layers)}, {layer!r},"
        if layer.reads not in ("any", values.domain):
            remedy = (
                "Put Flatten or GlobalAvgPool before it, or use Conv(window=1)"
                if values.domain == "image"
                else "Move it before the Flatten or GlobalAvgPool"
            )
            raise SpecError(
                f"{where} acts on a {layer.reads} but gets a {values.domain}. {remedy}."
            )
        if isinstance(layer, LocalAvgPool) and not (
            i + 1 < len(layers) and isinstance(layers[i + 1], Flatten)
        ):
            raise SpecError(f"{where} must be followed by Flatten (it is a read-out).")
        values = _after(layer, values, where, f"{place} {i}")
    return values


def _after(layer: Layer, values: _Values, where: str, place: str) -> _Values:
    """Return what comes out of `layer`."""
    domain = values.domain if layer.gives == "any" else layer.gives
    match layer:
        case Identity():
            return values
        case Activation():
            if not values.gaussian:
                raise SpecError(
                    f"{where} acts on values that are not Gaussian, for which its kernel does not "
                    "hold. Put Dense or Conv before it (poolings may stand between)."
                )
            return _Values(domain, gaussian=False)
        case Residual():
            _check_residual(layer, values, where, place)
            return _Values(domain, gaussian=True)
        # Sums over infinitely many inputs make Gaussians; pooling keeps them so, Flatten
        # mixes pixels of different variance.
        case Dense() | Conv():
            return _Values(domain, gaussian=True)
        case AvgPool() | GlobalAvgPool():
            return _Values(domain, values.gaussian)
    return _Values(domain, gaussian=False)


def _check_residual(block: Residual, values: _Values, where: str, place: str) -> None:
    for name, branch in (("body", block.body), ("shortcut", block.shortcut)):
        end = _check_sequence(branch, values, f"{place}, {name} layer")
        if end.domain != values.domain:
            raise SpecError(
                f"{where} has a {name} that turns a {values.domain} into a {end.domain}. "
                f"Both branches must return a {values.domain}."
            )
        if not end.gaussian:
            remedy = (
                f"End the {name} with Dense or Conv"
                if branch
                else "Put Dense or Conv before the block"
            )
            raise SpecError(
                f"{where} has a {name} that gives values that are not Gaussian, for which the "
                f"kernel of a sum is not the sum of kernels. {remedy}."
            )
    if not (_is_new(block.body) or _is_new(block.shortcut)):
        raise SpecError(
            f"{where} adds two branches that both pass their input on, so that they are not "
            "independent and their kernels do not add up. Put Dense or Conv into the body."
        )


def _is_new(branch: tuple[Layer, ...]) -> bool:
    """Whether the branch's Gaussians have mean zero given its input: weights on every path."""
    return any(
        isinstance(layer, Dense | Conv)
        or (isinstance(layer, Residual) and _is_new(layer.body) and _is_new(layer.shortcut))
        for layer in branch
    )
