"""Kernels compared by their right and wrong answers after the same draws, on the same images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ntkreg.studies.shared.statistics import pool_corrected_std

__all__ = ["PairedDifference", "compare_with_best", "depth_steps", "paired_difference"]

LEVEL = 0.05
"""Chance that any interval of one comparison misses."""


COLUMNS = (
    "difference",
    "paired_draw_std",
    "paired_corrected_std",
    "paired_test_error",
    "difference_error",
    "low",
    "high",
)
"""Of a table of paired differences: those of `PairedDifference`, and the interval."""


@dataclass(frozen=True)
class PairedDifference:
    """Mean accuracy of one kernel less another's, in points, with the parts of its error.

    Attributes
    ----------
    mean : float
    draw_std : float
        Standard deviation over draws (ddof 1).
    corrected_std : float
        The same for draws that share no pool; NaN where a draw is the whole pool.
    test_error : float
        Standard error from the choice of test images.
    error : float
        Of the mean: draws, pool and test images together.
    degrees : float
        Degrees of freedom of `error`, at least those of its part with the fewest.
    """

    mean: float
    draw_std: float
    corrected_std: float
    test_error: float
    error: float
    degrees: float

    def interval(self, level: float) -> tuple[float, float]:
        """Return where the mean difference lies but for a chance of `level` (Student's t)."""
        half = stdtrit(self.degrees, 1 - level / 2) * self.error if self.error else 0.0
        return self.mean - half, self.mean + half


def paired_difference(
    ours: np.ndarray, other: np.ndarray, *, n: int, pool: int | None
) -> PairedDifference:
    r"""Compare two kernels that answered the same test images after the same draws.

    What both find easy or hard cancels, so the error is that of the differences alone:
    draws :math:`s^2 / D`, the pool they share :math:`\sigma^2 n / N` (as in
    `ntkreg.studies.shared.statistics.summarize_draws`), and test images :math:`u^2 / m`, u the
    standard deviation over images of the difference averaged over draws.

    Parameters
    ----------
    ours, other : ndarray of bool, shape (D, m)
        Whether test image j was right after draw i.
    n : int
        Images a draw.
    pool : int or None
        Images in the pool; None where nothing was drawn, so that test images alone count.

    Notes
    -----
    What depends on draw and image at once is in both s and u, so the error errs on the
    wide side. NaN with one draw, one test image, or draws of the whole pool.

    References
    ----------
    Satterthwaite 1946, Biometrics Bulletin 2, for the degrees of freedom.
    """
    delta = 100 * (ours.astype(float) - other.astype(float))
    draws, images = delta.shape
    s = float(delta.mean(axis=1).std(ddof=1)) if draws > 1 else math.nan
    u = float(delta.mean(axis=0).std(ddof=1)) if images > 1 else math.nan
    sigma = math.nan if pool is None else pool_corrected_std(s, n, pool)
    test_error = u / math.sqrt(images)
    of_draws = 0.0 if pool is None else s**2 / draws + sigma**2 * n / pool
    of_images = test_error**2
    error = math.sqrt(of_draws + of_images)
    scatter = of_draws**2 / max(draws - 1, 1) + of_images**2 / max(images - 1, 1)
    degrees = error**4 / scatter if scatter else math.inf
    return PairedDifference(float(delta.mean()), s, sigma, test_error, error, degrees)


def compare_with_best(
    correct: Mapping[str, np.ndarray], *, n: int, pool: int | None
) -> dict[str, dict[str, Any]]:
    r"""Compare every kernel with the one of the highest mean accuracy.

    The best is picked after the fact among K kernels, and luck helps to be picked: the
    intervals hold together at 95 %, each at :math:`1 - 0.05 / (K - 1)` (Bonferroni). So with
    95 % confidence the truly best kernel is among those not found worse.

    Parameters
    ----------
    correct : mapping of name to ndarray of bool, shape (D, m)
        As in `paired_difference`.
    n, pool
        As in `paired_difference`.

    Returns
    -------
    dict of name to dict
        difference (less the best, points, <= 0), its paired_draw_std, paired_corrected_std,
        paired_test_error and difference_error, low and high, verdict: "best"; "inside" if
        the interval holds 0 (then nothing can be claimed); else "worse". "unknown" where the
        error is.
    """
    best = max(correct, key=lambda name: correct[name].mean())
    level = LEVEL / max(len(correct) - 1, 1)
    lines = {}
    for name, answers in correct.items():
        found = paired_difference(answers, correct[best], n=n, pool=pool)
        low, high = found.interval(level)
        verdict = "inside" if high >= 0 else "worse"
        if math.isnan(high):
            verdict = "unknown"
        lines[name] = {
            **_columns(found, low, high),
            "verdict": "best" if name == best else verdict,
        }
    return lines


def depth_steps(rows: pd.DataFrame, correct: np.ndarray, *, pool: int | None) -> pd.DataFrame:
    """Compare each depth with the next smaller one, for each kernel and size of the draws.

    Parameters
    ----------
    rows : DataFrame
        Columns get, depth, n, draw.
    correct : ndarray of bool, shape (len(rows), m)
        Which test images were right in each row.
    pool : int or None
        As in `paired_difference`.

    Returns
    -------
    DataFrame
        One line for each get, n and depth but the least: get, n, depth_before, depth, the
        columns of `compare_with_best` for this depth less the one before, with intervals
        that hold together at 95 % for all steps of one get and n; verdict: "rises", "falls",
        "inside" or "unknown".
    """
    depths = sorted(rows.depth.unique())
    level = LEVEL / max(len(depths) - 1, 1)
    lines = []
    for (get, n), group in rows.groupby(["get", "n"], sort=True):
        answers = {d: correct[g.sort_values("draw").index] for d, g in group.groupby("depth")}
        for before, depth in pairwise(depths):
            found = paired_difference(answers[depth], answers[before], n=n, pool=pool)
            low, high = found.interval(level)
            verdict = "rises" if low > 0 else "falls" if high < 0 else "inside"
            lines.append(
                {
                    "get": get,
                    "n": n,
                    "depth_before": before,
                    "depth": depth,
                    **_columns(found, low, high),
                    "verdict": "unknown" if math.isnan(high) else verdict,
                }
            )
    names = ["get", "n", "depth_before", "depth", *COLUMNS, "verdict"]
    return pd.DataFrame(lines, columns=names)


def _columns(found: PairedDifference, low: float, high: float) -> dict[str, float]:
    values = (found.mean, found.draw_std, found.corrected_std, found.test_error, found.error)
    return dict(zip(COLUMNS, (*values, low, high), strict=True))
