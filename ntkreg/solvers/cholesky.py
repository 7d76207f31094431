"""Exact kernel ridge regression by one Cholesky factorisation in float64."""

import contextlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh, lapack
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

from ntkreg.arrays import refuse_infinite
from ntkreg.cpus import check_n_jobs, one_blas_thread
from ntkreg.errors import NotPSDError, PrecisionWarning
from ntkreg.solvers.factor import factorise
from ntkreg.solvers.inputs import (
    alpha_unit,
    check_alpha,
    check_gram,
    check_targets,
    check_weights,
)
from ntkreg.solvers.system import System

__all__ = ["Solution", "solve_cholesky"]

_ORDINARY = 400
"""Targets up to 2^400 and down to 2^-400 are taken as they are."""

_EPS = float(np.finfo(np.float64).eps)

_HARMLESS = 0.01
"""A negative eigenvalue below this part of alpha changes no direction by more than 1 %."""

_SMALL = 32
"""Size up to which all eigenvalues cost less than Lanczos's Python calls."""


@dataclass(frozen=True, eq=False)
class Solution:
    """Dual coefficients, and how far to trust them.

    Attributes
    ----------
    dual_coef : ndarray of shape (n,) or (n, n_targets), float64
        Predictions are ``K_cross @ dual_coef`` with K_cross (m, n).
    alpha : ndarray of shape () or (n_targets,), float64
        The ridge in units of K, after `alpha_scale`.
    condition : float
        Estimate of the 1-norm condition number of K + alpha W^-1 (LAPACK's pocon; usually
        within a factor 3), rows and columns scaled by powers of two to a diagonal between
        1/2 and 2, the largest over the alphas. Relative errors of the solution reach about
        condition * 1e-16.
    residual : float
        Largest over targets of ||(K + alpha W^-1) c - y|| / ||y|| over rows with a weight.
    min_eigenvalue : float or None
        Least eigenvalue of K (with weights, of W^1/2 K W^1/2), to about 1 % of
        alpha + |eigenvalue|; None if alpha is 0 (then the factorisation itself proves that
        it is positive).
    """

    dual_coef: np.ndarray
    alpha: np.ndarray
    condition: float
    residual: float
    min_eigenvalue: float | None


def solve_cholesky(
    K: Any,
    y: Any,
    *,
    alpha: Any,
    alpha_scale: str = "absolute",
    sample_weight: Any = None,
    n_jobs: int | None = None,
) -> Solution:
    r"""Solve kernel ridge regression exactly, in float64.

    Finds c with :math:`(K + \alpha I) c = y`; with weights,
    :math:`(K + \alpha W^{-1}) c = y`, which minimises
    :math:`\sum_i w_i (y_i - (K c)_i)^2 + \alpha c^T K c`.

    Parameters
    ----------
    K : array-like of shape (n, n)
        Symmetric; any real dtype. It is not changed.
    y : array-like of shape (n,) or (n, n_targets)
    alpha : float or array-like of shape (n_targets,)
        Ridge, >= 0; one factorisation for each distinct value.
    alpha_scale : {"absolute", "mean_diagonal"}, default="absolute"
        Unit of alpha: scikit-learn's, or the (weighted) mean of K's diagonal.
    sample_weight : array-like of shape (n,), float or None
        >= 0; weight 2 is the same as the row twice, weight 0 as without the row. However
        far apart they are, only rows of K that nearly repeat make a system singular.
    n_jobs : int or None
        Threads of the factorisation, as in `ntkreg.kernel`. Does not change a bit.

    Returns
    -------
    Solution

    Raises
    ------
    NotPSDError
        K + alpha I is not positive definite, or singular to working precision however its
        rows are scaled. The message says at which row, the least eigenvalue and the alpha
        that would do.
        There is no fallback to another solver.
    ShapeError, TypeError, ValueError
        Inputs of the wrong shape or type, not finite, asymmetric, negative.

    Warns
    -----
    PrecisionWarning
        K has an eigenvalue below -alpha / 100 (and below rounding), yet K + alpha I could
        be solved: part of the ridge is used up by errors of K.

    Notes
    -----
    BLAS is held to one thread meanwhile, in the whole process; bits of the result depend
    neither on other calls at the same time nor on how many threads it had before.
    n^3 / 3 flops a distinct alpha, one float64 working copy of K (8 n^2 bytes). The check
    of the least eigenvalue runs Lanczos on the inverse, some tens of triangular solves of
    2 n^2 flops. Only a failure pays for an eigenvalue decomposition (4 n^3 / 3 flops).

    References
    ----------
    Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., ch. 10 and 15.

    Examples
    --------
    >>> from ntkreg.solvers import solve_cholesky
    >>> solve_cholesky([[2.0, 0.0], [0.0, 1.0]], [3.0, 4.0], alpha=1.0).dual_coef
    array([1., 2.])
    """
    K = check_gram(K)
    y = check_targets(y, len(K))
    # Sums of their squares, in residuals, would leave float64; powers of two change no bit.
    _, exponents = np.frexp(np.abs(y).max())
    size = int(exponents) if abs(exponents) > _ORDINARY else 0
    targets = np.ldexp(y.reshape(len(y), -1), -size)
    weights = None if sample_weight is None else check_weights(sample_weight, len(K))
    unit = alpha_unit(alpha_scale, K, weights)
    alphas = check_alpha(alpha, targets.shape[1]) * unit
    jobs = check_n_jobs(n_jobs)
    per_target = np.broadcast_to(alphas, targets.shape[1])
    coef = np.empty_like(targets)
    residual = condition = 0.0
    min_eigenvalue: float | None = None
    with one_blas_thread():
        for a in np.unique(per_target):
            which = per_target == a
            system = System(K, weights, float(a))
            factor = _factorise(system, unit, jobs)
            if a > 0 and min_eigenvalue is None:
                min_eigenvalue = _least_eigenvalue(factor)
            coef[:, which] = system.expand(factor.solve(targets[system.kept][:, which]))
            residual = max(residual, system.residual(coef[:, which], targets[:, which]))
            condition = max(condition, factor.condition)
    with np.errstate(over="ignore"):
        coef = refuse_infinite("solve_cholesky: coefficients of such y", np.ldexp(coef, size))
    return Solution(coef.reshape(y.shape), alphas, condition, residual, min_eigenvalue)


@dataclass(frozen=True, eq=False)
class _Factor:
    """L of the scaled matrix L L^T, lower triangle only, with its 1-norm and condition."""

    system: System
    lower: np.ndarray
    norm: float
    condition: float

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve the equations of the kept rows, (n_kept, n_targets)."""
        scale = self.system.scale[:, None]
        return scale * lapack.dpotrs(self.lower, scale * right, lower=1)[0]


def _factorise(system: System, unit: float, n_jobs: int) -> _Factor:
    """Factorise in place of the one working copy, or raise with the remedy."""
    A = system.scaled(system.scale)
    norm = float(lapack.dlange("1", A.T))
    info = factorise(A, n_jobs)
    if info > 0:
        what = f"is not positive definite at pivot {system.kept[info - 1]}"
    else:
        reciprocal, _ = lapack.dpocon(A.T, norm, uplo="L")
        if reciprocal >= _EPS:
            return _Factor(system, A.T, norm, 1 / reciprocal)
        pivot = system.kept[int(np.argmin(np.diagonal(A)))]
        what = f"is singular to working precision at pivot {pivot}"
    del A  # the diagnosis below needs a working copy of its own
    raise NotPSDError(_diagnosis(system, unit, what))


def _diagnosis(system: System, unit: float, what: str) -> str:
    """Say what is wrong with K + alpha W^-1 and which alpha would do."""
    n = len(system)
    typical = np.abs(system.diagonal()).mean()
    # Rows of little weight have a large ridge and are not what is wrong.
    share = typical + system.ridge
    scale = np.sqrt(np.divide(typical, share, out=np.ones(n), where=share > 0))
    norm = float(lapack.dlange("1", system.scaled(scale).T))
    value, vector = _extreme(lambda: system.scaled(scale).T, 0)
    direction = scale * vector
    curvature = float(value - np.sum(system.ridge * direction**2))  # of K alone
    # Twice what is missing, and rounding of a factorisation of this norm on top.
    missing = 2 * max(-curvature, 0.0) + 10 * n * _EPS * norm
    enough = missing / float(np.sum(direction**2 / system.weights)) / unit
    remedy = f"Raise alpha to at least about {enough:.0e}" if enough else "Raise alpha above 0"
    if unit != 1:
        remedy += f" (in units of the mean diagonal, {unit:.3g})"
    least = curvature / float(direction @ direction)
    if system.K.dtype != np.float64 and least < 0:
        remedy += ", or compute K in float64"
    weighted = "" if (system.weights == 1).all() else f", weights up to {system.weights.max():.3g}"
    return (
        f"solve_cholesky: K + alpha I {what} (n={n}, alpha={system.alpha:.3g}{weighted}, K in "
        f"{system.K.dtype}, least eigenvalue of K {least:.2e}; duplicate rows give 0). {remedy}."
    )


def _extreme(make: Callable[[], np.ndarray], k: int) -> tuple[float, np.ndarray]:
    """Return eigenvalue k, counted from the least, and its vector, of the matrix that is made."""
    options = {"overwrite_a": True, "check_finite": False}
    values, vectors = eigh(make(), subset_by_index=[k, k], **options)
    if not len(values):  # LAPACK asked for one loses it where all are nearly the same
        values, vectors = (found[..., k : k + 1] for found in eigh(make(), **options))
    return float(values[0]), vectors[:, 0]


def _least_eigenvalue(factor: _Factor) -> float:
    """Return the least eigenvalue of W^1/2 K W^1/2; warn if it can change the solution."""
    system = factor.system
    n, alpha = len(system), system.alpha
    root = np.sqrt(system.weights)

    def inverse(v: np.ndarray) -> np.ndarray:
        """Multiply (n_kept, k) by the inverse of W^1/2 K W^1/2 + alpha I."""
        return factor.solve(v / root[:, None]) / root[:, None]

    value: float | None = None
    if n > _SMALL:
        operator = LinearOperator(
            (n, n), matvec=lambda v: inverse(v.reshape(n, 1))[:, 0], dtype=np.float64
        )
        start = np.random.default_rng(0).standard_normal(n)
        with contextlib.suppress(ArpackError):  # no convergence, or no factorisation
            values, vectors = eigsh(operator, k=1, which="LA", v0=start, tol=_HARMLESS)
            value, vector = float(values[0]), vectors[:, 0]
    if value is None:
        value, vector = _extreme(lambda: inverse(np.eye(n)), n - 1)
    least = 1 / value - alpha
    # What rounding of the factorised matrix is in this direction.
    with np.errstate(over="ignore"):
        stretch = float(np.sum((vector * root / system.scale) ** 2))
    rounding = n * _EPS * factor.norm * stretch
    if least < -max(_HARMLESS * alpha, rounding):
        weighted = "" if (root == 1).all() else ", with its weights,"
        warnings.warn(
            f"solve_cholesky: K{weighted} is indefinite: its least eigenvalue is {least:.2e}, and "
            f"only alpha = {alpha:.2e} makes it solvable (n={n}, K in {system.K.dtype}). "
            "Raise alpha, or compute K in float64.",
            PrecisionWarning,
            stacklevel=3,
        )
    return least
