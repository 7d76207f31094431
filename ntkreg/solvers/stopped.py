"""Training that stops: gradient flow and descent of a kernel that has been decomposed."""

import warnings
from functools import cached_property
from typing import Any

import numpy as np

from ntkreg.cpus import one_blas_thread
from ntkreg.errors import PrecisionWarning, SpecError
from ntkreg.solvers.base import Solver
from ntkreg.solvers.definiteness import EPS, doubt
from ntkreg.solvers.gradient_flow import descent_share, flow_share, over_eigenvalues
from ntkreg.solvers.inputs import alpha_unit, check_alpha
from ntkreg.solvers.solution import Solution
from ntkreg.solvers.spectral_map import SpectralMap
from ntkreg.solvers.spectrum import Spectrum
from ntkreg.solvers.system import System

__all__ = ["StoppedTraining"]


class StoppedTraining(Solver):
    """What `SpectralSolver` knows of training until a time: base of it, where it is documented."""

    @property
    def eigenvalues(self) -> np.ndarray:
        """Eigenvalues of W^1/2 K W^1/2, ascending, (n_kept,) for rows with a weight."""
        return np.ldexp(self._spectrum.values, self._spectrum.power)

    @property
    def eigenvectors(self) -> np.ndarray:
        """Eigenvectors V of W^1/2 K W^1/2, a column each, (n_kept, n_kept)."""
        return self._spectrum.vectors

    def coefficients(self, y: Any, factors: np.ndarray) -> np.ndarray:
        """Return W^1/2 V diag(factors) V^T W^1/2 y, for each row of factors.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, n_targets)
        factors : ndarray of shape (..., n_kept)
            What multiplies each eigenvector, in the units of 1 / eigenvalue.

        Returns
        -------
        ndarray of shape (..., n) or (..., n, n_targets)
            Dual coefficients; 0 for rows without a weight.
        """
        y, targets, size = self._read(y)
        factors = np.asarray(factors, float)
        with one_blas_thread():
            coef = self._spectrum.filtered(targets, factors.reshape(-1, factors.shape[-1], 1))
        with np.errstate(over="ignore"):
            coef = np.ldexp(coef, size + self._spectrum.of_weights)
        return coef.reshape(*factors.shape[:-1], *y.shape)

    def flow(
        self, y: Any, t: Any, *, alpha: float = 0.0, alpha_scale: str = "absolute"
    ) -> np.ndarray:
        r"""Return dual coefficients after gradient flow from zero for a time, or for each of many.

        Of the loss :math:`\frac{1}{2 N o} (\sum_i w_i \|y_i - f(x_i)\|^2 + \alpha \|f\|_K^2)`,
        with o targets and N the sum of weights, n if there are none: each eigenvector times
        :math:`(1 - e^{-(\lambda + \alpha) t / (N o)}) / (\lambda + \alpha)`.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, n_targets)
        t : float or array-like of shape (n_times,), >= 0
        alpha, alpha_scale
            As in `solve`.

        Returns
        -------
        ndarray of shape (n,) or (n, n_targets), after (n_times,) if t is many

        Raises
        ------
        SpecError
            If times are no finite numbers >= 0.

        Warns
        -----
        PrecisionWarning
            K has negative eigenvalues beyond rounding; they are taken for 0.
        """
        n_targets = self._read(y)[1].shape[1]
        return self.coefficients(y, self._flow(t, n_targets, alpha, alpha_scale)[0])

    def descent(
        self,
        y: Any,
        steps: Any,
        learning_rate: float,
        *,
        alpha: float = 0.0,
        alpha_scale: str = "absolute",
    ) -> np.ndarray:
        r"""Return dual coefficients after steps of gradient descent from zero, as `flow`.

        With :math:`(1 - \eta (\lambda + \alpha) / (N o))^k` in place of the exponential.

        Parameters
        ----------
        y, alpha, alpha_scale
            As in `flow`.
        steps : int or array-like of shape (n_times,), >= 0
        learning_rate : float
            :math:`\eta`, > 0 and at most 2 N o over the largest eigenvalue + alpha.

        Returns
        -------
        ndarray of shape (n,) or (n, n_targets), after (n_times,) if steps are many

        Raises
        ------
        SpecError
            No such numbers, or a learning rate at which descent diverges.
        """
        n_targets = self._read(y)[1].shape[1]
        found = self._descent(steps, learning_rate, n_targets, alpha, alpha_scale)
        return self.coefficients(y, found[0])

    def flow_map(self, t: float, n_targets: int, *, alpha: float = 0.0) -> "SpectralMap":
        """Return the map from targets to dual coefficients that `flow` is, at one time.

        Parameters
        ----------
        t, alpha : float, >= 0
            As in `flow`; alpha in units of K.
        n_targets : int
            Over how many the loss is averaged.
        """
        factors, values = self._flow(t, n_targets, alpha, "absolute")
        return self._map(factors, values)

    def descent_map(
        self, steps: int, learning_rate: Any, n_targets: int, *, alpha: float = 0.0
    ) -> "SpectralMap":
        """Return the map that `descent` is, after one number of steps; see `flow_map`."""
        factors, values = self._descent(steps, learning_rate, n_targets, alpha, "absolute")
        return self._map(factors, values)

    def _flow(
        self, t: Any, n_targets: int, alpha: float, alpha_scale: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what multiplies each eigenvector, and eigenvalues + alpha."""
        t = _times(f"{self.name}: t", t)
        values, size = self._learnt(n_targets, alpha, alpha_scale)
        return _factors(flow_share(values / size, t.ravel()), values, t / size), values

    def _descent(
        self, steps: Any, learning_rate: Any, n_targets: int, alpha: float, alpha_scale: str
    ) -> tuple[np.ndarray, np.ndarray]:
        steps = _times(f"{self.name}: steps", steps)
        values, size = self._learnt(n_targets, alpha, alpha_scale)
        stable = 2 * size / values[-1] if values[-1] > 0 else np.inf
        if not 0 < learning_rate <= stable:
            raise SpecError(
                f"{self.name}: learning_rate must be > 0 and at most {stable:.4g}, beyond which "
                f"gradient descent diverges on this kernel; got {learning_rate!r}."
            )
        share = descent_share(values / size, steps.ravel(), learning_rate)
        return _factors(share, values, steps * learning_rate / size), values

    def _map(self, factors: np.ndarray, values: np.ndarray) -> "SpectralMap":
        spectrum = self._spectrum
        weights = np.ones(len(self.K)) if self.weights is None else self.weights
        roots = np.sqrt(weights[spectrum.kept])
        return SpectralMap(len(self.K), spectrum.kept, roots, spectrum.vectors, factors, values)

    def stopped(
        self,
        y: Any,
        *,
        time: float | None = None,
        steps: int | None = None,
        learning_rate: float | None = None,
        alpha: float = 0.0,
        alpha_scale: str = "absolute",
    ) -> Solution:
        """Return `flow` at a time, or `descent` after steps, with how far it is from the end.

        Returns
        -------
        Solution
            `residual` is what is left to learn. `condition`: how many times more of the residual is
            taken into coefficients along one eigenvector than along another.
        """
        n_targets = self._read(y)[1].shape[1]
        if time is not None:
            factors, _ = self._flow(time, n_targets, alpha, alpha_scale)
        else:
            factors, _ = self._descent(steps, learning_rate, n_targets, alpha, alpha_scale)
        coef = self.coefficients(y, factors)
        unit = alpha_unit(self.name, alpha_scale, self.K, self.weights)
        absolute = np.reshape(np.asarray(alpha) * unit, ())
        system = System(self.name, self.K, self.weights, float(absolute))
        _, targets, size = self._read(y)
        residual = system.residual(np.ldexp(coef.reshape(targets.shape), -size), targets)
        least, most = factors.min(), factors.max()
        condition = 1.0 if most == 0 else min(most / max(least, most * EPS), 1 / EPS)
        at = f"time {time:g}" if time is not None else f"step {steps}"
        return Solution(
            coef, absolute, float(condition), residual, self._least()[0], f"stopped at {at}"
        )

    @cached_property
    def _spectrum(self) -> Spectrum:
        return Spectrum.of(self.K, self.weights)

    def _least(self) -> tuple[float, float]:
        """Return the least eigenvalue, and what rounding of it comes to."""
        values = self.eigenvalues
        return float(values[0]), float(len(values) * EPS * np.abs(values).max())

    def _learnt(self, n_targets: int, alpha: float, alpha_scale: str) -> tuple[np.ndarray, float]:
        """Return eigenvalues + alpha, none below alpha, and how many numbers the loss averages."""
        unit = alpha_unit(self.name, alpha_scale, self.K, self.weights)
        ridge = float(check_alpha(self.name, alpha, 1).reshape(()) * unit)
        system = System(self.name, self.K, self.weights, ridge)
        if text := doubt(system, *self._least()):
            warnings.warn(text, PrecisionWarning, stacklevel=4)
        rows = len(self.K) if self.weights is None else float(self.weights.sum())
        return np.maximum(self.eigenvalues, 0) + ridge, rows * n_targets


def _factors(share: np.ndarray, values: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Return shares (n_times, n) over eigenvalues, shaped as the times of `limit`, ()."""
    found = over_eigenvalues(share, values, np.ravel(limit)[:, None])
    return found.reshape(*limit.shape, len(values))


def _times(name: str, values: Any) -> np.ndarray:
    found = np.asarray(values)
    ok = found.dtype.kind in "uif" and found.ndim <= 1
    if not ok or not np.isfinite(found).all() or (found < 0).any():
        raise SpecError(f"{name} must be finite numbers >= 0, one or a list; got {values!r}.")
    return found.astype(float)
