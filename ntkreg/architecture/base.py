"""`Layer`, the base of all layers, and the checks that their parameters share."""

import math
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

from ntkreg.errors import SpecError

__all__ = [
    "ADDED_LATER",
    "MOST",
    "Domain",
    "Layer",
    "check_bool",
    "check_int",
    "check_real",
    "check_std",
]

Domain = Literal["image", "vector", "any"]

MOST = 10_000
"""Layers of a network, and pixels along a window: a hundred times what papers use, and few enough
that a network is listed, checked and compared within a second. A kernel of 10,000 layers on images
of 10,000 pixels would take years."""

_STD = 1e-100, 1e100
"""Sizes that a standard deviation or slope may have if it is not 0: their squares are
numbers in float64, and stay so through a layer or two."""

ADDED_LATER = {"added_later": True}
"""Metadata of a field that a layer got after kernels had been stored: at its default it
stays out of fingerprints and YAML, so that networks written before are still the same."""


@dataclass(frozen=True)
class Layer:
    """Base of all layers: what a layer reads and gives."""

    reads: ClassVar[Domain] = "any"
    """Kind of array the layer acts on."""
    gives: ClassVar[Domain] = "any"
    """Kind of array it returns; "any" for the kind it read."""

    @property
    def parameters(self) -> dict[str, Any]:
        """What tells the layer from others of its class, by name."""
        values = {f: getattr(self, f.name) for f in fields(self)}
        return {
            f.name: value
            for f, value in values.items()
            if f.metadata != ADDED_LATER or value != f.default
        }

    def _keep(self, **checked: Any) -> None:
        """Keep parameters as plain Python numbers.

        So that equal layers have one fingerprint and one YAML, from NumPy's numbers too.
        """
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def check_real(layer: str, name: str, value: Any) -> float:
    """Return `value` as a float; raise unless it is a finite number whose square is one."""
    if not _is_finite(value):
        raise SpecError(f"{layer}: {name} must be a finite float; got {value!r}.")
    return _of_size(layer, name, value)


def check_std(layer: str, name: str, value: Any, *, positive: bool) -> float:
    """Return `value` as a float; raise unless it is > 0, or >= 0, and its square is a number."""
    bound = "> 0" if positive else ">= 0"
    if not _is_finite(value) or value < 0 or (positive and value == 0):
        raise SpecError(f"{layer}: {name} must be a finite float {bound}; got {value!r}.")
    return _of_size(layer, name, value)


def _is_finite(value: Any) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def _of_size(layer: str, name: str, value: Any) -> float:
    least, most = _STD
    value = float(value)
    if value != 0 and not least <= abs(value) <= most:
        raise SpecError(
            f"{layer}: {name} must be between {least:g} and {most:g} in size, or its square leaves "
            f"float64; got {value!r}."
        )
    return value


def check_bool(layer: str, name: str, value: Any) -> bool:
    """Return `value`; raise unless it is True or False."""
    if not isinstance(value, bool):
        raise SpecError(f"{layer}: {name} must be True or False; got {value!r}.")
    return value


def check_int(layer: str, name: str, value: Any, least: int, most: int | None = MOST) -> int:
    """Return `value` as an int; raise unless it is an integer from `least` to `most`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise SpecError(f"{layer}: {name} must be an integer >= {least}; got {value!r}.")
    if most is not None and int(value) > most:
        raise SpecError(f"{layer}: {name} must be at most {most:,}; got {value!r}.")
    return int(value)
