"""What chooses a ridge: errors of rows left out, and criteria that leave nothing out."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ntkreg.solvers.inputs import matmul_rows
from ntkreg.solvers.solution import Solution

__all__ = ["Inverse", "LeaveOneOut", "errors_of_others", "means_of_others"]


class Inverse(NamedTuple):
    """What a solver knows of C, the inverse of K + alpha W^-1 on rows with a weight.

    Attributes
    ----------
    coef : ndarray of shape (n, n_targets)
        C y; 0 for rows without a weight, as in `diagonal`.
    diagonal : ndarray of shape (n,)
    log_determinant : float
        Of K + alpha W^-1.
    condition : float
    min_eigenvalue : float or None
        As in `Solution`.
    doubt : str or None
        What to warn of.
    """

    coef: np.ndarray
    diagonal: np.ndarray
    log_determinant: float
    condition: float
    min_eigenvalue: float | None
    doubt: str | None


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    r"""A solution, and how well its ridge suits, from one factorisation of all rows.

    :math:`C = (K + \alpha W^{-1})^{-1}` for rows with a weight. A weight counts as that many
    repeated rows in the criteria; what is left out is always the whole row.

    Attributes
    ----------
    solution : Solution
        Of the targets, less their mean if `center`.
    errors : ndarray of shape (n,) or (n, n_targets)
        y_i less what is predicted for row i by a fit without it, at the same absolute ridge:
        :math:`([C y]_i - m_{-i} [C 1]_i) / C_{ii}`, where :math:`m_{-i}` is the mean of the
        others, 0 unless `center`.
    targets : ndarray of the shape of `errors`
        What was solved for: y, less its (weighted) mean if `center`.
    weights : ndarray of shape (n,)
        Ones if there are none.
    inverse_diagonal : ndarray of shape (n,)
        :math:`C_{ii}`; 0 for rows without a weight.
    of_ones : ndarray of shape (n,)
        :math:`C 1`.
    log_determinant : float
        :math:`\log |K + \alpha W^{-1}|`.
    center : bool
    doubt : str or None
        A `PrecisionWarning` to be given if this is the solution that is used.
    """

    solution: Solution
    errors: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    inverse_diagonal: np.ndarray
    of_ones: np.ndarray
    log_determinant: float
    center: bool
    doubt: str | None

    def errors_of_repetitions(self, left: np.ndarray) -> np.ndarray:
        r"""Return errors about rows of which a part of the weight stays, of the shape of `errors`.

        Where r_i of w_i stays, :math:`\alpha [C y]_i / (r_i + \alpha (1 - r_i / w_i) C_{ii})`, as
        one entry of the ridge changes. Without a mean (`center`).

        Parameters
        ----------
        left : ndarray of shape (n,)
            From 0, the whole row out, to the row's weight.
        """
        alpha, rows = float(self.solution.alpha), np.flatnonzero(left)
        errors = self.errors.copy()
        gone = alpha * (1 - left[rows] / self.weights[rows]) * self.inverse_diagonal[rows]
        errors[rows] = (alpha * self._coef[rows].T / (left[rows] + gone)).T
        return errors

    def kare(self) -> np.ndarray:
        r"""Return the kernel alignment risk estimate of each target, (n_targets,) or ().

        :math:`n \|C y\|^2 / (\mathrm{tr}\, C)^2` without weights and mean (Jacot et al. 2020, arXiv
        2006.09796, at ridge :math:`\alpha / n`): for ridge regression that is generalised
        cross-validation, :math:`\frac1n \|r\|^2 / (\frac1n \mathrm{tr}(I - H))^2` with residuals r
        and y's map H to the fit; with a mean H includes it. Infinite where there are no more
        rows than the fit has degrees of freedom, as with weights that sum to little.
        """
        total, rows, ridge = self._counts()
        w = self.weights[rows]
        squares = np.sum(np.square(self._coef[rows].T) / w, axis=-1)
        freedom = np.sum(self.inverse_diagonal[rows] / w)
        if self.center:
            freedom -= self.of_ones.sum() / total
        if extra := total - len(w):
            freedom += extra / ridge if ridge else math.copysign(math.inf, extra)
        return total * squares / freedom**2 if freedom > 0 else np.full_like(squares, np.inf)

    def log_marginal_likelihood(self) -> np.ndarray:
        r"""Return the log density of each target as a Gaussian process, (n_targets,) or ().

        Of covariance :math:`s (K + \alpha W^{-1})`, each target at the scale s that is likeliest,
        :math:`y^T C y / n`: so no scale of y or K plays a part, as in the ridge solution.
        """
        total, rows, ridge = self._counts()
        log_determinant = self.log_determinant + np.log(self.weights[rows]).sum()
        if extra := total - len(rows):
            log_determinant += extra * (math.log(ridge) if ridge else -math.inf)
        quadratic = np.sum(self.targets.T * self._coef.T, axis=-1)
        scale = np.maximum(quadratic / total, np.finfo(float).tiny)  # 0 where targets are constant
        return -0.5 * (total * (np.log(2 * math.pi * scale) + 1) + log_determinant)

    @property
    def _coef(self) -> np.ndarray:
        return self.solution.dual_coef

    def _counts(self) -> tuple[float, np.ndarray, float]:
        """Return how many rows weights stand for, which rows have one, and the ridge."""
        return float(self.weights.sum()), np.flatnonzero(self.weights), float(self.solution.alpha)


def errors_of_others(K: np.ndarray, y: np.ndarray, found: Inverse) -> np.ndarray:
    """Return y (n, n_targets) less what fits of all other rows, to y as it is, say about each."""
    left_out = found.diagonal == 0  # by any fit: it has no weight
    errors = found.coef / np.where(left_out, 1, found.diagonal)[:, None]
    if left_out.any():
        errors[left_out] = y[left_out] - matmul_rows(K[left_out], found.coef)
    return errors


def means_of_others(y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return for each row of y (n, n_targets) the weighted mean of all others, (n, n_targets).

    Sums before and after a row, not the whole less the row: of that nothing is left where one
    row outweighs all others, whose mean is wanted.
    """
    w = weights[:, None]
    return _sums_of_others(w * y) / _sums_of_others(w)


def _sums_of_others(values: np.ndarray) -> np.ndarray:
    zero = np.zeros_like(values[:1])
    before = np.concatenate([zero, np.cumsum(values[:-1], axis=0)])
    after = np.concatenate([np.cumsum(values[:0:-1], axis=0)[::-1], zero])
    return before + after
