"""Cholesky factorisation in blocks over threads, to the same bits for any number of them."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations_with_replacement

import numpy as np
from scipy.linalg import blas, lapack

from ntkreg.cpus import one_blas_thread

__all__ = ["factorise", "inverse_diagonal"]

_BLOCK = 256


def factorise(A: np.ndarray, n_jobs: int) -> int:
    """Overwrite the upper triangle of A, C order, with U of A = U^T U.

    The threads of a BLAS sum in another order for each number of them, and that number belongs
    to the whole process. So here BLAS has one, and blocks of one size are shared by `n_jobs`
    threads of ours: n^3 / 3 flops, 256 * 256 numbers a thread beside A. What is below the diagonal
    stays as it was, so that A can be told from it afterwards.

    Returns
    -------
    int
        As LAPACK's info: 0, or the number, from 1 on, of a pivot that is not positive.
    """
    parts = [slice(i, min(i + _BLOCK, len(A))) for i in range(0, len(A), _BLOCK)]
    with one_blas_thread(), ThreadPoolExecutor(min(n_jobs, len(parts))) as pool:
        for k, own in enumerate(parts):
            # The transpose of C order is LAPACK's order, and that of U its lower triangle.
            lower, info = lapack.dpotrf(A[own, own].T, lower=1, clean=0)
            if info:
                return own.start + info
            A[own, own] = lower.T
            rest = parts[k + 1 :]
            # list() waits for all, and raises what a thread raised.
            list(pool.map(partial(_solve, A, own, lower), rest))
            list(pool.map(partial(_update, A, own), combinations_with_replacement(rest, 2)))
    return 0


def inverse_diagonal(upper: np.ndarray, n_jobs: int) -> np.ndarray:
    """Return the diagonal of the inverse of U^T U, (n,), for U in the upper triangle, C order.

    Sums of squares of the columns of U^-T, a block of columns at a time: n^3 / 3 flops, and
    256 n numbers a thread.
    """
    parts = [slice(i, min(i + _BLOCK, len(upper))) for i in range(0, len(upper), _BLOCK)]
    with one_blas_thread(), ThreadPoolExecutor(min(n_jobs, len(parts))) as pool:
        # From the longest to the shortest, so that no thread ends with a long one alone.
        return np.concatenate(list(pool.map(partial(_column_squares, upper, parts), parts)))


def _column_squares(upper: np.ndarray, parts: list[slice], own: slice) -> np.ndarray:
    """Return the sums of squares of columns `own` of U^-T, by forward substitution."""
    rows = len(upper) - own.start
    X = np.zeros((rows, own.stop - own.start))
    X[: own.stop - own.start] = np.eye(own.stop - own.start)
    for part in parts:
        if part.start < own.start:
            continue
        here = slice(part.start - own.start, part.stop - own.start)
        # U's diagonal block in C order is the lower triangle in LAPACK's.
        X[here] = blas.dtrsm(1.0, upper[part, part].T, X[here], lower=1)
        below = slice(part.stop, None)
        X[here.stop :] -= upper[part, below].T @ X[here]
    return np.sum(np.square(X, out=X), axis=0)


def _solve(A: np.ndarray, own: slice, lower: np.ndarray, columns: slice) -> None:
    A[own, columns] = blas.dtrsm(1.0, lower, A[own, columns], lower=1)


def _update(A: np.ndarray, own: slice, block: tuple[slice, slice]) -> None:
    rows, columns = block
    less = A[own, rows].T @ A[own, columns]
    A[rows, columns] -= np.triu(less) if rows == columns else less
