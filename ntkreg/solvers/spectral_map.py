"""The map from targets to dual coefficients of an eigendecomposition."""

from dataclasses import dataclass

import numpy as np

from ntkreg.solvers.target_map import TargetMap

__all__ = ["SpectralMap"]


@dataclass(frozen=True, eq=False)
class SpectralMap(TargetMap):
    """W^1/2 V diag(factors) V^T W^1/2, of eigenvalues + alpha `values`."""

    n: int
    kept: np.ndarray
    roots: np.ndarray
    vectors: np.ndarray
    factors: np.ndarray
    values: np.ndarray

    def apply(self, right: np.ndarray) -> np.ndarray:
        """Return M times a matrix, as `TargetMap.apply`."""
        coef = np.zeros((self.n, right.shape[1]))
        seen = self.factors[:, None] * self._seen(right)
        coef[self.kept] = self.roots[:, None] * (self.vectors @ seen)
        return coef

    def root(self, right: np.ndarray) -> np.ndarray:
        """Return V, as `TargetMap.root`."""
        # Not negative: shares of an eigenvector that flow or stable descent learns are 0 to 2.
        squares = self.factors * np.maximum(2 - self.values * self.factors, 0)
        return np.sqrt(squares)[:, None] * self._seen(right)

    def _seen(self, right: np.ndarray) -> np.ndarray:
        return self.vectors.T @ (self.roots[:, None] * right[self.kept])
