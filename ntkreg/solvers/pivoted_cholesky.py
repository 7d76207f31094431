"""Landmarks by randomly pivoted Cholesky: rows of a kernel matrix that span most of it."""

from collections.abc import Callable

import numpy as np

from ntkreg.cpus import one_blas_thread

__all__ = ["pivoted_cholesky"]

_AT_ONCE = 128
"""Pivots proposed together, at most: a kernel is computed by blocks."""

_NOTHING = 1e-14
"""Share of the trace below which what is left is rounding."""


def pivoted_cholesky(
    columns: Callable[[np.ndarray], np.ndarray],
    diagonal: np.ndarray,
    n_pivots: int,
    rng: np.random.Generator,
) -> np.ndarray:
    r"""Choose rows of a positive semidefinite matrix K by randomly pivoted Cholesky.

    Each pivot is drawn with probability proportional to the diagonal of
    :math:`K - K_{:,S} K_{S,S}^{-1} K_{S,:}`, what the rows S chosen before leave over. Several
    are proposed at once, and each is rejected as often as makes their distribution the same.

    Parameters
    ----------
    columns : callable
        From indices (b,) to those columns of K, (n, b).
    diagonal : ndarray of shape (n,)
    n_pivots : int
        At most n.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int, shape (n_pivots,)
        Distinct, in the order of their choice. Where nothing is left to choose by (K has a lower
        rank), others follow at random.

    Notes
    -----
    n (k + r) kernel values for k pivots and r rejected ones, n k^2 flops, 8 n k bytes.

    References
    ----------
    Chen, Epperly, Tropp and Webber 2022 (arXiv 2207.06503), algorithm 1; Epperly, Tropp and Webber
    2024 (arXiv 2410.03969) for rejection.
    """
    left = np.maximum(np.asarray(diagonal, np.float64), 0)
    whole = left.sum()
    factor = np.zeros((len(left), n_pivots))
    pivots = np.empty(n_pivots, np.int64)
    k = 0
    with one_blas_thread():
        while k < n_pivots and (total := left.sum()) > _NOTHING * whole:
            at_once = min(_AT_ONCE, max(8, n_pivots - k))
            proposed = rng.choice(len(left), at_once, p=left / total)
            values = np.asarray(columns(proposed), np.float64)
            values -= factor[:, :k] @ factor[proposed, :k].T
            accepted, new = _accept(values, proposed, left, rng, n_pivots - k)
            end = k + len(accepted)
            pivots[k:end] = accepted
            factor[:, k:end] = new
            left = np.maximum(left - np.einsum("nk,nk->n", new, new), 0)
            left[accepted] = 0
            # Where rounding leaves more than there is, no row must be proposed for ever.
            there = values[proposed, range(at_once)] - np.einsum("bk,bk->b", *2 * [new[proposed]])
            left[proposed] = np.clip(there, 0, left[proposed])
            k = end
    rest = np.setdiff1d(np.arange(len(left)), pivots[:k])
    pivots[k:] = rng.permutation(rest)[: n_pivots - k]
    return pivots


def _accept(
    values: np.ndarray, proposed: np.ndarray, left: np.ndarray, rng: np.random.Generator, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pivots accepted out of those proposed, and their columns of the factor.

    `values` (n, b) are the columns of what is left of the matrix at the proposed rows.
    """
    accepted: list[int] = []
    new = np.empty((len(values), min(most, len(proposed))))
    draws = rng.random(len(proposed))
    for i, row in enumerate(proposed):
        k = len(accepted)
        if k == most:
            break
        column = values[:, i] - new[:, :k] @ new[row, :k]
        # What was left of it when it was proposed, and now.
        if row in accepted or draws[i] * left[row] >= column[row]:
            continue
        new[:, k] = column / np.sqrt(column[row])
        accepted.append(int(row))
    return np.array(accepted, np.int64), new[:, : len(accepted)]
