"""Ridge regression and gradient flow from one eigendecomposition, for any targets and ridges."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ntkreg.cpus import one_blas_thread
from ntkreg.errors import NotPSDError, PrecisionWarning, SpecError
from ntkreg.gradient_flow import descent_share, flow_share, over_eigenvalues
from ntkreg.solvers.base import Solver
from ntkreg.solvers.definiteness import EPS, doubt, refusal
from ntkreg.solvers.inputs import alpha_unit, check_alpha
from ntkreg.solvers.lapack_limits import check_eigen
from ntkreg.solvers.leave_one_out import Inverse
from ntkreg.solvers.solution import Solution
from ntkreg.solvers.system import System
from ntkreg.solvers.target_map import TargetMap

__all__ = ["SpectralMap", "SpectralSolver"]

_CHUNK = 128
"""Rows of eigenvectors squared together."""


_ORDINARY = 200
"""Weights and kernels from 2^-200 up to 2^200 are taken as they are."""


class _Spectrum(NamedTuple):
    """W^1/2 K W^1/2 = 2^power V diag(values) V^T, ascending, on rows with a weight.

    Scaled by powers of two, so that neither weights nor K can leave float64.
    """

    kept: np.ndarray
    roots: np.ndarray  # square roots of the weights over 2^of_weights, (n_kept,)
    values: np.ndarray
    vectors: np.ndarray  # (n_kept, n_kept)
    of_weights: int
    of_kernel: int

    @property
    def power(self) -> int:
        return self.of_weights + self.of_kernel


class SpectralSolver(Solver):
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
    About 9 n^3 flops in one thread, two more matrices of float64 in memory while it lasts and
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
        check_eigen(self.name, max(np.shape(K), default=0))  # before a look at every value
        return super()._read_kernel(K)

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
            coef = self._filtered(targets, factors.reshape(-1, factors.shape[-1], 1))
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
    def _spectrum(self) -> _Spectrum:
        weights = np.ones(len(self.K)) if self.weights is None else self.weights
        kept = np.flatnonzero(weights)
        of_weights, of_kernel = _exponent(weights.max()), _exponent(np.abs(self.K).max())
        roots = np.sqrt(np.ldexp(weights[kept], -of_weights))
        A = np.ldexp(self.K[np.ix_(kept, kept)].astype(np.float64), -of_kernel)
        A *= roots
        A *= roots[:, None]
        with one_blas_thread():
            values, vectors = np.linalg.eigh(A)
        return _Spectrum(kept, roots, values, vectors, of_weights, of_kernel)

    def _solve(self, targets: np.ndarray, alphas: np.ndarray, unit: float) -> Solution:
        residual = condition = 0.0
        for a in np.unique(alphas):
            _, system, ratio = self._shifted(float(a), unit)
            condition = max(condition, ratio)
            if text := doubt(system, *self._least()):
                warnings.warn(text, PrecisionWarning, stacklevel=4)
        shifted = self._spectrum.values[:, None] + np.ldexp(alphas, -self._spectrum.power)
        logs = self._log_determinant(shifted)
        coef = np.ldexp(self._filtered(targets, 1 / shifted[None])[0], -self._spectrum.of_kernel)
        for a in np.unique(alphas):
            which = alphas == a
            system = System(self.name, self.K, self.weights, float(a))
            residual = max(residual, system.residual(coef[:, which], targets[:, which]))
        return Solution(coef, alphas, condition, residual, self._least()[0], log_determinant=logs)

    def _invert(self, targets: np.ndarray, alpha: float, unit: float) -> Inverse:
        spectrum = self._spectrum
        shifted, system, condition = self._shifted(alpha, unit)
        coef = np.ldexp(
            self._filtered(targets, (1 / shifted)[None, :, None])[0], -spectrum.of_kernel
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
        logs = float(self._log_determinant(shifted))
        return Inverse(coef, diagonal, logs, condition, self._least()[0], text)

    def _log_determinant(self, shifted: np.ndarray) -> np.ndarray:
        """Return log |K + alpha W^-1| of scaled eigenvalues + alpha along the first axis."""
        spectrum = self._spectrum
        # That of what was decomposed over that of W.
        logs = np.log(shifted).sum(axis=0) - 2 * np.log(spectrum.roots).sum()
        return logs + len(spectrum.kept) * spectrum.of_kernel * np.log(2)

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

    def _filtered(self, targets: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """Return roots V (factors * (V^T roots y)), (n_factors, n, n_targets)."""
        spectrum = self._spectrum
        roots = spectrum.roots[:, None]
        seen = factors * (spectrum.vectors.T @ (roots * targets[spectrum.kept]))
        columns = np.moveaxis(seen, 1, 0).reshape(len(roots), -1)
        coef = np.zeros((len(self.K), columns.shape[1]))
        coef[spectrum.kept] = roots * (spectrum.vectors @ columns)
        return np.moveaxis(coef.reshape(len(coef), len(factors), -1), 1, 0)


@dataclass(frozen=True, eq=False)
class SpectralMap(TargetMap):
    """W^1/2 V diag(factors) V^T W^1/2, of eigenvalues + alpha `values`."""

    n: int
    kept: np.ndarray
    roots: np.ndarray
    vectors: np.ndarray
    factors: np.ndarray
    values: np.ndarray

    def apply(self, right: np.ndarray) -> np.ndarray:
        """Return M times a matrix, as `TargetMap.apply`."""
        coef = np.zeros((self.n, right.shape[1]))
        seen = self.factors[:, None] * self._seen(right)
        coef[self.kept] = self.roots[:, None] * (self.vectors @ seen)
        return coef

    def root(self, right: np.ndarray) -> np.ndarray:
        """Return V, as `TargetMap.root`."""
        # Not negative: shares of an eigenvector that flow or stable descent learns are 0 to 2.
        squares = self.factors * np.maximum(2 - self.values * self.factors, 0)
        return np.sqrt(squares)[:, None] * self._seen(right)

    def _seen(self, right: np.ndarray) -> np.ndarray:
        return self.vectors.T @ (self.roots[:, None] * right[self.kept])


def _factors(share: np.ndarray, values: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Return shares (n_times, n) over eigenvalues, shaped as the times of `limit`, ()."""
    found = over_eigenvalues(share, values, np.ravel(limit)[:, None])
    return found.reshape(*limit.shape, len(values))


def _exponent(size: float) -> int:
    """Return the power of two to divide by: 0 for numbers of ordinary size."""
    exponent = int(np.frexp(float(size))[1])
    return exponent if abs(exponent) > _ORDINARY else 0


def _times(name: str, values: Any) -> np.ndarray:
    found = np.asarray(values)
    ok = found.dtype.kind in "uif" and found.ndim <= 1
    if not ok or not np.isfinite(found).all() or (found < 0).any():
        raise SpecError(f"{name} must be finite numbers >= 0, one or a list; got {values!r}.")
    return found.astype(float)
