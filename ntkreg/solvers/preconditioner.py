"""A preconditioner from a partial Cholesky factorisation of a kernel matrix."""

import numpy as np
from scipy.linalg import eigh

from ntkreg.cpus import one_blas_thread
from ntkreg.solvers.pivoted_cholesky import PartialCholesky
from ntkreg.solvers.tiled_matrix import in_order

__all__ = ["Preconditioner"]

_ROWS = 4096
"""Rows of the factor in one product, whatever the number of threads."""

_LEAST = 1e-12
"""Of mu, over the largest eigenvalue: H v is a difference of numbers of size v / sqrt(mu)."""


class Preconditioner:
    r"""Products with a symmetric H near :math:`(F F^T + \mu I)^{-1/2}`, for any :math:`\mu`.

    With :math:`F^T F = V S V^T`, H is
    :math:`\mu^{-1/2} I + F V \frac{(S + \mu)^{-1/2} - \mu^{-1/2}}{S} V^T F^T`: no second array of
    F's size is made.

    Parameters
    ----------
    found : PartialCholesky
        F, (n, k); its `left` is the diagonal of K - F F^T.
    n_jobs : int
        Threads; no bit depends on them.

    References
    ----------
    Diaz, Epperly, Frangella, Tropp and Webber 2023, Robust, randomized preconditioning for kernel
    ridge regression (arXiv 2304.12465).
    """

    def __init__(self, found: PartialCholesky, n_jobs: int) -> None:
        self.factor, self.n_jobs = found.factor, n_jobs
        n, k = self.factor.shape
        self._parts = [slice(i, i + _ROWS) for i in range(0, n, _ROWS)]
        gram = np.zeros((k, k))
        for part in in_order(lambda p: self.factor[p].T @ self.factor[p], self._parts, n_jobs):
            gram += part
        with one_blas_thread():
            values, self._vectors = eigh(gram, overwrite_a=True, check_finite=False)
        # Rounding leaves some below zero; where F's columns span less than k, there is nothing.
        self.values = np.maximum(values, np.finfo(float).eps * values.max(initial=0.0))
        self.mean_left = float(found.left.mean())

    def shift(self, alpha: float) -> "Preconditioner":
        """Set what is added to F F^T for K + alpha I: alpha, and the mean of what F leaves out.

        Eigenvalues that F does not have lie about their mean, as do those of a kernel's tail.
        """
        self.mu = max(alpha + self.mean_left, _LEAST * self.largest) or 1.0
        scale = 1 / np.sqrt(self.values + self.mu) - 1 / np.sqrt(self.mu)
        safe = np.where(self.values > 0, self.values, 1.0)
        weights = np.where(self.values > 0, scale / safe, 0.0)
        self._middle = (self._vectors * weights) @ self._vectors.T
        return self

    @property
    def largest(self) -> float:
        """The largest eigenvalue of F F^T, near K's."""
        return float(self.values.max(initial=0.0))

    def __call__(self, right: np.ndarray) -> np.ndarray:
        """Return H times a matrix (n, k)."""
        seen = np.zeros((self.factor.shape[1], right.shape[1]))
        for part in in_order(lambda p: self.factor[p].T @ right[p], self._parts, self.n_jobs):
            seen += part
        seen = self._middle @ seen
        out = right / np.sqrt(self.mu)

        def add(part: slice) -> None:
            out[part] += self.factor[part] @ seen

        for _ in in_order(add, self._parts, self.n_jobs):
            pass
        return out
