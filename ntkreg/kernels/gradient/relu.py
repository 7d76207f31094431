"""ReLU kernels with derivatives: the dense engine's blocks, tables and program, and rates.

Only for networks whose hidden layers have biases: without any, the kernel is weight_std to
the power 2 depth times what it is at 1, and needs no loop.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ntkreg.architecture import Architecture, Dense
from ntkreg.kernels.compiled.arc_cosine import relu_dual
from ntkreg.kernels.compiled.lanes import aligned
from ntkreg.kernels.dense.engine import DenseEngine, DenseInputs
from ntkreg.kernels.engine import Engine
from ntkreg.kernels.gradient.loops import PairTables, Program, RowRates, run_rows_with_rates
from ntkreg.kernels.gradient.plain import HYPERPARAMETERS, log_rates

__all__ = ["GradientInputs", "RateTables", "ReluGradientEngine", "rate_tables"]


@dataclass(frozen=True)
class RateTables:
    """What rates of pairs need of each row, and the rates of each row with itself, float64.

    `loop` is for the loops; `nngp` and `ntk` are (n_rates, n).
    """

    loop: RowRates
    nngp: np.ndarray
    ntk: np.ndarray

    def __getitem__(self, rows: slice) -> "RateTables":
        return RateTables(self.loop.part(rows), self.nngp[:, rows], self.ntk[:, rows])


def rate_tables(network: Architecture, q: np.ndarray, names: tuple[str, ...]) -> RateTables:
    """Run the network on x = z: q (n,) is each input's squared norm over d.

    With q+ = weight_std^2 q + bias_std^2, a^2 and b^2 the shares of both terms in it, and rho the
    rate of the logarithm of their ratio's root, log a moves at b^2 rho and log b at -a^2 rho.
    """
    *hidden, readout = network.layers
    by_w, by_b = log_rates(names).T[..., None]
    t, (dq, dt) = np.zeros_like(q), np.zeros((2, len(names), len(q)))
    scale, shift = [], []
    for layer in hidden:
        if not isinstance(layer, Dense):
            q, t, dq, dt = q / 2, t / 2, dq / 2, dt / 2
            continue
        w2, b2 = layer.weight_std**2, layer.bias_std**2
        rho = by_w + _log_norm(q, dq) - by_b
        dq, dt = w2 * (dq + 2 * by_w * q) + 2 * b2 * by_b, w2 * (dt + 2 * by_w * t)
        old, q, t = q, w2 * q + b2, w2 * t
        scale.append(b2 / q * rho)
        shift.append(w2 * old / q * rho)
        if layer.trainable:
            t, dt = t + q, dt + dq
    assert isinstance(readout, Dense)
    w2, b2 = readout.weight_std**2, readout.bias_std**2
    norm = _log_norm(q, dq)
    dq, dt = w2 * dq, w2 * dt
    if readout.trainable:
        dt = dt + dq
    # Of a network without hidden layers there is nothing to stack.
    empty = np.empty((0, len(names), q.shape[0]))
    tables = [np.stack(v) if v else empty for v in (scale, shift)]
    a, b = (np.ascontiguousarray(v.swapaxes(0, 1)) for v in tables)
    return RateTables(RowRates(a, b, np.ascontiguousarray(norm)), dq, dt)


def _log_norm(q: np.ndarray, dq: np.ndarray) -> np.ndarray:
    """Return the rate of log sqrt(q), 0 where q is."""
    return np.divide(dq, 2 * q, out=np.zeros_like(dq), where=q > 0)


@dataclass(frozen=True, eq=False)
class GradientInputs:
    """Inputs of the dense engine, and what rates need of each; slices of it are its own kind."""

    dense: DenseInputs
    rates: RateTables

    def __len__(self) -> int:
        return len(self.dense)

    def __getitem__(self, part: slice) -> "GradientInputs":
        return GradientInputs(self.dense[part], self.rates[part])


@dataclass(frozen=True)
class ReluGradientEngine(Engine):
    """Values of one network, and their derivatives by the logarithms of `names`, in float64.

    Its fields are "nngp" or "ntk" and then `names`, which hold the derivatives of it. Cost of a
    pair beside the product: some 30 flops a layer more than the dense engine's 40, and 15 a name.
    """

    NAME = "ReluGradientEngine"

    network: Architecture
    names: tuple[str, ...] = HYPERPARAMETERS

    @cached_property
    def values(self) -> DenseEngine:
        """The engine of the values alone."""
        return DenseEngine(self.shape, self.dtype, self.fields[:1], 1, (self.network,))

    @property
    def block(self) -> int:
        """That of the dense engine."""
        return self.values.block

    def prepare(self, X: np.ndarray) -> GradientInputs:
        """Run the variance recursion and its rates on every row: O(n d) time, O(n) memory."""
        dense = self.values.prepare(X)
        q = np.einsum("nd,nd->n", X, X) / X.shape[1]
        return GradientInputs(dense, rate_tables(self.network, q, self.names))

    def cross(self, X: Any, Z: Any) -> np.ndarray:
        """Values and rates of all pairs of a block, or of parts of one."""
        return self._pairs(self._prepared(X), self._prepared(Z), upper=False)

    def symmetric(self, X: Any) -> np.ndarray:
        """Values and rates of all pairs within a block; the diagonal from the variances."""
        x = self._prepared(X)
        values = self._pairs(x, x, upper=True)
        np.einsum("fdii->fdi", values)[:] = self.diagonal(x)
        return values

    def diagonal(self, X: Any) -> np.ndarray:
        """Values and rates of each row with itself, from the variance recursion, O(n)."""
        x, field = self._prepared(X), self.fields[0]
        value, rates = getattr(x.dense.tables, field), getattr(x.rates, field)
        return np.concatenate([value, rates])[:, None]

    def _prepared(self, X: Any) -> GradientInputs:
        return X if isinstance(X, GradientInputs) else self.prepare(X)

    def _pairs(self, x: GradientInputs, z: GradientInputs, *, upper: bool) -> np.ndarray:
        # Rows off a power of two: a load waits for a store whose address agrees modulo 4096, and
        # what copies the transpose finds a column's numbers in few lines of the cache.
        pitch = -(-len(z) // 8) * 8
        work = aligned((5 + 2 * len(self.names), pitch + 40), np.dtype(float))
        values = np.empty((1 + len(self.names), len(x), pitch + 8))
        products = _products(x.dense.rows, z.dense.rows, self.block)
        tables = PairTables(x.dense.loop, z.dense.loop, x.rates.loop, z.rates.loop)
        given = self._program, relu_dual("float64"), products, tables
        run_rows_with_rates(*given, upper, work, values)
        return values[:, None, :, : len(z)]

    @cached_property
    def _program(self) -> Program:
        program = self.values.program
        steps, readout = program.steps, program.readouts[0]
        assert readout is not None
        return Program(
            np.array([step.op for step in steps], np.int64),
            np.array([step.slot for step in steps], np.uint64),
            np.array([step.trained for step in steps]),
            readout.weight_std**2,
            readout.bias_std**2,
            float(readout.trainable),
            int(self.fields[0] == "ntk"),
        )


def _products(x: np.ndarray, z: np.ndarray, side: int) -> np.ndarray:
    """Return inner products of rows as the dense engine does: of padded blocks of one size."""
    a, b = np.zeros((2, side, x.shape[1]))
    a[: len(x)], b[: len(z)] = x, z
    return a @ b.T
