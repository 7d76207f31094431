"""What is recorded of training: the spectrum of the product, at steps that grow apart."""

from typing import Any

import numpy as np

from ntkreg.factorization.descent import Point
from ntkreg.factorization.product import ProductLoss
from ntkreg.factorization.spectrum import effective_rank, nuclear_norm, schatten

__all__ = ["POWERS", "PathRecorder", "spectrum_of"]

_GROWTH = 1.05
"""From one recorded step to the next: some 300 of a million."""

POWERS = {"schatten_1": 1.0, "schatten_2/3": 2 / 3, "schatten_1/2": 0.5}
"""Schatten quasi-norms by name: 2/N for depths 2, 3 and 4."""


def spectrum_of(sigma: np.ndarray) -> dict[str, float]:
    """Return nuclear norm, effective rank and Schatten quasi-norms of singular values."""
    return {
        "nuclear_norm": nuclear_norm(sigma),
        "effective_rank": effective_rank(sigma),
        **{name: schatten(sigma, p) for name, p in POWERS.items() if p < 1},
    }


class PathRecorder:
    """Keeps lines of a path; given to `descend` as what observes it.

    Parameters
    ----------
    objective : ProductLoss
    held_out : (ndarray, ndarray, ndarray) or None
        Rows, columns and values of the entries that the error is of.
    """

    def __init__(self, objective: ProductLoss, held_out: Any = None) -> None:
        self._objective, self._held_out = objective, held_out
        self._lines: list[dict[str, Any]] = []
        self._next = 0

    def __call__(self, point: Point) -> None:
        """Record a point, if its turn has come."""
        if point.step < self._next and not point.last:
            return
        self._next = max(point.step + 1, int(point.step * _GROWTH))
        product = self._objective.product
        error = np.nan
        if self._held_out is not None:
            rows, cols, values = self._held_out
            error = float(np.mean((product[rows, cols] - values) ** 2))
        sigma = np.linalg.svd(product, compute_uv=False)
        at = {"step": point.step, "time": point.time, "loss": point.loss, "error": error}
        self._lines.append({**at, **spectrum_of(sigma), "singular_values": sigma})

    def path(self) -> dict[str, np.ndarray]:
        """Return what was recorded, an array a quantity."""
        return {key: np.array([line[key] for line in self._lines]) for key in self._lines[0]}
