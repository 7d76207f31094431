"""How well convolutional kernels learn CIFAR-10 from 10 to 640 images.

Kernel regression in the setting of Arora et al. 2020 (arXiv 1910.01663): class-balanced
draws, labels e_c - 1/classes, no or next to no ridge, accuracy on held-out images. Differences
to the paper: draws come from one finite pool, so that every kernel value is computed
once; `ntkreg.studies.shared.statistics` says what that does to the errors.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ntkreg.cpus import one_blas_thread
from ntkreg.data import ImageData, balanced_draws, load_npz
from ntkreg.errors import SpecError
from ntkreg.kernels import KernelSpec, kernel_dtype, solve_dtype
from ntkreg.storage import write_arrays, write_table
from ntkreg.studies.few_samples.config import FewSamplesConfig, hidden_layers, network_of
from ntkreg.studies.few_samples.summary import published_on, summaries
from ntkreg.studies.shared.kernels import kernel_values
from ntkreg.studies.shared.paired import depth_steps
from ntkreg.studies.shared.preprocessing import make_preprocessing
from ntkreg.studies.shared.record import write_record
from ntkreg.studies.shared.regression import regress_classes

__all__ = [
    "FewSamplesConfig",
    "load_classes",
    "network_of",
    "run_few_samples",
    "spec_of",
    "write_summary",
]

FIELDS = ("nngp", "ntk")


def run_few_samples(
    config: FewSamplesConfig,
    output: str | Path,
    *,
    n_jobs: int | None = None,
    progress: bool | None = None,
    store: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Run the study and write everything it found into a folder.

    The kernels of pool x pool and test x pool are stored tile by tile under
    ``output/kernels``; run again with the same network and data, a killed run goes on
    where it was, and a changed `alpha`, `normalize`, `n_samples` or `n_draws` costs
    seconds only.

    Parameters
    ----------
    config : FewSamplesConfig
    output : path of a folder
        Made if absent.
    n_jobs : int or None
        Threads; None for one a core.
    progress : bool or None
        Progress bars; None for one where the work takes more than two seconds.
    store : path or None
        Folder of kernels that studies and estimators share; then what it holds is not computed
        again, and what it lacks is kept there, not under `output`.

    Returns
    -------
    DataFrame
        The rows: get, depth, n, draw, accuracy (percent of the test images), alpha
        (absolute, as solved), condition, min_eigenvalue, residual, seed. Also in
        ``rows.csv``. Beside it ``predictions.npz`` (predicted: labels of the test images, row
        by row; y_test), ``summary.csv``, ``steps.csv`` (each depth less the one before, and
        the published step of classes 0 and 1), ``comparison.csv`` with ``published.csv`` (of
        CIFAR-10), ``config.yaml`` and ``record.json``.

    Raises
    ------
    SpecError, DataError, PlanError, StoreMismatchError, NotPSDError
        A size that the classes do not divide; a bad file; a kernel too big; a folder with
        another study's kernels; a Gram that `alpha` does not make solvable.

    Notes
    -----
    Cost: pool (pool + 1) / 2 + n_test pool kernel values of the greatest depth, twice as
    many with flips; solves are seconds.

    References
    ----------
    Arora et al. 2020 (arXiv 1910.01663), section on CIFAR-10 with few samples.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    data = load_classes(config)
    classes = np.unique(data.y_train)
    _check_divisible(config, len(classes))
    pool, test = _select(data, config)
    X_pool, X_test = _preprocess(config, data.X_train[pool], data.X_test[test])

    start = time.perf_counter()
    run: dict[str, Any] = {"n_jobs": n_jobs, "progress": progress, "store": store}
    K_pool, K_test = _kernels(config, X_pool, X_test, output / "kernels", **run)
    kernel_seconds = time.perf_counter() - start

    # The matrices are small: threads inside BLAS would cost more than they save.
    with one_blas_thread():
        lines, predictions = zip(
            *_evaluate(config, K_pool, K_test, data.y_train[pool], data.y_test[test], classes),
            strict=True,
        )
    rows = pd.DataFrame(lines)
    write_table(output / "rows.csv", rows)
    predicted, y_test = np.stack(predictions), data.y_test[test]
    answers = {"predicted": predicted, "y_test": y_test}
    write_arrays(output / "predictions.npz", answers, compressed=True)
    pool_of_draws = None if config.seed is None else config.pool
    steps = depth_steps(rows, predicted == y_test, pool=pool_of_draws)
    write_table(output / "steps.csv", _beside_published(steps, config))
    write_summary(rows, config, len(test), output)
    write_record(
        output,
        config,
        n_test=len(test),
        kernel_seconds_of_this_run=kernel_seconds,
        n_classes=len(classes),
        network=repr(network_of(config)),
        data=asdict(data.provenance),
    )
    return rows


def load_classes(config: FewSamplesConfig) -> ImageData:
    """Load the data and return the images of the classes that the study keeps.

    Raises
    ------
    DataError, SpecError
        A bad file; a class without training or without test images.
    """
    data = load_npz(config.data)
    if config.classes is None:
        return data
    for part, y in (("training", data.y_train), ("test", data.y_test)):
        missing = sorted(set(config.classes) - set(y.tolist()))
        if missing:
            raise SpecError(
                f"classes must be among the labels of {config.data}, {np.unique(y).tolist()} of "
                f"its {part} images; got {missing}."
            )
    train, test = (np.isin(y, config.classes) for y in (data.y_train, data.y_test))
    return replace(
        data,
        X_train=data.X_train[train],
        y_train=data.y_train[train],
        X_test=data.X_test[test],
        y_test=data.y_test[test],
    )


def write_summary(rows: pd.DataFrame, config: FewSamplesConfig, n_test: int, output: Path) -> None:
    """Write ``summary.csv``, ``comparison.csv`` and ``published.csv`` from rows (`summaries`)."""
    for name, table in summaries(rows, asdict(config), n_test).items():
        write_table(output / f"{name}.csv", table)


def _beside_published(steps: pd.DataFrame, config: FewSamplesConfig) -> pd.DataFrame:
    """Add the published difference of each step, whatever n; NaN where none fits.

    Of tables of one draw; that of CIFAR-2 is of GAP alone, that of few samples has four sizes.
    """
    published, _ = published_on(asdict(config))
    same = config.seed is None or config.architecture.get("readout") == "gap"
    known = {row.depth: row.accuracy for row in published if same and row.n_draws == 1}
    before, after = (steps[name].map(known).astype(float) for name in ("depth_before", "depth"))
    return steps.assign(published=after - before)


def _check_divisible(config: FewSamplesConfig, n_classes: int) -> None:
    if config.seed is None:
        return
    for key, value in (("pool", config.pool), *(("n_samples", n) for n in config.n_samples)):
        if value % n_classes:
            raise SpecError(
                f"{key} must hold multiples of the number of classes ({n_classes}), "
                f"so that draws are balanced; got {value}."
            )


def _select(data: ImageData, config: FewSamplesConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return indices of the pool (balanced, random; or the first) and of the first test images."""
    pool = _draws(data.y_train, config.pool, 1, config.seed)[0]
    n_test = len(data.X_test) if config.n_test is None else config.n_test
    if n_test > len(data.X_test):
        raise SpecError(f"n_test must be at most {len(data.X_test)} here; got {n_test}.")
    return pool, np.arange(n_test)


def _draws(y: np.ndarray, n: int, n_draws: int, seed: int | None) -> np.ndarray:
    """Return `n_draws` draws of n positions in y; without a seed the first n."""
    if seed is not None:
        return balanced_draws(y, n, n_draws, seed)
    if n > len(y):
        raise SpecError(f"pool must be at most {len(y)} training images here; got {n}.")
    return np.arange(n)[None]


def _preprocess(
    config: FewSamplesConfig, pool: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    pool, test = (np.asarray(a, kernel_dtype(a, config.dtype)) for a in (pool, test))
    scaler = make_preprocessing(config.preprocessing, config.zca_regularization)
    if scaler is None:
        return pool, test
    pool, test = pool / 255, test / 255
    return scaler.fit_transform(pool), scaler.transform(test)


def spec_of(config: FewSamplesConfig, X: np.ndarray) -> KernelSpec:
    """Return the kernel that is stored.

    `_kernels` divides by the diagonal, and not the engine: what is stored serves both settings.
    """
    network = network_of(config)
    dtype = solve_dtype(network, X, config.dtype)
    options = {**config.options, "normalize": None}
    return KernelSpec(network, get=FIELDS, depths=config.depths, dtype=dtype, **options)


def _kernels(
    config: FewSamplesConfig,
    X_pool: np.ndarray,
    X_test: np.ndarray,
    folder: Path,
    **run: Any,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return (depths, pool, pool) and (depths, test, pool) for each field."""
    spec = spec_of(config, X_pool)
    found = (
        kernel_values(spec, X_pool, folder=folder / "pool", **run),
        kernel_values(spec, X_test, X_pool, folder=folder / "test", **run),
    )
    shapes = (len(X_pool), len(X_pool)), (len(X_test), len(X_pool))
    # Without depths the matrices come alone: one depth, then.
    K_pool, K_test = (
        {f: K.reshape(-1, *shape) for f, K in values.items()}
        for values, shape in zip(found, shapes, strict=True)
    )
    if config.normalize is None:
        return K_pool, K_test
    # A test image's own norm would scale all its scores alike, and change no prediction.
    scaled_pool, scaled_test = {}, {}
    for field in FIELDS:
        r_pool = 1 / np.sqrt(np.einsum("dii->di", K_pool[field]))
        scaled_pool[field] = K_pool[field] * r_pool[:, :, None] * r_pool[:, None]
        scaled_test[field] = K_test[field] * r_pool[:, None]
    return scaled_pool, scaled_test


def _evaluate(
    config: FewSamplesConfig,
    K_pool: dict[str, np.ndarray],
    K_test: dict[str, np.ndarray],
    y_pool: np.ndarray,
    y_test: np.ndarray,
    classes: np.ndarray,
) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Yield one row, and what it predicts, for each field, depth, size and draw."""
    seed = None if config.seed is None else config.seed + 1
    draws = {n: _draws(y_pool, n, config.n_draws, seed) for n in config.n_samples}
    depths = config.depths or (hidden_layers(network_of(config)),)
    for get in FIELDS:
        for depth, K, K_cross in zip(depths, K_pool[get], K_test[get], strict=True):
            for n, indices in draws.items():
                for draw, index in enumerate(indices):
                    scores, solution = regress_classes(
                        K,
                        K_cross,
                        index,
                        y_pool[index],
                        classes,
                        alpha=config.alpha,
                        alpha_scale=config.alpha_scale,
                    )
                    predicted = classes[scores.argmax(axis=1)]
                    row = {
                        "get": get,
                        "depth": depth,
                        "n": n,
                        "draw": draw,
                        "accuracy": 100 * float(np.mean(predicted == y_test)),
                        "alpha": float(solution.alpha),
                        "condition": solution.condition,
                        "min_eigenvalue": solution.min_eigenvalue,
                        "residual": solution.residual,
                        "seed": config.seed,
                    }
                    yield row, predicted
