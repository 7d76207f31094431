"""What the measures ask of their arguments, in one wording."""

from numbers import Integral, Real
from typing import Any

import numpy as np

from ntkreg.errors import SpecError
from ntkreg.landscape.operator import Operator
from ntkreg.landscape.surface import LossSurface

__all__ = ["check_number", "check_operator", "check_seed", "check_surface"]


def check_surface(who: str, surface: Any) -> None:
    """Raise `SpecError` unless it is a `LossSurface`."""
    if not isinstance(surface, LossSurface):
        raise SpecError(f"{who}: surface must be a LossSurface; got {type(surface).__name__}.")


def check_operator(who: str, operator: Any) -> None:
    """Raise `SpecError` unless it is an `Operator`."""
    if not isinstance(operator, Operator):
        raise SpecError(
            f"{who}: operator must be Hessian(surface) or GaussNewton(surface); got "
            f"{type(operator).__name__}."
        )


def check_seed(who: str, seed: Any, most: int | None = None) -> int:
    """Return a seed as an int; raise `SpecError` unless it is an integer from 0 to `most`."""
    number = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not number or seed < 0 or (most is not None and seed > most):
        bound = "" if most is None else f" and <= {most}"
        raise SpecError(f"{who}: seed must be an integer >= 0{bound}; got {seed!r}.")
    return int(seed)


def check_number(who: str, name: str, value: Any, *, zero: bool = False) -> float:
    """Return a finite float > 0, or >= 0 where zero will do; raise `SpecError` otherwise."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 <= value < np.inf or (value == 0 and not zero):
        sign = ">=" if zero else ">"
        raise SpecError(f"{who}: {name} must be a finite number {sign} 0; got {value!r}.")
    return float(value)
