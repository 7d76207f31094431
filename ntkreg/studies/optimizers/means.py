"""Means over seeds of the optimiser study's rows."""

import pandas as pd

from ntkreg.studies.shared.statistics import mean_and_spread

__all__ = ["gap_means"]


def gap_means(levels: pd.DataFrame) -> pd.DataFrame:
    """Return the gap to the kernel trajectory at the last level of the loss.

    Returns
    -------
    DataFrame
        One line for each optimizer and width: mean, std, count over seeds.
    """
    last = levels[levels.level == levels.level.min()]
    return mean_and_spread(last, ["optimizer", "width"], ["kernel_gap"]).kernel_gap.reset_index()
