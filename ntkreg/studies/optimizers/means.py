"""Means over seeds of the optimiser study's rows, as its page shows them."""

import numpy as np
import pandas as pd

from ntkreg.studies.shared.statistics import mean_and_spread

__all__ = ["batch_means", "gap_means", "label_means", "log_means", "pair_means", "stop_means"]


def gap_means(levels: pd.DataFrame) -> pd.DataFrame:
    """Return the gap to the kernel trajectory at the last level of the loss.

    Returns
    -------
    DataFrame
        One line for each optimizer and width: mean, std, count over seeds.
    """
    last = levels[levels.level == levels.level.min()]
    return mean_and_spread(last, ["optimizer", "width"], ["kernel_gap"]).kernel_gap.reset_index()


def log_means(values: pd.Series, by: pd.Series) -> pd.DataFrame:
    """Return geometric means, each with a bar of one standard deviation of the logarithm.

    Returns
    -------
    DataFrame
        Index: the groups of `by`. Columns mean, below and above: how far the bar reaches.
    """
    logs = np.log(values).groupby(by)
    mean, std = np.exp(logs.mean()), logs.std(ddof=1).fillna(0)
    return pd.DataFrame(
        {"mean": mean, "below": mean * (1 - np.exp(-std)), "above": mean * (np.exp(std) - 1)}
    )


def pair_means(pairs: pd.DataFrame, column: str) -> pd.Series:
    """Return mean distances of end points; index: first and second optimiser."""
    return pairs.groupby(["first", "second"])[column].mean()


def batch_means(batches: pd.DataFrame) -> pd.DataFrame:
    """Return means of sgd's runs, of which all are given, by batch size and rate.

    Returns
    -------
    DataFrame
        Columns batch_size, rate, noise_scale, function, test_error and std, that of
        test_error over seeds.
    """
    groups = batches.groupby(["batch_size", "rate"])
    means = groups[["noise_scale", "function", "test_error"]].mean()
    std = groups.test_error.std(ddof=1).fillna(0)
    return means.assign(std=std).reset_index()


def stop_means(stops: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds of what stopping and ridge give, by kernel and time.

    Each start's empirical kernel has its own times; row by row they correspond.
    """
    order = stops.sort_values(["kernel", "seed", "time"])
    row = order.groupby(["kernel", "seed"]).cumcount().rename("row")
    return order.groupby(["kernel", row]).mean(numeric_only=True).reset_index()


def label_means(runs: pd.DataFrame) -> pd.Series:
    """Return mean test errors; index: labels and optimizer."""
    return runs.groupby(["labels", "optimizer"]).test_error.mean()
