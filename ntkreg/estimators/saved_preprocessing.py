"""What stands before a saved estimator, as plain data: a fitted standardiser or whitener."""

from typing import Any

import numpy as np

from ntkreg.data import ChannelStandardizer, ZCAWhitener

__all__ = [
    "Preprocessing",
    "array_names",
    "build_preprocessing",
    "describe_preprocessing",
]

Preprocessing = ChannelStandardizer | ZCAWhitener

_CLASSES: dict[str, type[Preprocessing]] = {"channel": ChannelStandardizer, "zca": ZCAWhitener}
_OPTIONAL = {"channel": ("_in_units",), "zca": ()}
"""Fitted arrays that few fits have."""

_ARRAYS = {
    "channel": ("mean_", "scale_"),
    "zca": ("components_", "eigenvalues_", "mean_"),
}
_PLAIN = {"channel": ("n_features_in_",), "zca": ("n_features_in_", "epsilon_", "image_shape_")}
"""Fitted attributes that are arrays, and those that are numbers or shapes."""


def describe_preprocessing(step: Preprocessing) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return a fitted transformer as a description for JSON, and its arrays by name."""
    name = next(key for key, cls in _CLASSES.items() if type(step) is cls)
    description = {
        "name": name,
        "parameters": step.get_params(),
        "fitted": {key: getattr(step, key) for key in _PLAIN[name]},
    }
    found = (*_ARRAYS[name], *(key for key in _OPTIONAL[name] if hasattr(step, key)))
    return description, {f"{name}_{key}": getattr(step, key) for key in found}


def array_names(
    description: dict[str, Any] | None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of a description's arrays and of those it may have; none to None."""
    if description is None:
        return (), ()
    name = description["name"]
    every, some = (tuple(f"{name}_{key}" for key in of[name]) for of in (_ARRAYS, _OPTIONAL))
    return every, some


def build_preprocessing(
    description: dict[str, Any] | None, arrays: dict[str, np.ndarray]
) -> Preprocessing | None:
    """Undo `describe_preprocessing`.

    Raises
    ------
    KeyError, TypeError
        The description is not one of `describe_preprocessing`.
    """
    if description is None:
        return None
    name = description["name"]
    step = _CLASSES[name](**{k: _from_json(v) for k, v in description["parameters"].items()})
    for key in _PLAIN[name]:
        setattr(step, key, _from_json(description["fitted"][key]))
    for key in (*_ARRAYS[name], *_OPTIONAL[name]):
        if f"{name}_{key}" in arrays:
            setattr(step, key, arrays[f"{name}_{key}"])
    return step


def _from_json(value: Any) -> Any:
    """Return what stood for a value in JSON, which has lists only, as it was: a shape."""
    return tuple(value) if isinstance(value, list) else value
