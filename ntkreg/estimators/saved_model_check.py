"""What the description of a saved model must be: each entry's type and range.

The files may be a stranger's, or half of one model and half of another.
"""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.errors import DataError
from ntkreg.estimators.saved_estimator import ESTIMATORS, SELECTIONS
from ntkreg.estimators.stop import STOP
from ntkreg.kernels.spec import LATER, OPTIONS, PRECISIONS

__all__ = ["Checks", "check_description"]

_KEYS = (
    "format",
    "estimator",
    "preprocessing",
    "architecture",
    "dtype",
    "parameters",
    "solution",
    "sha256_of_arrays",
)
_PARAMETERS = {
    "get": ("ntk", "nngp"),
    "alpha_scale": ("absolute", "mean_diagonal"),
    **OPTIONS,
}
_SOLUTION = ("alpha", "condition", "residual", "min_eigenvalue")
_FITTED: dict[str, dict[str, tuple[str, ...]]] = {
    "channel": {"parameters": ("image_shape",), "fitted": ("n_features_in_",)},
    "zca": {
        "parameters": ("center_features", "center_images", "regularization", "unit_norm"),
        "fitted": ("epsilon_", "image_shape_", "n_features_in_"),
    },
}


class Checks:
    """Checks of one file that raise with its name and the entry's."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def refuse(self, entry: str, wanted: str, got: str) -> DataError:
        """Return the error to raise."""
        got = got if len(got) <= 100 else f"{got[:97]}..."
        return DataError(
            f"{self.path}: not a sound model: {entry} must be {wanted}; found {got}. "
            "Fit the model again."
        )

    def mapping(
        self, entry: str, value: Any, keys: tuple[str, ...], old: tuple[str, ...] = ()
    ) -> Any:
        """Return a mapping that has these keys and no others; `old` ones may be absent."""
        if not isinstance(value, Mapping) or not set(keys) - set(old) <= set(value) <= set(keys):
            got = sorted(map(str, value)) if isinstance(value, Mapping) else value
            raise self.refuse(entry, f"an object with {', '.join(keys)}", repr(got))
        return value

    def choice(self, entry: str, value: Any, choices: Collection[Any]) -> None:
        """One of some texts, or null where that is one of them."""
        if not isinstance(value, str | None) or value not in choices:
            wanted = " or ".join("null" if c is None else c for c in choices)
            raise self.refuse(entry, wanted, repr(value))

    def number(self, entry: str, value: Any, *, least: float, above: bool = False) -> None:
        """A finite number from `least` on, or `above` it."""
        ok = isinstance(value, float | int) and not isinstance(value, bool)
        # Compared, not converted: integers can be larger than any float.
        if not ok or not least <= value < math.inf or (above and value == least):
            wanted = "a finite number" + (
                "" if least == -math.inf else f" {'>' if above else '>='} {least:g}"
            )
            raise self.refuse(entry, wanted, repr(value) if ok else type(value).__name__)

    def ridges(self, entry: str, value: Any) -> None:
        """A number >= 0, or a list of them, one for each target."""
        for each in value if isinstance(value, list) and value else [value]:
            self.number(entry, each, least=0)

    def sizes(self, entry: str, value: Any) -> None:
        """Three integers >= 1, or null."""
        ok = isinstance(value, list) and len(value) == 3 and all(map(is_size, value))
        if value is not None and not ok:
            raise self.refuse(entry, "three integers >= 1 or null", repr(value))

    def all_good(self, entry: str, wanted: str, values: np.ndarray, good: np.ndarray) -> None:
        """Nothing but good values, or the first that is not is shown."""
        if not good.all():
            raise self.refuse(entry, wanted, repr(values[~good][0].item()))


def check_description(path: Path, described: dict[str, Any]) -> None:
    """Raise unless every entry of a model's description is there and can be one.

    The architecture is left to `ntkreg.architecture.from_dict`.

    Raises
    ------
    DataError
    """
    check = Checks(path)
    # Older models do not say their dtype, or what came later among the parameters.
    name = described.get("estimator")
    chose = isinstance(name, str) and name in SELECTIONS
    check.mapping("the file", described, (*_KEYS, "varied") if chose else _KEYS, old=("dtype",))
    check.choice("estimator", name, tuple(ESTIMATORS))
    check.choice("dtype", described.get("dtype"), PRECISIONS)
    names = ("alpha", *_PARAMETERS, "image_shape", *STOP)
    parameters = check.mapping(
        "parameters", described["parameters"], names, old=(*LATER, "image_shape", *STOP)
    )
    for entry in set(STOP) & set(parameters):
        check.number(
            f"parameters.{entry}", parameters[entry], least=0, above=entry == "learning_rate"
        )
    for entry, choices in _PARAMETERS.items():
        if entry in parameters:
            check.choice(f"parameters.{entry}", parameters[entry], choices)
    check.ridges("parameters.alpha", parameters["alpha"])
    check.sizes("parameters.image_shape", parameters.get("image_shape"))
    solution = check.mapping(
        "solution", described["solution"], (*_SOLUTION, "status"), old=("status",)
    )
    if not isinstance(status := solution.get("status", "exact"), str) or len(status) > 100:
        raise check.refuse("solution.status", "a short text", repr(status))
    if chose:
        _check_choice(check, described["varied"], status)
    check.ridges("solution.alpha", solution["alpha"])
    for key in ("condition", "residual"):
        check.number(f"solution.{key}", solution[key], least=0)
    if solution["min_eigenvalue"] is not None:
        check.number("solution.min_eigenvalue", solution["min_eigenvalue"], least=-math.inf)
    _check_preprocessing(check, described["preprocessing"])
    sha256 = described["sha256_of_arrays"]
    if not isinstance(sha256, str) or len(sha256) != 64:
        raise check.refuse("sha256_of_arrays", "64 hexadecimal digits", repr(sha256))


def _check_choice(check: Checks, varied: Any, status: str) -> None:
    """Raise unless it is said what was chosen, by training to the end."""
    ok = isinstance(varied, list) and all(isinstance(name, str) for name in varied)
    if not ok or len(set(varied)) != len(varied):
        raise check.refuse("varied", "a list of arguments, each once", repr(varied))
    if status != "exact":
        raise check.refuse("solution.status", '"exact" after a choice', repr(status))


def _check_preprocessing(check: Checks, described: Any) -> None:
    if described is None:
        return
    check.mapping("preprocessing", described, ("name", "parameters", "fitted"))
    name = described["name"]
    check.choice("preprocessing.name", name, tuple(_FITTED))
    for part, keys in _FITTED[name].items():
        entry = f"preprocessing.{part}"
        values = check.mapping(entry, described[part], keys)
        for key, value in values.items():
            match key:
                case "regularization" | "epsilon_":
                    check.number(f"{entry}.{key}", value, least=0, above=True)
                case "image_shape" | "image_shape_":
                    check.sizes(f"{entry}.{key}", value)
                case "n_features_in_" if not is_size(value):
                    raise check.refuse(f"{entry}.{key}", "an integer >= 1", repr(value))
                case "center_features" | "center_images" | "unit_norm":
                    if not isinstance(value, bool):
                        raise check.refuse(f"{entry}.{key}", "true or false", repr(value))


def is_size(value: Any) -> bool:
    return type(value) is int and 1 <= value < 2**62
