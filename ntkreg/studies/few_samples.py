"""How well convolutional kernels learn CIFAR-10 from 10 to 320 images.

Kernel regression in the setting of Arora et al. 2020 (arXiv 1910.01663): class-balanced
draws, labels e_c - 0.1, no or next to no ridge, accuracy on held-out images. Differences
to the paper: draws come from one finite pool, so that every kernel value is computed
once; `ntkreg.studies.statistics` says what that does to the errors.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ntkreg.architecture import Architecture, cntk
from ntkreg.data import ImageData, balanced_draws, load_npz
from ntkreg.errors import SpecError
from ntkreg.gram import compute_gram, kernel
from ntkreg.studies.config import (
    check_choice,
    check_flag,
    check_int,
    check_ints,
    check_number,
    check_positive,
)
from ntkreg.studies.preprocessing import PREPROCESSINGS, make_preprocessing
from ntkreg.studies.published import FEW_SAMPLES_CIFAR10, FEW_SAMPLES_SOURCE
from ntkreg.studies.record import write_record
from ntkreg.studies.regression import regress_classes
from ntkreg.studies.statistics import compare_with_published, summarize_draws

__all__ = ["FewSamplesConfig", "network_of", "run_few_samples", "write_summary"]

FIELDS = ("nngp", "ntk")


@dataclass(frozen=True)
class FewSamplesConfig:
    """Settings of `run_few_samples`; every key of the YAML file.

    Attributes
    ----------
    data : str
        Path of an npz file with x_train, y_train, x_test, y_test (images n, h, w, c).
    pool : int
        Training images that all draws share, class-balanced; a multiple of the classes.
    n_test : int or None
        First so many test images; None for all.
    n_samples : tuple of int
        Sizes of the draws, multiples of the number of classes, at most `pool`.
    n_draws : int
        Draws of each size.
    depths : tuple of int
        Hidden layers (conv + ReLU), all from one pass.
    readout : {"gap", "flatten", "lap"}
    half_width : int
        c of local average pooling; used with readout "lap" only.
    window : int
        Side of the convolution window.
    train_first, train_last : bool
        Whether the first convolution and the dense read-out count in the NTK.
    preprocessing : {"channel", "zca", "none"}
        "channel": each channel to mean 0, std 1, statistics from the pool.
        "zca": each image to mean 0 and norm 1, then whitened with the directions of the
        pool. "none": pixels as they come.
    zca_regularization : float
        Of "zca", > 0: what is added to each eigenvalue, in units of their mean.
    normalize : {None, "unit_diagonal"}
        Whether K(x, z) is divided by sqrt(K(x, x) K(z, z)).
    symmetry : {None, "flip"}
        "flip": the kernel averaged over the horizontal flip of images. At ridge alpha it
        predicts what training on images and flips predicts at 2 alpha (absolute).
    backend : {None, "jax"}
        What computes the kernel of an image network: compiled loops, or JAX on its device.
    alpha : float
        Ridge, >= 0; 0 is the plain solve.
    alpha_scale : {"absolute", "mean_diagonal"}
        Unit of `alpha`.
    dtype : {"float32", "float64"}
        Of the kernel; the solves are float64.
    seed : int
        Of the pool; the draws take the next one. Draw i of a smaller size is part of draw
        i of a larger one.
    """

    data: str
    pool: int = 640
    n_test: int | None = 500
    n_samples: tuple[int, ...] = (10, 20, 40, 80, 160, 320)
    n_draws: int = 20
    depths: tuple[int, ...] = tuple(range(4, 15))
    readout: str = "gap"
    half_width: int = 4
    window: int = 3
    train_first: bool = True
    train_last: bool = True
    preprocessing: str = "channel"
    zca_regularization: float = 0.1
    normalize: str | None = None
    symmetry: str | None = None
    backend: str | None = None
    alpha: float = 0.0
    alpha_scale: str = "mean_diagonal"
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.data, str) or not self.data:
            raise SpecError(f"data must be the path of an npz file; got {self.data!r}.")
        check_int("pool", self.pool, 1)
        if self.n_test is not None:
            check_int("n_test", self.n_test, 1)
        object.__setattr__(self, "n_samples", check_ints("n_samples", self.n_samples, 1))
        if max(self.n_samples) > self.pool:
            raise SpecError(
                f"n_samples must be at most pool ({self.pool}); got {max(self.n_samples)}."
            )
        check_int("n_draws", self.n_draws, 1)
        object.__setattr__(self, "depths", check_ints("depths", self.depths, 1))
        check_choice("readout", self.readout, ("gap", "flatten", "lap"))
        check_int("half_width", self.half_width, 0)
        check_int("window", self.window, 1)
        check_flag("train_first", self.train_first)
        check_flag("train_last", self.train_last)
        check_choice("preprocessing", self.preprocessing, PREPROCESSINGS)
        object.__setattr__(
            self,
            "zca_regularization",
            check_positive("zca_regularization", self.zca_regularization),
        )
        check_choice("normalize", self.normalize, (None, "unit_diagonal"))
        check_choice("symmetry", self.symmetry, (None, "flip"))
        check_choice("backend", self.backend, (None, "jax"))
        object.__setattr__(self, "alpha", check_number("alpha", self.alpha, 0))
        check_choice("alpha_scale", self.alpha_scale, ("absolute", "mean_diagonal"))
        check_choice("dtype", self.dtype, ("float32", "float64"))
        check_int("seed", self.seed, 0)


def network_of(config: FewSamplesConfig) -> Architecture:
    """Return the network of the greatest depth; the others are its shorter versions."""
    return cntk(
        max(config.depths),
        config.readout,
        half_width=config.half_width,
        window=config.window,
        train_first=config.train_first,
        train_last=config.train_last,
    )


def run_few_samples(
    config: FewSamplesConfig,
    output: str | Path,
    *,
    n_jobs: int | None = None,
    progress: bool | None = None,
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

    Returns
    -------
    DataFrame
        The rows: get, depth, n, draw, accuracy (percent of the test images), alpha
        (absolute, as solved), condition, min_eigenvalue, residual, seed. Also in
        ``rows.csv``; beside it ``summary.csv``, ``comparison.csv`` with ``published.csv``
        (of CIFAR-10), ``config.yaml`` and ``record.json``.

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
    data = load_npz(config.data)
    classes = np.unique(data.y_train)
    _check_divisible(config, len(classes))
    pool, test = _select(data, config)
    X_pool, X_test = _preprocess(config, data.X_train[pool], data.X_test[test])

    start = time.perf_counter()
    K_pool, K_test = _kernels(config, X_pool, X_test, output / "kernels", n_jobs, progress)
    kernel_seconds = time.perf_counter() - start

    # The matrices are small: threads inside BLAS would cost more than they save.
    with threadpool_limits(1, user_api="blas"):
        rows = pd.DataFrame(
            _evaluate(config, K_pool, K_test, data.y_train[pool], data.y_test[test], classes)
        )
    rows.to_csv(output / "rows.csv", index=False)
    write_summary(rows, config, len(test), output)
    write_record(
        output,
        config,
        n_test=len(test),
        kernel_seconds_of_this_run=kernel_seconds,
        network=repr(network_of(config)),
        data=asdict(data.provenance),
    )
    return rows


def write_summary(rows: pd.DataFrame, config: FewSamplesConfig, n_test: int, output: Path) -> None:
    """Write ``summary.csv``, ``comparison.csv`` and ``published.csv`` from rows.

    It is not documented whether "CNTK-d" counts the dense read-out, so both readings are
    written: column reading, "convolutions" (d hidden layers) and "read-out counted"
    (d - 1 hidden layers).
    """
    summary = summarize_draws(rows, pool=config.pool, n_test=n_test)
    summary.to_csv(output / "summary.csv", index=False)
    readings = {"convolutions": 0, "read-out counted": -1}
    comparison = pd.concat(
        [
            compare_with_published(summary, FEW_SAMPLES_CIFAR10, offset=offset).assign(reading=name)
            for name, offset in readings.items()
        ]
    )
    comparison.to_csv(output / "comparison.csv", index=False)
    published = pd.DataFrame(map(asdict, FEW_SAMPLES_CIFAR10)).assign(source=FEW_SAMPLES_SOURCE)
    published.to_csv(output / "published.csv", index=False)


def _check_divisible(config: FewSamplesConfig, n_classes: int) -> None:
    for key, value in (("pool", config.pool), *(("n_samples", n) for n in config.n_samples)):
        if value % n_classes:
            raise SpecError(
                f"{key} must hold multiples of the number of classes ({n_classes}), "
                f"so that draws are balanced; got {value}."
            )


def _select(data: ImageData, config: FewSamplesConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return indices of the pool (balanced, random) and of the test images (the first)."""
    pool = balanced_draws(data.y_train, config.pool, 1, config.seed)[0]
    n_test = len(data.X_test) if config.n_test is None else config.n_test
    if n_test > len(data.X_test):
        raise SpecError(f"n_test must be at most {len(data.X_test)} here; got {n_test}.")
    return pool, np.arange(n_test)


def _preprocess(
    config: FewSamplesConfig, pool: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    pool, test = (np.asarray(a, dtype=config.dtype) for a in (pool, test))
    scaler = make_preprocessing(config.preprocessing, config.zca_regularization)
    if scaler is None:
        return pool, test
    pool, test = pool / 255, test / 255
    return scaler.fit_transform(pool), scaler.transform(test)


def _kernels(
    config: FewSamplesConfig,
    X_pool: np.ndarray,
    X_test: np.ndarray,
    folder: Path,
    n_jobs: int | None,
    progress: bool | None,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return (depths, pool, pool) and (depths, test, pool) for each field."""
    network = network_of(config)
    options: dict[str, Any] = {
        "get": FIELDS,
        "depths": config.depths,
        "dtype": config.dtype,
        "symmetry": config.symmetry,
        "backend": config.backend,
    }
    run: dict[str, Any] = {"n_jobs": n_jobs, "progress": progress}
    stored = (
        compute_gram(network, X_pool, folder=folder / "pool", **options, **run),
        compute_gram(network, X_test, X_pool, folder=folder / "test", **options, **run),
    )
    K_pool, K_test = ({f: np.asarray(K) for f, K in gram.values.items()} for gram in stored)
    if config.normalize is None:
        return K_pool, K_test
    # Divided here, not in the engine, so that the stored kernels serve both settings.
    diagonals = kernel(network, X_test, diag=True, **options, **run)
    scaled_pool, scaled_test = {}, {}
    for field, q_test in zip(FIELDS, diagonals, strict=True):
        r_pool = 1 / np.sqrt(np.einsum("dii->di", K_pool[field]))
        scaled_pool[field] = K_pool[field] * r_pool[:, :, None] * r_pool[:, None]
        scaled_test[field] = K_test[field] / np.sqrt(q_test)[:, :, None] * r_pool[:, None]
    return scaled_pool, scaled_test


def _evaluate(
    config: FewSamplesConfig,
    K_pool: dict[str, np.ndarray],
    K_test: dict[str, np.ndarray],
    y_pool: np.ndarray,
    y_test: np.ndarray,
    classes: np.ndarray,
) -> Iterator[dict[str, Any]]:
    """Yield one row for each field, depth, size and draw."""
    draws = {
        n: balanced_draws(y_pool, n, config.n_draws, config.seed + 1) for n in config.n_samples
    }
    for get in FIELDS:
        for depth, K, K_cross in zip(config.depths, K_pool[get], K_test[get], strict=True):
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
                    yield {
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
