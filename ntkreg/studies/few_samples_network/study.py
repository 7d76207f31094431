"""How well trained networks of finite width learn CIFAR-10 from 10 to 640 images.

The counterpart of `ntkreg.studies.few_samples.study`: the same pool, test images and draws, so
that a network's accuracy stands beside its kernel's draw by draw.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ntkreg.architecture import from_dict
from ntkreg.data import ImageData, balanced_draws, load_npz
from ntkreg.data.tables import read_table
from ntkreg.documents import read_json_mapping
from ntkreg.errors import DataError, SpecError
from ntkreg.estimators import FiniteNetworkClassifier
from ntkreg.storage import write_arrays, write_json, write_table
from ntkreg.studies.few_samples_network.beside import beside_kernel
from ntkreg.studies.few_samples_network.config import FewSamplesNetworkConfig
from ntkreg.studies.shared.config import config_to_dict
from ntkreg.studies.shared.preprocessing import make_preprocessing
from ntkreg.studies.shared.record import write_record
from ntkreg.studies.shared.statistics import summarize_draws
from ntkreg.studies.shared.store import damage_of, keep_settings

__all__ = [
    "Task",
    "load_task",
    "run_few_samples_network",
    "schedule",
    "steps_of",
    "train_draw",
]

NAME = "network"
"""What stands in the column get, where kernels have ntk or nngp."""

_COLUMNS = (
    "get", "depth", "n", "draw", "accuracy", "accuracy_single", "train_accuracy", "loss",
    "learning_rate", "n_steps", "n_networks", "seconds", "seed",
)  # fmt: skip
"""Of the rows; what each finished draw's file holds beside its predictions."""

_MOST_BYTES = 64_000_000
"""Of such a file: labels of a million test images."""

_KERNEL_ROWS = {"get": "text", "depth": "int", "n": "int", "draw": "int", "accuracy": "float",
                "seed": "int"}  # fmt: skip

_GROWING = ("n_samples", "n_draws", "kernel_rows", "kernel_depth")
"""Keys that a folder's rows do not depend on: it can be gone on with under others."""


def run_few_samples_network(config: FewSamplesNetworkConfig, output: str | Path) -> pd.DataFrame:
    """Run the study and write everything it found into a folder.

    Every draw is written when its networks are trained, into ``output/cells``: run again
    into the same folder, a killed run goes on after the last one, and more sizes or draws
    cost only themselves.

    Parameters
    ----------
    config : FewSamplesNetworkConfig
    output : path of a folder
        Made if absent.

    Returns
    -------
    DataFrame
        The rows: get ("network"), depth (of the recipe, -1 if it has none), n, draw,
        accuracy (percent of the test images; of the networks together), accuracy_single (the
        mean of each alone), train_accuracy, loss (at the end, mean over networks),
        learning_rate, n_steps, n_networks, seconds, seed. Also in ``rows.csv``; beside it
        ``predictions.npz`` (predicted: labels of the test images, row by row; y_test),
        ``summary.csv``, ``beside.csv`` (`beside_kernel`), ``config.yaml``, ``record.json``.

    Raises
    ------
    SpecError, DataError, StoreMismatchError, DivergenceError
        A size that the classes do not divide, or a network that the images do not fit; a bad
        file; a folder with other settings' rows; a learning rate that is too high.

    Notes
    -----
    Cost: n_steps x batch x n_networks forward and backward passes a draw.

    References
    ----------
    Arora et al. 2020 (arXiv 1910.01663): the setting, and ResNet-34 in it.
    """
    output = Path(output)
    task = load_task(config)
    kernels = _kernel_rows(config)
    cells = _open_cells(config, output, task.data.provenance.sha256)
    y_test = task.y_test

    lines, predictions = [], []
    for n, draw, index in schedule(config, task.y):
        cell = cells / f"n{n}_draw{draw}.json"
        if not cell.exists():
            write_json(cell, train_draw(config, task, n, draw, index))
        found, predicted = _read_cell(cell, y_test)
        predictions.append(predicted)
        lines.append(found)
    rows = pd.DataFrame(lines)
    write_table(output / "rows.csv", rows)
    answers = {"predicted": np.stack(predictions), "y_test": y_test}
    write_arrays(output / "predictions.npz", answers, compressed=True)
    summary = summarize_draws(rows, pool=config.pool, n_test=len(y_test))
    write_table(output / "summary.csv", summary)
    write_table(output / "beside.csv", beside_kernel(rows, kernels))
    write_record(
        output,
        config,
        n_test=len(y_test),
        n_classes=len(np.unique(task.data.y_train)),
        network=repr(from_dict(config.architecture)),
        data=asdict(task.data.provenance),
    )
    return rows


@dataclass(frozen=True, eq=False)
class Task:
    """The pool (n, h, w, c), (n,) and the test images, preprocessed, and where they come from."""

    data: ImageData
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def load_task(config: FewSamplesNetworkConfig) -> Task:
    """Load, draw and preprocess the images.

    Raises
    ------
    FileNotFoundError, DataError
        If the file is missing or bad.
    SpecError
        If it has too few test images, or sizes are no multiples of the number of classes.
    """
    data = load_npz(config.data)
    classes = np.unique(data.y_train)
    for key, value in (("pool", config.pool), *(("n_samples", n) for n in config.n_samples)):
        if value % len(classes):
            raise SpecError(
                f"{key} must hold multiples of the number of classes ({len(classes)}), "
                f"so that draws are balanced; got {value}."
            )
    n_test = len(data.X_test) if config.n_test is None else config.n_test
    if n_test > len(data.X_test):
        raise SpecError(f"n_test must be at most {len(data.X_test)} here; got {n_test}.")
    pool = balanced_draws(data.y_train, config.pool, 1, config.seed)[0]
    X, X_test = _preprocess(config, data.X_train[pool], data.X_test[:n_test])
    return Task(data, X, data.y_train[pool], X_test, data.y_test[:n_test])


def schedule(
    config: FewSamplesNetworkConfig, y_pool: np.ndarray
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (n, draw, positions in the pool); the kernels' study has the same draws."""
    for n, n_draws in zip(config.n_samples, config.n_draws, strict=True):
        for draw, index in enumerate(balanced_draws(y_pool, n, n_draws, config.seed + 1)):
            yield n, draw, index


def steps_of(config: FewSamplesNetworkConfig, n: int) -> tuple[int, int | None]:
    """Return the steps of training on n images, and the images of each; None for all."""
    if config.batch_size is None or config.batch_size >= n:
        return max(config.n_steps, config.n_epochs), None
    return max(config.n_steps, config.n_epochs * (n // config.batch_size)), config.batch_size


def train_draw(
    config: FewSamplesNetworkConfig, task: Task, n: int, draw: int, index: np.ndarray
) -> dict[str, Any]:
    """Train on one draw, positions in the pool; return its row, with the labels predicted."""
    architecture = from_dict(config.architecture)
    n_steps, batch_size = steps_of(config, n)
    X, y, y_test = task.X[index], task.y[index], task.y_test
    start = time.perf_counter()
    model = FiniteNetworkClassifier(
        architecture,
        width=config.width,
        parametrization=config.parametrization,
        loss=config.loss,
        optimizer=config.optimizer,
        learning_rate="auto" if config.learning_rate is None else config.learning_rate,
        n_steps=n_steps,
        tol=0.0,  # every draw's networks do the same number of steps
        batch_size=batch_size,
        n_networks=config.n_networks,
        dtype=config.dtype,
        random_state=config.seed + draw,
    ).fit(X, y)
    predicted = model.predict(task.X_test)
    alone = model.predict_networks(task.X_test)
    return {
        "get": NAME,
        "depth": int(dict(architecture.arguments).get("depth", -1)),
        "n": n,
        "draw": draw,
        "accuracy": 100 * float(np.mean(predicted == y_test)),
        "accuracy_single": 100 * float(np.mean(alone == y_test)),
        "train_accuracy": 100 * float(model.score(X, y)),
        "loss": float(model.loss_curve_[-1].mean()),
        "learning_rate": float(model.learning_rate_),
        "n_steps": n_steps,
        "n_networks": config.n_networks,
        "seconds": time.perf_counter() - start,
        "seed": config.seed,
        "predicted": predicted.tolist(),
    }


def _preprocess(
    config: FewSamplesNetworkConfig, pool: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    pool, test = (np.asarray(a, dtype=config.dtype) for a in (pool, test))
    scaler = make_preprocessing(config.preprocessing, config.zca_regularization)
    if scaler is None:
        return pool, test
    pool, test = pool / 255, test / 255
    return scaler.fit_transform(pool), scaler.transform(test)


def _kernel_rows(config: FewSamplesNetworkConfig) -> pd.DataFrame | None:
    """Read the NTK's rows of the depth that is to be compared, before any training."""
    if config.kernel_rows is None:
        return None
    try:
        rows = read_table(Path(config.kernel_rows), _KERNEL_ROWS)
    except FileNotFoundError:
        raise FileNotFoundError(f"{config.kernel_rows}: there are no kernel_rows.") from None
    except DataError as error:
        raise DataError(f"{error} Give the rows.csv of `ntkreg few-samples`.") from None
    seeds = sorted(set(rows.seed))
    if seeds != [config.seed]:
        raise SpecError(
            f"{config.kernel_rows}: its draws have seed {seeds}, not {config.seed}. "
            "Give both studies one seed."
        )
    chosen = rows[(rows["get"] == "ntk") & (rows.depth == config.kernel_depth)]
    if chosen.empty:
        depths = sorted(set(rows.depth))
        raise SpecError(f"kernel_depth must be one of {depths}; got {config.kernel_depth}.")
    return chosen[["n", "draw", "accuracy"]]


def _open_cells(config: FewSamplesNetworkConfig, output: Path, data: str) -> Path:
    """Make or check the folder of finished draws and return it."""
    cells = output / "cells"
    settings = {k: v for k, v in config_to_dict(config).items() if k not in _GROWING}
    settings |= {"data": data}  # the bytes count, not where they lie
    keep_settings(
        cells,
        settings,
        f"{cells}: holds draws of another configuration.",
        "Ask for the same, or give another --output.",
    )
    return cells


def _read_cell(path: Path, y_test: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """Return the row of a finished draw, and the labels predicted."""
    again = "Delete this file, and the draw is trained again."
    with damage_of("few-samples-network", again):
        found = read_json_mapping(path, links=False, limit=_MOST_BYTES)
    predicted = found.pop("predicted", None)
    numbers = all(isinstance(v, int | float) for k, v in found.items() if k != "get")
    if set(found) != set(_COLUMNS) or not numbers or not isinstance(predicted, list):
        raise DataError(f"few-samples-network: {path} is no finished draw. {again}")
    kind = str if y_test.dtype.kind == "U" else int | float
    if len(predicted) != len(y_test) or not all(isinstance(p, kind) for p in predicted):
        raise DataError(
            f"few-samples-network: {path} must hold {len(y_test)} labels; found "
            f"{len(predicted)}, or some of another kind. {again}"
        )
    return found, np.array(predicted, dtype=y_test.dtype)
