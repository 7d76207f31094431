"""`score` of the estimators, which says what is wrong with y before it predicts anything."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import _num_samples, check_is_fitted

from ntkreg.errors import ShapeError
from ntkreg.estimators.labels import check_kind, read_labels
from ntkreg.estimators.targets import read_targets

__all__ = ["LabelScore", "TargetScore"]


class LabelScore(ClassifierMixin):
    """A classifier's `score`."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of `predict`.

        Parameters
        ----------
        X : array-like
            As in `predict`, (m, ...).
        y : array-like of shape (m,)
            Labels of the kind seen in `fit` (numbers, text, ...). Those that `fit` did not see
            are predicted by nobody and count as wrong.
        sample_weight : array-like of shape (m,), float or None
            Weights >= 0 of the samples.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            Labels of another kind, missing or continuous; of another number (`ShapeError`).
        """
        check_is_fitted(self)
        name, n = type(self).__name__, _num_samples(X)
        y = read_labels(name, y)
        _check_length(name, y, n)
        check_kind(name, y, self.classes_)
        return super().score(X, y.ravel(), self._weights(sample_weight, n))


class TargetScore(RegressorMixin):
    """A regressor's `score`."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination R^2 of `predict`, the mean over targets.

        Parameters
        ----------
        X : array-like
            As in `predict`, (m, ...).
        y : array-like of shape (m,) or (m, n_targets)
            Numbers, as many targets as in `fit`.
        sample_weight : array-like of shape (m,), float or None
            Weights >= 0 of the samples.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            Targets that are no finite numbers; of another shape (`ShapeError`).
        """
        check_is_fitted(self)
        name, n = type(self).__name__, _num_samples(X)
        y = read_targets(name, y)
        _check_length(name, y, n)
        weights = self._weights(sample_weight, n)
        predicted = self.predict(X)
        if y.size != predicted.size:
            raise ShapeError(
                f"{name}: y must hold {predicted.size // n} target(s) a sample, as in fit; got "
                f"shape {y.shape}."
            )
        return float(r2_score(y.reshape(predicted.shape), predicted, sample_weight=weights))


def _check_length(name: str, y: np.ndarray, n: int) -> None:
    if len(y) != n:
        raise ShapeError(
            f"{name}: y must hold one entry for each of the {n} samples in X; got {len(y)}."
        )
