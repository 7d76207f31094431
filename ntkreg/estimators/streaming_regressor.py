"""`StreamingRidge`: ridge regression on features, a part of the samples at a time."""

from typing import Any

import numpy as np
from sklearn.base import _fit_context

from ntkreg.errors import ShapeError
from ntkreg.estimators.streaming_base import StreamingEstimator
from ntkreg.estimators.tasks import Regression

__all__ = ["StreamingRidge"]


class StreamingRidge(Regression, StreamingEstimator):
    r"""Ridge regression that keeps sums over samples and no samples.

    Fits :math:`f(x) = a(x) \cdot c + b` with features a(x); the least of
    :math:`\sum_i w_i (y_i - f(x_i))^2 + \alpha |c|^2`. :math:`A^T W A` and :math:`A^T W y` are
    accumulated in float64, whatever the dtype of the features, a batch of samples at a time, so
    that memory does not grow with their number; then they are solved by Cholesky.

    Parameters
    ----------
    features : transformer or None, default=None
        What makes features of samples, such as `NTKFeatures` or `NTKNystroem`; a clone is fitted
        to X in `fit`, to the first part in `partial_fit`, and transforms a batch at a time. In a
        Pipeline all features of all samples would be in memory at once. Search over its
        parameters as ``features__n_components``. None: X holds the features, dense or sparse.
    alpha : float >= 0 or array-like of shape (n_targets,), default=1e-3
        Ridge, in units of `alpha_scale`; one for each target, or for all. It may be changed
        after the fit: predictions are then solved for anew from the sums, without the samples.
    alpha_scale : {"mean_diagonal", "absolute"}, default="mean_diagonal"
        "mean_diagonal": `alpha` counts in units of the (weighted) mean of :math:`|a(x_i)|^2`,
        which is the mean diagonal of the kernel that features stand for: at the same alpha
        `NTKRegressor` with that kernel predicts the same, but for its intercept. "absolute": as
        in scikit-learn's `Ridge`.
    fit_intercept : bool, default=True
        Whether there is a b, which has no ridge.
    batch_size : int, default=2048
        Samples whose features are in memory together.
    n_jobs : int or None, default=None
        Threads of sums and solve, as in `NTKRegressor`. Values do not depend on it.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        c, float64.
    intercept_ : float or ndarray of shape (n_targets,)
    features_ : transformer or None
        The one fitted.
    sums_ : NormalEquations
        The sums, 8 n_features^2 bytes. ``model.sums_ = None`` drops them, say before pickling,
        where neither samples nor another alpha will come.
    solver_result_ : Solution
        The ridge in absolute units, condition estimate and residual of the solve.
    n_features_in_ : int
        Columns of X; h * w * c for images.
    feature_names_in_ : ndarray of str
        If X has column names, all strings.

    Notes
    -----
    p^2 flops a sample for p features and p^3 / 3 for each distinct alpha; 24 p^2 bytes while it
    solves. `partial_fit` does not solve: the first prediction after it does. Different parts of
    the same samples give the same sums to rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkreg import NTKFeatures, StreamingRidge, fully_connected
    >>> X = np.random.default_rng(0).normal(size=(2000, 5))
    >>> y = np.sin(X[:, 0])
    >>> features = NTKFeatures(fully_connected(2), n_components=600, random_state=0)
    >>> model = StreamingRidge(features)
    >>> for start in range(0, 1500, 500):
    ...     model = model.partial_fit(X[start : start + 500], y[start : start + 500])
    >>> model.score(X[1500:], y[1500:]) > 0.8
    True
    """

    @property
    def coef_(self) -> np.ndarray:
        """Coefficients of the features."""
        coef = self._linear().coef
        return coef[:, 0] if self._flat else coef.T

    @property
    def intercept_(self) -> Any:
        """What is added to them."""
        intercept = self._linear().intercept
        return float(intercept[0]) if self._flat else intercept

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "StreamingRidge":
        """Fit to these samples alone.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or (n_samples, h, w, c)
            Features, or what `features` makes them of.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), float or None
            Weights >= 0; a weight of 2 counts as the sample given twice. The fit of `features`
            knows none.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Parameters out of range, NaN or infinity, shapes that do not fit (`ShapeError`).
        NotPSDError
            If the sums are singular at this `alpha`.
        """
        X, y = self._read_targets(X, y)
        weights = self._weights(sample_weight, len(y))
        self._begin(X, y)
        self._add(X, y.reshape(len(y), -1), weights)
        self._linear()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "StreamingRidge":
        """Add samples to those before; parameters as in `fit`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or (n_samples, h, w, c)
            Features, or what `features` makes them of.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            As many targets as before.
        sample_weight : array-like of shape (n_samples,), float or None
            Weights >= 0, not all 0.

        Returns
        -------
        self
        """
        first = not hasattr(self, "sums_")
        X, y = self._read_targets(X, y, reset=first)
        weights = self._weights(sample_weight, len(y))
        if first:
            self._begin(X, y)
        elif y.shape[1:] != self._target_shape:
            raise ShapeError(
                f"{type(self).__name__}: y must have the shape of targets seen before, "
                f"{('n', *self._target_shape)}; got {y.shape}."
            )
        self._add(X, y.reshape(len(y), -1), weights)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict the targets of samples.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (m, n_features), or (m, h, w, c)
            As in `fit`.

        Returns
        -------
        ndarray of shape (m,) or (m, n_targets)
            float64.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            NaN, infinity, or samples of another shape than in `fit`.
        """
        return self._evaluate(X).reshape(-1, *self._target_shape)

    @property
    def _flat(self) -> bool:
        return not self._target_shape

    def _begin(self, X: Any, y: np.ndarray) -> None:
        self._start(X)
        self._target_shape = y.shape[1:]
