"""`NormalEquations`: ridge regression on rows that come in parts, of which only sums are kept."""

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from ntkreg.arrays import refuse_infinite
from ntkreg.cpus import in_threads, one_blas_thread
from ntkreg.errors import NotPSDError, SpecError
from ntkreg.solvers.base import Solution
from ntkreg.solvers.cholesky import CholeskySolver
from ntkreg.solvers.inputs import check_alpha

__all__ = ["LinearSolution", "NormalEquations"]

_BLOCK = 1024
"""Side of the blocks of the sums that threads share."""


@dataclass(frozen=True, eq=False)
class LinearSolution:
    """A linear function of features, ``A @ coef + intercept``.

    Attributes
    ----------
    coef : ndarray of shape (n_features, n_targets), float64
    intercept : ndarray of shape (n_targets,), float64
    solution : Solution
        How far to trust it; its `alpha` is in units of the sums, its `dual_coef` is `coef`.
    """

    coef: np.ndarray
    intercept: np.ndarray
    solution: Solution


class NormalEquations:
    r"""Sums :math:`A^T W A` and :math:`A^T W y` over rows, float64, from which ridge is solved.

    Rows are counted from the weighted mean of the first part, which is no more than a place to
    count from, close enough to the mean that subtracting that at the end costs no digits (Chan,
    Golub and LeVeque 1983 compare such ways). Without an intercept they are counted from 0.

    Memory: 8 n_features^2 bytes, as much again twice while `solve` is at work, and one part in
    float64. Each row costs n_features^2 flops for the upper triangle.

    Parameters
    ----------
    who : str
        What errors begin with.
    n_features, n_targets : int
    fit_intercept : bool

    Attributes
    ----------
    n_rows : int
        That have come.
    """

    def __init__(self, who: str, n_features: int, n_targets: int, *, fit_intercept: bool) -> None:
        self.who = who
        self.fit_intercept = fit_intercept
        self.n_rows = 0
        self._weight = 0.0
        self._origin = np.zeros(n_features)
        self._y_origin = np.zeros(n_targets)
        self._sum = np.zeros(n_features)
        self._y_sum = np.zeros(n_targets)
        self._gram = np.zeros((n_features, n_features))  # the upper triangle of blocks
        self._moment = np.zeros((n_features, n_targets))

    def add(self, A: np.ndarray, y: np.ndarray, weights: np.ndarray | None, n_jobs: int) -> None:
        """Add rows; bits depend on how rows are parted, not on `n_jobs`.

        Parameters
        ----------
        A : ndarray of shape (n, n_features)
            Finite.
        y : ndarray of shape (n, n_targets)
        weights : ndarray of shape (n,), or None for ones
        n_jobs : int

        Raises
        ------
        SpecError
            Squares of A leave float64.
        """
        if self.fit_intercept and not self.n_rows:
            self._origin = np.average(A, axis=0, weights=weights).astype(np.float64)
            self._y_origin = np.average(y, axis=0, weights=weights)
        root = None if weights is None else np.sqrt(weights)
        rows = A - self._origin
        targets = y - self._y_origin
        if root is not None:
            rows *= root[:, None]
            targets *= root[:, None]
        size = rows.shape[1]
        parts = [slice(i, min(i + _BLOCK, size)) for i in range(0, size, _BLOCK)]

        def update(block: tuple[slice, slice]) -> None:
            i, j = block
            with np.errstate(all="ignore"):  # each thread has its own
                self._gram[i, j] += rows[:, i].T @ rows[:, j]

        with np.errstate(all="ignore"), one_blas_thread():
            in_threads(update, combinations_with_replacement(parts, 2), n_jobs)
            self._moment += rows.T @ targets
            self._sum += rows.sum(axis=0) if root is None else root @ rows
            self._y_sum += targets.sum(axis=0) if root is None else root @ targets
        squares = refuse_infinite(f"{self.who}: squares of X", np.diagonal(self._gram))
        if not squares.any() and rows.any():
            raise SpecError(
                f"{self.who}: squares of X, which is {np.abs(rows).max():.2g} at most, are 0 in "
                "float64. Rescale X."
            )
        self._weight += len(A) if weights is None else float(weights.sum())
        self.n_rows += len(A)

    def solve(self, alpha: Any, alpha_scale: str, n_jobs: int) -> LinearSolution:
        r"""Return the least of :math:`\sum_i w_i (y_i - a_i c - b)^2 + \alpha |c|^2`.

        Parameters
        ----------
        alpha : float or array of shape (n_targets,)
        alpha_scale : {"mean_diagonal", "absolute"}
            "mean_diagonal": in units of the (weighted) mean of the rows' squared norms, which
            is the mean diagonal of the kernel that features stand for; 1 where all are 0.
        n_jobs : int

        Raises
        ------
        NotPSDError
            The sums are singular at this alpha.
        """
        gram, moment = self._about_the_mean(), self._moment
        unit = 1.0
        if alpha_scale == "mean_diagonal":
            unit = self._mean_square() or 1.0
        if self.fit_intercept:
            moment = moment - np.outer(self._sum, self._y_sum / self._weight)
        alphas = check_alpha(self.who, alpha, moment.shape[1]) * unit
        solver = CholeskySolver(gram, n_jobs=n_jobs)
        try:
            solution = solver.solve(moment, alpha=alphas)
        except NotPSDError as error:
            units = f" Here it counts in units of {unit:.3g}." if unit != 1 else ""
            raise NotPSDError(
                f"{self.who}: the sums of products of features, K, are singular at this alpha. "
                f"{error}{units}"
            ) from None
        coef = solution.dual_coef
        mean = self._origin + self._sum / self._weight
        y_mean = self._y_origin + self._y_sum / self._weight
        intercept = y_mean - mean @ coef if self.fit_intercept else np.zeros(len(y_mean))
        return LinearSolution(coef, intercept, solution)

    def _about_the_mean(self) -> np.ndarray:
        """Return a copy of the sums with both triangles; with an intercept, of centred rows."""
        gram = self._gram.copy()
        for i in range(0, len(gram), _BLOCK):
            rows, after = slice(i, i + _BLOCK), slice(i + _BLOCK, None)
            gram[after, rows] = gram[rows, after].T
        if self.fit_intercept:
            for i in range(0, len(gram), _BLOCK):  # without a second matrix
                rows = slice(i, i + _BLOCK)
                gram[rows] -= np.outer(self._sum[rows], self._sum / self._weight)
        return gram

    def _mean_square(self) -> float:
        """Return the weighted mean of |a|^2, of rows as they came."""
        about = np.trace(self._gram) + 2 * self._sum @ self._origin
        return float(about / self._weight + self._origin @ self._origin)
