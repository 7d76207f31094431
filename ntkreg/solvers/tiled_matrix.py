"""A symmetric matrix by tiles of its upper triangle: in memory, mapped, or read when used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from ntkreg.cpus import one_blas_thread
from ntkreg.errors import ShapeError
from ntkreg.solvers.inputs import check_gram

__all__ = ["StoredMatrix", "TiledMatrix", "is_stored"]

_SIDE = 512
"""Of tiles of an array: one in float64 and its halves of the vectors stay in the cache."""

T = TypeVar("T")
S = TypeVar("S")


@runtime_checkable
class StoredMatrix(Protocol):
    """What solvers ask of a matrix that is not an array, as one field of a kernel folder.

    Attributes
    ----------
    shape : tuple of int
        (n, n).
    dtype : numpy.dtype
    tile : int
        Side of what is read at once at the least cost.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    tile: int

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a part of the matrix; solvers ask for tiles of the upper triangle alone."""


def is_stored(K: Any) -> bool:
    """Return whether a matrix is to be read part by part, and need not fit into memory."""
    return not isinstance(K, np.ndarray) and isinstance(K, StoredMatrix)


class TiledMatrix:
    """Products with a symmetric matrix of which each tile of one triangle is read once.

    In float64, whatever the matrix's dtype; tiles over threads of ours, summed in one order, so
    that no bit depends on their number (one does on the side of a store's tiles).

    Parameters
    ----------
    who : str
        What errors begin with.
    K : array-like of shape (n, n) or StoredMatrix
        Of an array symmetry is checked; of what is stored the upper triangle alone is read.
    n_jobs : int

    Raises
    ------
    ShapeError, TypeError, ValueError, SpecError
        No square matrix of finite real numbers; an array that is not symmetric.
    """

    def __init__(self, who: str, K: Any, n_jobs: int) -> None:
        self.n_jobs = n_jobs
        if is_stored(K):
            shape = tuple(K.shape)
            if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
                raise ShapeError(
                    f"{who}: K must be a square matrix (n, n) with at least one row; got shape "
                    f"{shape}. Pass the kernel of the training inputs with themselves, of one "
                    "network."
                )
            self._read: Callable[[slice, slice], np.ndarray] = K.read
            self.side, self.dtype = int(K.tile), np.dtype(K.dtype)
        else:
            K = check_gram(who, K)
            self._read = lambda rows, columns: K[rows, columns]
            self.side, self.dtype = _SIDE, K.dtype
        self.shape = (K.shape[0], K.shape[0])
        self._diagonal = np.array(K.diagonal()) if isinstance(K, np.ndarray) else self._scan(who)

    def __len__(self) -> int:
        return self.shape[0]

    def diagonal(self) -> np.ndarray:
        """Return the diagonal, (n,), in the matrix's dtype."""
        return self._diagonal

    def multiply(self, right: np.ndarray) -> np.ndarray:
        """Return the product with a matrix (n, k), float64: 2 n^2 k flops.

        k n numbers a thread beside it.
        """

        def slab(i: int) -> np.ndarray:
            """Return what the tiles (i, j >= i) and their mirror images add from row i's on."""
            rows = self._span(i)
            added = np.zeros((len(self) - rows.start, right.shape[1]))
            own = added[: rows.stop - rows.start]
            for j in range(i, self._grid):
                columns = self._span(j)
                tile = self._read(rows, columns).astype(np.float64, copy=False)
                own += tile @ right[columns]
                if j > i:
                    below = slice(columns.start - rows.start, columns.stop - rows.start)
                    added[below] = tile.T @ right[rows]
            return added

        out = np.zeros((len(self), right.shape[1]))
        for i, added in enumerate(in_order(slab, range(self._grid), self.n_jobs)):
            out[self._span(i).start :] += added
        return out

    def columns(self, chosen: np.ndarray) -> np.ndarray:
        """Return some columns, (n, k), float64."""
        out = np.empty((len(self), len(chosen)))
        tiles, within = np.divmod(chosen, self.side)

        def slab(i: int) -> None:
            rows, own = self._span(i), np.flatnonzero(tiles == i)
            for j in range(i, self._grid):
                there = np.flatnonzero(tiles == j)
                if len(there) or len(own):
                    columns = self._span(j)
                    tile = self._read(rows, columns)
                    out[rows, there] = tile[:, within[there]]
                    if j > i:
                        out[columns, own] = tile[within[own]].T

        for _ in in_order(slab, range(self._grid), self.n_jobs):
            pass
        return out

    def dense(self) -> np.ndarray:
        """Return all of it in float64, (n, n): 8 n^2 bytes, and a tile a thread beside them."""
        out = np.empty(self.shape)

        def slab(i: int) -> None:
            rows = self._span(i)
            for j in range(i, self._grid):
                columns = self._span(j)
                out[rows, columns] = tile = self._read(rows, columns)
                if j > i:
                    out[columns, rows] = tile.T

        for _ in in_order(slab, range(self._grid), self.n_jobs):
            pass
        return out

    @property
    def _grid(self) -> int:
        return -(-len(self) // self.side)

    def _span(self, i: int) -> slice:
        return slice(i * self.side, min((i + 1) * self.side, len(self)))

    def _scan(self, who: str) -> np.ndarray:
        """Return the diagonal after looking at every value once."""

        def slab(i: int) -> np.ndarray:
            rows, diagonal = self._span(i), None
            for j in range(i, self._grid):
                tile = self._read(rows, self._span(j))
                if not np.isfinite(tile).all():
                    raise ValueError(
                        f"{who}: K contains NaN or infinity (in tile ({i}, {j}) of side "
                        f"{self.side}). If its folder is not complete yet, finish it first."
                    )
                diagonal = tile.diagonal().copy() if diagonal is None else diagonal
            assert diagonal is not None
            return diagonal

        return np.concatenate(list(in_order(slab, range(self._grid), self.n_jobs)))


def in_order(work: Callable[[S], T], items: Iterable[S], n_jobs: int) -> Iterator[T]:
    """Yield ``work(item)`` of each item in order, a few ahead on threads of ours."""
    with one_blas_thread(), ThreadPoolExecutor(n_jobs, thread_name_prefix="ntkreg") as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > n_jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
