"""What makes a function that lists layers into a recipe, and the arguments recipes share."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ntkreg.architecture.activations import ACTIVATIONS, Activation
from ntkreg.architecture.base import Layer, check_bool, check_int
from ntkreg.architecture.network import Architecture
from ntkreg.errors import SpecError

__all__ = [
    "RECIPES",
    "as_activation",
    "check_frozen",
    "count_frozen",
    "recipe",
    "uncalled_hint",
]

RECIPES: dict[str, Callable[..., Architecture]] = {}
"""Every recipe by name; `@recipe` fills it."""


def recipe(build: Callable[..., list[Layer]]) -> Callable[..., Architecture]:
    """Turn a function that lists layers into one that returns an `Architecture`.

    The network remembers the arguments, defaults included.
    """
    signature = inspect.signature(build)
    name = build.__name__

    @functools.wraps(build)
    def make(*args: Any, **kwargs: Any) -> Architecture:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            known = ", ".join(signature.parameters)
            raise SpecError(f"{name}: {error}. Its arguments are: {known}.") from None
        bound.apply_defaults()
        layers = tuple(build(*bound.args, **bound.kwargs))
        # NumPy's numbers (a grid from np.arange) become plain ones, which YAML can hold.
        kept = ((k, v.item() if hasattr(v, "item") else v) for k, v in bound.arguments.items())
        return Architecture(layers, name, tuple(kept))

    make.__annotations__["return"] = Architecture
    RECIPES[name] = make
    return make


def as_activation(recipe_name: str, value: Any) -> Activation:
    """Return the activation of a name, or the one given."""
    if isinstance(value, Activation):
        return value
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise SpecError(
            f"{recipe_name}: activation must be an Activation or one of {', '.join(ACTIVATIONS)}; "
            f"got {value!r}."
        )
    return ACTIVATIONS[value]


def count_frozen(recipe_name: str, train_first: Any, frozen: Any) -> int:
    """Return how many first hidden layers are not trained, from the two ways to say it."""
    frozen = check_int(recipe_name, "frozen", frozen, 0, most=None)
    if check_bool(recipe_name, "train_first", train_first):
        return frozen
    if frozen:
        raise SpecError(
            f"{recipe_name}: train_first=False is the same as frozen=1, and frozen={frozen} came "
            "beside it. Give one of the two."
        )
    return 1


def check_frozen(networks: Sequence[Architecture]) -> None:
    """Raise if `frozen` of one of several networks is more than the layers of the deepest.

    Not when a network is made: in a sweep over depths all layers of the shallow ones may be frozen.
    """
    deepest = max((network.get_params().get("depth", 0) for network in networks), default=0)
    for network in networks:
        frozen = network.get_params().get("frozen", 0)
        if frozen > deepest:
            raise SpecError(
                f"{network.recipe}: frozen={frozen} is more than the {deepest} hidden layers there "
                f"are. Give at most depth, which freezes all of them; got {network!r}."
            )


def uncalled_hint(value: Any) -> str:
    """Return what to add to an error about what is no network: a recipe is to be called."""
    for name, make in RECIPES.items():
        if value is make or (isinstance(value, str) and value == name):
            return f" Call the recipe: {name}()."
    if isinstance(value, type):
        return f" Make one of this class first: {value.__name__}(...)."
    if isinstance(value, Layer):
        return " Wrap layers: Architecture((...,))."
    return ""
