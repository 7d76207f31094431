"""What a saved model must be: each entry's type and range, and arrays that fit each other.

The files may be a stranger's, or half of one model and half of another.
"""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.errors import DataError
from ntkreg.estimators.stop import STOP
from ntkreg.kernels.spec import LATER, OPTIONS, PRECISIONS

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
_KINDS = {"classes": ("biufU", "numbers or text"), "feature_names_in": ("U", "text")}
"""Kinds of dtypes of arrays that do not hold floating-point numbers."""


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

    def choice(self, entry: str, value: Any, choices: Collection[Any]) -> None:
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

    def ridges(self, entry: str, value: Any) -> None:
        """A number >= 0, or a list of them, one for each target."""
        for each in value if isinstance(value, list) and value else [value]:
            self.number(entry, each, least=0)

    def sizes(self, entry: str, value: Any) -> None:
        """Three integers >= 1, or null."""
        ok = isinstance(value, list) and len(value) == 3 and all(map(_is_size, value))
        if value is not None and not ok:
            raise self.refuse(entry, "three integers >= 1 or null", repr(value))

    def all_good(self, entry: str, wanted: str, values: np.ndarray, good: np.ndarray) -> None:
        if not good.all():
            raise self.refuse(entry, wanted, repr(values[~good][0].item()))


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
    check.ridges("solution.alpha", solution["alpha"])
    for key in ("condition", "residual"):
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
        kinds, wanted = _KINDS.get(name, ("f", "floating-point numbers"))
        if array.dtype.kind not in kinds or (array.dtype.itemsize > 8 and kinds == "f"):
            raise check.refuse(name, f"an array of {wanted}", f"{array.dtype}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise check.refuse(name, "finite", "NaN or infinity")
    X, dual = arrays["X_fit"], arrays["dual_coef"]
    if X.ndim not in (2, 4) or 0 in X.shape:
        raise check.refuse("X_fit", "rows (n, d) or images (n, h, w, c)", f"shape {X.shape}")
    image = described["parameters"].get("image_shape")
    if image not in (None, list(X.shape[1:])):
        raise check.refuse("parameters.image_shape", f"{X.shape[1:]}, as X_fit has", repr(image))
    n_features = math.prod(X.shape[1:])
    names = arrays.get("feature_names_in")
    if names is not None and names.shape != (n_features,):
        raise check.refuse("feature_names_in", f"{n_features} names", f"shape {names.shape}")
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
    for part in ("parameters", "solution"):
        alpha = described[part]["alpha"]
        if isinstance(alpha, list) and (dual.shape[1:] != (len(alpha),)):
            raise check.refuse(f"{part}.alpha", "one number for each target", f"{len(alpha)}")
    _check_uncertainty(check, described["estimator"], arrays)
    if described["preprocessing"] is not None:
        _check_fitted(check, described["preprocessing"], arrays, X.shape[1:])


_OWNERS = {
    "sample_weight": "NTKRegressor",
    "temperature": "NTKClassifier",
    "intercept": "NTKClassifier",
}
"""Arrays that models of one estimator may have."""


def _check_uncertainty(check: _Checks, name: str, arrays: dict[str, np.ndarray]) -> None:
    """Raise unless weights and temperature, where there are any, can be those of the estimator."""
    for entry, owner in _OWNERS.items():
        if entry in arrays and name != owner:
            raise check.refuse(entry, f"absent from an {name}", f"shape {arrays[entry].shape}")
    weights = arrays.get("sample_weight", np.empty(0))
    if weights.shape not in ((0,), arrays["X_fit"].shape[:1]):
        wanted = f"a number for each of {len(arrays['X_fit'])} samples, or none"
        raise check.refuse("sample_weight", wanted, f"shape {weights.shape}")
    check.all_good("sample_weight", ">= 0", weights, weights >= 0)
    if weights.size and not weights.any():
        raise check.refuse("sample_weight", "> 0 somewhere", "zeros")
    intercept, shape = arrays.get("intercept"), arrays["dual_coef"].shape[1:]
    if intercept is not None and intercept.shape != shape:
        raise check.refuse("intercept", f"of shape {shape}", f"shape {intercept.shape}")
    temperature = arrays.get("temperature", np.ones(()))
    if temperature.shape:
        raise check.refuse("temperature", "one number", f"shape {temperature.shape}")
    check.all_good("temperature", "> 0", temperature.reshape(1), temperature.reshape(1) > 0)


def _check_fitted(
    check: _Checks, described: Any, arrays: dict[str, np.ndarray], shape: tuple[int, ...]
) -> None:
    d, name = described["fitted"]["n_features_in_"], described["name"]
    if d != math.prod(shape):
        raise check.refuse("n_features_in_", f"{math.prod(shape)}, as X_fit has", repr(d))
    if name == "channel":
        mean, scale = arrays["channel_mean_"], arrays["channel_scale_"]
        if mean.ndim != 1 or not mean.size or d % mean.size:
            wanted = f"a number a channel of {d}"
            raise check.refuse("channel_mean_", wanted, f"shape {mean.shape}")
        wanted = "a number > 0 a channel"
        if scale.shape != mean.shape:
            raise check.refuse("channel_scale_", wanted, f"shape {scale.shape}")
        check.all_good("channel_scale_", wanted, scale, scale > 0)
        units = arrays.get("channel__in_units", np.ones((3, len(mean))))
        wanted = "a power, mean and scale a channel"
        if units.shape != (3, len(mean)):
            raise check.refuse("channel__in_units", wanted, f"shape {units.shape}")
        wanted = "powers from -1100 to 1100, means, and scales > 0"
        check.all_good("channel__in_units", wanted, units[0], abs(units[0]) <= 1100)
        check.all_good("channel__in_units", wanted, units[2], units[2] > 0)
        image = described["parameters"]["image_shape"]
        if image is not None and (math.prod(image) != d or image[-1] != mean.size):
            wanted = f"of {d} values in {mean.size} channels"
            raise check.refuse("preprocessing.parameters.image_shape", wanted, repr(image))
        return
    n = arrays["zca_eigenvalues_"].size
    shapes = {"zca_components_": (n, d), "zca_eigenvalues_": (n,), "zca_mean_": (d,)}
    for key, expected in shapes.items():
        if arrays[key].shape != expected:
            raise check.refuse(key, f"of shape {expected}", f"shape {arrays[key].shape}")
    values = arrays["zca_eigenvalues_"]
    check.all_good("zca_eigenvalues_", ">= 0", values, values >= 0)
    image = described["fitted"]["image_shape_"]
    if image is not None and math.prod(image) != d:
        raise check.refuse("preprocessing.fitted.image_shape_", f"of {d} values", repr(image))


def _is_size(value: Any) -> bool:
    return type(value) is int and 1 <= value < 2**62
