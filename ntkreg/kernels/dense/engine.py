"""The dense engine: one matrix product, then all layers in one pass over each block.

The product takes the rows as they come, in padded blocks of one fixed size (a BLAS gives other
bits for one row than for many); the layers run over each row of products while it is in cache, on
correlations. Norms, known once for the whole Gram (`Engine.prepare`), go out at the start and come
back at the end. So run Dense and Relu; with other activations or residual blocks `plain` has NumPy
run the layers over each block of products, in float64.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ntkreg.architecture import Architecture, Dense
from ntkreg.kernels.compiled.arc_cosine import relu_dual
from ntkreg.kernels.dense.loops import Readout, RowTables, Steps, run_rows, sum_squares
from ntkreg.kernels.dense.program import (
    DenseProgram,
    VarianceTables,
    compile_dense_network,
    variance_tables,
)
from ntkreg.kernels.engine import FIELDS, Engine, mirror_upper

__all__ = ["DenseEngine", "DenseInputs"]

_BLOCK = 256

_SAFE = 2.0**-40, 2.0**40
"""Norms of float32 rows whose products neither overflow nor lose digits to underflow."""


@dataclass(frozen=True, eq=False)
class DenseInputs:
    """Inputs and what the recursion needs of each of them; slices of it are its own kind.

    Attributes
    ----------
    rows : ndarray of shape (n, d)
        As they came, but scaled to unit norm where the norm is not safe.
    tables : VarianceTables
        Of the variance recursion, float64.
    loop : RowTables
        The same in the loops' dtype, and the inverse norms of `rows`.
    """

    rows: np.ndarray
    tables: VarianceTables
    loop: RowTables

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> "DenseInputs":
        return DenseInputs(self.rows[part], self.tables[part], self.loop.part(part))


@dataclass(frozen=True)
class DenseEngine(Engine):
    """Blocks of fixed size; `networks` begin alike, up to the linear read-out of each.

    A BLAS gives other bits for one row than for many, so every product is one of the same
    shape: rows of a block of 256, padded with zeros. Cost of a block of m rows and m
    columns: 2 d m^2 flops for the product, about 40 m^2 a layer. Memory: two padded blocks
    of inputs, one of products. The products are of the inputs as they are: norms are
    divided out of the products, a block's m^2 numbers, and not out of its 2 d m inputs.
    """

    NAME = "DenseEngine"

    networks: tuple[Architecture, ...] = ()

    @cached_property
    def program(self) -> DenseProgram:
        """What runs on every pair."""
        return compile_dense_network(self.networks)

    def explain(self) -> str:
        """Return the program as text."""
        side = self.block
        return (
            f"One matrix product of rows of unit norm, {side} x {side} pairs at a time "
            f"({self.dtype.name}, BLAS),\nthen on every row of it, while that is in cache:\n"
            f"{self.program.explain()}"
        )

    @property
    def block(self) -> int:
        """The padded block, 256."""
        return _BLOCK

    def prepare(self, X: np.ndarray) -> DenseInputs:
        """Run the variance recursion on every row: O(n d) time, O(n) memory.

        float32 rows so short or long that products of them could leave its range are
        brought to unit norm in a copy of X; in float64 their squared norms would before.
        """
        squares = np.empty(len(X))
        sum_squares(X, squares)
        norm = np.sqrt(squares)
        unsafe = (norm > 0) & ((norm < _SAFE[0]) | (norm > _SAFE[1]))
        if self.dtype == np.float32 and unsafe.any():
            X = X.copy()
            X[unsafe] = X[unsafe] / norm[unsafe, None]
            norm[unsafe] = 1
        inverse = np.divide(1, norm, out=np.zeros_like(norm), where=norm > 0)
        tables = variance_tables(self.program, squares / X.shape[1])
        cast = (a.astype(self.dtype) for a in (tables.scale, tables.shift, tables.norm))
        return DenseInputs(X, tables, RowTables(inverse, *cast))

    def cross(self, X: Any, Z: Any) -> np.ndarray:
        """Values of all pairs, a padded block at a time."""
        x, z = self._prepared(X), self._prepared(Z)
        values = np.empty((2, self.n_variants, len(x), len(z)), self.dtype)
        for rows in _blocks(len(x)):
            for columns in _blocks(len(z)):
                self._run(x[rows], z[columns], values[:, :, rows, columns])
        return self._pick(values)

    def symmetric(self, X: Any) -> np.ndarray:
        """Values of all pairs within X; half are computed, the diagonal from the variances."""
        x = self._prepared(X)
        values = np.empty((2, self.n_variants, len(x), len(x)), self.dtype)
        for rows in _blocks(len(x)):
            for columns in _blocks(len(x)):
                if columns.start < rows.start:
                    continue
                self._run(x[rows], x[columns], values[:, :, rows, columns])
                if columns.start > rows.start:
                    values[:, :, columns, rows] = values[:, :, rows, columns].swapaxes(-1, -2)
            square = values[:, :, rows, rows]
            mirror_upper(square)
            np.einsum("fdii->fdi", square)[0] = x.tables.nngp[:, rows]
            np.einsum("fdii->fdi", square)[1] = x.tables.ntk[:, rows]
        return self._pick(values)

    def diagonal(self, X: Any) -> np.ndarray:
        """Values of each row with itself, from the variance recursion, O(n)."""
        tables = self._prepared(X).tables
        return self._pick(np.stack([tables.nngp, tables.ntk]).astype(self.dtype))

    def _prepared(self, X: Any) -> DenseInputs:
        return X if isinstance(X, DenseInputs) else self.prepare(X)

    def _run(self, x: DenseInputs, z: DenseInputs, values: np.ndarray) -> None:
        a, b = _padded(x.rows), _padded(z.rows)
        if np.may_share_memory(a, b):
            # Of one array and its transpose NumPy makes another BLAS call (syrk), with
            # other bits.
            b = b.copy()
        given = self._steps, relu_dual(self.dtype.name), self._readout
        work = np.empty((2, _BLOCK), self.dtype)
        run_rows(*given, a @ b.T, x.loop, z.loop, work, *values)

    def _pick(self, values: np.ndarray) -> np.ndarray:
        if self.fields == FIELDS:
            return values
        if len(self.fields) == 1:  # a view: one block of 256 x 256 is not worth a copy
            first = FIELDS.index(self.fields[0])
            return values[first : first + 1]
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
        # Where there is no read-out, one that changes nothing.
        layers = [dense or Dense(1.0, 0.0, False) for dense in self.program.readouts]
        return Readout(
            np.array([layer.weight_std**2 for layer in layers], self.dtype),
            np.array([layer.bias_std**2 for layer in layers], self.dtype),
            np.array([layer.trainable for layer in layers], self.dtype),
        )


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK)]


def _padded(rows: np.ndarray) -> np.ndarray:
    if len(rows) == _BLOCK:
        return rows
    padded = np.zeros((_BLOCK, rows.shape[1]), rows.dtype)
    padded[: len(rows)] = rows
    return padded
