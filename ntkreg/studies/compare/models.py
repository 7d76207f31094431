"""Models that the comparison knows: what each can be told, and the settings it is tuned over."""

import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from ntkreg.errors import SpecError
from ntkreg.studies.shared.config import shortened

__all__ = ["KINDS", "Model", "as_model"]

_COSTS = (1e-2, 1e-1, 1.0, 1e1, 1e2)

KINDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "ntk": {"network": ((0, 0), (1, 0), (2, 0), (2, 1), (4, 0), (4, 2)), "C": _COSTS},
    "nngp": {"network": ((1, 0), (2, 0), (3, 0), (4, 0), (6, 0), (8, 0)), "C": _COSTS},
    "cntk": {
        "network": ((1, 0), (3, 0), (5, 0)),
        "readout": ("flatten", "lap"),
        "C": _COSTS,
    },
    "rbf": {"gamma": (2.0**-6, 2.0**-4, 2.0**-2, 1.0, 4.0, 16.0), "C": (0.1, 1.0, 1e1, 1e2, 1e3)},
    "laplacian": {"gamma": (2.0**-4, 2.0**-3, 0.25, 0.5, 1.0, 2.0), "C": (0.1, 1.0, 1e1, 1e2, 1e3)},
    "polynomial": {"degree": (1, 2, 3), "coef0": (0.0, 1.0), "C": _COSTS},
    "arc_cosine": {"order": (0, 1, 2), "depth": (1, 2), "C": _COSTS},
    "random_forest": {
        "max_features": ("sqrt", "log2", 0.25, 0.5, 1.0),
        "min_samples_leaf": (1, 2, 5),
        "criterion": ("gini", "entropy"),
    },
    "gradient_boosting": {
        "learning_rate": (0.03, 0.1, 0.3),
        "max_leaf_nodes": (4, 8, 16, 31, 64),
        "min_samples_leaf": (5, 20),
    },
    "xrfm": {
        "diag": (False, True),
        "bandwidth": (1.0, 3.0, 10.0, 30.0, 100.0),
        "reg": (1e-4, 1e-2, 1.0),
    },
}
"""Settings of each kind, 30 combinations of them by default.

A network is (hidden layers, how many of the first are not trained). xrfm needs the extra
``rivals`` (`ntkreg.studies.compare.rivals`, which says why TabPFN is not here).
"""

KERNELS = ("ntk", "nngp", "cntk", "rbf", "laplacian", "polynomial", "arc_cosine")
"""Kinds that are support vector machines on a kernel."""

_COUNTS = {"degree", "depth", "max_leaf_nodes", "min_samples_leaf"}
_MOST = 1000
"""Combinations, depths and degrees: beyond it somebody mistyped."""


@dataclass(frozen=True)
class Model:
    """One model: its kind, and for each setting the values that it is tuned over.

    Attributes
    ----------
    name, kind : str
    grid : mapping of str to tuple
        Values by setting, the kernel's before C.
    """

    name: str
    kind: str
    grid: Mapping[str, tuple[Any, ...]]

    @property
    def is_kernel(self) -> bool:
        """Whether it is a support vector machine on a kernel."""
        return self.kind in KERNELS

    def settings(self) -> list[dict[str, Any]]:
        """Return all combinations, the last setting changing fastest."""
        return [
            dict(zip(self.grid, values, strict=True))
            for values in itertools.product(*self.grid.values())
        ]


def as_model(name: str, given: Any) -> Model:
    """Return a model of a configuration: {kind: ..., setting: [values]}, or its kind alone.

    Raises
    ------
    SpecError
        No such kind or setting; values that it cannot have, none, or the same twice.
    """
    given = {"kind": given} if isinstance(given, str) else given
    if not isinstance(given, Mapping) or not isinstance(given.get("kind"), str):
        raise SpecError(
            f"models: {name} must be a kind, or {{kind: ..., setting: [values]}}; got "
            f"{shortened(given)}. Kinds: {', '.join(KINDS)}."
        )
    kind = given["kind"]
    if kind not in KINDS:
        raise SpecError(
            f"models: {name}: unknown kind {shortened(kind)}. Kinds: {', '.join(KINDS)}."
        )
    unknown = sorted(map(str, set(given) - {"kind"} - set(KINDS[kind])))
    if unknown:
        raise SpecError(
            f"models: {name}: {kind} has no setting {unknown[0]!r}. It has "
            f"{', '.join(KINDS[kind])}."
        )
    grid = {
        key: _values(f"models: {name}: {key}", key, given.get(key, default))
        for key, default in KINDS[kind].items()
    }
    if kind == "cntk" and any(depth == 0 for depth, _ in grid["network"]):
        raise SpecError(f"models: {name}: network must be of at least one convolution; got [0, 0].")
    total = int(np.prod([len(values) for values in grid.values()]))
    if total > _MOST:
        raise SpecError(f"models: {name} has {total:,} combinations; at most {_MOST:,} are tried.")
    return Model(name, kind, grid)


def _values(where: str, key: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise SpecError(f"{where} must be a list of values to try; got {shortened(values)}.")
    checked = tuple(_value(where, key, value) for value in values)
    if len(set(checked)) < len(checked):
        raise SpecError(f"{where} must be distinct; got {shortened(list(values))}.")
    return checked


def _value(where: str, key: str, value: Any) -> Any:
    """Return one value checked, or raise."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    count = number and isinstance(value, Integral) and abs(int(value)) <= _MOST
    # Compared, not converted: an integer can be larger than any float.
    positive = number and 0 < value <= sys.float_info.max
    if key == "network":
        if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
            depth, frozen = value
            whole = all(isinstance(v, Integral) and not isinstance(v, bool) for v in value)
            if whole and 0 <= frozen <= depth <= _MOST:
                return (int(depth), int(frozen))
        wanted = "[hidden layers, first layers not trained], such as [2, 1]"
    elif key == "max_features":
        if value in ("sqrt", "log2") or (positive and value <= 1):
            return value if isinstance(value, str) else float(value)
        wanted = "sqrt, log2 or a fraction of the columns in (0, 1]"
    elif key == "criterion":
        if value in ("gini", "entropy", "log_loss"):
            return value
        wanted = "gini, entropy or log_loss"
    elif key == "readout":
        if value in ("flatten", "lap", "gap"):
            return value
        wanted = "flatten, lap or gap"
    elif key == "diag":
        if isinstance(value, bool):
            return value
        wanted = "true or false"
    elif key == "order":
        if count and value in (0, 1, 2):
            return int(value)
        wanted = "0, 1 or 2"
    elif key in _COUNTS:
        if count and value >= (2 if key == "max_leaf_nodes" else 1):
            return int(value)
        wanted = f"integers from {2 if key == 'max_leaf_nodes' else 1} to {_MOST}"
    else:
        if positive or (key == "coef0" and number and value == 0):
            return float(value)
        wanted = "finite numbers above 0" if key != "coef0" else "finite numbers >= 0"
    raise SpecError(f"{where} must hold {wanted}; got {shortened(value)}.")
