"""What the two streaming ridge estimators share: batches, features, sums, and when to solve."""

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from ntkreg.arrays import refuse_dates, refuse_masked
from ntkreg.cpus import check_n_jobs
from ntkreg.errors import ShapeError
from ntkreg.estimators.products import multiply_rows
from ntkreg.estimators.transformer_base import PRODUCT_ROWS
from ntkreg.estimators.weights import read_weights
from ntkreg.solvers.normal_equations import LinearSolution, NormalEquations

__all__ = ["StreamingEstimator"]


class StreamingEstimator(BaseEstimator):
    """Base of `StreamingRidge` and `StreamingRidgeClassifier`, where parameters are documented."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "features": [HasMethods(["fit", "transform"]), None],
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "alpha_scale": [StrOptions({"absolute", "mean_diagonal"})],
        "fit_intercept": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        features: Any = None,
        *,
        alpha: Any = 1e-3,
        alpha_scale: str = "mean_diagonal",
        fit_intercept: bool = True,
        batch_size: int = 2048,
        n_jobs: int | None = None,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.alpha_scale = alpha_scale
        self.fit_intercept = fit_intercept
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.features is None
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "sums_")

    @property
    def solver_result_(self) -> Any:
        """The ridge in absolute units, condition estimate and residual of the solve."""
        return self._linear().solution

    def _read(self, X: Any, y: Any = "no_validation", *, reset: bool, **checks: Any) -> Any:
        """Check X, and y if there is one; images keep their shape for `features`."""
        name = type(self).__name__
        refuse_masked(f"{name}: X", X)
        refuse_masked(f"{name}: y", y)
        refuse_dates(f"{name}: X", X)
        shape = None
        if getattr(X, "ndim", 2) > 2:
            if self.features is None:
                raise ShapeError(
                    f"{name}: X must be (n, d) without features; got shape {X.shape}. Give it a "
                    "transformer, as features=NTKNystroem(cntk()), or X.reshape(len(X), -1)."
                )
            X = np.asarray(X)
            shape, X = X.shape[1:], X.reshape(len(X), -1)
        if self.features is None:
            checks |= {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}
        checked = validate_data(self, X, y, reset=reset, **checks)
        X, y = checked if isinstance(checked, tuple) else (checked, None)
        X = X if shape is None else X.reshape(len(X), *shape)
        return X if y is None else (X, y)

    def _weights(self, sample_weight: Any, n_samples: int) -> np.ndarray | None:
        return read_weights(type(self).__name__, sample_weight, n_samples)

    def _start(self, X: Any) -> None:
        """Forget all samples, and fit the features to those that come."""
        self.features_ = None if self.features is None else clone(self.features).fit(X)
        self.__dict__.pop("sums_", None)
        self._solved: tuple[Any, LinearSolution] | None = None

    def _add(self, X: Any, targets: np.ndarray, weights: np.ndarray | None) -> None:
        """Add samples with targets (n, n_targets), a batch at a time."""
        name = type(self).__name__
        for part, A in self._batches(X):
            if not hasattr(self, "sums_"):
                size = A.shape[1], targets.shape[1]
                self.sums_: Any = NormalEquations(name, *size, fit_intercept=self.fit_intercept)
            if self.sums_ is None:
                raise ValueError(f"{name}: sums_ were dropped, so no more samples can be added.")
            of_part = None if weights is None else weights[part]
            self.sums_.add(A, targets[part], of_part, check_n_jobs(self.n_jobs))

    def _batches(self, X: Any) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield the features of some samples after others, and which they are."""
        for start in range(0, X.shape[0], self.batch_size):
            part = slice(start, start + self.batch_size)
            A = X[part] if self.features_ is None else self.features_.transform(X[part])
            yield part, A.toarray() if issparse(A) else np.asarray(A)

    def _linear(self) -> LinearSolution:
        """Return the solution for all samples so far at the ridge of now."""
        check_is_fitted(self)
        if self.sums_ is not None:
            state = np.ravel(self.alpha).tolist(), self.alpha_scale, self.sums_.n_rows
            if self._solved is None or self._solved[0] != state:
                how = self.alpha, self.alpha_scale, check_n_jobs(self.n_jobs)
                self._solved = state, self.sums_.solve(*how)
        elif self._solved is None:
            raise ValueError(f"{type(self).__name__}: sums_ were dropped before a solution.")
        return self._solved[1]

    def _evaluate(self, X: Any) -> np.ndarray:
        """Return values (m, n_targets) of samples."""
        linear = self._linear()
        X = self._read(X, reset=False)
        values = np.empty((X.shape[0], len(linear.intercept)))
        n_jobs = check_n_jobs(self.n_jobs)
        for part, A in self._batches(X):
            multiply_rows(A, linear.coef, values[part], at_once=PRODUCT_ROWS, n_jobs=n_jobs)
        return values + linear.intercept
