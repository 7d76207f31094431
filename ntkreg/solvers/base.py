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
from ntkreg.solvers.solution import Solution

# Pickles of fits name `Solution` here too.
__all__ = ["Solution", "Solver"]

_ORDINARY = 400
"""Targets up to 2^400 and down to 2^-400 are taken as they are."""


class Solver(ABC):
    r"""Solves :math:`(K + \alpha W^{-1}) c = y` for one kernel matrix K, any y and alpha.

    That is weighted kernel ridge regression: c minimises
    :math:`\sum_i w_i (y_i - (K c)_i)^2 + \alpha c^T K c`. What serves any y and alpha, such as a
    decomposition of K, a solver keeps between calls of `solve`. A new one gives `name` and
    `_solve`.

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
        self.K = check_gram(self.name, K)
        n = len(self.K)
        self.weights = None if sample_weight is None else check_weights(self.name, sample_weight, n)
        self.n_jobs = check_n_jobs(n_jobs)

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
        y = check_targets(self.name, y, len(self.K))
        # Sums of their squares, in residuals, would leave float64; powers of two change no bit.
        _, exponents = np.frexp(np.abs(y).max())
        size = int(exponents) if abs(exponents) > _ORDINARY else 0
        targets = np.ldexp(y.reshape(len(y), -1), -size)
        unit = alpha_unit(self.name, alpha_scale, self.K, self.weights)
        alphas = check_alpha(self.name, alpha, targets.shape[1]) * unit
        with one_blas_thread():
            found = self._solve(targets, np.broadcast_to(alphas, targets.shape[1]), unit)
        with np.errstate(over="ignore"):
            coef = refuse_infinite(
                f"{self.name}: coefficients of such y", np.ldexp(found.dual_coef, size)
            )
        return replace(found, dual_coef=coef.reshape(y.shape), alpha=alphas)

    @abstractmethod
    def _solve(self, targets: np.ndarray, alphas: np.ndarray, unit: float) -> Solution:
        """Solve for checked targets (n, n_targets), each at its ridge in units of K.

        `unit` is what alpha = 1 stood for, to speak of ridges as the caller does.
        """
