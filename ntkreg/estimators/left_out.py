"""Values of rows that were left out, scored as scikit-learn scores an estimator's predictions."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer
from sklearn.utils.validation import _check_method_params

from ntkreg.estimators.labels import decode_labels

__all__ = ["Scores"]


class LeftOutRegressor(RegressorMixin, BaseEstimator):
    """Predicts what it is given, which is what scorers ask an estimator for."""

    def predict(self, values: np.ndarray) -> np.ndarray:
        return values


class LeftOutClassifier(ClassifierMixin, BaseEstimator):
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
    who : str
        What errors begin with.
    scoring : str or callable
    y : ndarray of shape (n,) or (n, n_targets)
        True targets or labels.
    params : dict
        What else the scorer gets; of an entry a row, each time its entries for the rows scored.
    classes : ndarray or None
        Those of labels.
    per_target : bool
        A score for each target.
    """

    def __init__(
        self,
        who: str,
        scoring: Any,
        y: np.ndarray,
        params: dict[str, Any],
        classes: np.ndarray | None,
        per_target: bool,
    ) -> None:
        self._who, self._scorer = who, get_scorer(scoring)
        self._y, self._params = y, params
        self._estimator = LeftOutRegressor() if classes is None else LeftOutClassifier(classes)
        self._per_target = per_target and y.ndim == 2

    def of(self, values: np.ndarray, rows: Any = None) -> np.ndarray:
        """Return the score of values for some rows, or all, () or (n_targets,)."""
        params, y = self._params, self._y
        if rows is not None:
            params, y = _check_method_params(y, params, indices=rows), y[rows]
        if not self._per_target:
            return np.asarray(self._score(values, y, params))
        pairs = zip(values.T, y.T, strict=True)
        return np.array([self._score(v, t, params) for v, t in pairs])

    def _score(self, values: np.ndarray, y: np.ndarray, params: dict[str, Any]) -> float:
        try:
            score = self._scorer(self._estimator, values, y, **params)
        except AttributeError as error:
            raise AttributeError(
                f"{self._who}: scoring asks for what values of samples left out do not have "
                f"({error}): they are what `decision_function` of a classifier or `predict` gives. "
                'Choose by a scorer of these, such as "accuracy", "roc_auc" or "r2"; '
                "`probability=True` calibrates a classifier after the choice."
            ) from error
        try:
            return float(score)
        except (TypeError, ValueError):
            raise ValueError(
                f"{self._who}: scoring must return one number; got {score!r}."
            ) from None
