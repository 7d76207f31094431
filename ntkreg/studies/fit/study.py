"""One model on one data set: fit, test, save; predict with it later."""

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone, is_classifier
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.pipeline import Pipeline, make_pipeline

from ntkreg.architecture import from_dict
from ntkreg.data import ImageData, load_inputs
from ntkreg.errors import DataError
from ntkreg.estimators import NTKClassifier, NTKRegressor
from ntkreg.estimators.labels import decode_labels
from ntkreg.estimators.saved_estimator import restore_fit
from ntkreg.estimators.saved_model import load_model, save_model
from ntkreg.gram import gram_of
from ntkreg.gram.manifest import check_folder
from ntkreg.kernels import KernelSpec, kernel_dtype, solve_dtype
from ntkreg.kernels.spec import OPTIONS
from ntkreg.storage import write_table
from ntkreg.studies.fit.config import FitConfig
from ntkreg.studies.shared.preprocessing import make_preprocessing
from ntkreg.studies.shared.record import write_record
from ntkreg.studies.shared.selection import load_selected

__all__ = ["FitConfig", "load_selected", "run_fit", "run_predict", "spec_of"]


def run_fit(
    config: FitConfig,
    output: str | Path,
    *,
    n_jobs: int | None = None,
    progress: bool | None = None,
    store: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Fit, test on the test inputs, and write model and results into a folder.

    Parameters
    ----------
    config : FitConfig
    output : path of a folder
        Made if absent.
    n_jobs : int or None
        Threads; None for one a core.
    progress : bool or None
        Progress bar; None for one where the work takes more than two seconds.
    store : path or None
        Folder of kernels that studies and estimators share; then those of training and test
        inputs are found or kept there, whatever `store_kernel` says.

    Returns
    -------
    dict
        n_train, n_test, accuracy (percent; regression: r2 and rmse), alpha (absolute),
        condition, min_eigenvalue, residual, fit_seconds, test_seconds. Also under
        ``results`` in ``record.json``; beside it ``config.yaml`` and ``model/``.

    Raises
    ------
    SpecError, DataError, PlanError, StoreMismatchError, NotPSDError
        Settings, data or ridge that do not go together; a kernel too big; a folder with
        another model's kernel.
    """
    output = Path(output)
    data = load_selected(config)
    start = time.perf_counter()
    model = _fit(config, data, output / "kernel", n_jobs, progress, store)
    fitted = time.perf_counter()
    results: dict[str, Any] = {"n_train": len(data.X_train), "n_test": len(data.X_test)}
    if len(data.X_test):
        results |= _metrics(config.task, data.y_test, model.predict(data.X_test))
    solution = model[-1].solver_result_
    results |= {
        "alpha": float(solution.alpha),
        "condition": solution.condition,
        "min_eigenvalue": solution.min_eigenvalue,
        "residual": solution.residual,
        "fit_seconds": fitted - start,
        "test_seconds": time.perf_counter() - fitted,
    }
    output.mkdir(parents=True, exist_ok=True)
    save_model(model, output / "model")
    write_record(output, config, results=results, data=asdict(data.provenance))
    return results


def run_predict(
    folder: str | Path,
    source: str,
    output: str | Path,
    *,
    key: str = "x_test",
    n_jobs: int | None = None,
    store: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Predict with a saved model and write one row for each input.

    Parameters
    ----------
    folder : path
        Of the model, or the folder that `run_fit` wrote into.
    source, key : str
        As in `ntkreg.data.load_inputs`.
    output : path of a CSV file
        Columns index, predicted, label (if the data have any) and, of a classifier, one
        ``score_`` column for each class (with two classes, for the second only).
    n_jobs : int or None
        Threads; None for one a core.
    store : path or None
        Folder of kernels that studies and estimators share, for that of these inputs with the
        training inputs; None: it is not kept.

    Returns
    -------
    dict
        n and, if there are labels, the metrics of `run_fit`.

    Raises
    ------
    FileNotFoundError, DataError
        A missing or damaged model or data file; labels of another kind or number than the
        model's.
    """
    folder = Path(folder)
    inner = folder / "model"
    model = load_model(inner if (inner / "model.json").exists() else folder, n_jobs=n_jobs)
    if store is not None:
        model[-1].set_params(store=check_folder(store, "store"))
    X, y, _ = load_inputs(source, key)
    _check_inputs(source, key, X)
    if y is not None:
        _check_labels(source, y, len(X), model[-1])
    rows: dict[str, Any] = {"index": np.arange(len(X))}
    task = "classify" if is_classifier(model[-1]) else "regress"
    if task == "classify":
        scores = model.decision_function(X)
        scores = scores[:, None] if scores.ndim == 1 else scores
        classes = model[-1].classes_
        # The scores say it all: predict would compute the kernel a second time.
        rows["predicted"] = decode_labels(scores, classes)
        shown = classes[-scores.shape[1] :]
        rows |= {f"score_{c}": scores[:, i] for i, c in enumerate(shown)}
    else:
        rows["predicted"] = model.predict(X)
    if y is not None:
        rows["label"] = y
    target = Path(output)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_table(target, pd.DataFrame(rows))
    return {"n": len(X)} | ({} if y is None else _metrics(task, y, rows["predicted"]))


def _check_inputs(source: Any, key: str, X: np.ndarray) -> None:
    if X.dtype.kind not in "buif" or X.ndim not in (2, 4) or not len(X):
        raise DataError(
            f"{source}: {key} must be numbers, images (n, h, w, c) or (n, h, w) or rows (n, d), at "
            f"least one; found {X.dtype} of shape {X.shape}."
        )


def _check_labels(source: Any, y: np.ndarray, n: int, estimator: Any) -> None:
    """Raise unless labels are one an input, and of the kind that the model was fitted on."""
    if is_classifier(estimator):
        shape, is_text = (n,), estimator.classes_.dtype.kind == "U"
        kinds = "U" if is_text else "buif"
        learnt = f"{'strings' if is_text else 'numbers'} such as {estimator.classes_[0]!s}"
    else:
        shape, kinds = (n, *estimator.dual_coef_.shape[1:]), "buif"
        learnt = "numbers"
    if y.shape != shape or y.dtype.kind not in kinds:
        raise DataError(
            f"{source}: labels must be {learnt}, as the model was fitted on, of shape {shape}; "
            f"found {y.dtype} of shape {y.shape}. Give data of that kind, or leave labels out."
        )
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise DataError(f"{source}: labels hold NaN or infinity.")


def spec_of(config: FitConfig, data: ImageData) -> KernelSpec:
    """Return the kernel that a fit is made with."""
    network = from_dict(config.architecture)
    dtype = solve_dtype(network, data.X_train, config.dtype)
    return KernelSpec(network, get=config.get, dtype=dtype, **config.options)


def _fit(
    config: FitConfig,
    data: ImageData,
    folder: Path,
    n_jobs: int | None,
    progress: bool | None,
    store: str | os.PathLike[str] | None,
) -> Pipeline:
    spec = spec_of(config, data)
    cls = NTKClassifier if config.task == "classify" else NTKRegressor
    estimator = cls(
        spec.network,
        get=spec.get,
        alpha=config.alpha,
        alpha_scale=config.alpha_scale,
        dtype=spec.dtype,
        store=store,
        n_jobs=n_jobs,
        **spec.options,
    )
    step = make_preprocessing(config.preprocessing, config.zca_regularization)
    steps = [] if step is None else [step]
    X = data.X_train
    if store is not None or not config.store_kernel:
        return make_pipeline(*steps, estimator).fit(X, data.y_train)
    for step in steps:
        X = step.fit_transform(X)
    X = np.asarray(X, dtype=kernel_dtype(X, spec.dtype))
    gram = gram_of(spec, X, folder=folder, n_jobs=n_jobs, progress=progress)
    solver = clone(estimator).set_params(
        architecture=None, kernel="precomputed", **dict.fromkeys(OPTIONS)
    )
    solver.fit(np.asarray(gram.values[spec.get]), data.y_train)
    target = solver.classes_ if config.task == "classify" else solver.y_mean_
    fitted = {} if config.task == "classify" else {"sample_weight_": None}
    restore_fit(estimator, X, solver.solver_result_, target, n_jobs, **fitted)
    return make_pipeline(*steps, estimator)


def _metrics(task: str, y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    if task == "classify":
        return {"accuracy": 100 * float(np.mean(y == predicted))}
    return {
        "r2": float(r2_score(y, predicted)) if len(y) > 1 else float("nan"),
        "rmse": float(root_mean_squared_error(y, predicted)),
    }
