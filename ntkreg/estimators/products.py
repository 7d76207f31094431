"""Products of rows with a matrix, whose bits depend on no other row."""

import numpy as np

from ntkreg.cpus import in_threads

__all__ = ["multiply_rows"]


def multiply_rows(
    A: np.ndarray, B: np.ndarray, out: np.ndarray, *, at_once: int, n_jobs: int = 1
) -> None:
    """Write ``A @ B`` to `out`; a row has the same bits whatever rows are beside it.

    A BLAS has other bits for one row than for many: all products are of one shape.

    Parameters
    ----------
    A : ndarray of shape (n, k)
    B : ndarray of shape (k, m) or (k,)
        Its dtype is that of the arithmetic.
    out : ndarray of shape (n, m) or (n,)
    at_once : int
        Rows of a product; the last are padded with zeros. Part of the bits.
    n_jobs : int
        Threads, each with products of its own.
    """

    def multiply(start: int) -> None:
        part = np.ascontiguousarray(A[start : start + at_once], B.dtype)
        block = part
        if len(part) < at_once:
            block = np.zeros((at_once, len(B)), B.dtype)
            block[: len(part)] = part
        out[start : start + at_once] = (block @ B)[: len(part)]

    in_threads(multiply, range(0, len(A), at_once), n_jobs)
