"""Accelerated randomly pivoted Cholesky: rows of a kernel matrix that span most of it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import blas

from ntkreg.cpus import in_threads, one_blas_thread

__all__ = ["PartialCholesky", "partial_cholesky", "pivoted_cholesky"]

_AT_ONCE = 128
"""Pivots proposed together, at most: a kernel is computed by blocks."""

_NOTHING = 1e-14
"""Share of the trace below which what is left is rounding."""

_ROWS = 4096
"""Rows of the factor in one product, whatever the number of threads."""


class PartialCholesky(NamedTuple):
    """A matrix K up to what is left of it: F F^T, with F of as many columns as pivots.

    Attributes
    ----------
    pivots : ndarray of int, shape (k,)
        Distinct, in the order of their choice.
    factor : ndarray of shape (n, k), float64
        F.
    left : ndarray of shape (n,), float64
        Diagonal of K - F F^T, which is positive semidefinite as K is.
    """

    pivots: np.ndarray
    factor: np.ndarray
    left: np.ndarray


def pivoted_cholesky(
    columns: Callable[[np.ndarray], np.ndarray],
    diagonal: np.ndarray,
    n_pivots: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Choose rows of a positive semidefinite matrix K: the pivots of `partial_cholesky`.

    Parameters
    ----------
    columns, diagonal, n_pivots, rng
        As of `partial_cholesky`.

    Returns
    -------
    ndarray of int, shape (n_pivots,)
        Distinct, in the order of their choice. Where nothing is left to choose by (K has a lower
        rank), others follow at random.
    """
    pivots = partial_cholesky(columns, diagonal, n_pivots, rng).pivots
    rest = np.setdiff1d(np.arange(len(diagonal)), pivots)
    return np.concatenate([pivots, rng.permutation(rest)[: n_pivots - len(pivots)]])


def partial_cholesky(
    columns: Callable[[np.ndarray], np.ndarray],
    diagonal: np.ndarray,
    n_pivots: int,
    rng: np.random.Generator,
    *,
    at_once: int | None = None,
    enough: float = 0.0,
    n_jobs: int = 1,
) -> PartialCholesky:
    r"""Factorise a positive semidefinite matrix K in part, by randomly pivoted Cholesky.

    Each pivot is drawn with probability proportional to the diagonal of
    :math:`K - K_{:,S} K_{S,S}^{-1} K_{S,:}`, what the rows S chosen before leave over. Several
    are proposed at once, and each is rejected as often as makes their distribution the same:
    decided among the proposed rows alone, so that the rest is products of matrices.

    Parameters
    ----------
    columns : callable
        From indices (b,) to those columns of K, (n, b).
    diagonal : ndarray of shape (n,)
    n_pivots : int
        At most n; fewer are returned where nothing, or `enough`, is left.
    rng : numpy.random.Generator
    at_once : int or None
        Pivots proposed together, at most; None for 128. More of them are rejected, and fewer
        calls of `columns` made.
    enough : float
        End once no more than this is left of the trace.
    n_jobs : int
        Threads; no bit depends on them.

    Notes
    -----
    n (k + r) kernel values for k pivots and r rejected ones, 2 n k (k + r) flops, 8 n bytes times k
    and three times the number proposed at once.

    References
    ----------
    Chen, Epperly, Tropp and Webber 2022 (arXiv 2207.06503), algorithm 1; Epperly, Tropp and Webber
    2024 (arXiv 2410.03969), algorithms 2.1 and 2.2, for rejection among the proposed.
    """
    left = np.maximum(np.asarray(diagonal, np.float64), 0)
    enough = max(enough, _NOTHING * left.sum())
    factor = np.zeros((len(left), n_pivots))
    pivots = np.empty(n_pivots, np.int64)
    parts = [slice(i, i + _ROWS) for i in range(0, len(left), _ROWS)]
    k = 0
    with one_blas_thread():
        while k < n_pivots and (total := left.sum()) > enough:
            number = min(at_once or _AT_ONCE, max(8, n_pivots - k))
            proposed = rng.choice(len(left), number, p=left / total)
            values = np.asarray(columns(proposed), np.float64)
            known = factor[proposed, :k].T

            def subtract(rows: slice, values=values, known=known, k=k) -> None:
                values[rows] -= factor[rows, :k] @ known

            in_threads(subtract, parts, n_jobs)
            chosen, lower = _accept(values[proposed], proposed, left, rng, n_pivots - k)
            end = k + len(chosen)
            pivots[k:end] = proposed[chosen]

            def extend(
                rows: slice, values=values, chosen=chosen, lower=lower, k=k, end=end
            ) -> None:
                own = blas.dtrsm(1.0, lower, values[rows][:, chosen].T, lower=1).T
                factor[rows, k:end] = own
                left[rows] = np.maximum(left[rows] - np.einsum("nk,nk->n", own, own), 0)

            in_threads(extend, parts, n_jobs)
            left[pivots[k:end]] = 0
            # Where rounding leaves more than there is, no row must be proposed for ever.
            new = factor[proposed, k:end]
            there = values[proposed, range(number)] - np.einsum("bk,bk->b", new, new)
            left[proposed] = np.clip(there, 0, left[proposed])
            k = end
    return PartialCholesky(pivots[:k], factor[:, :k], left)


def _accept(
    values: np.ndarray, proposed: np.ndarray, left: np.ndarray, rng: np.random.Generator, most: int
) -> tuple[list[int], np.ndarray]:
    """Return which of the proposed rows are accepted as pivots, and L of these.

    `values` (b, b) is what is left of the matrix at the proposed rows, L L^T at those accepted.
    """
    accepted: list[int] = []
    lower = np.zeros(values.shape)
    draws = rng.random(len(proposed))
    for i, row in enumerate(proposed):
        k = len(accepted)
        if k == most:
            break
        column = values[:, i] - lower[:, :k] @ lower[i, :k]
        # What was left of it when it was proposed, and now.
        if row in proposed[accepted] or draws[i] * left[row] >= column[i]:
            continue
        lower[:, k] = column / np.sqrt(column[i])
        accepted.append(i)
    return accepted, lower[accepted, : len(accepted)]
