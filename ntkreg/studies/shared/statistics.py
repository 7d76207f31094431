"""How sure a mean accuracy over draws is, and how far it lies from a published one."""

import math
from collections.abc import Sequence

import pandas as pd

from ntkreg.studies.shared.published import PublishedRow

__all__ = [
    "Z95",
    "binomial_error",
    "compare_with_published",
    "mean_and_spread",
    "pool_corrected_std",
    "summarize_draws",
]

PUBLISHED_N_TEST = 10_000
"""Test images behind a published CIFAR-10 accuracy: we take the official test set."""

COMPARISON = (
    "published",
    "published_mean",
    "published_std",
    "std_borrowed",
    "difference",
    "low",
    "high",
    "verdict",
)
"""Columns that `compare_with_published` adds to those of a summary."""

Z95 = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""


def pool_corrected_std(std: float, n: int, pool: int) -> float:
    r"""Undo the shrinking of the spread between draws that share a finite pool.

    Draws of n out of N without replacement overlap. To first order an accuracy is a mean
    of contributions of its n training images, whose variance under sampling without
    replacement is :math:`s^2 \approx \sigma^2 (1 - n/N)` (Cochran 1977, *Sampling
    Techniques*, eq. 2.9), with sigma the spread of draws from an endless pool. Returned
    is :math:`s / \sqrt{1 - n/N}`; NaN at n = N, where all draws are the same.
    """
    return std / math.sqrt(1 - n / pool) if n < pool else math.nan


def binomial_error(accuracy: float, n_test: int) -> float:
    r"""Return the standard error, in points, of an accuracy in percent on n_test images.

    :math:`\sqrt{p (1 - p) / n_{test}}`. For a mean over draws on the same test images it
    is an upper bound: draws disagree on some images, and that part averages out.
    """
    p = accuracy / 100
    return 100 * math.sqrt(p * (1 - p) / n_test)


def mean_and_spread(rows: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Return mean, standard deviation (ddof 1) and number of values by group.

    Parameters
    ----------
    rows : DataFrame
    by : sequence of str
        Columns that make the groups, which stand in the order in which the rows name them.
    columns : sequence of str

    Returns
    -------
    DataFrame
        One line a group; columns (column, "mean"), (column, "std"), (column, "count").
    """
    groups = rows.groupby(list(by), sort=False)[list(columns)]
    return groups.agg(["mean", "std", "count"])


def summarize_draws(rows: pd.DataFrame, *, pool: int | None, n_test: int) -> pd.DataFrame:
    r"""Reduce accuracies of draws to means with their errors.

    The error of the mean has three parts, added in squares: the D draws,
    :math:`s^2 / D`; the pool they share, which no number of draws removes,
    :math:`\sigma^2 n / N` with sigma from `pool_corrected_std`; and the test images,
    `binomial_error`.

    Parameters
    ----------
    rows : DataFrame
        Columns depth, get, n, draw, accuracy (percent).
    pool : int or None
        N, training images that the draws are taken from. None where nothing was drawn: the
        error is then that of the test images alone, for these training images.
    n_test : int

    Returns
    -------
    DataFrame
        One line for each get, depth and n: n_draws, mean, draw_std (s, ddof 1),
        corrected_std (sigma), test_error, mean_error; points of accuracy. NaN where one
        draw, or a draw of the whole pool, says nothing on the spread.
    """
    lines = []
    for (get, depth, n), group in rows.groupby(["get", "depth", "n"], sort=True):
        mean, s, draws = group.accuracy.mean(), group.accuracy.std(ddof=1), len(group)
        test_error = binomial_error(mean, n_test)
        if pool is None:
            sigma, mean_error = math.nan, test_error
        else:
            sigma = pool_corrected_std(s, n, pool)
            mean_error = math.sqrt(s**2 / draws + sigma**2 * n / pool + test_error**2)
        lines.append((get, depth, n, draws, mean, s, sigma, test_error, mean_error))
    names = "get depth n n_draws mean draw_std corrected_std test_error mean_error"
    return pd.DataFrame(lines, columns=names.split())


def compare_with_published(
    summary: pd.DataFrame, published: Sequence[PublishedRow], *, offset: int = 0
) -> pd.DataFrame:
    """Lay each published row with a depth beside ours and say whether they differ.

    Parameters
    ----------
    summary : DataFrame
        From `summarize_draws`.
    published : sequence of PublishedRow
    offset : int
        Hidden layers that a label "CNTK-d" stands for, less d: 0 if the paper counts
        convolutions, -1 if it counts the dense read-out too.

    Returns
    -------
    DataFrame
        One line for each published row and get that we have, none if there are none; the
        columns of `summary` and published (label),
        published_mean, published_std, std_borrowed, difference (ours minus published,
        points), low and high (95 % interval of the difference), verdict: "inside" if the
        interval holds 0 (then nothing can be claimed), else "outside".

    Notes
    -----
    The published mean's error is its std over root draws and the binomial error of
    `PUBLISHED_N_TEST` images; of a single draw it is that of the images alone. A row of several
    draws without a std borrows the largest one known at the same n among the rows with a depth
    (``std_borrowed``). Test images in common are counted as independent, which widens the
    interval.
    """
    lines = []
    for row in published:
        if row.depth is None:
            continue
        known = [p.std for p in published if p.depth is not None and p.n == row.n and p.std]
        std = row.std if row.std is not None else max(known, default=math.nan)
        of_draws = 0.0 if row.n_draws == 1 else std / math.sqrt(row.n_draws)
        error = math.hypot(of_draws, binomial_error(row.accuracy, PUBLISHED_N_TEST))
        here = summary[(summary.depth == row.depth + offset) & (summary.n == row.n)]
        for ours in here.itertuples():
            difference = ours.mean - row.accuracy
            half = Z95 * math.hypot(error, ours.mean_error)
            low, high = difference - half, difference + half
            verdict = "unknown" if math.isnan(half) else "inside" if low <= 0 <= high else "outside"
            lines.append(
                {
                    **ours._asdict(),
                    "published": row.label,
                    "published_mean": row.accuracy,
                    "published_std": std,
                    "std_borrowed": row.std is None and row.n_draws > 1,
                    "difference": difference,
                    "low": low,
                    "high": high,
                    "verdict": verdict,
                }
            )
    names = [*summary.columns, *COMPARISON]
    return pd.DataFrame(lines).reindex(columns=names) if lines else pd.DataFrame(columns=names)
