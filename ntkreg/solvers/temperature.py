"""Scores of classes as probabilities: one temperature, fitted to scores of rows left out."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

__all__ = ["fit_temperature", "probabilities"]

_RANGE = 1e4
"""Temperatures are sought from the greatest score over this to as many times it."""


def fit_temperature(scores: np.ndarray, codes: np.ndarray, weights: np.ndarray | None) -> float:
    r"""Return the temperature T at which :math:`\mathrm{softmax}(s / T)` is calibrated best.

    It minimises the weighted log-loss, which is convex in 1 / T, against targets smoothed by
    Laplace's rule of succession, :math:`(n + 1) / (n + 2)` for the row's class and equal shares of
    the rest for others: where every score is right, the plain log-loss would have T = 0 and be
    sure of everything.

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes)
        Of rows left out of what scores them.
    codes : ndarray of int, shape (n,)
        Position of each row's class.
    weights : ndarray of shape (n,) or None
        >= 0; weight 2 counts as the row twice.

    Returns
    -------
    float
        > 0, finite.

    References
    ----------
    Guo et al. 2017 (arXiv 1706.04599), section 4.2 (one temperature); Platt 1999, Probabilistic
    outputs for support vector machines (smoothed targets); Rasmussen and Williams 2006, section
    6.5 (regressed labels turned into probabilities by scores of rows left out).
    """
    n, k = scores.shape
    weights = np.ones(n) if weights is None else weights
    size = float(np.abs(scores).max(where=weights[:, None] > 0, initial=0.0))
    if not size:  # nothing is known: any temperature says so
        return 1.0
    rest = 1 / (weights.sum() + 2)
    targets = np.full((n, k), rest / (k - 1))
    targets[np.arange(n), codes] = 1 - rest
    shares = weights / weights.sum()

    def loss(log_temperature: float) -> float:
        logs = log_softmax(scores / size * np.exp(-log_temperature), axis=1)
        return -float(shares @ np.sum(targets * logs, axis=1))

    bound = np.log(_RANGE)
    found = minimize_scalar(loss, bounds=(-bound, bound), method="bounded", options={"xatol": 1e-8})
    return size * float(np.exp(found.x))


def probabilities(scores: np.ndarray, temperature: float, *, log: bool = False) -> np.ndarray:
    """Return softmax(scores / temperature) or its logarithm, (m, n_classes).

    The greatest is that of the greatest score, the first of equal ones, where rounding makes it
    equal to another too.
    """
    logs = log_softmax(scores / temperature, axis=1)
    values = logs if log else np.exp(logs)
    rows, best = np.arange(len(scores)), scores.argmax(axis=1)
    rows = rows[values.argmax(axis=1) != best]
    values[rows, best[rows]] = np.nextafter(values[rows].max(axis=1), np.inf)
    return values
