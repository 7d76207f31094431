"""What a saved model must be: each entry's type and range, and arrays that fit each other.

The files may be a stranger's, or half of one model and half of another.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.errors import DataError

__all__ = ["check_arrays", "check_description"]

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
    "normalize": (None, "unit_diagonal"),
    "symmetry": (None, "flip"),
    "backend": (None, "jax"),
}
_SOLUTION = ("alpha", "condition", "residual", "min_eigenvalue")
_FITTED: dict[str, dict[str, tuple[str, ...]]] = {
    "channel": {"parameters": ("image_shape",), "fitted": ("n_features_in_",)},
    "zca": {
        "parameters": ("center_features", "center_images", "regularization", "unit_norm"),
        "fitted": ("epsilon_", "image_shape_", "n_features_in_"),
    },
}


class _Checks:
    """Checks of one file that raise with its name and the entry's."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def refuse(self, entry: str, wanted: str, got: str) -> DataError:
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

    def choice(self, entry: str, value: Any, choices: tuple[Any, ...]) -> None:
        if not isinstance(value, str | None) or value not in choices:
            wanted = " or ".join("null" if c is None else c for c in choices)
            raise self.refuse(entry, wanted, repr(value))

    def number(self, entry: str, value: Any, *, least: float, above: bool = False) -> None:
        ok = isinstance(value, float | int) and not isinstance(value, bool)
        # Compared, not converted: integers can be larger than any float.
        if not ok or not least <= value < math.inf or (above and value == least):
            wanted = "a finite number" + (
                "" if least == -math.inf else f" {'>' if above else '>='} {least:g}"
            )
            raise self.refuse(entry, wanted, repr(value) if ok else type(value).__name__)

    def sizes(self, entry: str, value: Any) -> None:
        """Three integers >= 1, or null."""
        ok = isinstance(value, list) and len(value) == 3 and all(map(_is_size, value))
        if value is not None and not ok:
            raise self.refuse(entry, "three integers >= 1 or null", repr(value))


def check_description(path: Path, described: dict[str, Any]) -> None:
    """Raise unless every entry of a model's description is there and can be one.

    The architecture is left to `ntkreg.architecture.from_dict`.

    Raises
    ------
    DataError
    """
    check = _Checks(path)
    # Older models do not say their dtype, or what came later among the parameters.
    check.mapping("the file", described, _KEYS, old=("dtype",))
    check.choice("estimator", described["estimator"], ("NTKClassifier", "NTKRegressor"))
    dtypes = (None, "float32", "mixed", "float64")
    check.choice("dtype", described.get("dtype"), dtypes)
    names = ("alpha", *_PARAMETERS)
    parameters = check.mapping(
        "parameters", described["parameters"], names, old=("symmetry", "backend")
    )
    for entry, choices in _PARAMETERS.items():
        if entry in parameters:
            check.choice(f"parameters.{entry}", parameters[entry], choices)
    check.number("parameters.alpha", parameters["alpha"], least=0)
    solution = check.mapping("solution", described["solution"], _SOLUTION)
    for key in ("alpha", "condition", "residual"):
        check.number(f"solution.{key}", solution[key], least=0)
    if solution["min_eigenvalue"] is not None:
        check.number("solution.min_eigenvalue", solution["min_eigenvalue"], least=-math.inf)
    _check_preprocessing(check, described["preprocessing"])
    sha256 = described["sha256_of_arrays"]
    if not isinstance(sha256, str) or len(sha256) != 64:
        raise check.refuse("sha256_of_arrays", "64 hexadecimal digits", repr(sha256))


def _check_preprocessing(check: _Checks, described: Any) -> None:
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
                case "n_features_in_" if not _is_size(value):
                    raise check.refuse(f"{entry}.{key}", "an integer >= 1", repr(value))
                case "center_features" | "center_images" | "unit_norm":
                    if not isinstance(value, bool):
                        raise check.refuse(f"{entry}.{key}", "true or false", repr(value))


def check_arrays(path: Path, described: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Raise unless the arrays hold finite numbers and have shapes that fit each other.

    Raises
    ------
    DataError
    """
    check = _Checks(path)
    for name, array in arrays.items():
        kinds = "biufU" if name == "classes" else "f"
        if array.dtype.kind not in kinds or (array.dtype.itemsize > 8 and kinds == "f"):
            raise check.refuse(name, "an array of floating-point numbers", f"{array.dtype}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise check.refuse(name, "finite", "NaN or infinity")
    X, dual = arrays["X_fit"], arrays["dual_coef"]
    if X.ndim not in (2, 4) or 0 in X.shape:
        raise check.refuse("X_fit", "rows (n, d) or images (n, h, w, c)", f"shape {X.shape}")
    if dual.ndim not in (1, 2) or len(dual) != len(X) or 0 in dual.shape:
        raise check.refuse("dual_coef", f"({len(X)},) or ({len(X)}, targets)", f"{dual.shape}")
    if described["estimator"] == "NTKClassifier":
        n_classes = 2 if dual.ndim == 1 else dual.shape[1]
        classes = arrays["classes"]
        ordered = classes.ndim == 1 and len(np.unique(classes)) == len(classes)
        if classes.shape != (n_classes,) or not ordered:
            raise check.refuse(
                "classes", f"{n_classes} labels, one for each score", f"shape {classes.shape}"
            )
    elif arrays["y_mean"].shape not in (dual.shape[1:], ()):
        wanted = f"of shape {dual.shape[1:]}, as dual_coef"
        raise check.refuse("y_mean", wanted, f"shape {arrays['y_mean'].shape}")
    if described["preprocessing"] is not None:
        _check_fitted(check, described["preprocessing"], arrays, X.shape[1:])


def _check_fitted(
    check: _Checks, described: Any, arrays: dict[str, np.ndarray], shape: tuple[int, ...]
) -> None:
    d, name = described["fitted"]["n_features_in_"], described["name"]
    if d != math.prod(shape):
        raise check.refuse("n_features_in_", f"{math.prod(shape)}, as X_fit has", repr(d))
    if name == "channel":
        mean, scale = arrays["channel_mean_"], arrays["channel_scale_"]
        if mean.ndim != 1 or not mean.size or d % mean.size:
            raise check.refuse("channel_mean_", f"a number a channel of {d}", f"{mean.shape}")
        if scale.shape != mean.shape or (scale <= 0).any():
            raise check.refuse("channel_scale_", "a number > 0 a channel", f"{scale.shape}")
        units = arrays.get("channel__in_units", np.ones((3, len(mean))))
        if units.shape != (3, len(mean)) or (units[2] <= 0).any() or (abs(units[0]) > 1100).any():
            raise check.refuse("channel__in_units", "a power, mean and scale a channel", f"{units}")
        return
    n = arrays["zca_eigenvalues_"].size
    wanted = {"zca_components_": (n, d), "zca_eigenvalues_": (n,), "zca_mean_": (d,)}
    for key, expected in wanted.items():
        if arrays[key].shape != expected:
            raise check.refuse(key, f"of shape {expected}", f"shape {arrays[key].shape}")
    if (arrays["zca_eigenvalues_"] < 0).any():
        raise check.refuse("zca_eigenvalues_", ">= 0", "a negative one")


def _is_size(value: Any) -> bool:
    return type(value) is int and 1 <= value < 2**62
