"""The interface of all solvers: one kernel matrix, any targets and ridges."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from ntkreg.arrays import refuse_infinite
from ntkreg.cpus import check_n_jobs, one_blas_thread
from ntkreg.solvers.inputs import (
    alpha_unit,
    check_alpha,
    check_gram,
    check_targets,
    check_weights,
)
from ntkreg.solvers.leave_one_out import (
    Inverse,
    LeaveOneOut,
    errors_of_others,
    means_of_others,
)
from ntkreg.solvers.solution import Solution
from ntkreg.solvers.system import System

# Pickles of fits name `Solution` here too.
__all__ = ["Solution", "Solver"]

_ORDINARY = 400
"""Targets up to 2^400 and down to 2^-400 are taken as they are."""


class Solver(ABC):
    r"""Solves :math:`(K + \alpha W^{-1}) c = y` for one kernel matrix K, any y and alpha.

    That is weighted kernel ridge regression: c minimises
    :math:`\sum_i w_i (y_i - (K c)_i)^2 + \alpha c^T K c`. What serves any y and alpha, such as a
    decomposition of K, a solver keeps between calls of `solve`. A new one gives `name` and
    `_solve`, and `_invert` if its inverse is at hand.

    Parameters
    ----------
    K : array-like of shape (n, n)
        Symmetric; any real dtype. It is not changed.
    sample_weight : array-like of shape (n,), float or None
        >= 0; weight 2 is the same as the row twice, weight 0 as without the row. However
        far apart they are, only rows of K that nearly repeat make a system singular.
    n_jobs : int or None
        Threads, as in `ntkreg.kernel`. Does not change a bit.

    Attributes
    ----------
    K : ndarray of shape (n, n)
    weights : ndarray of shape (n,), float64, or None

    Raises
    ------
    ShapeError, TypeError, ValueError
        Inputs of the wrong shape or type, not finite, asymmetric, negative.
    """

    name: ClassVar[str]
    """What errors and warnings begin with."""

    def __init__(self, K: Any, *, sample_weight: Any = None, n_jobs: int | None = None) -> None:
        self.n_jobs = check_n_jobs(n_jobs)
        self.K = self._read_kernel(K)
        n = len(self.K)
        self.weights = None if sample_weight is None else check_weights(self.name, sample_weight, n)

    def solve(self, y: Any, *, alpha: Any, alpha_scale: str = "absolute") -> Solution:
        """Return the dual coefficients of targets at a ridge, or at one for each target.

        BLAS is held to one thread meanwhile, in the whole process; bits of the result depend
        neither on other calls at the same time nor on how many threads it had before.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, n_targets)
        alpha : float or array-like of shape (n_targets,)
            Ridge, >= 0.
        alpha_scale : {"absolute", "mean_diagonal"}, default="absolute"
            Unit of alpha: scikit-learn's, or the (weighted) mean of K's diagonal.

        Returns
        -------
        Solution

        Raises
        ------
        NotPSDError
            The solver cannot solve this K at this alpha; the message says what would do.
        ShapeError, TypeError, ValueError
            Inputs of the wrong shape or type, not finite, negative.
        """
        y, targets, size = self._read(y)
        unit = alpha_unit(self.name, alpha_scale, self.K, self.weights)
        alphas = check_alpha(self.name, alpha, targets.shape[1]) * unit
        with one_blas_thread():
            found = self._solve(targets, np.broadcast_to(alphas, targets.shape[1]), unit)
        logs = found.log_determinant
        return replace(
            found,
            dual_coef=self._as_read(found.dual_coef, y, size),
            alpha=alphas,
            log_determinant=logs if logs is None or alphas.ndim else logs[0],
        )

    def leave_one_out(
        self, y: Any, *, alpha: float, alpha_scale: str = "absolute", center: bool = False
    ) -> LeaveOneOut:
        """Return a solution, and what a fit of all other rows gets wrong about each row.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, n_targets)
        alpha : float
            Ridge, >= 0; it keeps its absolute value, whichever row is left out.
        alpha_scale : {"absolute", "mean_diagonal"}, default="absolute"
            As in `solve`.
        center : bool, default=False
            Whether fits are of y less its (weighted) mean, each time that of the rows left.

        Returns
        -------
        LeaveOneOut
            Its `doubt` says what `solve` would warn of: of many alphas one is chosen.

        Raises
        ------
        NotPSDError, ShapeError, TypeError, ValueError
            As `solve`; fewer than two rows with a weight.
        """
        y, targets, size = self._read(y)
        weights = np.ones(len(y)) if self.weights is None else self.weights
        if (weighted := np.count_nonzero(weights)) < 2:
            raise ValueError(
                f"{self.name}: leaving one out needs at least two samples with a weight; got "
                f"n_samples = {weighted}."
            )
        unit = alpha_unit(self.name, alpha_scale, self.K, self.weights)
        ridge = check_alpha(self.name, alpha, 1).reshape(()) * unit
        # Of weights over the largest: sums of huge ones overflow.
        shares = weights / weights.max()
        means = np.zeros_like(targets)
        if center:
            targets = targets - np.average(targets, axis=0, weights=shares)
            means = means_of_others(targets, shares)
        columns = np.column_stack([targets, np.ones(len(targets))])
        with one_blas_thread():
            found = self._invert(columns, float(ridge), unit)
            wrong = errors_of_others(self.K, columns, found)
            residual = System(self.name, self.K, self.weights, float(ridge)).residual(
                found.coef[:, :-1], targets
            )
        coef = self._as_read(found.coef[:, :-1], y, size)
        return LeaveOneOut(
            Solution(
                coef,
                ridge,
                found.condition,
                residual,
                found.min_eigenvalue,
                log_determinant=np.asarray(found.log_determinant),
            ),
            errors=self._as_read(wrong[:, :-1] - means * wrong[:, -1:], y, size),
            targets=self._as_read(targets, y, size),
            weights=weights,
            inverse_diagonal=found.diagonal,
            of_ones=found.coef[:, -1],
            log_determinant=found.log_determinant,
            center=center,
            doubt=found.doubt,
        )

    def _read_kernel(self, K: Any) -> Any:
        """Return K, checked, in the form that the solver keeps."""
        return check_gram(self.name, K)

    def _read(self, y: Any) -> tuple[np.ndarray, np.ndarray, int]:
        """Return y, its columns over a power of two where they are huge or tiny, and the power.

        Sums of their squares, in residuals, would leave float64; powers of two change no bit.
        """
        y = check_targets(self.name, y, len(self.K))
        _, exponents = np.frexp(np.abs(y).max())
        size = int(exponents) if abs(exponents) > _ORDINARY else 0
        return y, np.ldexp(y.reshape(len(y), -1), -size), size

    def _as_read(self, values: np.ndarray, y: np.ndarray, size: int) -> np.ndarray:
        """Return values of `_read`'s columns for y as it was."""
        with np.errstate(over="ignore"):
            values = refuse_infinite(f"{self.name}: coefficients of such y", np.ldexp(values, size))
        return values.reshape(y.shape)

    @abstractmethod
    def _solve(self, targets: np.ndarray, alphas: np.ndarray, unit: float) -> Solution:
        """Solve for checked targets (n, n_targets), each at its ridge in units of K.

        `unit` is what alpha = 1 stood for, to speak of ridges as the caller does.
        """

    def _invert(self, targets: np.ndarray, alpha: float, unit: float) -> Inverse:
        """Return what `leave_one_out` needs, for checked targets (n, n_targets) at one ridge."""
        raise NotImplementedError(f"{self.name} has no leave-one-out errors; use another solver.")
