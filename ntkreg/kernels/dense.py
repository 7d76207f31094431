"""The dense engine: one matrix product, then all layers in one pass over each block."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ntkreg.architecture import Architecture
from ntkreg.kernels.dense_loops import Readout, RowTables, Steps, normalize_rows, run_rows
from ntkreg.kernels.dense_program import (
    DenseProgram,
    Tables,
    compile_dense_network,
    variance_tables,
)
from ntkreg.kernels.engine import FIELDS, Engine
from ntkreg.kernels.relu_dual import relu_dual

__all__ = ["DenseEngine"]

_BLOCK = 256


@dataclass(frozen=True)
class DenseEngine(Engine):
    """Blocks of fixed size; `networks` are prefixes of one another, one for each depth.

    A BLAS gives other bits for one row than for many, so every product is one of the same
    shape: rows of a block of 256, padded with zeros. Cost of a block of m rows and m
    columns: 2 d m^2 flops for the product, about 40 m^2 a layer. Memory: two padded blocks
    of inputs, one of products.
    """

    networks: tuple[Architecture, ...] = ()

    @cached_property
    def program(self) -> DenseProgram:
        """What runs on every pair."""
        return compile_dense_network(self.networks)

    @property
    def block(self) -> int:
        """The padded block, 256."""
        return _BLOCK

    def cross(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Values of all pairs, a padded block at a time."""
        values = np.empty((2, self.n_depths, len(X), len(Z)), self.dtype)
        buffers = np.zeros((2, _BLOCK, self.shape[0]), self.dtype)
        for rows in _blocks(len(X)):
            x = self._prepare(X[rows], buffers[0])
            for columns in _blocks(len(Z)):
                z = self._prepare(Z[columns], buffers[1])
                self._run(buffers, x, z, values[:, :, rows, columns])
        return self._pick(values)

    def symmetric(self, X: np.ndarray) -> np.ndarray:
        """Values of all pairs within X; half are computed, the diagonal from the variances."""
        values = np.empty((2, self.n_depths, len(X), len(X)), self.dtype)
        buffers = np.zeros((2, _BLOCK, self.shape[0]), self.dtype)
        for rows in _blocks(len(X)):
            x = self._prepare(X[rows], buffers[0])
            for columns in _blocks(len(X)):
                if columns.start < rows.start:
                    continue
                z = self._prepare(X[columns], buffers[1])
                self._run(buffers, x, z, values[:, :, rows, columns])
                if columns.start > rows.start:
                    values[:, :, columns, rows] = values[:, :, rows, columns].swapaxes(-1, -2)
            square = values[:, :, rows, rows]
            lower = np.tril_indices(square.shape[-1], -1)
            square[..., lower[0], lower[1]] = square[..., lower[1], lower[0]]
            np.einsum("fdii->fdi", square)[0] = x.nngp
            np.einsum("fdii->fdi", square)[1] = x.ntk
        return self._pick(values)

    def diagonal(self, X: np.ndarray) -> np.ndarray:
        """Values of each row with itself, from the variance recursion, O(n)."""
        q = np.empty(len(X))
        normalize_rows(X, np.empty_like(X), q)
        tables = variance_tables(self.program, q)
        return self._pick(np.stack([tables.nngp, tables.ntk]).astype(self.dtype))

    def _prepare(self, X: np.ndarray, buffer: np.ndarray) -> Tables:
        """Put X's normalised rows into a padded buffer."""
        q = np.empty(len(X))
        normalize_rows(X, buffer, q)
        buffer[len(X) :] = 0
        return variance_tables(self.program, q)

    def _run(self, buffers: np.ndarray, x: Tables, z: Tables, values: np.ndarray) -> None:
        # Two buffers even on the diagonal: of one and its transpose NumPy makes another
        # BLAS call (syrk), with other bits.
        correlations = buffers[0] @ buffers[1].T
        rows, columns = self._cast(x), self._cast(z)
        dual = relu_dual(self.dtype.name)
        run_rows(self._steps, dual, self._readout, correlations, rows, columns, *values)

    def _cast(self, tables: Tables) -> RowTables:
        return RowTables(*(a.astype(self.dtype) for a in (tables.scale, tables.shift, tables.norm)))

    def _pick(self, values: np.ndarray) -> np.ndarray:
        if self.fields == FIELDS:
            return values
        return np.stack([values[FIELDS.index(f)] for f in self.fields])

    @cached_property
    def _steps(self) -> Steps:
        steps = self.program.steps
        return Steps(
            np.array([s.op for s in steps], np.int64),
            np.array([s.slot for s in steps], np.uint64),
            np.array([s.trained for s in steps], self.dtype),
        )

    @cached_property
    def _readout(self) -> Readout:
        dense, kind = self.program.readout, self.dtype.type
        if dense is None:
            return Readout(kind(1), kind(0), kind(0))
        return Readout(kind(dense.weight_std**2), kind(dense.bias_std**2), kind(dense.trainable))


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK)]
