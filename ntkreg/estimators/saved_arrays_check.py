"""What the arrays of a saved model must be: finite, and of shapes that fit each other.

The files may be a stranger's, or half of one model and half of another.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.estimators.saved_estimator import SELECTIONS, TARGET
from ntkreg.estimators.saved_model_check import Checks

__all__ = ["check_arrays"]

_KINDS = {"classes": ("biufU", "numbers or text"), "feature_names_in": ("U", "text")}
"""Kinds of dtypes of arrays that do not hold floating-point numbers."""


def check_arrays(path: Path, described: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Raise unless the arrays hold finite numbers and have shapes that fit each other.

    Raises
    ------
    DataError
    """
    check = Checks(path)
    for name, array in arrays.items():
        kinds, wanted = _KINDS.get(name, ("f", "floating-point numbers"))
        if array.dtype.kind not in kinds or (array.dtype.itemsize > 8 and kinds == "f"):
            raise check.refuse(name, f"an array of {wanted}", f"{array.dtype}")
        if array.dtype.kind == "f" and name != "scores" and not np.isfinite(array).all():
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
    if TARGET[described["estimator"]] == "classes":
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
    if described["estimator"] in SELECTIONS:
        _check_choice(check, described["parameters"]["alpha"], arrays)
    if described["preprocessing"] is not None:
        _check_fitted(check, described["preprocessing"], arrays, X.shape[1:])


def _check_choice(check: Checks, alpha: Any, arrays: dict[str, np.ndarray]) -> None:
    """Raise unless scores are those of ridges, of which one was chosen."""
    alphas, scores, best = arrays["alphas"], arrays["scores"], arrays["best_score"]
    if alphas.ndim != 1 or not alphas.size:
        raise check.refuse("alphas", "a list of ridges", f"shape {alphas.shape}")
    check.all_good("alphas", ">= 0", alphas, alphas >= 0)
    per_target = (len(alpha),) if isinstance(alpha, list) else ()
    if best.shape != per_target:
        raise check.refuse("best_score", f"of shape {per_target}", f"shape {best.shape}")
    shape = (len(alphas), *per_target)
    if scores.shape != shape and (scores.shape[1:] != shape or not len(scores)):
        wanted = f"of shape {shape}, or that for each of many networks"
        raise check.refuse("scores", wanted, f"shape {scores.shape}")
    check.all_good("scores", "below infinity", scores, scores < np.inf)


_OWNERS = {"sample_weight": "y_mean", "temperature": "classes", "intercept": "classes"}
"""Arrays that models may have, of estimators with that target."""


def _check_uncertainty(check: Checks, name: str, arrays: dict[str, np.ndarray]) -> None:
    """Raise unless weights and temperature, where there are any, can be those of the estimator."""
    for entry, owner in _OWNERS.items():
        if entry in arrays and TARGET[name] != owner:
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
    check: Checks, described: Any, arrays: dict[str, np.ndarray], shape: tuple[int, ...]
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
