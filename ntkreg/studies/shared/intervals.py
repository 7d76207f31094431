"""Means over a few seeds with their 95 % intervals, of differences, ratios and slopes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t

__all__ = ["Interval", "loglog_slopes", "mean_interval", "ratio_interval"]


@dataclass(frozen=True)
class Interval:
    """An estimate and its two-sided 95 % interval; NaN where one seed says nothing on it."""

    estimate: float
    low: float
    high: float
    n: int


def mean_interval(values: Any) -> Interval:
    """Return the mean with Student's t interval of independent values; NaN ones are left out."""
    x = np.asarray(values, float)
    x = x[np.isfinite(x)]
    if not len(x):
        return Interval(np.nan, np.nan, np.nan, 0)
    if len(x) == 1:
        return Interval(float(x[0]), np.nan, np.nan, 1)
    half = t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return Interval(float(x.mean()), float(x.mean() - half), float(x.mean() + half), len(x))


def ratio_interval(above: Any, below: Any) -> Interval:
    """Return the geometric mean of paired ratios, interval by `mean_interval` of their logs."""
    found = mean_interval(np.log(np.asarray(above, float)) - np.log(np.asarray(below, float)))
    return Interval(
        float(np.exp(found.estimate)),
        float(np.exp(found.low)),
        float(np.exp(found.high)),
        found.n,
    )


def loglog_slopes(x: Sequence[float], y: Any) -> np.ndarray:
    """Return the least-squares slope of log y against log x for each line of y.

    One slope a seed: points of a seed share its start, so that their scatter around a common
    line is no measure of the error; the scatter of slopes is.

    Parameters
    ----------
    x : sequence of float (k,), > 0
        NaN for every line if fewer than two different ones.
    y : array (n_seeds, k), > 0
    """
    u, v = np.log(np.asarray(x, float)), np.log(np.asarray(y, float))
    u = u - u.mean()
    if not np.any(u):
        return np.full(len(v), np.nan)
    return v @ u / (u @ u)
