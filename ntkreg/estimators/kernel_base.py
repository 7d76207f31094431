"""What the two kernel estimators share: parameters, the kernel, the solve, the sum."""

import functools
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ntkreg.architecture import Architecture
from ntkreg.cpus import one_blas_thread
from ntkreg.errors import PrecisionWarning, ShapeError
from ntkreg.estimators.network_base import NetworkEstimator
from ntkreg.estimators.products import multiply_rows
from ntkreg.estimators.stop import STOP_CONSTRAINTS, Stop
from ntkreg.gram import gram_in_store, kernel_in_store, kernel_of
from ntkreg.kernels import KernelSpec, StaxNetwork, kernel_dtype, solve_dtype
from ntkreg.kernels.spec import OPTIONS
from ntkreg.solvers import LeaveOneOut, Solver, SpectralSolver, ridge_solver
from ntkreg.solvers.choice import SOLVERS
from ntkreg.solvers.tiled_matrix import is_stored

__all__ = ["CROSS_BYTES", "PRODUCT_ROWS", "SOLVER_CONSTRAINTS", "KernelEstimator", "spec_of"]

CROSS_BYTES = 2**27
"""Most bytes of one batch of the cross kernel in predict, 128 MiB, in float64."""

PRODUCT_ROWS = 32
"""Rows of one product of the cross kernel with the dual coefficients."""


SOLVER_CONSTRAINTS: dict[str, Any] = {
    "solver": [StrOptions(set(SOLVERS))],
    "tol": [Interval(Real, 0, 1, closed="neither")],
}
"""Of estimators that solve at one ridge; those that choose among many have no such parameters."""


class KernelEstimator(NetworkEstimator):
    """Base of `NTKRegressor` and `NTKClassifier`, where the parameters are documented."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **NetworkEstimator._parameter_constraints,
        "architecture": [Architecture, StaxNetwork, callable, None],
        "kernel": [StrOptions({"architecture", "precomputed"})],
        "get": [StrOptions({"ntk", "nngp"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "alpha_scale": [StrOptions({"absolute", "mean_diagonal"})],
        **{
            name: [StrOptions({choice for choice in choices if choice is not None}), None]
            for name, choices in OPTIONS.items()
        },
        **STOP_CONSTRAINTS,
        "dtype": [StrOptions({"float32", "float64", "mixed"}), type, np.dtype, None],
        "store": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
    }

    solver: str = "auto"
    tol: float = 1e-6

    @property
    def n_iter_(self) -> int | None:
        """Iterations of the solve; None if it did not iterate."""
        return self.solver_result_.n_iter

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self._reads_kernels()
        return tags

    def _reads_kernels(self) -> bool:
        return self.kernel == "precomputed"

    def _fit_gram(self, X: np.ndarray, variants: Any = None, get: Any = None) -> Any:
        """Keep what predict needs and return the Gram matrix of the training data.

        With variants of the network one for each, (n_variants, n, n), from one pass; of several
        kernels to `get` a tuple, None for the estimator's own.
        """
        name = type(self).__name__
        self.kernel_: Callable[..., Any] | None = None
        self.architecture_: Any = None
        self.X_fit_: Any = None
        self.dtype_: str | None = None
        if self._reads_kernels():
            names = ("architecture", *OPTIONS, "image_shape", "store")
            unused = [p for p in names if getattr(self, p) is not None]
            if unused:
                raise ValueError(
                    f'{name}: {", ".join(unused)} has no effect with kernel="precomputed". '
                    'Leave it at None, or use kernel="architecture".'
                )
            if X.shape[0] != X.shape[1]:
                raise ShapeError(
                    f'{name}: with kernel="precomputed" X must be the square kernel matrix of '
                    f"the training samples; got shape {X.shape}."
                )
            return X
        self.architecture_ = self._network(self.architecture)
        self.dtype_ = solve_dtype(self.architecture_, X, self.dtype)
        # A copy: predictions must not change when the caller later writes into X.
        self.X_fit_ = np.array(X, dtype=kernel_dtype(X, self.dtype_), order="C")
        spec = spec_of(self)
        self.kernel_ = functools.partial(kernel_of, spec, n_jobs=self.n_jobs)
        spec = replace(spec, variants=variants, get=get or spec.get)
        return self._gram(spec, self.X_fit_)

    def _gram(self, spec: KernelSpec, X: np.ndarray, Z: np.ndarray | None = None) -> Any:
        """Return kernel values, from the store where there is one."""
        return kernel_in_store(spec, X, Z, store=self.store, n_jobs=self.n_jobs)

    def _solve(self, X: np.ndarray, targets: np.ndarray, sample_weight: np.ndarray | None) -> None:
        stop = Stop.of(self)
        K = self._fit_gram(X)
        if stop is not None:
            spectral = SpectralSolver(K, sample_weight=sample_weight)
            self.solver_result_ = stop.solution(spectral, targets)
        else:
            solver = self._ridge_solver(K, sample_weight)
            self.solver_result_ = solver.solve(
                targets, alpha=self.alpha, alpha_scale=self.alpha_scale
            )
        self.dual_coef_ = self.solver_result_.dual_coef

    def _ridge_solver(
        self,
        K: Any,
        sample_weight: np.ndarray | None,
        *,
        keep_maps: bool = False,
        needs_factor: str | None = None,
    ) -> Solver:
        """Return the solver of a Gram matrix, which is its own to overwrite if it was computed."""
        return ridge_solver(
            type(self).__name__,
            self.solver,
            K,
            sample_weight=sample_weight,
            n_jobs=self.n_jobs,
            tol=self.tol,
            overwrite_K=self.kernel_ is not None,
            keep_maps=keep_maps,
            needs_factor=needs_factor,
        )

    def _solve_leaving_out(
        self, X: np.ndarray, targets: np.ndarray, sample_weight: np.ndarray | None
    ) -> LeaveOneOut:
        """Solve as `_solve`, and return what is wrong for each sample if it is left out.

        Raises
        ------
        ValueError
            Training stops before the end, where leaving out has no closed form.
        """
        if Stop.of(self) is not None:
            raise ValueError(
                f"{type(self).__name__}: probability=True needs training to the end; got "
                f"train_time={self.train_time!r} and train_steps={self.train_steps!r}. Leave them "
                "at None, or use probability=False in scikit-learn's CalibratedClassifierCV."
            )
        K = self._fit_gram(X)
        solver = self._ridge_solver(K, sample_weight, needs_factor="probability=True")
        found = solver.leave_one_out(targets, alpha=self.alpha, alpha_scale=self.alpha_scale)
        if found.doubt is not None:
            warnings.warn(found.doubt, PrecisionWarning, stacklevel=4)  # who called fit
        self.solver_result_ = found.solution
        self.dual_coef_ = self.solver_result_.dual_coef
        return found

    def _new_samples(self, X: Any) -> np.ndarray:
        """Return samples to predict for, checked."""
        check_is_fitted(self)
        X = self._read(X, reset=False)
        if self.kernel_ is not None:
            self._check_like_fit(X, self.X_fit_.shape[1:])
        return X

    def _evaluate(self, X: Any) -> np.ndarray:
        """Return K(X, X_fit_) @ dual_coef_, a batch of rows at a time."""
        X = self._new_samples(X)
        rows = max(1, CROSS_BYTES // (8 * len(self.dual_coef_)))
        values = np.empty((len(X), *self.dual_coef_.shape[1:]))
        kept = None
        if self.kernel_ is not None and self.store is not None:
            spec = self.kernel_.args[0]  # type: ignore[attr-defined]
            kept = gram_in_store(spec, X, self.X_fit_, store=self.store, n_jobs=self.n_jobs)
        # One limit for all batches: in between, no other caller's end lets BLAS loose.
        with one_blas_thread():
            for start in range(0, len(X), rows):
                which = slice(start, min(start + rows, len(X)))
                cross = self._cross_rows(X, which) if kept is None else kept[spec.get].read(which)
                part = values[start : start + rows]
                multiply_rows(cross, self.dual_coef_, part, at_once=PRODUCT_ROWS)
        return values

    def _cross_rows(self, X: Any, rows: slice) -> np.ndarray:
        """Return some rows of the cross kernel, finite."""
        if self.kernel_ is not None:
            return self.kernel_(X[rows], self.X_fit_)
        if not is_stored(X):
            return X[rows]
        cross = X.read(rows, slice(0, X.shape[1]))
        if not np.isfinite(cross).all():
            raise ValueError(
                f"{type(self).__name__}: X contains NaN or infinity (in rows {rows.start} to "
                f"{rows.stop}). If its folder is not complete yet, finish it first."
            )
        return cross


def spec_of(estimator: Any) -> KernelSpec:
    """Return which kernel an estimator has, once `architecture_` and `dtype_` are chosen.

    It is made of parameters and these two each time: an old pickle has them, and no spec.
    """
    options = {name: getattr(estimator, name) for name in OPTIONS}
    return KernelSpec(estimator.architecture_, get=estimator.get, dtype=estimator.dtype_, **options)
