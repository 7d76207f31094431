"""How well trained networks of finite width learn CIFAR-10 from 10 to 640 images.

The counterpart of `ntkreg.studies.few_samples.study`: the same pool, test images and draws, so
that a network's accuracy stands beside its kernel's draw by draw.
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ntkreg.architecture import from_dict
from ntkreg.data.tables import read_table
from ntkreg.documents import read_json_mapping
from ntkreg.errors import DataError, SpecError
from ntkreg.estimators import FiniteNetworkClassifier
from ntkreg.storage import write_arrays, write_json, write_table
from ntkreg.studies.few_samples_network.beside import beside_kernel
from ntkreg.studies.few_samples_network.config import FewSamplesNetworkConfig
from ntkreg.studies.few_samples_network.task import Task, load_task, schedule, steps_of
from ntkreg.studies.shared.config import config_to_dict
from ntkreg.studies.shared.record import write_record
from ntkreg.studies.shared.statistics import summarize_draws
from ntkreg.studies.shared.store import damage_of, keep_settings

__all__ = ["run_few_samples_network", "train_draw"]

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
