"""What a solver gives back: coefficients, and how far to trust them."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Solution"]


@dataclass(frozen=True, eq=False)
class Solution:
    """Dual coefficients, and how far to trust them.

    Attributes
    ----------
    dual_coef : ndarray of shape (n,) or (n, n_targets), float64
        The value c of the solution. Predictions are ``K_cross @ dual_coef`` with K_cross (m, n).
    alpha : ndarray of shape () or (n_targets,), float64
        The ridge in units of K, after `alpha_scale`.
    condition : float
        Condition number of K + alpha W^-1, or an estimate that the solver describes; the
        largest over the alphas. Relative errors of the solution reach about condition * 1e-16.
    residual : float
        Largest over targets of ||(K + alpha W^-1) c - y|| / ||y|| over rows with a weight.
    min_eigenvalue : float or None
        Least eigenvalue of K (with weights, of W^1/2 K W^1/2), to about 1 % of
        alpha + |eigenvalue|; None if alpha is 0 (then the factorisation itself proves that
        it is positive), or the solver does not find it.
    status : str
        How the solver ended. "exact": `residual` is rounding alone; "stopped at time ..." or "...
        step ...": it is what gradient descent had left to learn; "iterated ... times": it is
        what was asked for; "not converged after ... iterations": it is larger.
    log_determinant : ndarray of the shape of alpha, or None
        Of K + alpha W^-1, on rows with a weight. None if not known.
    n_iter : int or None
        Iterations, those of all alphas together; None of a solver that does not iterate.
    residuals : ndarray of shape (n_iter + n_alphas,) or None
        `residual` before and after each iteration, of one alpha after the other.
    """

    dual_coef: np.ndarray
    alpha: np.ndarray
    condition: float
    residual: float
    min_eigenvalue: float | None
    # As defaults, older pickles have them too.
    status: str = "exact"
    log_determinant: np.ndarray | None = None
    n_iter: int | None = None
    residuals: np.ndarray | None = None
