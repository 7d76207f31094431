"""Read-outs as separable weights over pixel pairs: flatten, global and local pooling.

The kernel of a read-out is a weighted sum of the field over pairs of pixels (p, p'), and
the weights of all three are products of one factor a row pair and one a column pair.
Along one axis of n pixels the factor of (p, p') is

- flatten: 1/n where p = p', else 0;
- global average pooling: 1/n^2;
- local average pooling: the number of centres within c of both, max(0, min(p + c, p' + c,
  n - 1) - max(p - c, p' - c, 0) + 1), over (2c + 1)^2 n (Li et al. 2019, 1911.00809).
"""

from dataclasses import dataclass

import numpy as np

from ntkreg.architecture import Flatten, GlobalAvgPool, Layer, LocalAvgPool

__all__ = ["ReadoutWeights", "readout_weights"]


@dataclass(frozen=True)
class ReadoutWeights:
    """Weights by offset, and the offsets that have any.

    Attributes
    ----------
    columns : int64 array (n_columns,)
        Packed column offsets d in 0..w-1: column j of the tile pairs j with (j + d) mod w.
    column_weights : float64 array (n_columns, w)
    rows : int64 array (n_rows,)
        Row offsets in -(h-1)..h-1, not packed: the tile has h - abs(offset) rows.
    row_weights : float64 array (n_rows, h)
        Weight of row i of that tile; zero past its end.
    """

    columns: np.ndarray
    column_weights: np.ndarray
    rows: np.ndarray
    row_weights: np.ndarray

    @property
    def share(self) -> float:
        """Share of all pixel pairs that lie on a tile that must run."""
        h, w = self.row_weights.shape[1], self.column_weights.shape[1]
        return len(self.columns) * w * int((h - np.abs(self.rows)).sum()) / (h * w) ** 2


def _axis_weight(readout: Layer, p: np.ndarray, q: np.ndarray, n: int) -> np.ndarray:
    match readout:
        case Flatten():
            return (p == q) / n
        case GlobalAvgPool():
            return np.full(p.shape, 1 / n**2)
        case LocalAvgPool(c):
            top = np.minimum(np.minimum(p, q) + c, n - 1)
            bottom = np.maximum(np.maximum(p, q) - c, 0)
            return np.maximum(top - bottom + 1, 0) / ((2 * c + 1) ** 2 * n)
    raise NotImplementedError(f"{readout!r} is not a read-out.")


def readout_weights(readout: Layer, h: int, w: int) -> ReadoutWeights:
    """Return the weights of a read-out of h x w images."""
    column, d = np.meshgrid(np.arange(w), np.arange(w))
    columns = _axis_weight(readout, column, (column + d) % w, w)
    row, e = np.meshgrid(np.arange(h), np.arange(-(h - 1), h))
    first = row + np.maximum(-e, 0)
    rows = np.where(row < h - np.abs(e), _axis_weight(readout, first, first + e, h), 0.0)
    use_column, use_row = columns.any(axis=1), rows.any(axis=1)
    return ReadoutWeights(
        np.flatnonzero(use_column),
        np.ascontiguousarray(columns[use_column]),
        np.flatnonzero(use_row) - (h - 1),
        np.ascontiguousarray(rows[use_row]),
    )
