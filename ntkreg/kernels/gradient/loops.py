r"""The compiled loops of ReLU kernels with derivatives: all layers over a row of a block, in cache.

As `ntkreg.kernels.dense.loops`, with rates of c and theta along each hyperparameter beside them:

    BIAS  dc = a a' (dc + (f + f') c) - b b' (g + g'),  dt = a a' (dt + (f + f') t)
    RELU  dt = (dt + dc) kappa0 + (t + c) kappa0' dc,   dc = kappa0 dc

with f the rate of log a and -g that of log b of each row. The slope kappa0' = 1 / (pi sine) takes
no second root: sine = pi (kappa1 - c kappa0).

Each operation is a loop of its own over the row. Fused, with fewer loads and stores, they took half
as long again: their constants no longer fit into the registers.
"""

from typing import NamedTuple

import numpy as np

from ntkreg.kernels.compiled.arc_cosine import kappas
from ntkreg.kernels.compiled.flags import counting_nothing, inlined, row_of_vectors, wide_vectors
from ntkreg.kernels.compiled.vectors import absolute
from ntkreg.kernels.dense.loops import RowTables
from ntkreg.kernels.dense.program import Op

__all__ = ["PairTables", "Program", "RowRates", "run_rows_with_rates"]

_ADD = int(Op.ADD)
_RELU = int(Op.RELU)
_BIAS = int(Op.BIAS)


class Program(NamedTuple):
    """`DenseProgram.steps` as arrays, and the read-out: squared stds and `trained`.

    `ntk` is 1 to give the NTK with its rates, 0 to give the NNGP.
    """

    op: np.ndarray
    slot: np.ndarray
    trained: np.ndarray
    weight: float
    bias: float
    readout: float
    ntk: int


class RowRates(NamedTuple):
    """Of each hyperparameter: f and g of every BIAS, (n_rates, n_biases, n); `norm` (n_rates, n).

    `norm` is the rate of log sqrt(q) at the read-out.
    """

    scale: np.ndarray
    shift: np.ndarray
    norm: np.ndarray

    def part(self, rows: slice) -> "RowRates":
        """Return those of some rows, contiguous."""
        return RowRates(*(np.ascontiguousarray(table[..., rows]) for table in self))


class PairTables(NamedTuple):
    """Of rows x and columns z: tables of the dense loops, and rates."""

    x: RowTables
    z: RowTables
    dx: RowRates
    dz: RowRates


@inlined
def _clear(row, j, m):
    for p in range(j, m):
        row[p] = 0


@inlined
def _duals(c, kappa0, kappa1, slope, dual, j, m):
    row_of_vectors()
    for p in range(j, m):
        k0, k1 = kappas(c[p], dual)
        kappa0[p], kappa1[p] = k0, k1
        # Where c is 1 up to rounding its rate is 0.
        near = dual.one - absolute(c[p]) <= dual.tiny
        slope[p] = dual.zero if near else dual.one / (np.pi * np.pi * (k1 - c[p] * k0))


@inlined
def _relu_rates(c, theta, kappa0, slope, dc, dt, trained, j, m):
    row_of_vectors()
    for p in range(j, m):
        moved = (theta[p] + trained * c[p]) * slope[p] * dc[p]
        dt[p] = (dt[p] + trained * dc[p]) * kappa0[p] + moved
        dc[p] *= kappa0[p]


@inlined
def _relu(c, theta, kappa0, kappa1, trained, j, m):
    row_of_vectors()
    for p in range(j, m):
        theta[p] = (theta[p] + trained * c[p]) * kappa0[p]
        c[p] = kappa1[p]


@inlined
def _add(c, theta, trained, j, m):
    row_of_vectors()
    for p in range(j, m):
        theta[p] += trained * c[p]


@inlined
def _bias_rates(c, theta, dc, dt, of, k, slot, i, j, m):
    row_of_vectors()
    for p in range(j, m):
        factor = of.x.scale[slot, i] * of.z.scale[slot, p]
        bias = of.x.shift[slot, i] * of.z.shift[slot, p]
        share = of.dx.scale[k, slot, i] + of.dz.scale[k, slot, p]
        lost = of.dx.shift[k, slot, i] + of.dz.shift[k, slot, p]
        dc[p] = factor * (dc[p] + share * c[p]) - bias * lost
        dt[p] = factor * (dt[p] + share * theta[p])


@inlined
def _bias(c, theta, of, slot, i, j, m):
    row_of_vectors()
    for p in range(j, m):
        factor = of.x.scale[slot, i] * of.z.scale[slot, p]
        c[p] = factor * c[p] + of.x.shift[slot, i] * of.z.shift[slot, p]
        theta[p] *= factor


@inlined
def _read(c, theta, of, program, i, j, m, values):
    row_of_vectors()
    for p in range(j, m):
        norm = of.x.norm[0, i] * of.z.norm[0, p] * program.weight
        nngp = norm * c[p] + program.bias
        values[p] = norm * theta[p] + program.readout * nngp if program.ntk else nngp


@inlined
def _read_rates(c, theta, dc, dt, of, k, program, i, j, m, values):
    row_of_vectors()
    for p in range(j, m):
        norm = of.x.norm[0, i] * of.z.norm[0, p] * program.weight
        share = of.dx.norm[k, i] + of.dz.norm[k, p]
        nngp = norm * (dc[p] + share * c[p])
        ntk = norm * (dt[p] + share * theta[p]) + program.readout * nngp
        values[p] = ntk if program.ntk else nngp


@inlined
def _mirror(values, n):
    for i in range(n):
        for p in range(i):
            values[i, p] = values[p, i]


@counting_nothing
def run_rows_with_rates(program, dual, products, of, upper, work, values):
    """Run the program of one network on a block of inner products of inputs.

    Parameters
    ----------
    program, dual : Program, Dual
    products : array (>= n, >= m)
        Of the inputs.
    of : PairTables
        Of n rows and m columns.
    upper : bool
        Whether rows and columns are the same: those before a row's own mirror the others.
    work : array (5 + 2 n_rates, >= m)
        For one row.
    values : array (1 + n_rates, n, >= m)
        The kernel, and its rates.
    """
    wide_vectors()
    n, m = np.uint64(len(of.x.inverse)), np.uint64(len(of.z.inverse))
    rates = np.uint64(values.shape[0] - 1)
    c, theta, kappa0, kappa1, slope = work[0], work[1], work[2], work[3], work[4]
    first = np.uint64(5)
    for i in range(n):
        j = i if upper else np.uint64(0)
        for p in range(j, m):
            c[p] = products[i, p] * of.x.inverse[i] * of.z.inverse[p]
            theta[p] = 0
        for k in range(first, first + np.uint64(2) * rates):
            _clear(work[k], j, m)
        for step in range(len(program.op)):
            op, slot, trained = program.op[step], program.slot[step], program.trained[step]
            if op == _RELU:
                _duals(c, kappa0, kappa1, slope, dual, j, m)
            for k in range(rates):
                dc, dt = work[first + k], work[first + rates + k]
                if op == _RELU:
                    _relu_rates(c, theta, kappa0, slope, dc, dt, trained, j, m)
                elif op == _ADD:
                    _add(dc, dt, trained, j, m)
                elif op == _BIAS:
                    _bias_rates(c, theta, dc, dt, of, k, slot, i, j, m)
                else:
                    out = values[np.uint64(1) + k, i]
                    _read_rates(c, theta, dc, dt, of, k, program, i, j, m, out)
            if op == _RELU:
                _relu(c, theta, kappa0, kappa1, trained, j, m)
            elif op == _ADD:
                _add(c, theta, trained, j, m)
            elif op == _BIAS:
                _bias(c, theta, of, slot, i, j, m)
            else:
                _read(c, theta, of, program, i, j, m, values[0, i])
    if upper:
        for k in range(rates + np.uint64(1)):
            _mirror(values[k], n)
