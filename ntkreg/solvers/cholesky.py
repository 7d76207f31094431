"""Exact kernel ridge regression by one Cholesky factorisation in float64."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh, lapack
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from ntkreg.errors import NotPSDError, PrecisionWarning
from ntkreg.solvers.inputs import (
    alpha_unit,
    check_alpha,
    check_gram,
    check_targets,
    check_weights,
    matmul_rows,
)

__all__ = ["Solution", "solve_cholesky"]

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
        Estimate of the 1-norm condition number of K + alpha I (LAPACK's pocon; usually
        within a factor 3), the largest over the alphas. Relative errors of the solution
        reach about condition * 1e-16.
    residual : float
        Largest over targets of ||(K + alpha I) c - y|| / ||y|| (weighted, if weights were
        given).
    min_eigenvalue : float or None
        Least eigenvalue of K (weighted, if weights were given), to about 1 % of
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
) -> Solution:
    r"""Solve kernel ridge regression exactly, in float64.

    Finds c with :math:`(K + \alpha I) c = y`; with weights, c minimises
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
        >= 0; weight 2 is the same as the row twice, weight 0 as without the row.

    Returns
    -------
    Solution

    Raises
    ------
    NotPSDError
        K + alpha I is not positive definite, or singular to working precision. The
        message says at which pivot, the least eigenvalue and the alpha that would do.
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
    targets = y.reshape(len(y), -1)
    weights = None if sample_weight is None else check_weights(sample_weight, len(K))
    unit = alpha_unit(alpha_scale, K, weights)
    alphas = check_alpha(alpha, targets.shape[1]) * unit
    system = _System(K, weights, unit)
    per_target = np.broadcast_to(alphas, targets.shape[1])
    coef = np.empty_like(targets)
    residual = condition = 0.0
    min_eigenvalue: float | None = None
    for a in np.unique(per_target):
        which = per_target == a
        factor = _factorise(system, float(a))
        if a > 0 and min_eigenvalue is None:
            min_eigenvalue = _least_eigenvalue(system, factor)
        right = targets[:, which] * system.root[:, None]
        solution, _ = lapack.dpotrs(factor.lower, right[system.kept], lower=1)
        coef[:, which] = system.expand(solution)
        residual = max(residual, system.residual(coef[:, which], right, float(a)))
        condition = max(condition, factor.condition)
    return Solution(coef.reshape(y.shape), alphas, condition, residual, min_eigenvalue)


@dataclass(frozen=True, eq=False)
class _Factor:
    """L of K + alpha I = L L^T, lower triangle only, with its size and condition."""

    lower: np.ndarray
    alpha: float
    norm: float
    condition: float


class _System:
    """W^1/2 K W^1/2 for weights W, without rows of weight 0, which say nothing."""

    def __init__(self, K: np.ndarray, weights: np.ndarray | None, unit: float) -> None:
        self.K = K
        self.unit = unit
        self.root = np.ones(len(K)) if weights is None else np.sqrt(weights)
        self.kept = np.flatnonzero(self.root)

    def working_copy(self, alpha: float) -> np.ndarray:
        """Return a new float64 matrix, Fortran order, with alpha on the diagonal."""
        n = len(self.kept)
        # K is symmetric: its C-ordered copy read as Fortran is its transpose, itself.
        A = np.empty((n, n))
        if n == len(self.K):
            A[...] = self.K
        else:
            for i, row in enumerate(self.kept):
                A[i] = self.K[row, self.kept]
        if (self.root != 1).any():
            A *= self.root[self.kept]
            A *= self.root[self.kept, None]
        A.flat[:: n + 1] += alpha
        return A.T

    def expand(self, solution: np.ndarray) -> np.ndarray:
        """Return dual coefficients of all rows from the solution of the kept ones."""
        coef = np.zeros((len(self.K), solution.shape[1]))
        coef[self.kept] = solution * self.root[self.kept, None]
        return coef

    def residual(self, coef: np.ndarray, right: np.ndarray, alpha: float) -> float:
        """Return the largest relative residual; `right` is y already scaled by the root."""
        root = self.root[self.kept, None]
        kept = slice(None) if len(self.kept) == len(self.K) else self.kept
        left = matmul_rows(self.K, coef)[kept] * root + alpha * coef[kept] / root
        scale = np.linalg.norm(right, axis=0)
        scale[scale == 0] = 1.0
        return float((np.linalg.norm(left - right[kept], axis=0) / scale).max())


def _factorise(system: _System, alpha: float) -> _Factor:
    """Factorise in place of the one working copy, or raise with the remedy."""
    A = system.working_copy(alpha)
    norm = float(lapack.dlange("1", A))
    lower, info = lapack.dpotrf(A, lower=1, clean=0, overwrite_a=1)
    if info > 0:
        what = f"is not positive definite at pivot {info - 1}"
    else:
        reciprocal, _ = lapack.dpocon(lower, norm, uplo="L")
        if reciprocal >= _EPS:
            return _Factor(lower, alpha, norm, 1 / reciprocal)
        pivot = int(np.argmin(np.diagonal(lower)))
        what = f"is singular to working precision at pivot {pivot}"
    del A, lower  # the diagnosis below needs a working copy of its own
    raise NotPSDError(_diagnosis(system, alpha, what, norm))


def _diagnosis(system: _System, alpha: float, what: str, norm: float) -> str:
    """Say what is wrong with K + alpha I and which alpha would do."""
    n = len(system.kept)
    least = _eigenvalue_by_decomposition(system)
    # Twice what is missing, and rounding of a factorisation of this norm on top.
    enough = 2 * max(-least, 0.0) + 10 * n * _EPS * norm
    remedy = f"Raise alpha to at least about {enough / system.unit:.0e}"
    if system.unit != 1:
        remedy += f" (in units of the mean diagonal, {system.unit:.3g})"
    if system.K.dtype != np.float64 and least < 0:
        remedy += ", or compute K in float64"
    return (
        f"solve_cholesky: K + alpha I {what} (n={n}, alpha={alpha:.3g}, K in "
        f"{system.K.dtype}, least eigenvalue of K {least:.2e}; duplicate rows give 0). {remedy}."
    )


def _eigenvalue_by_decomposition(system: _System) -> float:
    A = system.working_copy(0.0)
    options = {"eigvals_only": True, "overwrite_a": True, "check_finite": False}
    return float(eigh(A, subset_by_index=[0, 0], **options)[0])


def _least_eigenvalue(system: _System, factor: _Factor) -> float:
    """Return K's least eigenvalue; warn if it is negative enough to change the solution."""
    n, alpha = len(system.kept), factor.alpha
    if n <= _SMALL:
        least = _eigenvalue_by_decomposition(system)
    else:
        inverse = LinearOperator(
            (n, n), matvec=lambda v: lapack.dpotrs(factor.lower, v, lower=1)[0], dtype=np.float64
        )
        start = np.random.default_rng(0).standard_normal(n)
        try:
            found = eigsh(
                inverse, k=1, which="LA", v0=start, tol=_HARMLESS, return_eigenvectors=False
            )
        except ArpackNoConvergence:
            least = _eigenvalue_by_decomposition(system)
        else:
            least = 1 / float(found[0]) - alpha
    rounding = n * _EPS * factor.norm
    if least < -max(_HARMLESS * alpha, rounding):
        warnings.warn(
            f"solve_cholesky: K is indefinite: its least eigenvalue is {least:.2e}, and only "
            f"alpha = {alpha:.2e} makes it solvable (n={n}, K in {system.K.dtype}). "
            "Raise alpha, or compute K in float64.",
            PrecisionWarning,
            stacklevel=3,
        )
    return least
