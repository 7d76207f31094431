"""`StreamingRidgeClassifier`: ridge regression on coded labels, a part of the samples at a time."""

from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils.multiclass import check_classification_targets

from ntkreg.estimators.labels import check_kind, code_labels, encode_labels, read_labels
from ntkreg.estimators.streaming_base import StreamingEstimator
from ntkreg.estimators.tasks import Classification

__all__ = ["StreamingRidgeClassifier"]


class StreamingRidgeClassifier(Classification, StreamingEstimator):
    r"""Classification by ridge regression on coded labels, from sums over samples alone.

    Labels are coded as in `NTKClassifier`, sums and features are as in `StreamingRidge`, and the
    class of the greatest value wins.

    Parameters
    ----------
    features : transformer or None, default=None
        What makes features of samples, such as `NTKFeatures` or `NTKNystroem`, as in
        `StreamingRidge`. None: X holds the features, dense or sparse.
    alpha : float >= 0 or array-like of shape (n_classes,), default=1e-3
        Ridge, in units of `alpha_scale`; one for each class, or for all.
    alpha_scale : {"mean_diagonal", "absolute"}, default="mean_diagonal"
        "mean_diagonal": in units of the mean of :math:`|a(x_i)|^2`; "absolute": as in
        scikit-learn's `RidgeClassifier`, whose labels are 1 and -1.
    fit_intercept : bool, default=True
        Whether a constant without a ridge is added for each class.
    batch_size : int, default=2048
        Samples whose features are in memory together.
    n_jobs : int or None, default=None
        Threads of sums and solve. Values do not depend on it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels seen in `fit`, sorted, or those told to `partial_fit`.
    coef_ : ndarray of shape (1, n_features) for two classes, else (n_classes, n_features)
        float64.
    intercept_ : ndarray of shape (1,) or (n_classes,)
    features_, sums_, solver_result_, n_features_in_, feature_names_in_
        As in `StreamingRidge`.

    See Also
    --------
    StreamingRidge : Where alpha, memory and cost are described.

    References
    ----------
    Arora et al. 2019 (arXiv 1904.11955), section 6 (label coding).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ntkreg import NTKFeatures, StreamingRidgeClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = StreamingRidgeClassifier(NTKFeatures(n_components=500, random_state=0))
    >>> model.fit(X[:1000] / 16, y[:1000]).score(X[1000:] / 16, y[1000:]) > 0.9
    True
    """

    @property
    def coef_(self) -> np.ndarray:
        """Coefficients of the features."""
        return self._linear().coef.T

    @property
    def intercept_(self) -> np.ndarray:
        """What is added to them."""
        return self._linear().intercept

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "StreamingRidgeClassifier":
        """Fit to these samples alone.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or (n_samples, h, w, c)
            Features, or what `features` makes them of.
        y : array-like of shape (n_samples,)
            Labels of any kind: integers, strings, booleans; at least two classes.
        sample_weight : array-like of shape (n_samples,), float or None
            Weights >= 0; a weight of 2 counts as the sample given twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Fewer than two classes, parameters out of range, NaN or infinity, shapes that do not
            fit (`ShapeError`).
        NotPSDError
            If the sums are singular at this `alpha`.
        """
        X, codes, weights = self._read_labelled(X, y, sample_weight)
        self._start(X)
        self._add(X, self._coded(codes), weights)
        self._linear()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> "StreamingRidgeClassifier":
        """Add samples to those before.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or (n_samples, h, w, c)
            Features, or what `features` makes them of.
        y : array-like of shape (n_samples,)
            Labels out of `classes`.
        classes : array-like of shape (n_classes,) or None
            All labels there will be; must be given in the first call.
        sample_weight : array-like of shape (n_samples,), float or None
            Weights >= 0, not all 0.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Other labels; no `classes` in the first call, or others than there.
        """
        name = type(self).__name__
        first = not hasattr(self, "sums_")
        if first and classes is None:
            raise ValueError(f"{name}: classes must list all labels in the first partial_fit.")
        known = (
            self.classes_ if classes is None else encode_labels(name, read_labels(name, classes))[0]
        )
        if not first and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"{name}: classes must be those of the first partial_fit, "
                f"{self.classes_.tolist()}; got {known.tolist()}."
            )
        y = y if y is None else read_labels(name, y)
        X, y = self._read(X, y, reset=first)
        check_classification_targets(y)
        check_kind(name, y, known)
        codes = np.searchsorted(known, y.ravel())
        strange = known[np.minimum(codes, len(known) - 1)] != y.ravel()
        if strange.any():
            raise ValueError(
                f"{name}: y must hold labels out of classes, {known.tolist()}; got "
                f"{y.ravel()[strange].tolist()[0]!r}."
            )
        weights = self._weights(sample_weight, len(y))
        if first:
            self.classes_ = known
            self._start(X)
        self._add(X, self._coded(codes), weights)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the regressed label codes of samples.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (m, n_features), or (m, h, w, c)
            As in `fit`.

        Returns
        -------
        ndarray of shape (m,) for two classes, positive for ``classes_[1]``; else (m, n_classes)
            float64.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            NaN, infinity, or samples of another shape than in `fit`.
        """
        values = self._evaluate(X)
        return values[:, 0] if values.shape[1] == 1 else values

    def _coded(self, codes: np.ndarray) -> np.ndarray:
        return code_labels(codes, len(self.classes_)).reshape(len(codes), -1)
