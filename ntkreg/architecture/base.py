"""`Layer`, the base of all layers, and the checks that their parameters share."""

import math
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

from ntkreg.errors import SpecError

__all__ = ["ADDED_LATER", "Domain", "Layer", "check_bool", "check_int", "check_real", "check_std"]

Domain = Literal["image", "vector", "any"]

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
    """Return `value` as a float; raise unless it is a finite number."""
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        raise SpecError(f"{layer}: {name} must be a finite float; got {value!r}.")
    return float(value)


def check_std(layer: str, name: str, value: Any, *, positive: bool) -> float:
    """Return `value` as a float; raise unless it is finite and > 0, or >= 0."""
    bound = "> 0" if positive else ">= 0"
    ok = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not ok or value < 0 or (positive and value == 0):
        raise SpecError(f"{layer}: {name} must be a finite float {bound}; got {value!r}.")
    return float(value)


def check_bool(layer: str, name: str, value: Any) -> bool:
    """Return `value`; raise unless it is True or False."""
    if not isinstance(value, bool):
        raise SpecError(f"{layer}: {name} must be True or False; got {value!r}.")
    return value


def check_int(layer: str, name: str, value: Any, least: int) -> int:
    """Return `value` as an int; raise unless it is an integer from `least` on."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise SpecError(f"{layer}: {name} must be an integer >= {least}; got {value!r}.")
    return int(value)
