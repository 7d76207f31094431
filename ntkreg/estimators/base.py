"""What the two estimators share: parameters, reading X, the kernel, the solve, the sum."""

import functools
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from ntkreg.architecture import Architecture, fully_connected
from ntkreg.errors import ShapeError
from ntkreg.gram import kernel as network_kernel
from ntkreg.kernels import StaxNetwork, kernel_dtype, solve_dtype
from ntkreg.solvers import solve_cholesky

__all__ = ["CROSS_BYTES", "KernelEstimator"]

CROSS_BYTES = 2**27
"""Most bytes of one batch of the cross kernel in predict (128 MiB), its float64 copy included."""


class KernelEstimator(BaseEstimator):
    """Base of `NTKRegressor` and `NTKClassifier`, where the parameters are documented."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "architecture": [Architecture, StaxNetwork, callable, None],
        "kernel": [StrOptions({"architecture", "precomputed"})],
        "get": [StrOptions({"ntk", "nngp"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "alpha_scale": [StrOptions({"absolute", "mean_diagonal"})],
        "normalize": [StrOptions({"unit_diagonal"}), None],
        "symmetry": [StrOptions({"flip"}), None],
        "backend": [StrOptions({"jax"}), None],
        "image_shape": [tuple, list, None],
        "dtype": [StrOptions({"float32", "float64", "mixed"}), type, np.dtype, None],
        "n_jobs": [Integral, None],
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags

    def set_params(self, **params: Any) -> "KernelEstimator":
        """Set parameters of the estimator, or of its recipe as ``architecture__depth``.

        An architecture never changes, so ``architecture__...`` replaces it by a changed
        copy; with ``architecture=None`` the copy starts from the default network.

        Parameters
        ----------
        **params
            Names and values as in scikit-learn.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a name that the estimator or the recipe does not have, or an
            ``architecture__...`` where there is no recipe to change.
        """
        prefix = "architecture__"
        changes = {
            k.removeprefix(prefix): params.pop(k) for k in list(params) if k.startswith(prefix)
        }
        if changes:
            network = params.get("architecture", self.architecture)
            network = self._default_architecture() if network is None else network
            if not isinstance(network, Architecture):
                raise ValueError(
                    f"{type(self).__name__}: {', '.join(prefix + k for k in changes)} needs "
                    f"architecture to be a recipe such as cntk(); got {network!r}."
                )
            params["architecture"] = network.set_params(**changes)
        return super().set_params(**params)

    def _default_architecture(self) -> Architecture:
        return fully_connected(3)

    def _image_shape(self, n_features: int) -> Sequence[int] | None:
        """Return (h, w, c) as which flat rows are to be read, None to leave them flat."""
        shape = self.image_shape
        if shape is None:
            return None
        if len(shape) != 3 or not all(isinstance(s, Integral) and int(s) > 0 for s in shape):
            raise ValueError(
                f"The 'image_shape' parameter of {type(self).__name__} must be three integers "
                f">= 1, (height, width, channels), or None. Got {shape!r} instead."
            )
        return tuple(shape)

    def _read(self, X: Any, y: Any = "no_validation", *, reset: bool, **checks: Any) -> Any:
        """Check X, and y if there is one, and return X as (n, *shape of one sample).

        Images pass scikit-learn's checks as flat rows, so that ``n_features_in_`` is
        h * w * c however they come.
        """
        ndim = X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
        seen = None
        if ndim == 3:
            raise ShapeError(
                f"{type(self).__name__}: X must be (n, d) or images (n, h, w, c); got "
                f"{ndim} dimensions, shape {np.shape(X)}. Grey images need a channel axis: "
                "X[..., np.newaxis]."
            )
        if ndim == 4 and self.kernel != "precomputed":
            X = np.asarray(X)
            seen = X.shape[1:]
            X = X.reshape(len(X), -1) if len(X) else X.reshape(0, int(np.prod(seen)))
        checked = validate_data(self, X, y, reset=reset, **checks)
        X, y = checked if isinstance(checked, tuple) else (checked, None)
        if self.kernel != "precomputed":
            X = X.reshape(len(X), *self._sample_shape(X.shape[1], seen))
        return X if y is None else (X, y)

    def _sample_shape(self, n_features: int, seen: tuple[int, ...] | None) -> Sequence[int]:
        asked = self._image_shape(n_features)
        name = type(self).__name__
        if asked is None:
            return (n_features,) if seen is None else seen
        if seen is not None and seen != tuple(asked):
            raise ShapeError(
                f"{name}: X holds images of shape {seen}, but image_shape={tuple(asked)}. "
                "Make them agree, or leave image_shape=None for 4-D X."
            )
        if int(np.prod(asked)) != n_features:
            raise ShapeError(
                f"{name}: X has {n_features} features, but image_shape={tuple(asked)} "
                f"needs {int(np.prod(asked))}."
            )
        return asked

    def _fit_gram(self, X: np.ndarray) -> np.ndarray:
        """Keep what predict needs and return the Gram matrix of the training data."""
        name = type(self).__name__
        self.kernel_: Callable[..., Any] | None = None
        self.architecture_: Any = None
        self.X_fit_: Any = None
        self.dtype_: str | None = None
        if self.kernel == "precomputed":
            names = ("architecture", "normalize", "symmetry", "backend", "image_shape")
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
        network = self.architecture
        self.architecture_ = self._default_architecture() if network is None else network
        self.dtype_ = solve_dtype(self.architecture_, X, self.dtype)
        # A copy: predictions must not change when the caller later writes into X.
        self.X_fit_ = np.array(X, dtype=kernel_dtype(X, self.dtype_), order="C")
        self.kernel_ = functools.partial(
            network_kernel,
            self.architecture_,
            get=self.get,
            dtype=self.dtype_,
            normalize=self.normalize,
            symmetry=self.symmetry,
            backend=self.backend,
            n_jobs=self.n_jobs,
        )
        return self.kernel_(self.X_fit_)

    def _solve(self, X: np.ndarray, targets: np.ndarray, sample_weight: np.ndarray | None) -> None:
        self.solver_result_ = solve_cholesky(
            self._fit_gram(X),
            targets,
            alpha=self.alpha,
            alpha_scale=self.alpha_scale,
            sample_weight=sample_weight,
        )
        self.dual_coef_ = self.solver_result_.dual_coef

    def _weights(self, sample_weight: Any, n_samples: int) -> np.ndarray | None:
        """Return the weights as float64 (n,), None for none."""
        if sample_weight is None:
            return None
        if isinstance(sample_weight, Real):
            sample_weight = np.full(n_samples, sample_weight)
        weights = check_array(
            sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
        )
        if weights.shape != (n_samples,):
            raise ShapeError(
                f"{type(self).__name__}: sample_weight must have shape ({n_samples},); "
                f"got {weights.shape}."
            )
        if weights.min() < 0 or not weights.any():
            raise ValueError(
                f"{type(self).__name__}: sample_weight must be >= 0 and not zero everywhere; "
                f"got a least value of {weights.min()} and a greatest of {weights.max()}."
            )
        return weights

    def _evaluate(self, X: Any) -> np.ndarray:
        """Return K(X, X_fit_) @ dual_coef_, a batch of rows at a time."""
        check_is_fitted(self)
        X = self._read(X, reset=False)
        if self.kernel_ is not None and X.shape[1:] != self.X_fit_.shape[1:]:
            raise ShapeError(
                f"{type(self).__name__}: X holds samples of shape {X.shape[1:]}, but it was "
                f"fitted on samples of shape {self.X_fit_.shape[1:]}."
            )
        # The batch and, for the product, its float64 copy.
        rows = max(1, CROSS_BYTES // (16 * len(self.dual_coef_)))
        values = np.empty((len(X), *self.dual_coef_.shape[1:]))
        for start in range(0, len(X), rows):
            cross = X[start : start + rows]
            if self.kernel_ is not None:
                cross = self.kernel_(cross, self.X_fit_)
            values[start : start + rows] = cross @ self.dual_coef_
        return values
