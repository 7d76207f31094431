"""Kernel ridge regression where no factor of K fits: conjugate gradients over its tiles."""

import math
import warnings
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from ntkreg.errors import NotPSDError, PlanError, PrecisionWarning, SpecError
from ntkreg.machine import free_memory, readable
from ntkreg.solvers.base import Solver
from ntkreg.solvers.block_conjugate_gradients import IndefiniteError, block_conjugate_gradients
from ntkreg.solvers.definiteness import EPS
from ntkreg.solvers.pivoted_cholesky import partial_cholesky
from ntkreg.solvers.preconditioner import Preconditioner
from ntkreg.solvers.solution import Solution
from ntkreg.solvers.tiled_matrix import TiledMatrix

__all__ = ["ConjugateGradientSolver"]

_AT_ONCE = 512
"""Pivots proposed together: each time the whole matrix is read."""

_PIVOTS = 8
"""Pivots, over the square root of n."""

_PATIENCE = 60
"""Iterations without progress after which rounding must have taken over."""

_STALLED = 0.5
"""A restart from the true residual that leaves more of it than this has met rounding."""


class ConjugateGradientSolver(Solver):
    r"""Solves :math:`(K + \alpha W^{-1}) c = y` with no matrix in memory but a thin one.

    Block conjugate gradients on :math:`W^{1/2} K W^{1/2} + \alpha I` (all targets at once),
    preconditioned by accelerated randomly pivoted Cholesky. K's tiles may be float32 and lie on
    a disk; vectors are float64.

    Parameters
    ----------
    K : array-like of shape (n, n) or StoredMatrix
        Symmetric positive semidefinite but for rounding; any real dtype. What is stored, such as
        ``open_gram(folder).values["ntk"]``, is read tile by tile, the upper triangle alone, once
        an iteration.
    sample_weight, n_jobs
        As in `Solver`.
    tol : float, default=1e-6
        End once ||(K + alpha W^-1) c - y|| / ||y|| is at most this for each target.
    max_iter : int, default=1000
        Most iterations for each distinct alpha.
    n_pivots : int or None, default=None
        Columns of the preconditioner, 8 n bytes each; None for 8 sqrt(n), at most n.
    seed : int, default=0
        Of the pivots' draws, and thereby of the last bits.

    Attributes
    ----------
    K : TiledMatrix
    weights : ndarray of shape (n,), float64, or None

    Raises
    ------
    ShapeError, TypeError, ValueError
        As `Solver`; parameters out of range.
    PlanError
        Not even the preconditioner fits into memory.

    Notes
    -----
    An iteration reads K once, 2 n^2 flops a target; one more pass checks K, and each finds up to
    512 pivots. 8 n bytes times n_pivots, 1,536 and eight a target.
    The least eigenvalue of K is not known: an indefinite K that alpha makes positive definite
    passes without a word. `Solution.condition` is the largest eigenvalue of the factor over alpha.

    References
    ----------
    Epperly, Tropp and Webber 2024 (arXiv 2410.03969); Diaz et al. 2023 (arXiv 2304.12465);
    Dubrulle 2001.

    Examples
    --------
    >>> from ntkreg.solvers import ConjugateGradientSolver
    >>> found = ConjugateGradientSolver([[2.0, 0.0], [0.0, 1.0]]).solve([3.0, 4.0], alpha=1.0)
    >>> found.dual_coef.round(6), found.residual < 1e-6
    (array([1., 2.]), True)
    """

    name: ClassVar[str] = "ConjugateGradientSolver"

    K: TiledMatrix

    def __init__(
        self,
        K: Any,
        *,
        sample_weight: Any = None,
        n_jobs: int | None = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        n_pivots: int | None = None,
        seed: int = 0,
    ) -> None:
        if not (_is_number(tol) and 0 < tol < 1):
            raise SpecError(f"{self.name}: tol must be a float in (0, 1); got {tol!r}.")
        self.tol = float(tol)
        self.max_iter, self.seed = self._whole("max_iter", max_iter), self._whole("seed", seed, 0)
        pivots = None if n_pivots is None else self._whole("n_pivots", n_pivots)
        super().__init__(K, sample_weight=sample_weight, n_jobs=n_jobs)
        n = len(self.K)
        self.n_pivots = min(n, pivots or _PIVOTS * math.ceil(math.sqrt(n)))
        needed, free = _factor_bytes(n, self.n_pivots), free_memory()
        if free is not None and needed > free:
            raise PlanError(
                f"{self.name}: n_pivots={self.n_pivots:,} for n = {n:,} rows need "
                f"{readable(needed)} of memory; {readable(free)} are free. Give fewer."
            )
        weights = np.ones(n) if self.weights is None else self.weights
        # In units of the largest entry, a power of four: no bit of a solution depends on it.
        largest = float((weights * np.abs(self.K.diagonal().astype(np.float64))).max())
        self._power = int(np.frexp(largest)[1]) // 2 if largest > 0 else 0
        self._roots = np.ldexp(np.sqrt(weights), -self._power)[:, None]
        self._preconditioner: Preconditioner | None = None

    def _whole(self, name: str, value: Any, least: int = 1) -> int:
        if not (_is_number(value) and float(value).is_integer() and value >= least):
            raise SpecError(f"{self.name}: {name} must be an integer >= {least}; got {value!r}.")
        return int(value)

    def _read_kernel(self, K: Any) -> Any:
        return TiledMatrix(self.name, K, self.n_jobs)

    def _solve(self, targets: np.ndarray, alphas: np.ndarray, unit: float) -> Solution:
        coef = np.zeros_like(targets)
        histories: list[list[float]] = []
        condition, worst = 1.0, 0.0
        for a in np.unique(alphas):
            which = alphas == a
            coef[:, which], history = self._iterate(targets[:, which], float(a), unit)
            residual = history[-1]
            histories.append(history)
            worst = max(worst, residual)
            largest, ridge = self._preconditioned(float(a)).largest, np.ldexp(a, -2 * self._power)
            if largest + ridge > 0:
                condition = max(condition, (largest + ridge) / max(ridge, EPS * largest))
        iterations = sum(len(history) - 1 for history in histories)
        words = f"iterated {iterations} times"
        if worst > self.tol:
            words = f"not converged after {iterations} iterations"
            warnings.warn(self._complaint(worst, iterations), PrecisionWarning, stacklevel=3)
        return Solution(
            coef,
            alphas,
            float(condition),
            worst,
            None,
            words,
            n_iter=iterations,
            residuals=np.concatenate(histories),
        )

    def _iterate(
        self, targets: np.ndarray, alpha: float, unit: float
    ) -> tuple[np.ndarray, list[float]]:
        """Return coefficients at one ridge, and the residual before and after each iteration."""
        ridge = float(np.ldexp(alpha, -2 * self._power))
        kept = self._roots[:, 0] > 0

        def multiply(right: np.ndarray) -> np.ndarray:
            return self._roots * self.K.multiply(self._roots * right) + ridge * right

        norms = np.linalg.norm(targets[kept], axis=0)
        norms[norms == 0] = 1.0

        def size(left: np.ndarray) -> float:
            return float((np.linalg.norm(left[kept] / self._roots[kept], axis=0) / norms).max())

        right = self._roots * targets
        solution, left = np.zeros_like(right), right.copy()
        history = [size(left)]
        true = history[0]
        while true > self.tol and len(history) <= self.max_iter:
            root, start = self._preconditioned(alpha), len(history)
            try:
                for step in block_conjugate_gradients(multiply, root, left):
                    solution += step.solution
                    left -= step.left
                    history.append(size(left))
                    over = len(history) > self.max_iter or _stalled(history[start:])
                    if history[-1] <= self.tol / 2 or over:
                        break
            except IndefiniteError as error:
                raise NotPSDError(self._indefinite(error.curvature, alpha, unit)) from None
            # Rounding adds up in what is updated: the residual itself decides.
            left = right - multiply(solution)
            before, true = true, size(left)
            history[-1] = true
            if true > _STALLED * before:
                break
        return self._roots * solution, history

    def _preconditioned(self, alpha: float) -> Preconditioner:
        """Return the preconditioner at a ridge; its factor is made once."""
        ridge = float(np.ldexp(alpha, -2 * self._power))
        if self._preconditioner is None:
            roots = self._roots[:, 0]
            diagonal = roots**2 * self.K.diagonal()

            def columns(rows: np.ndarray) -> np.ndarray:
                found = self.K.columns(rows)
                found *= self._roots
                found *= roots[rows]
                return found

            # No further than to the values' own rounding, nor than to a condition of 2.
            noise = float(np.finfo(self.K.dtype).eps) if self.K.dtype.kind == "f" else EPS
            found = partial_cholesky(
                columns,
                diagonal,
                self.n_pivots,
                np.random.default_rng(self.seed),
                at_once=_AT_ONCE,
                enough=max(ridge, noise * float(np.maximum(diagonal, 0).sum())),
                n_jobs=self.n_jobs,
            )
            self._preconditioner = Preconditioner(found, self.n_jobs)
        return self._preconditioner.shift(ridge)

    def _complaint(self, residual: float, iterations: int) -> str:
        better = "" if self.K.dtype == np.float64 else ", or compute K in float64"
        return (
            f"{self.name}: after {iterations} iterations the residual is {residual:.1e}, not tol = "
            f"{self.tol:.0e} (n={len(self.K)}, K in {self.K.dtype}, {self.n_pivots} pivots). Raise "
            f"alpha, tol, n_pivots or max_iter{better}; or factorise (CholeskySolver) if it fits."
        )

    def _indefinite(self, curvature: float, alpha: float, unit: float) -> str:
        if not math.isfinite(curvature):
            return f"{self.name}: products with K are not finite. Rescale K."
        # Of the matrix with weights; without them, of K + alpha I itself.
        least = math.ldexp(curvature, 2 * self._power) - alpha
        # Twice what is missing along this direction; and below the other, rounding of products,
        # whatever K's dtype, leaves a larger residual than tol.
        rounding = EPS * math.ldexp(self._preconditioned(alpha).largest, 2 * self._power)
        enough = max(-2 * least, rounding / self.tol)
        remedy = f"Raise alpha to at least about {enough / unit:.0e}"
        if unit != 1:
            remedy += f" (in units of the mean diagonal, {unit:.3g})"
        if self.K.dtype != np.float64:
            remedy += ", or compute K in float64"
        return (
            f"{self.name}: K + alpha I is not positive definite (n={len(self.K)}, "
            f"alpha={alpha:.3g}, K in {self.K.dtype}, an eigenvalue of K is {least:.2e} or less). "
            f"{remedy}."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _stalled(history: list[float]) -> bool:
    """Return whether the last residuals are no smaller than those before them."""
    return len(history) > _PATIENCE and min(history[-_PATIENCE:]) > 0.9 * min(history[:-_PATIENCE])


def _factor_bytes(n: int, n_pivots: int) -> int:
    return 8 * n * (n_pivots + 3 * min(_AT_ONCE, max(8, n_pivots))) + 24 * n_pivots**2
