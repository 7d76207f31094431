"""The images of the study, its draws, and the steps of training on one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ntkreg.data import ImageData, balanced_draws, load_npz
from ntkreg.errors import SpecError
from ntkreg.studies.few_samples_network.config import FewSamplesNetworkConfig
from ntkreg.studies.shared.preprocessing import make_preprocessing

__all__ = ["Task", "load_task", "schedule", "steps_of"]


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


def _preprocess(
    config: FewSamplesNetworkConfig, pool: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    pool, test = (np.asarray(a, dtype=config.dtype) for a in (pool, test))
    scaler = make_preprocessing(config.preprocessing, config.zca_regularization)
    if scaler is None:
        return pool, test
    pool, test = pool / 255, test / 255
    return scaler.fit_transform(pool), scaler.transform(test)
