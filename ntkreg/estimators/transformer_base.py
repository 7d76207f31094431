"""What transformers share: parameters, names of their outputs, the kernel."""

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from ntkreg.estimators.kernel_base import KernelEstimator, spec_of
from ntkreg.estimators.network_base import NetworkEstimator
from ntkreg.kernels import KernelSpec, kernel_dtype, solve_dtype
from ntkreg.kernels.spec import OPTIONS

__all__ = ["PRODUCT_ROWS", "KernelTransformer", "NetworkTransformer"]

PRODUCT_ROWS = 128
"""Rows of one product of features."""


class NetworkTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetworkEstimator):
    """Base of transformers from samples, rows or images, to numbers in float32 or float64."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class KernelTransformer(NetworkTransformer):
    """Base of `NTKTransformer` and `NTKNystroem`, which compute kernel values."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        name: KernelEstimator._parameter_constraints[name]
        for name in ("architecture", "get", *OPTIONS, "image_shape", "dtype", "n_jobs")
    }

    def _fit_kernel(self, X: np.ndarray) -> np.ndarray:
        """Choose network and precision; return a copy of X in the dtype of the arithmetic."""
        self.architecture_ = self._network(self.architecture)
        self.dtype_ = solve_dtype(self.architecture_, X, self.dtype)
        return np.array(X, dtype=kernel_dtype(X, self.dtype_), order="C")

    def _spec(self) -> KernelSpec:
        return spec_of(self)
