"""Architectures to and from plain dictionaries and YAML.

A recipe is written with its arguments, ``{recipe: cntk, depth: 10, readout: gap}``;
any other network layer by layer, ``{layers: [{Conv: {window: 3}}, Relu, ...]}``; layers
within layers in the same way, ``{Residual: {body: [Relu, Conv]}}``.
"""

import difflib
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import yaml

from ntkreg.architecture.base import Layer
from ntkreg.architecture.network import Architecture
from ntkreg.architecture.recipe import RECIPES
from ntkreg.architecture.registry import BRIDGE_ONLY, LAYERS, no_native_form
from ntkreg.documents import parse_yaml
from ntkreg.errors import SpecError

__all__ = ["from_dict", "from_yaml", "to_dict", "to_yaml"]


def to_dict(architecture: Architecture) -> dict[str, Any]:
    """Return the network as dictionaries, lists, strings and numbers."""
    if architecture.recipe is not None:
        # An activation among them is written as a mapping, so that it is not taken for a name.
        arguments = {
            name: _spelled(value) if isinstance(value, Layer) else value
            for name, value in architecture.arguments
        }
        return {"recipe": architecture.recipe, **arguments}
    return {"layers": _plain(architecture.layers)}


def from_dict(spec: Any) -> Architecture:
    """Build the network that `to_dict` wrote; raise `SpecError` naming what is wrong."""
    if not isinstance(spec, dict) or ("recipe" in spec) == ("layers" in spec):
        raise SpecError(
            "architecture: expected a mapping with either 'recipe' "
            f"({', '.join(RECIPES)}) and its arguments, or 'layers'; got {spec!r}."
        )
    if "recipe" in spec:
        arguments = {k: v for k, v in spec.items() if k != "recipe"}
        recipe = RECIPES[_known("recipe", spec["recipe"], RECIPES)]
        for name in arguments:
            _known(f"argument of recipe {spec['recipe']}", name, recipe().get_params())
        layers = {
            name: _layer(f"argument {name} of recipe {spec['recipe']}", value)
            for name, value in arguments.items()
            if isinstance(value, dict)
        }
        return recipe(**arguments | layers)
    if set(spec) != {"layers"}:
        raise SpecError(
            f"architecture: unknown key beside 'layers': {sorted(set(spec) - {'layers'})}."
        )
    if not isinstance(spec["layers"], list):
        raise SpecError(f"architecture: 'layers' must be a list; got {spec['layers']!r}.")
    return Architecture(_layers(spec["layers"], ""))


def to_yaml(architecture: Architecture) -> str:
    """Return the network as YAML text."""
    return yaml.safe_dump(to_dict(architecture), sort_keys=False)


def from_yaml(text: str) -> Architecture:
    """Build the network that YAML text describes."""
    return from_dict(parse_yaml(text, "architecture"))


def _spelled(layer: Layer) -> dict[str, Any]:
    """One name: parameters."""
    parameters = {
        name: _plain(value) if isinstance(value, tuple) else value
        for name, value in layer.parameters.items()
    }
    return {type(layer).__name__: parameters}


def _plain(layers: tuple[Layer, ...]) -> list[Any]:
    """Layers one by one; those without parameters as their name."""
    return [_spelled(layer) if layer.parameters else type(layer).__name__ for layer in layers]


def _layers(items: list[Any], where: str) -> tuple[Layer, ...]:
    return tuple(_layer(f"{where}layer {i}", item) for i, item in enumerate(items))


def _layer(where: str, item: Any) -> Layer:
    if isinstance(item, str):
        item = {item: {}}
    if not isinstance(item, dict) or len(item) != 1:
        raise SpecError(
            f"architecture: {where} must be a name or one name: parameters; got {item!r}."
        )
    [(name, parameters)] = item.items()
    if name in BRIDGE_ONLY:
        raise SpecError(f"architecture: {where}: {no_native_form(name)}")
    cls = LAYERS[_known(where, name, LAYERS)]
    if not isinstance(parameters, dict | None):
        raise SpecError(
            f"architecture: {where}, {name}: parameters must be a mapping; got {parameters!r}."
        )
    parameters = dict(parameters or {})
    names = [f.name for f in fields(cls)]
    for key, value in parameters.items():
        _known(f"parameter of {where}, {name}", key, names)
        if isinstance(value, list):
            parameters[key] = _layers(value, f"{where}, {key} ")
    try:
        return cls(**parameters)
    except TypeError as error:
        raise SpecError(f"architecture: {where}, {name}: {error}.") from None


def _known(what: str, name: Any, known: Iterable[str]) -> str:
    """Return `name` if it is known, else raise with the nearest known one."""
    known = list(known)
    if name in known:
        return name
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
    raise SpecError(f"architecture: unknown {what}: {name!r}. {hint}")
