"""A fitted model in a folder: numbers and text only, nothing that loading could run.

``model.json`` says which estimator, network and settings; ``model.npz`` holds the arrays.
A pickle would be shorter, but whoever opens one runs what its writer wanted.
"""

import hashlib
import json
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from ntkreg.architecture import Architecture, from_dict
from ntkreg.arrays import refuse_masked
from ntkreg.data import ChannelStandardizer, ZCAWhitener, read_arrays
from ntkreg.documents import read_json_mapping
from ntkreg.errors import DataError, SpecError
from ntkreg.estimators.saved_arrays_check import check_arrays
from ntkreg.estimators.saved_estimator import (
    ESTIMATORS,
    array_names_of,
    describe_estimator,
    restore_estimator,
)
from ntkreg.estimators.saved_model_check import check_description
from ntkreg.estimators.saved_preprocessing import (
    Preprocessing,
    array_names,
    build_preprocessing,
    describe_preprocessing,
)
from ntkreg.storage import open_regular, plain_number, write_arrays, write_json

__all__ = ["load_model", "save_model"]

FORMAT = 1
SCALERS = {ChannelStandardizer: "scale_", ZCAWhitener: "epsilon_"}
"""What can stand before an estimator, and the attribute that its fit sets last."""
NAMES = "feature_names_in"
"""The array of column names, in models that were fitted on a table."""


def save_model(model: Any, folder: str | Path) -> None:
    """Write a fitted kernel classifier or regressor, alone or with a scaler before it.

    That is an `NTKClassifier`, `NTKRegressor`, `NTKClassifierCV` or `NTKRegressorCV`; the scaler a
    `ChannelStandardizer` or a `ZCAWhitener`. Of a choice its result is kept (`alpha_`, `alphas_`,
    `scores_`, `best_score_`, `best_params_` and the network chosen), not how it was made.

    Parameters
    ----------
    model : Pipeline, NTKClassifier, NTKRegressor, NTKClassifierCV or NTKRegressorCV
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
    described, arrays = describe_estimator(estimator)
    names = getattr(estimator if scaler is None else scaler, f"{NAMES}_", None)
    if names is not None:
        arrays[NAMES] = names.astype(str)
    for entry, array in arrays.items():
        refuse_masked(f"save_model: {entry}", array)
    preprocessing = None
    if scaler is not None:
        preprocessing, more = describe_preprocessing(scaler)
        arrays |= more
    name = described.pop("estimator")
    description = {"format": FORMAT, "estimator": name, "preprocessing": preprocessing, **described}
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


def _build(folder: Path, described: dict[str, Any], n_jobs: int | None) -> Pipeline:
    check_description(folder / "model.json", described)
    path = folder / "model.npz"
    needed, optional = array_names_of(described["estimator"])
    scaling, more = array_names(described["preprocessing"])
    arrays = read_arrays(path, (*needed, *scaling), (*optional, *more, NAMES))
    if _sha256(path) != described["sha256_of_arrays"]:
        raise DataError(
            f"{path}: is not the file that {folder / 'model.json'} was written for. "
            "Fit the model again."
        )
    check_arrays(path, described, arrays)
    try:
        estimator = restore_estimator(described, arrays, n_jobs)
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


def _parts(model: Any) -> tuple[Preprocessing | None, Any]:
    """Return the scaler, if there is one, and the estimator of a model that can be saved."""
    whole = isinstance(model, Pipeline)
    steps = [step for _, step in model.steps] if whole else [model]
    known = [type(step) in SCALERS for step in steps[:-1]]
    estimators = [type(step) in ESTIMATORS.values() for step in steps[-1:]]
    if len(known) > 1 or not all(known) or estimators != [True]:
        ours = any(type(step).__module__.startswith("ntkreg.") for step in steps)
        kinds = (
            ", ".join(s if isinstance(s, str) else type(s).__name__ for s in steps) or "no steps"
        )
        raise SpecError(
            "save_model: model must be a fitted NTKClassifier or NTKRegressor (or NTKClassifierCV, "
            "NTKRegressorCV), or a Pipeline of one of them with at most one ChannelStandardizer or "
            f"ZCAWhitener before it; got {'a Pipeline of ' if whole else ''}{kinds}."
            + (" Of others keep a pickle, which runs what its writer wanted." if ours else "")
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


def _sha256(path: Path) -> str:
    with open_regular(path, links=True) as stream:
        return hashlib.file_digest(cast(BufferedReader, stream), "sha256").hexdigest()
