"""Values of rows that were left out, scored as scikit-learn scores an estimator's predictions."""

import inspect
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer

from ntkreg.estimators.labels import decode_labels

__all__ = ["Scores"]


class _Regressor(RegressorMixin, BaseEstimator):
    """Predicts what it is given, which is what scorers ask an estimator for."""

    def predict(self, values: np.ndarray) -> np.ndarray:
        return values


class _Classifier(ClassifierMixin, BaseEstimator):
    def __init__(self, classes: np.ndarray) -> None:
        self.classes_ = classes

    def decision_function(self, values: np.ndarray) -> np.ndarray:
        return values

    def predict(self, values: np.ndarray) -> np.ndarray:
        return decode_labels(values[:, None] if values.ndim == 1 else values, self.classes_)


class Scores:
    """How good values are, by a scorer of scikit-learn.

    Parameters
    ----------
    scoring : str or callable
    y : ndarray of shape (n,) or (n, n_targets)
        True targets or labels.
    weights : ndarray of shape (n,) or None
    classes : ndarray or None
        Those of labels.
    per_target : bool
        A score for each target.
    """

    def __init__(
        self,
        scoring: Any,
        y: np.ndarray,
        weights: np.ndarray | None,
        classes: np.ndarray | None,
        per_target: bool,
    ) -> None:
        self._scorer = get_scorer(scoring)
        self._y, self._weights = y, weights
        self._estimator = _Regressor() if classes is None else _Classifier(classes)
        self._per_target = per_target and y.ndim == 2
        weighs = "sample_weight" in inspect.signature(self._scorer).parameters
        self._weighs = weights is not None and weighs

    def of(self, values: np.ndarray, rows: Any = slice(None)) -> np.ndarray:
        """Return the score of values for some rows, () or (n_targets,)."""
        weights = {"sample_weight": self._weights[rows]} if self._weighs else {}  # type: ignore[index]
        y = self._y[rows]
        if not self._per_target:
            return np.asarray(self._scorer(self._estimator, values, y, **weights), float)
        pairs = zip(values.T, y.T, strict=True)
        return np.array([self._scorer(self._estimator, v, t, **weights) for v, t in pairs])
