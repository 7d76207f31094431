"""One model on one data set: tuned, tested, timed, and its kernel looked at."""

import time
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from ntkreg.data.folders import DataSet
from ntkreg.studies.compare.config import CompareConfig
from ntkreg.studies.compare.kernels import kernel_settings, kernel_values
from ntkreg.studies.compare.models import Model
from ntkreg.studies.compare.rivals import fit_and_predict_xrfm
from ntkreg.studies.compare.splits import Part, Rows, parts_of

__all__ = ["STEPS", "Found", "tune_and_test", "work_on"]

STEPS = 200_000
"""Steps of libsvm for each pair of classes; without a bound some take hours."""


@dataclass
class Found:
    """What is known of one model on one data set.

    Attributes
    ----------
    splits : list of dict
        One each test: split, n_train, n_test, accuracy and validation (percent), setting.
    seconds_kernel, seconds_tune, seconds_test : float
    unfinished : int
        Support vector machines that STEPS ended.
    K : ndarray of shape (m, m) or None
        The kernel tuned for the first split, on at most `n_geometry` of its training rows.
    y : ndarray of shape (m,) or None
        Their labels.
    """

    splits: list[dict[str, Any]] = field(default_factory=list)
    seconds_kernel: float = 0.0
    seconds_tune: float = 0.0
    seconds_test: float = 0.0
    unfinished: int = 0
    K: np.ndarray | None = None
    y: np.ndarray | None = None


class _Fitted(ABC):
    """A model that can be fitted with each of its settings on some rows of a part."""

    unfinished = 0

    def __init__(self, config: CompareConfig, model: Model, part: Part) -> None:
        self.config, self.part, self.settings = config, part, model.settings()

    def accuracy(self, number: int, rows: Rows) -> float:
        """Return the share of right answers on the second rows after training on the first."""
        train, test = rows
        y, wanted = self.part.y[train], self.part.y[test]
        if y[0] == y[-1] and (y == y[0]).all():  # of one class there is nothing to fit
            return float(np.mean(wanted == y[0]))
        return float(np.mean(self.predict(number, train, test) == wanted))

    @abstractmethod
    def predict(self, number: int, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        """Return what the setting of this number, trained on some rows, says of others."""


class _OnKernel(_Fitted):
    """Support vector machines on kernels that are computed once."""

    def __init__(
        self, config: CompareConfig, model: Model, part: Part, store: Path | None = None
    ) -> None:
        super().__init__(config, model, part)
        self.K = kernel_values(model, part.X, part.n_fit, store=store)
        if config.kernel_scale == "mean_diagonal":
            for K in self.K:
                mean = float(np.einsum("ii->i", K[: part.n_fit]).mean(dtype=np.float64))
                if mean > 0:
                    K /= mean
        self.n_costs = len(self.settings) // len(kernel_settings(model))

    def kernel(self, number: int) -> np.ndarray:
        return self.K[number // self.n_costs]

    def predict(self, number: int, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        K = self.kernel(number)
        machine = SVC(C=self.settings[number]["C"], kernel="precomputed", max_iter=STEPS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # counted below
            machine.fit(K[np.ix_(train, train)], self.part.y[train])
        self.unfinished += int(machine.fit_status_)
        return machine.predict(K[np.ix_(test, train)])


class _OnRows(_Fitted):
    """Ensembles of trees and rivals, on rows of numbers."""

    def __init__(self, config: CompareConfig, model: Model, part: Part) -> None:
        super().__init__(config, model, part)
        self.kind, self.X = model.kind, part.X.reshape(len(part.X), -1)

    def predict(self, number: int, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        seed, trees = self.config.seed, self.config.n_trees
        if self.kind == "xrfm":
            known = self.X[train], self.part.y[train]
            return fit_and_predict_xrfm(self.settings[number], known, self.X[test], seed)
        if self.kind == "random_forest":
            trees = RandomForestClassifier(trees, random_state=seed, **self.settings[number])
        else:
            trees = HistGradientBoostingClassifier(
                max_iter=trees, early_stopping=False, random_state=seed, **self.settings[number]
            )
        return trees.fit(self.X[train], self.part.y[train]).predict(self.X[test])


def tune_and_test(
    config: CompareConfig, model: Model, data: DataSet, size: int | None, store: Path | None = None
) -> Found:
    """Choose the model's setting after the protocol and test it on every split.

    With a `store` networks' kernels are found or kept there.

    Raises
    ------
    SpecError, ShapeError, ValueError, PlanError
        What keeps this model, or any, from this data set.
    """
    found = Found()
    for part in parts_of(config, data, size):
        work_on(config, model, part, found, store)
    return found


def work_on(
    config: CompareConfig, model: Model, part: Part, found: Found, store: Path | None = None
) -> None:
    """Add what a model does on rows that share one choice of settings.

    The first of the best settings is taken, in the order of `Model.settings`.
    """
    times = [time.perf_counter()]
    fitted: _Fitted
    if model.is_kernel:
        fitted = _OnKernel(config, model, part, store)
    else:
        fitted = _OnRows(config, model, part)
    times.append(time.perf_counter())
    scores = [
        float(np.mean([fitted.accuracy(number, rows) for rows in part.tuning]))
        for number in range(len(fitted.settings))
    ]
    best = int(np.argmax(scores))
    times.append(time.perf_counter())
    for rows in part.testing:
        line = {
            "split": len(found.splits),
            "n_train": len(rows[0]),
            "n_test": len(rows[1]),
            "accuracy": 100 * fitted.accuracy(best, rows),
            "validation": 100 * scores[best],
            "setting": fitted.settings[best],
        }
        found.splits.append(line)
    times.append(time.perf_counter())
    for name, seconds in zip(("kernel", "tune", "test"), np.diff(times), strict=True):
        setattr(found, f"seconds_{name}", getattr(found, f"seconds_{name}") + float(seconds))
    found.unfinished += fitted.unfinished
    if isinstance(fitted, _OnKernel) and found.K is None:
        few = _sample(part.testing[0][0], config.n_geometry, config.seed)
        found.K, found.y = fitted.kernel(best)[np.ix_(few, few)], part.y[few]


def _sample(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Return some of the rows, the same for every model."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
