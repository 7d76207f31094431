"""Which rows of a data set are tuned on, trained on and tested on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ntkreg.data import ChannelStandardizer, balanced_draws
from ntkreg.data.folders import DataSet
from ntkreg.errors import SpecError
from ntkreg.studies.compare.config import CompareConfig

__all__ = ["Part", "parts_of", "sizes_of", "stratified_folds"]

Rows = tuple[np.ndarray, np.ndarray]
"""Rows to train on, rows to judge by."""


@dataclass(frozen=True, eq=False)
class Part:
    """Rows that share one choice of settings.

    Attributes
    ----------
    X : ndarray
        Inputs as the models see them; the first `n_fit` are trained on, all that are.
    y : ndarray of int
    n_fit : int
    tuning : tuple of Rows
        Settings are chosen by the mean accuracy over these.
    testing : tuple of Rows
        Splits that the chosen setting is tested on.
    """

    X: np.ndarray
    y: np.ndarray
    n_fit: int
    tuning: tuple[Rows, ...]
    testing: tuple[Rows, ...]


def sizes_of(config: CompareConfig, data: DataSet) -> tuple[int | None, ...]:
    """Return the training rows of the sets that one file makes; None for what the file says."""
    return config.n_train if config.n_train and data.n_train is not None else (None,)


def parts_of(config: CompareConfig, data: DataSet, size: int | None) -> Iterator[Part]:
    """Yield the parts of a data set after the protocol.

    Raises
    ------
    SpecError
        Labels of one class; a file without the splits that the protocol takes from it; too few
        rows for its own.
    """
    if len(np.unique(data.y)) < 2:
        raise SpecError(f"{data.name}: all {len(data.y)} rows are of one class.")
    if config.protocol == "shared tuning":
        if data.tune is None or not data.folds:
            raise SpecError(
                f"{data.name}: has no tune_train, tune_val and fold0_train, fold0_test, which "
                'protocol "shared tuning" takes from the file. Use "nested tuning".'
            )
        yield Part(data.X, data.y, len(data.X), (data.tune,), data.folds)
        return
    for number, (train, test) in enumerate(_splits(config, data, size)):
        rng = np.random.default_rng([config.seed, number])
        halves = stratified_folds(data.y[train], 2, rng)
        scaler = ChannelStandardizer().fit(data.X[train])  # of a table's rows: each column
        X = np.concatenate([scaler.transform(data.X[rows]) for rows in (train, test)])
        rows = np.arange(len(train)), np.arange(len(train), len(X))
        y = np.concatenate([data.y[train], data.y[test]])
        yield Part(X, y, len(train), ((halves[0], halves[1]), (halves[1], halves[0])), (rows,))


def stratified_folds(y: np.ndarray, k: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return k parts of equal sizes but for one, and so of each class.

    Raises
    ------
    SpecError
        Fewer than k rows.
    """
    if len(y) < k:
        raise SpecError(f"{len(y)} training rows cannot be parted into {k}. Lower n_splits.")
    # Dealt out class by class, one round on: no part gets the odd row of every class.
    order = np.concatenate([rng.permutation(np.flatnonzero(y == c)) for c in np.unique(y)])
    return [np.sort(order[i::k]) for i in range(k)]


def _splits(config: CompareConfig, data: DataSet, size: int | None) -> Iterator[Rows]:
    if data.folds:
        yield from data.folds
    elif data.n_train is not None:
        test = np.arange(data.n_train, len(data.X))[: config.n_test]
        if size is None:
            yield np.arange(data.n_train), test
            return
        draws = balanced_draws(data.y[: data.n_train], size, config.n_splits, config.seed)
        yield from ((draw, test) for draw in draws)
    else:
        folds = stratified_folds(data.y, config.n_splits, np.random.default_rng(config.seed))
        for i, test in enumerate(folds):
            yield np.sort(np.concatenate(folds[:i] + folds[i + 1 :])), test
