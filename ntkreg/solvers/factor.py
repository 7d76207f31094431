"""Cholesky factorisation in blocks over threads, to the same bits for any number of them."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations_with_replacement

import numpy as np
from scipy.linalg import blas, lapack

from ntkreg.cpus import one_blas_thread

__all__ = ["factorise"]

_BLOCK = 256


def factorise(A: np.ndarray, n_jobs: int) -> int:
    """Overwrite the upper triangle of A, C order, with U of A = U^T U.

    The threads of a BLAS sum in another order for each number of them, and that number belongs
    to the whole process. So here BLAS has one, and blocks of one size are shared by `n_jobs`
    threads of ours: n^3 / 3 flops, 256 * 256 numbers a thread beside A.

    Returns
    -------
    int
        As LAPACK's info: 0, or the number, from 1 on, of a pivot that is not positive.
    """
    parts = [slice(i, min(i + _BLOCK, len(A))) for i in range(0, len(A), _BLOCK)]
    with one_blas_thread(), ThreadPoolExecutor(min(n_jobs, len(parts))) as pool:
        for k, own in enumerate(parts):
            # The transpose of C order is LAPACK's order, and that of U its lower triangle.
            lower, info = lapack.dpotrf(A[own, own].T, lower=1, clean=1)
            if info:
                return own.start + info
            A[own, own] = lower.T
            rest = parts[k + 1 :]
            # list() waits for all, and raises what a thread raised.
            list(pool.map(partial(_solve, A, own, lower), rest))
            list(pool.map(partial(_update, A, own), combinations_with_replacement(rest, 2)))
    return 0


def _solve(A: np.ndarray, own: slice, lower: np.ndarray, columns: slice) -> None:
    A[own, columns] = blas.dtrsm(1.0, lower, A[own, columns], lower=1)


def _update(A: np.ndarray, own: slice, block: tuple[slice, slice]) -> None:
    rows, columns = block
    A[rows, columns] -= A[own, rows].T @ A[own, columns]
