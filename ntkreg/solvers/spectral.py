"""Ridge regression and gradient flow from one eigendecomposition, for any targets and ridges."""

import warnings
from typing import Any, ClassVar

import numpy as np

from ntkreg.errors import NotPSDError, PrecisionWarning
from ntkreg.solvers.definiteness import EPS, doubt, refusal
from ntkreg.solvers.lapack_limits import check_eigen
from ntkreg.solvers.leave_one_out import Inverse
from ntkreg.solvers.memory import check_eigen_memory
from ntkreg.solvers.solution import Solution
from ntkreg.solvers.spectral_map import SpectralMap
from ntkreg.solvers.stopped import StoppedTraining
from ntkreg.solvers.system import System

# Pickles of fits name `SpectralMap` here.
__all__ = ["SpectralMap", "SpectralSolver"]

_CHUNK = 128
"""Rows of eigenvectors squared together."""


class SpectralSolver(StoppedTraining):
    r"""Decomposes :math:`W^{1/2} K W^{1/2} = V \Lambda V^T` once, for everything after.

    Then :math:`(K + \alpha W^{-1})^{-1} = W^{1/2} V (\Lambda + \alpha)^{-1} V^T W^{1/2}`: any y and
    alpha cost O(n^2), and so do leave-one-out errors, determinants, and gradient flow stopped at
    any time.

    Parameters
    ----------
    K, sample_weight, n_jobs
        As in `Solver`; `n_jobs` plays no part.

    Notes
    -----
    About 9 n^3 flops in one thread, five more matrices of float64 in memory while it lasts and
    one after. Errors are some 1e-16 of the largest eigenvalue: where weights differ by more
    than 1e8 or so, light rows drown in those of heavy ones, and `CholeskySolver` is exact.

    Examples
    --------
    >>> from ntkreg.solvers import SpectralSolver
    >>> solver = SpectralSolver([[2.0, 0.0], [0.0, 1.0]])
    >>> solver.solve([3.0, 4.0], alpha=1.0).dual_coef
    array([1., 2.])
    >>> solver.flow([3.0, 4.0], 1e9)  # all is learnt
    array([1.5, 4. ])
    """

    name: ClassVar[str] = "SpectralSolver"

    def _read_kernel(self, K: Any) -> Any:
        n = max(np.shape(K), default=0)
        check_eigen(self.name, n)  # before a look at every value
        check_eigen_memory(self.name, n)
        return super()._read_kernel(K)

    def _solve(self, targets: np.ndarray, alphas: np.ndarray, unit: float) -> Solution:
        residual = condition = 0.0
        for a in np.unique(alphas):
            _, system, ratio = self._shifted(float(a), unit)
            condition = max(condition, ratio)
            if text := doubt(system, *self._least()):
                warnings.warn(text, PrecisionWarning, stacklevel=4)
        shifted = self._spectrum.values[:, None] + np.ldexp(alphas, -self._spectrum.power)
        logs = self._spectrum.log_determinant(shifted)
        coef = np.ldexp(
            self._spectrum.filtered(targets, 1 / shifted[None])[0], -self._spectrum.of_kernel
        )
        for a in np.unique(alphas):
            which = alphas == a
            system = System(self.name, self.K, self.weights, float(a))
            residual = max(residual, system.residual(coef[:, which], targets[:, which]))
        return Solution(coef, alphas, condition, residual, self._least()[0], log_determinant=logs)

    def _invert(self, targets: np.ndarray, alpha: float, unit: float) -> Inverse:
        spectrum = self._spectrum
        shifted, system, condition = self._shifted(alpha, unit)
        coef = np.ldexp(
            self._spectrum.filtered(targets, (1 / shifted)[None, :, None])[0], -spectrum.of_kernel
        )
        diagonal = np.zeros(len(self.K))
        n = len(spectrum.kept)
        squares = [
            np.square(spectrum.vectors[i : i + _CHUNK]) @ (1 / shifted) for i in range(0, n, _CHUNK)
        ]
        diagonal[spectrum.kept] = np.ldexp(
            np.concatenate(squares) * spectrum.roots**2, -spectrum.of_kernel
        )
        text = doubt(system, *self._least())
        logs = float(self._spectrum.log_determinant(shifted))
        return Inverse(coef, diagonal, logs, condition, self._least()[0], text)

    def _shifted(self, alpha: float, unit: float) -> tuple[np.ndarray, System, float]:
        """Return scaled eigenvalues + alpha, the system and its condition, or raise."""
        spectrum = self._spectrum
        shifted = spectrum.values + np.ldexp(alpha, -spectrum.power)
        system = System(self.name, self.K, self.weights, alpha)
        if shifted[0] <= EPS * shifted[-1]:
            what = "is not positive definite" if shifted[0] < 0 else "is singular to rounding"
            least, rounding = self._least()
            enough = 2 * max(-least, 0.0) + 10 * rounding
            raise NotPSDError(refusal(system, unit, what, least, enough))
        return shifted, system, float(shifted[-1] / shifted[0])
