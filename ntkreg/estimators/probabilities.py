"""Probabilities of classes, for classifiers whose `fit` was asked to calibrate them."""

from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from ntkreg.estimators.labels import code_labels, weigh_classes
from ntkreg.solvers import LeaveOneOut
from ntkreg.solvers.temperature import fit_temperature, probabilities

__all__ = ["Probabilities"]


def _calibrated(estimator: "Probabilities") -> bool:
    """Say whether an estimator has probabilities, or will have them once it is fitted."""
    fitted = hasattr(estimator, "classes_")
    if hasattr(estimator, "temperature_") if fitted else estimator.probability:
        return True
    name = type(estimator).__name__
    raise AttributeError(
        f"{name}: predict_proba needs a fit with probability=True; this one "
        f"{'was fitted without' if fitted else 'has probability=False'}. Set it and call fit."
    )


class Probabilities:
    """Mixin of `NTKClassifier` and `NTKClassifierCV`: weights of classes, and probabilities.

    `temperature_` in `fit`, `predict_proba` and `predict_log_proba` after it.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "probability": ["boolean"],
    }

    class_weight: Any
    probability: bool
    classes_: np.ndarray
    temperature_: float
    decision_function: Any

    def _weigh_classes(self, codes: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """Return the samples' weights times those of their classes."""
        name = type(self).__name__
        return weigh_classes(name, self.class_weight, self.classes_, codes, weights)

    def _code(self, codes: np.ndarray) -> np.ndarray:
        """Keep the intercept, and return targets less it."""
        k = len(self.classes_)
        self.intercept_: Any = 0.0
        targets = code_labels(codes, k)
        if isinstance(self.class_weight, dict):
            # The mean code of classes as they are weighted, as many samples of each as of another.
            given = [float(self.class_weight.get(label, 1.0)) for label in self.classes_.tolist()]
            shares = np.asarray(given) / max(given)
            mean = shares @ code_labels(np.arange(k), k) / shares.sum()
            self.intercept_ = float(mean) if k == 2 else mean
        return targets - self.intercept_

    def _with_intercept(self, values: np.ndarray) -> np.ndarray:
        # Pickles of earlier versions have none.
        intercept = getattr(self, "intercept_", 0.0)
        return values + intercept if np.any(intercept) else values

    def _calibrate(
        self,
        found: LeaveOneOut | None,
        codes: np.ndarray,
        weights: np.ndarray | None,
        weighted: np.ndarray | None,
    ) -> None:
        """Keep the temperature of scores of rows left out; None: keep none.

        Of weights, those of classes left aside, one repetition is left out, so that a weight of
        2 gives what the sample given twice does.
        """
        if hasattr(self, "temperature_"):  # of an earlier fit
            del self.temperature_
        if found is None:
            return
        errors = found.errors
        if weights is not None and weighted is not None:
            of_class = np.divide(weighted, weights, out=np.zeros(len(codes)), where=weights > 0)
            errors = found.errors_of_repetitions(np.maximum(weights - 1, 0) * of_class)
        held_out = code_labels(codes, len(self.classes_)) - errors
        self.temperature_ = fit_temperature(_by_class(held_out), codes, weighted)

    @available_if(_calibrated)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Estimate the probability of each class for new samples.

        softmax(s / `temperature_`) of the regressed codes s of the classes, for two classes of
        -s and s; the class that `predict` says is the likeliest.

        Parameters
        ----------
        X : array-like of shape (m, n_features) or (m, h, w, c)
            New samples; the cross kernel (m, n_samples) if precomputed.

        Returns
        -------
        ndarray of shape (m, n_classes)
            float64, in the order of ``classes_``.

        Raises
        ------
        AttributeError
            Fitted without ``probability=True``.
        NotFittedError
            Before `fit`.
        ValueError
            As `decision_function`.
        """
        return self._probabilities(X, log=False)

    @available_if(_calibrated)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Estimate the logarithm of the probability of each class; see `predict_proba`.

        Parameters
        ----------
        X : array-like
            As in `predict_proba`.

        Returns
        -------
        ndarray of shape (m, n_classes)
            Finite where a probability is too small for float64.
        """
        return self._probabilities(X, log=True)

    def _probabilities(self, X: Any, log: bool) -> np.ndarray:
        scores = _by_class(self.decision_function(X))
        return probabilities(scores, self.temperature_, log=log)


def _by_class(scores: np.ndarray) -> np.ndarray:
    """Return scores with a column for each class."""
    return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
