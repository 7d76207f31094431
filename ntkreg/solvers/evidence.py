"""How likely targets are under the Gaussian process that a ridge solution is the mean of."""

import math

import numpy as np

from ntkreg.solvers.solution import Solution

__all__ = ["likeliest_scale", "log_evidence"]


def log_evidence(y: np.ndarray, solution: Solution, weights: np.ndarray | None) -> float:
    r"""Return the log density of y, of independent targets the sum.

    Under a Gaussian process of covariance K, and noise of variance alpha in each of the rows that
    a weight stands for: :math:`\log \int \prod_i N(y_i; f_i, \alpha)^{w_i} p(f) df`, which without
    weights is :math:`-\frac12 (y^T C y - \log |C| + n \log 2\pi)`, :math:`C = (K + \alpha I)^{-1}`.

    Parameters
    ----------
    y : ndarray of shape (n,) or (n, n_targets)
    solution : Solution
        Of y, with its `log_determinant`.
    weights : ndarray of shape (n,) or None

    Returns
    -------
    float
        Infinite where rows count more than once and alpha is 0.

    References
    ----------
    Rasmussen and Williams 2006, eq. 2.30.
    """
    targets, coef = (values.reshape(len(y), -1) for values in (y, solution.dual_coef))
    weights = np.ones(len(y)) if weights is None else weights[weights > 0]
    total, n = float(weights.sum()), len(weights)
    logs = np.broadcast_to(np.asarray(solution.log_determinant), targets.shape[1])
    alphas = np.broadcast_to(solution.alpha, targets.shape[1])
    with np.errstate(over="ignore", divide="ignore"):
        twice = np.sum(targets * coef, axis=0) + logs + np.log(weights).sum()
        if repeated := total - n:
            twice = twice + repeated * np.log(alphas)
    return -0.5 * float(np.sum(twice + total * math.log(2 * math.pi)))


def likeliest_scale(y: np.ndarray, solution: Solution, weights: np.ndarray | None) -> np.ndarray:
    r"""Return for each target the s under which s (K + alpha W^-1) makes it likeliest.

    :math:`y^T C y / N`, with N the sum of weights, n if there are none: () or (n_targets,). It is
    what `LeaveOneOut.log_marginal_likelihood` puts in, and no part of a ridge solution.
    """
    with np.errstate(over="ignore"):
        total = len(y) if weights is None else weights.sum()
        return np.asarray(np.sum(y * solution.dual_coef, axis=0) / total)
