"""Kernel regression of classes on slices of a kernel that was computed once."""

import warnings

import numpy as np

from ntkreg.arrays import refuse_masked
from ntkreg.errors import PrecisionWarning
from ntkreg.solvers import Solution, solve_cholesky

__all__ = ["regress_classes"]


def regress_classes(
    K: np.ndarray,
    K_cross: np.ndarray,
    train: np.ndarray,
    y_train: np.ndarray,
    classes: np.ndarray,
    *,
    alpha: float,
    alpha_scale: str,
) -> tuple[np.ndarray, Solution]:
    """Fit classes on some rows of K and return the scores of other inputs.

    Targets are one-hot less 1/n_classes, so that each row sums to 0
    (Arora et al. 2019, arXiv 1904.11955, section 6).

    Parameters
    ----------
    K : ndarray of shape (n, n)
    K_cross : ndarray of shape (m, n)
        Inputs to predict against the same n.
    train : ndarray of int
        Rows of K to train on.
    y_train : ndarray
        Their labels.
    classes : ndarray
        All labels, in the order of the scores' columns.
    alpha, alpha_scale
        As in `ntkreg.solvers.solve_cholesky`.

    Returns
    -------
    scores : ndarray of shape (m, n_classes), float64
        The predicted class is ``classes[scores.argmax(axis=1)]``.
    solution : Solution
        Carries condition number and residual, for the study's rows.
    """
    for name, array in (("K", K), ("K_cross", K_cross), ("y_train", y_train)):
        refuse_masked(f"regress_classes: {name}", array)
    targets = (y_train[:, None] == classes) - 1 / len(classes)
    with warnings.catch_warnings():
        # Studies put the condition number in every row; a thousand warnings say less.
        warnings.simplefilter("ignore", PrecisionWarning)
        solution = solve_cholesky(
            K[np.ix_(train, train)], targets, alpha=alpha, alpha_scale=alpha_scale
        )
    return K_cross[:, train] @ solution.dual_coef, solution
