"""Variants: networks of one recipe that differ in some of its options, computed together."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ntkreg.architecture import Architecture
from ntkreg.errors import SpecError
from ntkreg.kernels.stax.bridge import StaxNetwork

__all__ = ["Variants", "as_variants", "variant_networks"]

Variants = tuple[Mapping[str, Any], ...]
"""Options that replace those of a network, for each of its variants."""


def as_variants(
    network: Architecture | StaxNetwork,
    depths: Sequence[int] | None = None,
    variants: Sequence[Mapping[str, Any]] | None = None,
) -> Variants | None:
    """Return the variants asked for, checked; None for the network itself alone.

    Parameters
    ----------
    network : Architecture or StaxNetwork
    depths : sequence of int or None
        Short for ``variants=[{"depth": d} for d in depths]``.
    variants : sequence of mappings or None
        From options of the network's recipe to values; all others stay. ``{}`` is the network
        itself.

    Raises
    ------
    SpecError
        Both are given; none or no sequence of them, an option that the recipe does not have, a
        value that it refuses, two variants that are the same network; a network without recipe.
    """
    if depths is not None and variants is not None:
        raise SpecError(
            "depths and variants were both given, and depths is short for variants: write "
            f'{{"depth": ...}} into each of variants. Got depths={depths!r}, variants={variants!r}.'
        )
    if depths is not None:
        return _from_depths(network, depths)
    if variants is None:
        return None
    if not isinstance(network, Architecture) or network.recipe is None:
        raise SpecError(
            "variants needs a network made by a recipe, such as cntk(), whose options they change; "
            f"got {network!r}."
        )
    asked = tuple(variants) if _is_sequence(variants) else ()
    if not asked or not all(isinstance(each, Mapping) for each in asked):
        raise SpecError(
            "variants must be a sequence of mappings, at least one, such as "
            f'[{{"half_width": 2}}, {{"half_width": 4}}]; got {variants!r}.'
        )
    known = network.get_params()
    for k, each in enumerate(asked):
        for name in each:
            if name not in known:
                raise SpecError(
                    f"variants[{k}]: {network.recipe} has no option {name!r}. Its options are: "
                    f"{', '.join(known)}."
                )
    _refuse_twins(variant_networks(network, asked))
    return asked


def variant_networks(network: Architecture, variants: Variants | None) -> tuple[Architecture, ...]:
    """Return the networks that variants are; the one given if there are none.

    Raises
    ------
    SpecError
        If a value is refused by the recipe; says in which variant.
    """
    if variants is None:
        return (network,)
    networks = []
    for k, each in enumerate(variants):
        try:
            networks.append(network.replace(**each))
        except SpecError as error:
            raise SpecError(f"variants[{k}]: {error}") from None
    return tuple(networks)


def _from_depths(network: Architecture | StaxNetwork, depths: Sequence[int]) -> Variants:
    if not isinstance(network, Architecture) or "depth" not in network.get_params():
        raise SpecError(
            "depths needs a network made by a recipe with a depth, such as cntk(depth=5); got "
            f"{network!r}."
        )
    asked = tuple(depths) if isinstance(depths, Iterable) else ()
    if not asked or len(set(asked)) < len(asked):
        raise SpecError(f"depths must be distinct integers, at least one; got {depths!r}.")
    for depth in asked:
        network.replace(depth=depth)  # else the error would speak of variants
    return tuple({"depth": depth} for depth in asked)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | Mapping)


def _refuse_twins(networks: Sequence[Architecture]) -> None:
    first: dict[Architecture, int] = {}
    for k, network in enumerate(networks):
        if first.setdefault(network, k) != k:
            raise SpecError(
                f"variants[{first[network]}] and variants[{k}] are the same network, "
                f"{network!r}. Leave one out."
            )
