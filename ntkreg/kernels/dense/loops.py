"""The compiled loops of the dense engine: all layers over a row of a block, in cache.

Layers are the outer loop and the elements of a row the inner one: with the layers
innermost the loop does not vectorise, and takes twice the time.
"""

from typing import NamedTuple

import numpy as np

from ntkreg.kernels.compiled.arc_cosine import kappas
from ntkreg.kernels.compiled.flags import counting_nothing, inlined
from ntkreg.kernels.dense.program import Op

__all__ = ["Readout", "RowTables", "Steps", "run_rows", "sum_squares"]

_ADD = int(Op.ADD)
_RELU = int(Op.RELU)
_BIAS = int(Op.BIAS)


class Steps(NamedTuple):
    """`DenseProgram.steps` as arrays (n_steps,); `trained` in the kernel's dtype."""

    op: np.ndarray
    slot: np.ndarray
    trained: np.ndarray


class RowTables(NamedTuple):
    """`Tables` in the kernel's dtype, (number, n), and 1 / |x| in float64, (n,); 0 of zeros."""

    inverse: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    norm: np.ndarray

    def part(self, rows: slice) -> "RowTables":
        """Return the tables of some rows, contiguous: the loops are compiled for that."""
        return RowTables(*(np.ascontiguousarray(table[..., rows]) for table in self))


class Readout(NamedTuple):
    """Squared stds and `trained` of every network's linear read-out, in the kernel's dtype."""

    weight: np.ndarray
    bias: np.ndarray
    trained: np.ndarray


@counting_nothing
def sum_squares(X, squares):
    """Write |x|^2 of each row of X to `squares`, in float64."""
    n, d = np.uint64(X.shape[0]), np.uint64(X.shape[1])
    for i in range(n):
        total = 0.0
        for p in range(d):
            total += np.float64(X[i, p]) * np.float64(X[i, p])
        squares[i] = total


@inlined
def _relu(c, theta, trained, dual, m):
    for p in range(m):
        k0, k1 = kappas(c[p], dual)
        theta[p] = (theta[p] + trained * c[p]) * k0
        c[p] = k1


@inlined
def _add(c, theta, trained, m):
    for p in range(m):
        theta[p] += trained * c[p]


@inlined
def _bias(c, theta, x, z, slot, i, m):
    for p in range(m):
        factor = x.scale[slot, i] * z.scale[slot, p]
        c[p] = factor * c[p] + x.shift[slot, i] * z.shift[slot, p]
        theta[p] *= factor


@inlined
def _read(c, theta, x, z, readout, slot, i, m, nngp, ntk):
    weight, bias, trained = readout.weight[slot], readout.bias[slot], readout.trained[slot]
    for p in range(m):
        norm = x.norm[slot, i] * z.norm[slot, p] * weight
        value = norm * c[p] + bias
        nngp[slot, i, p] = value
        ntk[slot, i, p] = norm * theta[p] + trained * value


@counting_nothing
def run_rows(steps, dual, readout, products, x, z, work, nngp, ntk):
    """Run the program on a block of inner products of inputs.

    Parameters
    ----------
    steps, dual, readout : Steps, Dual, Readout
    products : array (>= n, >= m)
        Of the inputs. Their norms are divided out in float64, which costs nothing and
        leaves the rounding of the product alone.
    x, z : RowTables
        Of n rows and m columns.
    work : array (2, >= m)
        For one row.
    nngp, ntk : arrays (n_reads, n, m)
        Results.
    """
    n, m = np.uint64(nngp.shape[1]), np.uint64(nngp.shape[2])
    c, theta = work[0], work[1]
    for i in range(n):
        for p in range(m):
            c[p] = np.float64(products[i, p]) * x.inverse[i] * z.inverse[p]
            theta[p] = 0
        for k in range(len(steps.op)):
            op, slot = steps.op[k], steps.slot[k]
            if op == _RELU:
                _relu(c, theta, steps.trained[k], dual, m)
            elif op == _ADD:
                _add(c, theta, steps.trained[k], m)
            elif op == _BIAS:
                _bias(c, theta, x, z, slot, i, m)
            else:
                _read(c, theta, x, z, readout, slot, i, m, nngp, ntk)
