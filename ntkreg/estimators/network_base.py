"""What all estimators share: the architecture as a parameter, and reading X."""

import inspect
from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_X_y, validate_data

from ntkreg.architecture import Architecture, fully_connected
from ntkreg.arrays import channels_first_hint, refuse_dates, refuse_masked
from ntkreg.errors import ShapeError
from ntkreg.estimators.weights import read_weights
from ntkreg.solvers.tiled_matrix import is_stored

__all__ = ["NetworkEstimator"]


class NetworkEstimator(BaseEstimator):
    """Base of all estimators, which have the parameters `architecture` and `image_shape`."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {"image_shape": [tuple, list, None]}

    architecture: Any
    image_shape: Any

    def set_params(self, **params: Any) -> "NetworkEstimator":
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
            network = self._network(params.get("architecture", self.architecture))
            if not isinstance(network, Architecture):
                raise ValueError(
                    f"{type(self).__name__}: {', '.join(prefix + k for k in changes)} needs "
                    f"architecture to be a recipe such as cntk(); got {network!r}."
                )
            params["architecture"] = network.set_params(**changes)
        return super().set_params(**params)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickle; parameters that came after it have their defaults."""
        known = inspect.signature(type(self).__init__).parameters.values()
        super().__setstate__({p.name: p.default for p in known if p.default is not p.empty} | state)

    def _default_architecture(self) -> Architecture:
        return fully_connected(3)

    def _network(self, architecture: Any) -> Any:
        """Return what the parameter `architecture` stands for."""
        return self._default_architecture() if architecture is None else architecture

    def _reads_kernels(self) -> bool:
        """Whether X holds kernel values instead of samples."""
        return False

    def _weights(self, sample_weight: Any, n_samples: int) -> np.ndarray | None:
        """Return the weights as float64 (n,), None for none."""
        return read_weights(type(self).__name__, sample_weight, n_samples)

    def _check_like_fit(self, X: np.ndarray, shape: tuple[int, ...]) -> None:
        """Raise unless samples have the shape of those in fit."""
        if X.shape[1:] != shape:
            raise ShapeError(
                f"{type(self).__name__}: X holds samples of shape {X.shape[1:]}, but it was "
                f"fitted on samples of shape {shape}."
            )

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
        if self._reads_kernels() and is_stored(X):
            return self._read_stored(X, y, reset, checks)
        refuse_masked(f"{type(self).__name__}: X", X)
        refuse_masked(f"{type(self).__name__}: y", y)
        refuse_dates(f"{type(self).__name__}: X", X)
        ndim = X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
        seen = None
        if ndim == 3:
            raise ShapeError(
                f"{type(self).__name__}: X must be (n, d) or images (n, h, w, c); got "
                f"{ndim} dimensions, shape {np.shape(X)}. Grey images need a channel axis: "
                "X[..., np.newaxis]."
            )
        if ndim == 4 and not self._reads_kernels():
            X = np.asarray(X)
            seen = X.shape[1:]
            X = X.reshape(len(X), -1) if len(X) else X.reshape(0, int(np.prod(seen)))
        checked = validate_data(self, X, y, reset=reset, **checks)
        X, y = checked if isinstance(checked, tuple) else (checked, None)
        if not self._reads_kernels():
            X = X.reshape(len(X), *self._sample_shape(X.shape[1], seen))
        return X if y is None else (X, y)

    def _read_stored(self, K: Any, y: Any, reset: bool, checks: dict[str, Any]) -> Any:
        """Check the shape of kernel values that are read when used, and y as `_read` does."""
        name = type(self).__name__
        if len(K.shape) != 2:
            raise ShapeError(
                f"{name}: X must be the kernel matrix of one network, of two dimensions; got shape "
                f"{K.shape}."
            )
        if reset:
            self.n_features_in_ = K.shape[1]
        elif K.shape[1] != self.n_features_in_:
            raise ShapeError(
                f"{name}: X must be the cross kernel (m, {self.n_features_in_}) with the training "
                f"samples; got shape {K.shape}."
            )
        if isinstance(y, str):
            return K
        return K, check_X_y(np.zeros((len(K), 1)), y, estimator=name, **checks)[1]

    def _sample_shape(self, n_features: int, seen: tuple[int, ...] | None) -> Sequence[int]:
        asked = self._image_shape(n_features)
        name = type(self).__name__
        if asked is None:
            return (n_features,) if seen is None else seen
        if seen is not None and seen != tuple(asked):
            raise ShapeError(
                f"{name}: X holds images of shape {seen}, but image_shape={tuple(asked)}. "
                f"Make them agree, or leave image_shape=None for 4-D X.{channels_first_hint(seen)}"
            )
        if int(np.prod(asked)) != n_features:
            raise ShapeError(
                f"{name}: X has {n_features} features, but image_shape={tuple(asked)} "
                f"needs {int(np.prod(asked))}."
            )
        return asked
