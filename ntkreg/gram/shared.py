"""`SharedGrams`: kernel values of pairs that this process has computed, for fits that share rows.

The folds of a search train on overlapping parts of one set of rows. Each asks for the Gram of its
part, and for the columns of the rows held out, which the next fold trains on: pair by pair that is
one Gram. Rows are known by their content, byte by byte.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ntkreg.gram.gram import kernel_of
from ntkreg.kernels import KernelSpec

__all__ = ["SharedGrams", "shared_grams"]


class SharedGrams:
    """Kernel matrices of rows, of which pairs that are known are not computed again.

    Thread-safe: who asks for pairs that are being computed waits for them. Values are those of
    `ntkreg.kernel` to rounding: which of two rows came first, and how many stood beside them,
    decides about their last bits.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pairs: OrderedDict[Any, _Pairs] = OrderedDict()

    def gram(
        self, spec: KernelSpec, X: np.ndarray, *, most_bytes: float, n_jobs: int | None
    ) -> np.ndarray:
        """Return the Gram matrix of rows (n, n), and keep its pairs.

        Parameters
        ----------
        spec : KernelSpec
            With a dtype, one kernel.
        X : ndarray of shape (n, *shape)
            Checked, C-contiguous.
        most_bytes : float
            That kept pairs may take, of this kernel and all others together: those asked for
            longest ago are forgotten first.
        n_jobs : int or None
        """
        with self._lock:
            pairs = self._of(spec, X)
            index = pairs.add(X, most_bytes)
            if index is not None:
                pairs.complete(index, n_jobs)
                self._forget(most_bytes)
                return pairs.values[np.ix_(index, index)]
        return kernel_of(spec, X, n_jobs=n_jobs)

    def columns(
        self,
        spec: KernelSpec,
        X: np.ndarray,
        rows: np.ndarray,
        *,
        most_bytes: float,
        n_jobs: int | None,
    ) -> np.ndarray:
        """Return the kernel of other rows X with `rows`, (m, n), whose Gram was asked for.

        Rows of X that are not known are kept beside the Gram until the next ones come; other
        parameters as in `gram`.
        """
        with self._lock:
            pairs = self._of(spec, X)
            index = pairs.find(rows)
            if pairs.values is not None and (index >= 0).all():
                return pairs.columns(X, index, rows, most_bytes - self.nbytes, n_jobs)
        return kernel_of(spec, X, rows, n_jobs=n_jobs)  # forgotten meanwhile

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._pairs.clear()

    @property
    def nbytes(self) -> int:
        """What is kept, in bytes."""
        return sum(pairs.nbytes for pairs in self._pairs.values())

    def _of(self, spec: KernelSpec, X: np.ndarray) -> "_Pairs":
        key = spec, X.shape[1:], X.dtype.name
        pairs = self._pairs.setdefault(key, _Pairs(spec))
        self._pairs.move_to_end(key)
        return pairs

    def _forget(self, most_bytes: float) -> None:
        while self._pairs and self.nbytes > most_bytes:
            self._pairs.popitem(last=False)


@dataclass
class _HeldOut:
    """Values (m, n) of rows that no Gram holds yet with rows `index` of one; rows by content."""

    rows: dict[bytes, int]
    index: np.ndarray
    values: np.ndarray


@dataclass
class _Pairs:
    """Known pairs of one kernel: a square matrix with NaN, which no kernel value is, for others.

    Of repeated rows there is one, and pairs of them have the exact value of the diagonal.
    """

    spec: KernelSpec
    known: dict[bytes, int] = field(default_factory=dict)
    X: Any = None
    values: Any = None
    held_out: _HeldOut | None = None

    @property
    def nbytes(self) -> int:
        """What it takes: the rows twice, as their content is the key too."""
        if self.values is None:
            return 0
        held = 0 if self.held_out is None else self.held_out.values.nbytes
        return 2 * self.X.nbytes + self.values.nbytes + held

    def find(self, X: np.ndarray) -> np.ndarray:
        """Return the number of each row, -1 of those not known."""
        return np.array([self.known.get(key, -1) for key in _keys(X)], np.int64)

    def add(self, X: np.ndarray, most_bytes: float) -> np.ndarray | None:
        """Return the number of each row, new ones included; None if they would take too much."""
        keys = _keys(X)
        new = list(dict.fromkeys(key for key in keys if key not in self.known))
        size = len(self.known) + len(new)
        held = {} if self.held_out is None else self.held_out.rows
        of_another_set = not any(key in self.known or key in held for key in keys)
        if of_another_set or self._needs(size, X) > most_bytes:
            self.known, self.X, self.values, self.held_out = {}, X[:0], None, None
            new = list(dict.fromkeys(keys))
            size = len(new)
        if self._needs(size, X) > most_bytes:
            return None
        old = len(self.known)
        position = {key: i for i, key in reversed(list(enumerate(keys)))}
        self.known |= {key: old + i for i, key in enumerate(new)}
        self.X = np.concatenate([self.X, X[[position[key] for key in new]]])
        if self.values is not None and new:
            grown = np.full((size, size), np.nan, self.values.dtype)
            grown[:old, :old] = self.values
            self.values = grown
            self._take_held_out(new)
        return np.array([self.known[key] for key in keys])

    def _needs(self, size: int, X: np.ndarray) -> float:
        return size * (8 * size + 2 * X[0].nbytes)

    def _take_held_out(self, new: Sequence[bytes]) -> None:
        held = self.held_out
        if held is None:
            return
        for key in new:
            if key in held.rows:
                self.values[self.known[key], held.index] = held.values[held.rows[key]]
                self.values[held.index, self.known[key]] = held.values[held.rows[key]]
        self.held_out = None

    def complete(self, index: np.ndarray, n_jobs: int | None) -> None:
        """Compute what is not known of the pairs of some rows."""
        index = np.unique(index)
        if self.values is None:
            first = kernel_of(self.spec, self.X[index], n_jobs=n_jobs)
            self.values = np.full((len(self.X), len(self.X)), np.nan, first.dtype)
            self.values[np.ix_(index, index)] = first
            return
        unknown = np.isnan(np.diagonal(self.values)[index])
        new, old = index[unknown], index[~unknown]
        if len(new):
            lacking = old[np.isnan(self.values[np.ix_(new, old)]).any(axis=0)]
            if len(lacking):
                self._compute(new, lacking, n_jobs)
            self._compute(new, None, n_jobs)
        rest = index[np.isnan(self.values[np.ix_(index, index)]).any(axis=1)]
        if len(rest):
            self._compute(rest, None, n_jobs)

    def columns(
        self,
        X: np.ndarray,
        index: np.ndarray,
        rows: np.ndarray,
        room: float,
        n_jobs: int | None,
    ) -> np.ndarray:
        """Return values of rows X with those numbered `index`, which are `rows`."""
        found = self.find(X)
        known = found >= 0
        values = self.values[np.ix_(np.maximum(found, 0), index)]
        wanted = ~known | np.isnan(values).any(axis=1)
        if wanted.any():
            values[wanted] = kernel_of(self.spec, X[wanted], rows, n_jobs=n_jobs)
            old = wanted & known
            self.values[np.ix_(found[old], index)] = values[old]
            self.values[np.ix_(index, found[old])] = values[old].T
            if np.count_nonzero(~known) * values[0].nbytes <= room:
                numbers = {key: i for i, key in enumerate(_keys(X[~known]))}
                self.held_out = _HeldOut(numbers, index, values[~known])
        return values

    def _compute(self, rows: np.ndarray, columns: np.ndarray | None, n_jobs: int | None) -> None:
        if columns is None:
            self.values[np.ix_(rows, rows)] = kernel_of(self.spec, self.X[rows], n_jobs=n_jobs)
            return
        block = kernel_of(self.spec, self.X[rows], self.X[columns], n_jobs=n_jobs)
        self.values[np.ix_(rows, columns)] = block
        self.values[np.ix_(columns, rows)] = block.T


def _keys(X: np.ndarray) -> list[bytes]:
    """Return the content of each row; zeros of either sign are the same."""
    return [row.tobytes() for row in X + 0]


shared_grams = SharedGrams()
"""Those of this process."""


def _after_fork() -> None:
    """Forget, in a child, a lock that a thread of its parent may hold."""
    shared_grams._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
