"""What accuracies of several models on many data sets say, and what they do not."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, rankdata, wilcoxon

from ntkreg.studies.shared.intervals import mean_interval

__all__ = [
    "LEVEL",
    "accuracy_table",
    "friedman",
    "groups",
    "holm",
    "pair_tests",
    "set_differences",
    "summary",
]

LEVEL = 0.05
"""Chance that any of the pairs of models is told apart wrongly."""


def accuracy_table(rows: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Return the mean accuracy by data set (lines) and model (columns), NaN where one failed.

    Parameters
    ----------
    rows : DataFrame
        Columns set, model, accuracy; a line each split.
    models : sequence of str
        The order of the columns; each is in the rows.
    """
    table = rows.pivot_table(index="set", columns="model", values="accuracy", sort=False)
    return table[list(models)]


def summary(rows: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Return a line a model, over the data sets on which every model has an accuracy.

    Returns
    -------
    DataFrame
        model, n_sets, accuracy (mean over sets, percent), low, high (its 95 % interval over
        sets), split_std (deviation over splits, root mean square over sets), rank (Friedman's,
        1 is best), p90, p95 (percent of sets with at least so much of the best accuracy), pma
        (mean percent of the best), best (sets on which none is better).
    """
    table = accuracy_table(rows, models)
    whole = table.dropna()
    spread = rows.groupby(["set", "model"], sort=False).accuracy.std(ddof=1).unstack("model")
    share = 100 * whole.div(whole.max(axis=1), axis=0)
    ranks = _ranks(whole)
    lines = []
    for model in table:
        found = mean_interval(whole[model])
        lines.append(
            {
                "model": model,
                "n_sets": len(whole),
                "accuracy": found.estimate,
                "low": found.low,
                "high": found.high,
                "split_std": float(np.sqrt((spread.loc[whole.index, model] ** 2).mean())),
                "rank": ranks[model].mean(),
                "p90": 100 * (share[model] >= 90).mean(),
                "p95": 100 * (share[model] >= 95).mean(),
                "pma": share[model].mean(),
                "best": int((share[model] == 100).sum()),
            }
        )
    return pd.DataFrame(lines)


def friedman(rows: pd.DataFrame, models: Sequence[str]) -> dict[str, Any]:
    """Return Friedman's test of "all models rank alike": n_sets, n_models, statistic, p.

    NaN with fewer than three models or two data sets, or where all tie.
    """
    whole = accuracy_table(rows, models).dropna()
    found: dict[str, Any] = {"n_sets": len(whole), "n_models": whole.shape[1]}
    if whole.shape[1] < 3 or len(whole) < 2 or (whole.nunique(axis=1) == 1).all():
        return found | {"statistic": np.nan, "p": np.nan}
    test = friedmanchisquare(*(whole[model] for model in whole))
    return found | {"statistic": float(test.statistic), "p": float(test.pvalue)}


def pair_tests(rows: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Compare every two models on the data sets that both have.

    Returns
    -------
    DataFrame
        first, second, n_sets, wins, ties, losses (of the first), difference (first less second,
        mean over sets, points), low, high (its 95 % Student interval over sets), p (Wilcoxon's
        signed-rank test, zeros split), p_holm (Holm's correction over all pairs), verdict: the
        better one's name where p_holm < 0.05, else "not told apart".

    References
    ----------
    Demsar 2006, JMLR 7, sections 3.1.3 and 3.2; Benavoli, Corani & Mangili 2016, JMLR 17, for
    Wilcoxon's test after Friedman's.
    """
    table = accuracy_table(rows, models)
    lines = []
    for first, second in combinations(table, 2):
        less = (table[first] - table[second]).dropna().round(9)  # ties stay ties
        found, (p, sign) = mean_interval(less), _wilcoxon(less)
        lines.append(
            {
                "first": first,
                "second": second,
                "n_sets": len(less),
                "wins": int((less > 0).sum()),
                "ties": int((less == 0).sum()),
                "losses": int((less < 0).sum()),
                "difference": found.estimate,
                "low": found.low,
                "high": found.high,
                "p": p,
                "sign": sign,
            }
        )
    names = ["first", "second", "n_sets", "wins", "ties", "losses", "difference", "low", "high"]
    tests = pd.DataFrame(lines, columns=[*names, "p", "sign"])
    tests["p_holm"] = holm(tests.p)
    better = tests["first"].where(tests.sign > 0, tests["second"])
    verdict = better.where(tests.p_holm < LEVEL, "not told apart")
    return tests.drop(columns="sign").assign(verdict=verdict)


def holm(p: Sequence[float]) -> np.ndarray:
    """Return p-values that hold for all tests together (Holm 1979); NaN ones are no tests.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, float)
    order = np.argsort(values)[: np.isfinite(values).sum()]
    adjusted = np.full(len(values), np.nan)
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def groups(ranks: pd.Series, tests: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return the runs of models, by rank, of which no two are told apart; the longest ones.

    Parameters
    ----------
    ranks : Series
        Mean rank by model.
    tests : DataFrame
        From `pair_tests`.
    """
    order = list(ranks.sort_values().index)
    told = tests[tests.verdict != "not told apart"]
    apart = {frozenset(pair) for pair in zip(told["first"], told["second"], strict=True)}
    runs: list[tuple[str, ...]] = []
    for start in range(len(order)):
        end = start + 1
        while end < len(order) and not any(
            frozenset((m, order[end])) in apart for m in order[start:end]
        ):
            end += 1
        run = tuple(order[start:end])
        if len(run) > 1 and not (runs and set(run) <= set(runs[-1])):
            runs.append(run)
    return runs


def set_differences(rows: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Compare the first model with each other one on each data set, split by split.

    Returns
    -------
    DataFrame
        set, first, second, n_splits, difference (points), low, high: Student's 95 % interval
        over splits, NaN with one. Splits share rows, so that intervals are too short.
    """
    splits = rows.pivot_table(
        index=["set", "split"], columns="model", values="accuracy", sort=False
    )
    first, *others = models
    lines = []
    for name, group in splits.groupby(level="set", sort=False):
        for other in others:
            less = (group[first] - group[other]).dropna()
            if len(less):
                found = mean_interval(less)
                lines.append((name, first, other, found.n, found.estimate, found.low, found.high))
    names = ["set", "first", "second", "n_splits", "difference", "low", "high"]
    return pd.DataFrame(lines, columns=names)


def _ranks(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rank of each model on each set, 1 the best, ties in their middle."""
    values = -table.round(9).to_numpy()
    ranks = rankdata(values, axis=1) if len(table) else values
    return pd.DataFrame(ranks, index=table.index, columns=table.columns)


def _wilcoxon(less: pd.Series) -> tuple[float, float]:
    """Return the p-value, and on which side of 0 the greater sum of ranks lies."""
    if not len(less):
        return np.nan, 0.0
    if not less.any():
        return 1.0, 0.0
    sign = float(np.sign((rankdata(less.abs()) * np.sign(less)).sum()))
    return float(wilcoxon(less, zero_method="zsplit").pvalue), sign
