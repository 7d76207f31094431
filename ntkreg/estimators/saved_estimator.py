"""A fitted estimator as plain data and arrays, and made of them again."""

import functools
import math
from typing import Any

import numpy as np

from ntkreg.architecture import Architecture, from_dict, to_dict
from ntkreg.errors import SpecError
from ntkreg.estimators.classifier import NTKClassifier
from ntkreg.estimators.classifier_cv import NTKClassifierCV
from ntkreg.estimators.kernel_base import spec_of
from ntkreg.estimators.regressor import NTKRegressor
from ntkreg.estimators.regressor_cv import NTKRegressorCV
from ntkreg.estimators.stop import STOP
from ntkreg.gram import kernel_of
from ntkreg.kernels import check_inputs, engine_for, solve_dtype
from ntkreg.kernels.spec import OPTIONS
from ntkreg.solvers import Solution

__all__ = ["ESTIMATORS", "array_names_of", "describe_estimator", "restore_estimator", "restore_fit"]

ESTIMATORS: dict[str, Any] = {
    each.__name__: each for each in (NTKClassifier, NTKRegressor, NTKClassifierCV, NTKRegressorCV)
}
TARGET = {
    "NTKClassifier": "classes",
    "NTKRegressor": "y_mean",
    "NTKClassifierCV": "classes",
    "NTKRegressorCV": "y_mean",
}
"""What each estimator needs beside dual coefficients to turn sums into predictions."""
WEIGHTS, TEMPERATURE, INTERCEPT = "sample_weight", "temperature", "intercept"
"""What deviations of a regressor need, no numbers for no weights (older models have none, and
no deviations); what probabilities of a classifier need, and what its codes are counted from,
where it has them."""
SELECTIONS = ("NTKClassifierCV", "NTKRegressorCV")
CHOICE = ("alphas", "scores", "best_score")
"""What those that chose found: ridges tried, and how good they were."""


def describe_estimator(estimator: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return a fitted estimator with an `Architecture` as a description for JSON, and its arrays.

    Raises
    ------
    SpecError
        Labels that no file holds.
    """
    name = type(estimator).__name__
    target = getattr(estimator, f"{TARGET[name]}_")
    classes = TARGET[name] == "classes"
    arrays = {
        "X_fit": estimator.X_fit_,
        "dual_coef": estimator.dual_coef_,
        TARGET[name]: _plain_labels(name, target) if classes else np.asarray(target),
        **_uncertainty(estimator),
    }
    chose = name in SELECTIONS
    if chose:
        arrays |= {key: np.asarray(getattr(estimator, f"{key}_")) for key in CHOICE}
    alpha = estimator.alpha_ if chose else estimator.alpha
    solution = estimator.solver_result_
    description = {
        "estimator": name,
        "architecture": to_dict(estimator.architecture_),
        "dtype": estimator.dtype_,
        "parameters": {
            "get": estimator.get,
            "alpha": _plain_alpha(alpha),
            "alpha_scale": estimator.alpha_scale,
            **{key: getattr(estimator, key) for key in (*OPTIONS, "image_shape")},
            **_stop(estimator),
        },
        "solution": {
            "alpha": _plain_alpha(solution.alpha),
            "condition": solution.condition,
            "residual": solution.residual,
            "min_eigenvalue": solution.min_eigenvalue,
            **({} if solution.status == "exact" else {"status": solution.status}),
        },
        **({"varied": _varied(estimator)} if chose else {}),
    }
    return description, arrays


def array_names_of(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the arrays that an estimator has, and of those it may have."""
    needed = ("X_fit", "dual_coef", TARGET[name], *(CHOICE if name in SELECTIONS else ()))
    return needed, (WEIGHTS, TEMPERATURE, INTERCEPT)


def restore_fit(
    estimator: Any,
    X_fit: np.ndarray,
    solution: Solution,
    target: np.ndarray,
    n_jobs: int | None = None,
    **fitted: Any,
) -> Any:
    """Give an estimator the fitted attributes of a fit that was done elsewhere.

    Parameters
    ----------
    estimator : NTKClassifier, NTKRegressor, or one of those with a choice
        With an `Architecture`.
    X_fit : ndarray of shape (n, d) or (n, h, w, c)
        Training inputs, in the dtype of the kernel.
    solution : Solution
    target : ndarray
        Its classes, or the mean of y.
    n_jobs : int or None
        Threads in predict.
    **fitted
        More of its fitted attributes.

    Returns
    -------
    The same estimator, fitted.
    """
    estimator.architecture_ = estimator.architecture
    estimator.X_fit_ = X_fit
    estimator.dtype_ = solve_dtype(estimator.architecture_, X_fit, estimator.dtype)
    estimator.n_features_in_ = math.prod(X_fit.shape[1:])
    estimator.solver_result_ = solution
    estimator.dual_coef_ = solution.dual_coef
    fitted[f"{TARGET[type(estimator).__name__]}_"] = target
    vars(estimator).update(fitted)
    estimator.kernel_ = functools.partial(kernel_of, spec_of(estimator), n_jobs=n_jobs)
    return estimator


def restore_estimator(
    described: dict[str, Any], arrays: dict[str, np.ndarray], n_jobs: int | None
) -> Any:
    """Return the fitted estimator, whose settings its network can run.

    Raises
    ------
    TypeError, ValueError
        They are not such settings, or not a network.
    """
    X_fit, parameters = arrays["X_fit"], dict(described["parameters"])
    network = from_dict(described["architecture"])
    shape = check_inputs(network, X_fit[:1], "X_fit").shape[1:]
    if parameters.get("image_shape") is not None:
        parameters["image_shape"] = tuple(parameters["image_shape"])
    name = described["estimator"]
    fitted: dict[str, Any] = {}
    if WEIGHTS in arrays:
        fitted["sample_weight_"] = arrays[WEIGHTS] if arrays[WEIGHTS].size else None
    if TEMPERATURE in arrays:
        fitted["temperature_"] = float(arrays[TEMPERATURE])
        parameters["probability"] = True
    if INTERCEPT in arrays:
        fitted["intercept_"] = arrays[INTERCEPT]
    if name in SELECTIONS:
        fitted |= _choice(parameters.pop("alpha"), described["varied"], network, arrays)
        parameters["alphas"] = arrays["alphas"]
    solution = described["solution"] | {"alpha": np.asarray(described["solution"]["alpha"], float)}
    estimator = restore_fit(
        ESTIMATORS[name](
            network,
            dtype=described.get("dtype", X_fit.dtype.name),  # absent from older models
            n_jobs=n_jobs,
            **parameters,
        ),
        X_fit,
        Solution(arrays["dual_coef"], **solution),
        arrays[TARGET[name]],
        n_jobs,
        **fitted,
    )
    engine_for(spec_of(estimator), shape)
    return estimator


def _varied(estimator: Any) -> list[str]:
    """Return which arguments of the network were chosen; their values are the network's."""
    names = [name.partition("__") for name in estimator.best_params_]
    return [argument for first, _, argument in names if first == "architecture"]


def _choice(
    alpha: Any, varied: list[str], network: Architecture, arrays: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Return the fitted attributes of a choice.

    Raises
    ------
    ValueError
        The network's recipe has no such arguments.
    """
    arguments = network.get_params()
    if strange := [name for name in varied if name not in arguments]:
        raise ValueError(f"varied must name arguments of the network; found {strange[0]!r}.")
    alpha = np.asarray(alpha, float) if isinstance(alpha, list) else float(alpha)
    best = arrays["best_score"]
    return {
        "alpha_": alpha,
        "alphas_": arrays["alphas"],
        "scores_": arrays["scores"],
        "best_score_": best if best.ndim else float(best),
        "best_params_": {
            "alpha": alpha,
            **{f"architecture__{name}": arguments[name] for name in varied},
        },
    }


def _stop(estimator: Any) -> dict[str, Any]:
    """Return when training stopped, nothing where it did not: so are models of old written."""
    # Old pickles have no such attributes.
    stop = {name: getattr(estimator, name, None) for name in STOP}
    return {name: value for name, value in stop.items() if value is not None}


def _uncertainty(estimator: Any) -> dict[str, np.ndarray]:
    """Return the arrays by which a model says how sure it is, and an intercept, if any."""
    found: dict[str, np.ndarray] = {}
    if hasattr(estimator, "temperature_"):
        found[TEMPERATURE] = np.asarray(estimator.temperature_)
    if np.any(getattr(estimator, "intercept_", 0.0)):
        found[INTERCEPT] = np.asarray(estimator.intercept_)
    if hasattr(estimator, "sample_weight_"):
        weights = estimator.sample_weight_
        found[WEIGHTS] = np.empty(0) if weights is None else weights
    return found


def _plain_alpha(value: Any) -> Any:
    """Return ridges of several targets as a list, anything else as it is."""
    return np.asarray(value).tolist() if isinstance(value, np.ndarray) else value


def _plain_labels(name: str, labels: np.ndarray) -> np.ndarray:
    """Return labels as an array that is no pickle: numbers, or text as NumPy's strings."""
    if labels.dtype.kind in "biufU":
        return labels
    if all(isinstance(label, str) for label in labels.tolist()):
        text = labels.astype(str)
        if text.tolist() == labels.tolist():  # not so where zero characters end a label
            return text
    raise SpecError(
        f"save_model: classes_ of {name} must be numbers or text; got labels "
        f"{labels[:3].tolist()!r}... of dtype {labels.dtype}. Fit on such labels."
    )
