r"""Slopes against width with confidence intervals, limits at infinite width, verdicts.

A width's point v has a standard error from its starts, and the points follow

.. math:: \log v = a + b \log n + c / n

with the slope b and the leading finite-width correction c (weighted least squares; with
fewer than five widths c = 0). Narrow widths have further corrections: while chi squared
refuses the fit at the 5 % level and more than five widths are left, the narrowest one goes.
The 95 % interval is Student's, of as many degrees of freedom as starts beyond one a width;
where the fit is still refused it is widened by the square root of chi squared over its
degrees of freedom, with Student's quantile of those.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ["RESOLUTION", "Fit", "fit_limit", "fit_slope", "judge"]

RESOLUTION = 0.1
"""Half the width of an interval above which nothing is decided."""

_REFUSED = 0.05
"""Probability of a larger chi squared below which a fit is refused."""

_ENOUGH = 5
"""Widths that are kept for a fit with a correction."""


@dataclass(frozen=True)
class Fit:
    """A slope, or a limit at infinite width.

    Attributes
    ----------
    value, low, high : float
        With its 95 % interval; NaN where fewer than three widths have a point.
    correction : float
        Coefficient of 1/n; 0 where it was not fitted.
    probability : float
        Of a chi squared at least this large; NaN without degrees of freedom.
    first_width, last_width, n_widths : int
        The widths in the fit.
    """

    value: float
    low: float
    high: float
    correction: float
    probability: float
    first_width: int
    last_width: int
    n_widths: int

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


_NO_FIT = Fit(math.nan, math.nan, math.nan, 0.0, math.nan, 0, 0, 0)


def fit_slope(
    widths: np.ndarray, values: np.ndarray, errors: np.ndarray, n_seeds: np.ndarray
) -> Fit:
    """Fit a power of the width.

    Parameters
    ----------
    widths : array (k,), ascending
    values : array (k,)
        Points, > 0; what is no finite number > 0 is left out.
    errors : array (k,)
        Standard errors of log(values), > 0; likewise.
    n_seeds : array (k,)
        Starts behind each point.

    Returns
    -------
    Fit

    Examples
    --------
    >>> import numpy as np
    >>> n = np.array([16, 32, 64, 128, 256])
    >>> fit = fit_slope(n, 3 / np.sqrt(n), np.full(5, 0.01), np.full(5, 8))
    >>> round(fit.value, 6), fit.half_width < 0.05
    (-0.5, True)
    """
    values, errors = np.asarray(values, float), np.asarray(errors, float)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(values) & (values > 0) & np.isfinite(errors) & (errors > 0)
    n, y = np.asarray(widths, float)[good], np.log(values[good])

    def design(n: np.ndarray) -> np.ndarray:
        columns = [np.log(n), np.ones_like(n), 1 / n]
        return np.stack(columns[: 3 if len(n) >= _ENOUGH else 2], axis=1)

    return _fit(n, y, errors[good], np.asarray(n_seeds)[good], design, _ENOUGH)


def fit_limit(
    widths: np.ndarray, values: np.ndarray, errors: np.ndarray, n_seeds: np.ndarray
) -> Fit:
    """Fit a + c / n and return a, the limit at infinite width; parameters of `fit_slope`.

    Values may have any sign, and their errors are absolute.
    """
    values, errors = np.asarray(values, float), np.asarray(errors, float)
    good = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    n = np.asarray(widths, float)[good]

    def design(n: np.ndarray) -> np.ndarray:
        return np.stack([np.ones_like(n), 1 / n], axis=1)

    return _fit(n, values[good], errors[good], np.asarray(n_seeds)[good], design, _ENOUGH - 1)


def judge(fit: Fit, expected: float, kind: str) -> str:
    """Return "agrees", "disagrees" or "undecided".

    Parameters
    ----------
    fit : Fit
    expected : float
    kind : {"value", "bound", "differs"}
        "value": undecided if the interval is wider than +-0.1; else it agrees if the
        interval holds `expected` or lies within 0.1 of it, since what is told more finely
        than that is finite widths. "bound": one-sided; agrees if all of the interval is at
        or below `expected`, disagrees if all is above. "differs": agrees if the interval
        does not hold `expected`. Where bounds and "differs" have `expected` inside, they
        are undecided if the interval is wider than +-0.1; else the bound is met and
        "differs" is not.
    """
    narrow = fit.half_width <= RESOLUTION
    inside = fit.low <= expected <= fit.high
    if math.isnan(fit.value) or (not narrow and (inside or kind == "value")):
        return "undecided"
    near = max(fit.high - expected, expected - fit.low) <= RESOLUTION
    fine = {"value": inside or near, "bound": fit.low <= expected, "differs": not inside}
    return "agrees" if fine[kind] else "disagrees"


def _fit(n, y, errors, n_seeds, design, keep) -> Fit:
    if len(n) < 3:
        return _NO_FIT
    while True:
        A = design(n) / errors[:, None]
        covariance = np.linalg.inv(A.T @ A)
        solution = covariance @ A.T @ (y / errors)
        chi2 = float(np.square(y / errors - A @ solution).sum())
        dof = len(n) - A.shape[1]
        probability = float(stats.chi2.sf(chi2, dof)) if dof else math.nan
        refused = dof > 0 and probability < _REFUSED
        if not refused or len(n) <= keep:
            break
        n, y, errors, n_seeds = n[1:], y[1:], errors[1:], n_seeds[1:]
    spread = math.sqrt(covariance[0, 0])
    half = spread * stats.t.ppf(0.975, max(int(np.sum(n_seeds - 1)), 1))
    if refused:
        half = spread * math.sqrt(chi2 / dof) * stats.t.ppf(0.975, dof)
    value, half = float(solution[0]), float(half)
    correction = float(solution[-1]) if A.shape[1] == 3 or keep < _ENOUGH else 0.0
    return Fit(
        value, value - half, value + half, correction, probability,
        int(n[0]), int(n[-1]), len(n),
    )  # fmt: skip
