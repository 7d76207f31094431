"""What estimators of one task share, on kernels or networks: y, read and given back, and scores.

What is wrong with y is said before anything is computed.
"""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _num_samples, check_is_fitted

from ntkreg.errors import ShapeError
from ntkreg.estimators.labels import check_kind, decode_labels, encode_labels, read_labels
from ntkreg.estimators.targets import read_targets

__all__ = ["Classification", "Regression"]


class Classification(ClassifierMixin):
    """Labels: `classes_` and codes in `fit`, labels again in `predict`, accuracy in `score`."""

    def _read_labelled(
        self, X: Any, y: Any, sample_weight: Any = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Keep `classes_`; return X, for each label the position of its class, and the weights."""
        name = type(self).__name__
        y = y if y is None else read_labels(name, y)
        X, y = self._read(X, y, reset=True)
        check_classification_targets(y)
        weights = self._weights(sample_weight, len(y))
        self.classes_, codes = encode_labels(name, y, weights)
        return X, codes, weights

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class of new samples; parameters and errors of `decision_function`.

        Parameters
        ----------
        X : array-like of shape (m, n_features) or (m, h, w, c)
            New samples.

        Returns
        -------
        ndarray of shape (m,)
            Labels out of ``classes_``; the first of those with equal values.
        """
        values = self.decision_function(X)
        return decode_labels(values[:, None] if values.ndim == 1 else values, self.classes_)

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


class Regression(MultiOutputMixin, RegressorMixin):
    """Targets: read as numbers in `fit`, R^2 in `score`."""

    def _read_targets(self, X: Any, y: Any, *, reset: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Return X and the targets, (n,) or (n, n_targets), float64."""
        y = y if y is None else read_targets(type(self).__name__, y)
        return self._read(X, y, reset=reset, multi_output=True, y_numeric=True)

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
