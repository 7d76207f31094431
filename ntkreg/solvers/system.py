"""The equations of weighted kernel ridge regression, scaled so that no row dwarfs another."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ntkreg.errors import SpecError
from ntkreg.solvers.inputs import matmul_rows

__all__ = ["System"]

_MIRRORED = 256
"""Side of the blocks that are put back together."""


class System:
    """K + alpha W^-1 for weights W at one alpha, without rows whose weight is nothing beside it.

    Rows that count very differently make any such matrix look singular, though each of its
    equations is as good as alone. So it is factorised and judged as D (K + alpha W^-1) D with
    a diagonal between 1/2 and 2, of nearly the least condition number that a diagonal D can give
    (van der Sluis 1969). D holds powers of two: no bit of a solution depends on it.

    Attributes
    ----------
    who : str
        Solver that errors speak of.
    K : ndarray of shape (n, n)
    alpha : float
    kept : ndarray of int
        Rows with a weight.
    dtype : numpy.dtype
        In which K was computed.
    weights, ridge : ndarray of shape (n_kept,), float64
        W, and what is added to the diagonal, alpha / W.
    scale : ndarray of shape (n_kept,), float64
        D.
    """

    def __init__(
        self,
        who: str,
        K: np.ndarray,
        weights: np.ndarray | None,
        alpha: float,
        dtype: np.dtype | None = None,
    ) -> None:
        self.who = who
        self.K = K
        self.dtype = K.dtype if dtype is None else dtype
        self.alpha = alpha
        weights = np.ones(len(K)) if weights is None else weights
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            ridge = alpha / weights
        self.kept = np.flatnonzero((weights > 0) & np.isfinite(ridge))
        if not len(self.kept):
            raise SpecError(
                f"{who}: alpha must be finite in units of the sample weights; got "
                f"{alpha:.3g} with a largest weight of {weights.max():.3g}."
            )
        self.weights, self.ridge = weights[self.kept], ridge[self.kept]
        diagonal = self.diagonal() + self.ridge
        _, exponent = np.frexp(diagonal)
        self.scale = np.where(diagonal > 0, np.ldexp(1.0, -(exponent // 2)), 1.0)

    def __len__(self) -> int:
        return len(self.kept)

    def diagonal(self) -> np.ndarray:
        """Return K's diagonal, (n_kept,), float64."""
        return np.diagonal(self.K)[self.kept].astype(np.float64)

    def scaled(self, scale: np.ndarray) -> np.ndarray:
        """Return a new D (K + alpha W^-1) D, C order, for any diagonal D."""
        n = len(self)
        A = np.empty((n, n))
        if n == len(self.K):
            A[...] = self.K
        else:
            for i, row in enumerate(self.kept):
                A[i] = self.K[row, self.kept]
        if (scale != 1).any():
            A *= scale
            A *= scale[:, None]
        A.flat[:: n + 1] += self.ridge * scale * scale
        return A

    @contextmanager
    def in_place(self) -> Iterator[np.ndarray]:
        """Lend K itself, float64 in C order, as D (K + alpha W^-1) D; K again at the end.

        Its upper triangle and diagonal may be overwritten meanwhile, the rest tells what K was. All
        rows have a weight.
        """
        K, n, scale = self.K, len(self), self.scale
        diagonal = self.diagonal()
        scaled = bool((scale != 1).any())
        if scaled:
            K *= scale
            K *= scale[:, None]
        K.flat[:: n + 1] += self.ridge * scale * scale
        try:
            yield K
        finally:
            for i in range(0, n, _MIRRORED):
                rows = slice(i, i + _MIRRORED)
                own = np.tril(K[rows, rows], -1)
                K[rows, rows] = own + own.T
                for j in range(i + _MIRRORED, n, _MIRRORED):
                    columns = slice(j, j + _MIRRORED)
                    K[rows, columns] = K[columns, rows].T
            if scaled:
                K /= scale
                K /= scale[:, None]
            K.flat[:: n + 1] = diagonal

    def expand(self, solution: np.ndarray) -> np.ndarray:
        """Return coefficients of all rows, zeros for those that were left out."""
        coef = np.zeros((len(self.K), solution.shape[1]))
        coef[self.kept] = solution
        return coef

    def residual(self, coef: np.ndarray, targets: np.ndarray) -> float:
        """Return the largest relative residual of the equations of kept rows."""
        left = matmul_rows(self.K, coef)[self.kept] + self.ridge[:, None] * coef[self.kept]
        norm = np.linalg.norm(targets[self.kept], axis=0)
        norm[norm == 0] = 1.0
        return float((np.linalg.norm(left - targets[self.kept], axis=0) / norm).max())
