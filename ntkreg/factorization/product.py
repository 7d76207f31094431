"""The deep linear product and the gradient of its mean square error over seen entries."""

import math
from itertools import pairwise

import numpy as np

from ntkreg.factorization.entries import Entries

__all__ = ["ProductLoss", "factor_shapes"]


def factor_shapes(shape: tuple[int, int], depth: int, width: int | None) -> list[tuple[int, int]]:
    """Return the shapes of W_1, ..., W_N, whose product W_N ... W_1 has the given shape."""
    inner = min(shape) if width is None else width
    sides = [shape[1], *[inner] * (depth - 1), shape[0]]
    return [(after, before) for before, after in pairwise(sides)]


class ProductLoss:
    r"""Mean square over seen entries of a product of matrices, with its gradient.

    :math:`L = \frac1m \sum_{(i,j)} (W - Y)_{ij}^2` with :math:`W = W_N \dots W_1`. All factors lie
    in one vector, W_1 first, so that optimisers see plain vectors.

    Parameters
    ----------
    entries : Entries
    depth : int
        N >= 1.
    width : int or None
        Of the inner sides; None for the smaller side of the matrix, which limits no rank.

    Attributes
    ----------
    size : int
        Parameters of all factors.
    product : ndarray of the matrix's shape
        W at the last point that was asked; overwritten by the next.
    error : ndarray of the matrix's shape
        dL/dW there, zero where nothing is seen.

    Notes
    -----
    3 (N - 1) matrix products a gradient.
    """

    def __init__(self, entries: Entries, depth: int, width: int | None = None) -> None:
        self.entries = entries
        self._shapes = factor_shapes(entries.shape, depth, width)
        self.size = sum(math.prod(shape) for shape in self._shapes)
        columns = entries.shape[1]
        # W_j ... W_1 and (W_N ... W_(j+1))^T dL/dW, by j.
        self._before = [np.empty((a, columns)) for a, _ in self._shapes[1:]]
        self._after = [np.zeros((a, columns)) for a, _ in self._shapes]
        self.product = self._before[-1] if self._before else np.empty(entries.shape)
        self.error = self._after[-1]  # zero where nothing is seen, and stays so

    def factors(self, theta: np.ndarray) -> list[np.ndarray]:
        """Return W_1, ..., W_N as views of the vector."""
        ends = np.cumsum([math.prod(shape) for shape in self._shapes])
        parts = np.split(theta, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def multiply(self, factors: list[np.ndarray]) -> np.ndarray:
        """Return the product, W; overwritten at the next call."""
        below = factors[0]
        for factor, out in zip(factors[1:], self._before, strict=True):
            below = np.matmul(factor, below, out=out)
        if len(factors) == 1:
            self.product[...] = below
        return self.product

    def gradient(
        self,
        factors: list[np.ndarray],
        out: list[np.ndarray],
        batch: np.ndarray | None = None,
    ) -> float:
        """Write the gradient by every factor and return the loss.

        Parameters
        ----------
        factors, out : list of ndarray
            As `factors` returns them.
        batch : ndarray of int or None
            Which seen entries the gradient is of; the loss is always of all.
        """
        flat, values = self.entries.flat, self.entries.values
        residual = self.multiply(factors).ravel()[flat]
        residual -= values
        loss = float(residual @ residual) / len(values)
        error = self.error.reshape(-1)
        if batch is None:
            error[flat] = (2 / len(values)) * residual
        else:
            error[flat] = 0.0
            error[flat[batch]] = (2 / len(batch)) * residual[batch]
        for j in range(len(factors) - 1, 0, -1):
            below = self._before[j - 2] if j > 1 else factors[0]
            np.matmul(self._after[j], below.T, out=out[j])
            np.matmul(factors[j].T, self._after[j], out=self._after[j - 1])
        out[0][...] = self._after[0]
        return loss
