"""A fitted model in a folder: numbers and text only, nothing that loading could run.

``model.json`` says which estimator, network and settings; ``model.npz`` holds the arrays.
A pickle would be shorter, but whoever opens one runs what its writer wanted.
"""

import functools
import hashlib
import json
import math
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from ntkreg.architecture import Architecture, from_dict, to_dict
from ntkreg.arrays import refuse_masked
from ntkreg.data import ChannelStandardizer, ZCAWhitener, read_arrays
from ntkreg.documents import read_json_mapping
from ntkreg.errors import DataError, SpecError
from ntkreg.estimators.classifier import NTKClassifier
from ntkreg.estimators.kernel_base import spec_of
from ntkreg.estimators.regressor import NTKRegressor
from ntkreg.estimators.saved_model_check import check_arrays, check_description
from ntkreg.estimators.saved_preprocessing import (
    Preprocessing,
    array_names,
    build_preprocessing,
    describe_preprocessing,
)
from ntkreg.estimators.stop import STOP
from ntkreg.gram import kernel_of
from ntkreg.kernels import check_inputs, engine_for, solve_dtype
from ntkreg.kernels.spec import OPTIONS
from ntkreg.solvers import Solution
from ntkreg.storage import open_regular, plain_number, write_arrays, write_json

__all__ = ["load_model", "restore_fit", "save_model"]

FORMAT = 1
ESTIMATORS: dict[str, Any] = {"NTKClassifier": NTKClassifier, "NTKRegressor": NTKRegressor}
PARAMETERS = ("get", "alpha", "alpha_scale", *OPTIONS, "image_shape")
TARGET = {"NTKClassifier": "classes", "NTKRegressor": "y_mean"}
"""What each estimator needs beside dual coefficients to turn sums into predictions."""
SCALERS = {ChannelStandardizer: "scale_", ZCAWhitener: "epsilon_"}
"""What can stand before an estimator, and the attribute that its fit sets last."""
NAMES = "feature_names_in"
"""The array of column names, in models that were fitted on a table."""
WEIGHTS, TEMPERATURE, INTERCEPT = "sample_weight", "temperature", "intercept"
"""What deviations of an NTKRegressor need, no numbers for no weights (older models have none, and
no deviations); what probabilities of an NTKClassifier need, and what its codes are counted from,
where it has them."""


def save_model(model: Any, folder: str | Path) -> None:
    """Write a fitted `NTKClassifier` or `NTKRegressor`, alone or with a scaler before it.

    The scaler is a `ChannelStandardizer` or a `ZCAWhitener`.

    Parameters
    ----------
    model : Pipeline, NTKClassifier or NTKRegressor
        A pipeline of the estimator, or of the scaler and the estimator; an estimator stands for
        the pipeline of itself. Its network is an `Architecture`; its kernel is not precomputed.
        `load_model` names steps as `make_pipeline` does.
    folder : path
        Made if absent; a model in it is replaced.

    Raises
    ------
    SpecError
        Something else, not fitted, or with labels, settings or layers that are no plain data;
        nothing was written.
    OSError
        The folder cannot be written.
    """
    scaler, estimator = _parts(model)
    folder = Path(folder)
    name = type(estimator).__name__
    target = getattr(estimator, f"{TARGET[name]}_")
    arrays = {
        "X_fit": estimator.X_fit_,
        "dual_coef": estimator.dual_coef_,
        TARGET[name]: _plain_labels(target) if name == "NTKClassifier" else np.asarray(target),
    }
    arrays |= _uncertainty(estimator)
    names = getattr(estimator if scaler is None else scaler, f"{NAMES}_", None)
    if names is not None:
        arrays[NAMES] = names.astype(str)
    for entry, array in arrays.items():
        refuse_masked(f"save_model: {entry}", array)
    preprocessing = None
    if scaler is not None:
        preprocessing, more = describe_preprocessing(scaler)
        arrays |= more
    solution = estimator.solver_result_
    description = {
        "format": FORMAT,
        "estimator": name,
        "preprocessing": preprocessing,
        "architecture": to_dict(estimator.architecture_),
        "dtype": estimator.dtype_,
        "parameters": {key: _plain_alpha(getattr(estimator, key)) for key in PARAMETERS}
        | _stop(estimator),
        "solution": {
            "alpha": _plain_alpha(solution.alpha),
            "condition": solution.condition,
            "residual": solution.residual,
            "min_eigenvalue": solution.min_eigenvalue,
            **({} if solution.status == "exact" else {"status": solution.status}),
        },
    }
    try:
        plain = json.loads(json.dumps(description, default=plain_number))
        from_dict(plain["architecture"])  # refuses layers that no saved model can name
    except (TypeError, ValueError) as error:
        raise SpecError(
            f"save_model: model cannot be saved as plain data: {error} Use plain numbers and "
            "ntkreg's own layers, and fit again."
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    write_arrays(folder / "model.npz", arrays)
    # The description goes last, with the hash of the arrays: the old model, the new one, or
    # two files that do not belong together and are told so.
    description["sha256_of_arrays"] = _sha256(folder / "model.npz")
    write_json(folder / "model.json", description)


def load_model(folder: str | Path, *, n_jobs: int | None = None) -> Pipeline:
    """Read the fitted pipeline that `save_model` wrote.

    Parameters
    ----------
    folder : path
    n_jobs : int or None
        Threads for the kernel in predict, as in `ntkreg.kernel`.

    Returns
    -------
    Pipeline
        Predicts the same bits as the one that was saved.

    Raises
    ------
    FileNotFoundError
        There is no model in the folder.
    DataError
        A file of it is damaged, another version of the format, or holds what no fitted model
        does: numbers that are not finite, arrays or settings that do not fit each other.
    BackendError
        The model's kernel runs through JAX, which cannot be imported here.
    """
    folder = Path(folder)
    path = folder / "model.json"
    try:
        described = read_json_mapping(path)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"{folder}: holds no fitted model (model.json). Give the folder that 'ntkreg fit' "
            "wrote it to."
        ) from None
    except DataError as error:
        raise DataError(f"{error} Fit the model again.") from None
    version = described.get("format")
    if type(version) is not int or version != FORMAT:  # True and 1.0 are equal to 1
        raise DataError(f"{path}: not a model of format {FORMAT}. Fit it with this version.")
    return _build(folder, described, n_jobs)


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
    estimator : NTKClassifier or NTKRegressor
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


def _build(folder: Path, described: dict[str, Any], n_jobs: int | None) -> Pipeline:
    check_description(folder / "model.json", described)
    path = folder / "model.npz"
    name = described["estimator"]
    target = TARGET[name]
    scaling, optional = array_names(described["preprocessing"])
    names = ("X_fit", "dual_coef", target, *scaling)
    arrays = read_arrays(path, names, (*optional, NAMES, WEIGHTS, TEMPERATURE, INTERCEPT))
    if _sha256(path) != described["sha256_of_arrays"]:
        raise DataError(
            f"{path}: is not the file that {folder / 'model.json'} was written for. "
            "Fit the model again."
        )
    check_arrays(path, described, arrays)
    try:
        estimator = _restore_estimator(described, arrays, n_jobs)
    except (ValueError, TypeError) as error:
        why = str(error) if len(str(error)) < 300 else f"{str(error)[:297]}..."
        raise DataError(
            f"{folder / 'model.json'}: not a sound model: {why} Fit the model again."
        ) from None
    step = build_preprocessing(described["preprocessing"], arrays)
    pipeline = make_pipeline(estimator) if step is None else make_pipeline(step, estimator)
    if NAMES in arrays:
        pipeline[0].feature_names_in_ = arrays[NAMES].astype(object)
    return pipeline


def _restore_estimator(
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


def _stop(estimator: Any) -> dict[str, Any]:
    """Return when training stopped, nothing where it did not: so are models of old written."""
    # Old pickles have no such attributes.
    stop = {name: getattr(estimator, name, None) for name in STOP}
    return {name: value for name, value in stop.items() if value is not None}


def _parts(model: Any) -> tuple[Preprocessing | None, Any]:
    """Return the scaler, if there is one, and the estimator of a model that can be saved."""
    whole = isinstance(model, Pipeline)
    steps = [step for _, step in model.steps] if whole else [model]
    known = [type(step) in SCALERS for step in steps[:-1]]
    estimators = [type(step) in ESTIMATORS.values() for step in steps[-1:]]
    if len(known) > 1 or not all(known) or estimators != [True]:
        kinds = (
            ", ".join(s if isinstance(s, str) else type(s).__name__ for s in steps) or "no steps"
        )
        raise SpecError(
            "save_model: model must be a fitted NTKClassifier or NTKRegressor, or a Pipeline of "
            "one of them with at most one ChannelStandardizer or ZCAWhitener before it; got "
            f"{'a Pipeline of ' if whole else ''}{kinds}."
        )
    scaler, estimator = steps[0] if known else None, steps[-1]
    for step in steps:
        try:
            check_is_fitted(step, SCALERS.get(type(step), "dual_coef_"))
        except NotFittedError:
            raise SpecError(
                f"save_model: model must be fitted; its {type(step).__name__} is not. "
                "Call fit first."
            ) from None
    if not isinstance(estimator.architecture_, Architecture):
        got = "a precomputed kernel" if estimator.kernel_ is None else "a stax network"
        raise SpecError(
            f"save_model: the kernel of {type(estimator).__name__} must be that of an "
            f'Architecture such as cntk(), with kernel="architecture"; got {got}.'
        )
    return scaler, estimator


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


def _plain_labels(labels: np.ndarray) -> np.ndarray:
    """Return labels as an array that is no pickle: numbers, or text as NumPy's strings."""
    if labels.dtype.kind in "biufU":
        return labels
    if all(isinstance(label, str) for label in labels.tolist()):
        text = labels.astype(str)
        if text.tolist() == labels.tolist():  # not so where zero characters end a label
            return text
    raise SpecError(
        "save_model: classes_ of NTKClassifier must be numbers or text; got labels "
        f"{labels[:3].tolist()!r}... of dtype {labels.dtype}. Fit on such labels."
    )


def _sha256(path: Path) -> str:
    with open_regular(path, links=True) as stream:
        return hashlib.file_digest(cast(BufferedReader, stream), "sha256").hexdigest()
