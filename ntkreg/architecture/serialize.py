"""Architectures to and from plain dictionaries and YAML.

A recipe is written with its arguments, ``{recipe: cntk, depth: 10, readout: gap}``;
any other network layer by layer, ``{layers: [{Conv: {window: 3}}, Relu, ...]}``.
"""

import difflib
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

import yaml

from ntkreg.architecture.layers import LAYERS, Layer
from ntkreg.architecture.network import Architecture
from ntkreg.architecture.recipes import RECIPES
from ntkreg.errors import SpecError

__all__ = ["from_dict", "from_yaml", "to_dict", "to_yaml"]


def to_dict(architecture: Architecture) -> dict[str, Any]:
    """Return the network as dictionaries, lists, strings and numbers."""
    if architecture.recipe is not None:
        return {"recipe": architecture.recipe, **dict(architecture.arguments)}
    return {
        "layers": [
            {type(s).__name__: asdict(s)} if fields(s) else type(s).__name__
            for s in architecture.layers
        ]
    }


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
        return recipe(**arguments)
    if set(spec) != {"layers"}:
        raise SpecError(
            f"architecture: unknown key beside 'layers': {sorted(set(spec) - {'layers'})}."
        )
    if not isinstance(spec["layers"], list):
        raise SpecError(f"architecture: 'layers' must be a list; got {spec['layers']!r}.")
    return Architecture(tuple(_layer(i, item) for i, item in enumerate(spec["layers"])))


def to_yaml(architecture: Architecture) -> str:
    """Return the network as YAML text."""
    return yaml.safe_dump(to_dict(architecture), sort_keys=False)


def from_yaml(text: str) -> Architecture:
    """Build the network that YAML text describes."""
    try:
        return from_dict(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise SpecError(f"architecture: not valid YAML: {error}") from None


def _layer(position: int, item: Any) -> Layer:
    if isinstance(item, str):
        item = {item: {}}
    if not isinstance(item, dict) or len(item) != 1:
        raise SpecError(
            f"architecture: layer {position} must be a name or one name: parameters; got {item!r}."
        )
    [(name, parameters)] = item.items()
    cls = LAYERS[_known(f"layer {position}", name, LAYERS)]
    if not isinstance(parameters, dict | None):
        raise SpecError(
            f"architecture: layer {position}, {name}: parameters must be a mapping; "
            f"got {parameters!r}."
        )
    names = [f.name for f in fields(cls)]
    for key in parameters or {}:
        _known(f"parameter of layer {position}, {name}", key, names)
    try:
        return cls(**(parameters or {}))
    except TypeError as error:
        raise SpecError(f"architecture: layer {position}, {name}: {error}.") from None


def _known(what: str, name: Any, known: Iterable[str]) -> str:
    """Return `name` if it is known, else raise with the nearest known one."""
    known = list(known)
    if name in known:
        return name
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
    raise SpecError(f"architecture: unknown {what}: {name!r}. {hint}")
