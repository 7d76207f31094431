"""How a quantity is judged: intervals of ratios, differences and means, and what they decide."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr, t

from ntkreg.studies.shared.intervals import Interval, mean_interval, ratio_interval

__all__ = [
    "AGREES",
    "DISAGREES",
    "MEASURED",
    "UNDECIDED",
    "Row",
    "above",
    "all_are",
    "at",
    "below",
    "correlation",
    "geometric_interval",
    "line",
    "negative",
    "no_more",
    "paired",
    "positive",
    "side",
    "unpaired",
    "welch",
]

AGREES, DISAGREES, UNDECIDED, MEASURED = "agrees", "disagrees", "undecided", "measured"

FLOOR = 1e-12
"""What is smaller counts as this: losses are known to so many parts of that of zero outputs, and a
logarithm needs a number."""

Row = dict[str, Any]


def paired(one: pd.Series, other: pd.Series) -> Interval:
    """Return the geometric mean of the ratios of the same seeds."""
    both = one.index.intersection(other.index)
    return ratio_interval(*(np.maximum(v.loc[both], FLOOR) for v in (one, other)))


def unpaired(one: Any, other: Any) -> Interval:
    """Return the ratio of geometric means of independent samples."""
    logs = (np.log(np.maximum(np.asarray(v, float), FLOOR)) for v in (one, other))
    found = welch(*logs)
    ratio, low, high = (float(np.exp(v)) for v in (found.estimate, found.low, found.high))
    return Interval(ratio, low, high, found.n)


def geometric_interval(values: pd.Series) -> Interval:
    """Return the geometric mean of ratios."""
    logs = mean_interval(np.log(values))
    ratio, low, high = (float(np.exp(v)) for v in (logs.estimate, logs.low, logs.high))
    return Interval(ratio, low, high, logs.n)


def welch(one: Any, other: Any) -> Interval:
    """Return the difference of the means of independent samples, interval by Welch's t."""
    samples = [np.asarray(v, float) for v in (one, other)]
    n = [len(v) for v in samples]
    if min(n) < 2:
        return Interval(np.nan, np.nan, np.nan, min(n))
    middle = float(samples[0].mean() - samples[1].mean())
    parts = [float(v.var(ddof=1)) / len(v) for v in samples]
    if not sum(parts):
        return Interval(middle, middle, middle, min(n))
    freedom = sum(parts) ** 2 / sum(p**2 / (k - 1) for p, k in zip(parts, n, strict=True))
    half = float(t.ppf(0.975, freedom)) * sum(parts) ** 0.5
    return Interval(middle, middle - half, middle + half, min(n))


def correlation(one: Any, other: Any) -> Interval:
    """Return a rank correlation; its interval is Fisher's, of the transformed one."""
    n = len(one)
    if n < 4 or not np.ptp(one) or not np.ptp(other):
        return Interval(np.nan, np.nan, np.nan, n)
    r = float(spearmanr(one, other).statistic)
    half = 1.96 * 1.06 / np.sqrt(n - 3)
    z = np.arctanh(np.clip(r, -0.999999, 0.999999))
    return Interval(r, float(np.tanh(z - half)), float(np.tanh(z + half)), n)


def below(found: Interval) -> str:
    """Judge whether a ratio is below 1."""
    return AGREES if found.high < 1 else DISAGREES if found.low > 1 else UNDECIDED


def above(found: Interval) -> str:
    """Judge whether a ratio is above 1."""
    return AGREES if found.low > 1 else DISAGREES if found.high < 1 else UNDECIDED


def no_more(found: Interval) -> str:
    """Judge whether a ratio is at most 1, which an interval around 1 leaves open."""
    return AGREES if found.high <= 1 else DISAGREES if found.low > 1 else UNDECIDED


def negative(found: Interval) -> str:
    """Judge whether a difference is below 0."""
    return AGREES if found.high < 0 else DISAGREES if found.low > 0 else UNDECIDED


def positive(found: Interval) -> str:
    """Judge whether a difference is above 0."""
    return AGREES if found.low > 0 else DISAGREES if found.high < 0 else UNDECIDED


def side(found: Interval, bound: float) -> str:
    """Judge whether a mean is above a bound; an exact one (no spread) counts by its value."""
    if found.low > bound or found.low == found.high == bound:
        return AGREES
    return DISAGREES if found.high < bound else UNDECIDED


def all_are(true: Any) -> tuple[Interval, str]:
    """Judge what is said of every start, and refuted by one: the share of those it is true of."""
    true = np.asarray(true, bool)
    found = mean_interval(true.astype(float))
    return found, UNDECIDED if not len(true) else AGREES if true.all() else DISAGREES


def at(depth: int, width: int) -> str:
    """Return what a row of the grid is of."""
    return f"depth {depth}, width {width}"


def line(
    statement: str, subject: str, quantity: str, expected: str, found: Interval, verdict: str
) -> Row:
    """Return a row of the verdicts."""
    return {
        "statement": statement,
        "subject": subject,
        "quantity": quantity,
        "expected": expected,
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "n": found.n,
        "verdict": verdict,
    }
