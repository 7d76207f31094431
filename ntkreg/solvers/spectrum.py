"""A kernel matrix as its eigenvectors: what serves any targets, any ridge and any time."""

from typing import NamedTuple

import numpy as np

from ntkreg.cpus import one_blas_thread

__all__ = ["Spectrum"]

_ORDINARY = 200
"""Weights and kernels from 2^-200 up to 2^200 are taken as they are."""


class Spectrum(NamedTuple):
    """W^1/2 K W^1/2 = 2^power V diag(values) V^T, ascending, on rows with a weight.

    Scaled by powers of two, so that neither weights nor K can leave float64.

    Attributes
    ----------
    n : int
        Rows of K, those without a weight too.
    kept : ndarray of int, (n_kept,)
        Rows with a weight.
    roots : ndarray of shape (n_kept,)
        Square roots of the weights over 2^of_weights.
    values : ndarray of shape (n_kept,)
    vectors : ndarray of shape (n_kept, n_kept)
    of_weights, of_kernel : int
        The powers.
    """

    n: int
    kept: np.ndarray
    roots: np.ndarray
    values: np.ndarray
    vectors: np.ndarray
    of_weights: int
    of_kernel: int

    @classmethod
    def of(cls, K: np.ndarray, weights: np.ndarray | None) -> "Spectrum":
        """Decompose: about 9 n^3 flops, in one BLAS thread."""
        weights = np.ones(len(K)) if weights is None else weights
        kept = np.flatnonzero(weights)
        of_weights, of_kernel = _exponent(weights.max()), _exponent(np.abs(K).max())
        roots = np.sqrt(np.ldexp(weights[kept], -of_weights))
        A = np.ldexp(K[np.ix_(kept, kept)].astype(np.float64), -of_kernel)
        A *= roots
        A *= roots[:, None]
        with one_blas_thread():
            values, vectors = np.linalg.eigh(A)
        return cls(len(K), kept, roots, values, vectors, of_weights, of_kernel)

    @property
    def power(self) -> int:
        """That of two which the eigenvalues are over."""
        return self.of_weights + self.of_kernel

    def filtered(self, targets: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """Return roots V (factors * (V^T roots y)), (n_factors, n, n_targets)."""
        roots = self.roots[:, None]
        seen = factors * (self.vectors.T @ (roots * targets[self.kept]))
        columns = np.moveaxis(seen, 1, 0).reshape(len(roots), -1)
        coef = np.zeros((self.n, columns.shape[1]))
        coef[self.kept] = roots * (self.vectors @ columns)
        return np.moveaxis(coef.reshape(self.n, len(factors), -1), 1, 0)

    def log_determinant(self, shifted: np.ndarray) -> np.ndarray:
        """Return log |K + alpha W^-1| of scaled eigenvalues + alpha along the first axis."""
        # That of what was decomposed over that of W.
        logs = np.log(shifted).sum(axis=0) - 2 * np.log(self.roots).sum()
        return logs + len(self.kept) * self.of_kernel * np.log(2)


def _exponent(size: float) -> int:
    """Return the power of two to divide by: 0 for numbers of ordinary size."""
    exponent = int(np.frexp(float(size))[1])
    return exponent if abs(exponent) > _ORDINARY else 0
