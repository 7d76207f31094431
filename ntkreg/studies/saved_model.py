"""A fitted model in a folder: numbers and text only, nothing that loading could run.

``model.json`` says which estimator, network and settings; ``model.npz`` holds the arrays.
A pickle would be shorter, but whoever opens one runs what its writer wanted.
"""

import functools
import hashlib
import math
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline

from ntkreg.architecture import from_dict, to_dict
from ntkreg.arrays import refuse_masked
from ntkreg.data import read_arrays
from ntkreg.documents import read_json_mapping
from ntkreg.errors import DataError
from ntkreg.estimators import NTKClassifier, NTKRegressor
from ntkreg.gram import kernel
from ntkreg.kernels import solve_dtype
from ntkreg.kernels.inputs import check_inputs
from ntkreg.solvers import Solution
from ntkreg.storage import open_regular, write_arrays, write_json
from ntkreg.studies.preprocessing import (
    array_names,
    build_preprocessing,
    describe_preprocessing,
)
from ntkreg.studies.saved_model_check import check_arrays, check_description

__all__ = ["load_model", "restore_fit", "save_model"]

FORMAT = 1
ESTIMATORS = {"NTKClassifier": NTKClassifier, "NTKRegressor": NTKRegressor}
PARAMETERS = ("get", "alpha", "alpha_scale", "normalize", "symmetry", "backend")
TARGET = {"NTKClassifier": "classes", "NTKRegressor": "y_mean"}
"""What each estimator needs beside dual coefficients to turn sums into predictions."""


def save_model(model: Pipeline, folder: str | Path) -> None:
    """Write a fitted pipeline of `NTKClassifier` or `NTKRegressor`, or a scaler and one of them.

    The scaler is a `ChannelStandardizer` or a `ZCAWhitener`.

    Parameters
    ----------
    model : Pipeline
        Its network is an `Architecture`; its kernel is not precomputed.
    folder : path
        Made if absent; a model in it is replaced.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    estimator = model[-1]
    name = type(estimator).__name__
    arrays = {
        "X_fit": estimator.X_fit_,
        "dual_coef": estimator.dual_coef_,
        TARGET[name]: np.asarray(getattr(estimator, f"{TARGET[name]}_")),
    }
    for entry, array in arrays.items():
        refuse_masked(f"save_model: {entry}", array)
    preprocessing = None
    if len(model) > 1:
        preprocessing, more = describe_preprocessing(model[0])
        arrays |= more
    write_arrays(folder / "model.npz", arrays)
    solution = estimator.solver_result_
    description = {
        "format": FORMAT,
        "estimator": name,
        "preprocessing": preprocessing,
        "architecture": to_dict(estimator.architecture_),
        "dtype": estimator.dtype_,
        "parameters": {key: getattr(estimator, key) for key in PARAMETERS},
        "solution": {
            "alpha": float(solution.alpha),
            "condition": solution.condition,
            "residual": solution.residual,
            "min_eigenvalue": solution.min_eigenvalue,
        },
        "sha256_of_arrays": _sha256(folder / "model.npz"),
    }
    # The description goes last, with the hash of the arrays: the old model, the new one, or
    # two files that do not belong together and are told so.
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
        does: numbers that are not finite, arrays that do not fit each other.
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
    if described.get("format") != FORMAT:
        raise DataError(f"{path}: not a model of format {FORMAT}. Fit it with this version.")
    return _build(folder, described, n_jobs)


def restore_fit(
    estimator: Any,
    X_fit: np.ndarray,
    solution: Solution,
    target: np.ndarray,
    n_jobs: int | None = None,
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
    setattr(estimator, f"{TARGET[type(estimator).__name__]}_", target)
    estimator.kernel_ = functools.partial(
        kernel,
        estimator.architecture_,
        get=estimator.get,
        dtype=estimator.dtype_,
        normalize=estimator.normalize,
        symmetry=estimator.symmetry,
        backend=estimator.backend,
        n_jobs=n_jobs,
    )
    return estimator


def _build(folder: Path, described: dict[str, Any], n_jobs: int | None) -> Pipeline:
    check_description(folder / "model.json", described)
    path = folder / "model.npz"
    name = described["estimator"]
    target = TARGET[name]
    scaling, optional = array_names(described["preprocessing"])
    arrays = read_arrays(path, ("X_fit", "dual_coef", target, *scaling), optional)
    if _sha256(path) != described["sha256_of_arrays"]:
        raise DataError(
            f"{path}: is not the file that {folder / 'model.json'} was written for. "
            "Fit the model again."
        )
    check_arrays(path, described, arrays)
    X_fit = arrays["X_fit"]
    try:
        network = from_dict(described["architecture"])
        check_inputs(network, X_fit[:1], "X_fit")
    except (ValueError, TypeError) as error:
        why = str(error) if len(str(error)) < 300 else f"{str(error)[:297]}..."
        raise DataError(
            f"{folder / 'model.json'}: not a sound model: {why} Fit the model again."
        ) from None
    estimator = restore_fit(
        ESTIMATORS[name](
            network,
            dtype=described.get("dtype", X_fit.dtype.name),  # absent from older models
            n_jobs=n_jobs,
            **described["parameters"],
        ),
        X_fit,
        Solution(arrays["dual_coef"], **described["solution"]),
        arrays[target],
        n_jobs,
    )
    step = build_preprocessing(described["preprocessing"], arrays)
    return make_pipeline(estimator) if step is None else make_pipeline(step, estimator)


def _sha256(path: Path) -> str:
    with open_regular(path, links=True) as stream:
        return hashlib.file_digest(cast(BufferedReader, stream), "sha256").hexdigest()
