"""Inputs and labels of the study: correct, partly flipped, and random ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkreg.architecture import Architecture, fully_connected
from ntkreg.data import balanced_draws, load_npz
from ntkreg.errors import SpecError
from ntkreg.studies.optimizers.config import OptimizersConfig
from ntkreg.studies.shared.preprocessing import make_preprocessing

__all__ = ["LABELS", "Task", "architecture_of", "load_task", "training_labels"]

LABELS = ("correct", "noisy", "random")
"""Kinds of training labels; test labels are always correct."""


@dataclass(frozen=True, eq=False)
class Task:
    """A binary problem as networks see it.

    Attributes
    ----------
    X, X_test : ndarray (n, d), (m, d), float32
    y, y_test : ndarray (n,), (m,), float32
        +1 or -1.
    provenance : Any
        Of the data, as the loader notes it.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    provenance: Any


def load_task(config: OptimizersConfig) -> Task:
    """Load, draw, preprocess and flatten the inputs; make labels of the classes.

    Raises
    ------
    FileNotFoundError, DataError
        If the file is missing or bad.
    SpecError
        If it has too few inputs, or all labels are on one side.
    """
    data = load_npz(config.data)
    if config.n_test > len(data.X_test):
        raise SpecError(f"n_test must be at most {len(data.X_test)} here; got {config.n_test}.")
    drawn = balanced_draws(data.y_train, config.n_train, 1, config.data_seed)[0]
    X, X_test = (
        np.asarray(images, np.float32)
        for images in (data.X_train[drawn], data.X_test[: config.n_test])
    )
    scaler = make_preprocessing(config.preprocessing, config.zca_regularization)
    if scaler is not None:
        X = scaler.fit_transform(X / 255)
        X_test = scaler.transform(X_test / 255)
    y, y_test = (
        np.where(np.isin(labels, config.positive), 1, -1).astype(np.float32)
        for labels in (data.y_train[drawn], data.y_test[: config.n_test])
    )
    if abs(y.mean()) == 1:
        side = "all" if y[0] > 0 else "none"
        raise SpecError(
            f"positive must hold some of the labels in {config.data}, not {side} of them; got "
            f"{list(config.positive)}."
        )
    return Task(X.reshape(len(X), -1), y, X_test.reshape(len(X_test), -1), y_test, data.provenance)


def training_labels(y: np.ndarray, kind: str, seed: int, noise: float) -> np.ndarray:
    """Return the labels that networks of a seed are trained on.

    Parameters
    ----------
    y : ndarray (n,)
        The correct ones, +1 or -1.
    kind : {"correct", "noisy", "random"}
        As they are; with a share flipped; permuted, so that as many are +1 as before.
    seed : int
        Of the flips and the permutation.
    noise : float
        Share of "noisy" labels to flip, rounded to whole labels.
    """
    rng = np.random.default_rng([seed, LABELS.index(kind)])
    if kind == "random":
        return rng.permutation(y)
    signs = np.ones_like(y)
    if kind == "noisy":
        signs[rng.permutation(len(y))[: round(noise * len(y))]] = -1
    return signs * y


def architecture_of(config: OptimizersConfig) -> Architecture:
    """Return the network, of any width."""
    return fully_connected(config.depth, bias_std=config.bias_std, activation=config.activation)
