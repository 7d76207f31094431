"""Trained networks beside a kernel on the same draws."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ntkreg.studies.shared.intervals import Interval
from ntkreg.studies.shared.published import FEW_SAMPLES_CIFAR10

__all__ = ["beside_kernel", "difference_intervals"]


def beside_kernel(rows: pd.DataFrame, kernels: pd.DataFrame | None = None) -> pd.DataFrame:
    """Lay networks beside a kernel on the same draws, and beside the published ResNet-34.

    Parameters
    ----------
    rows : DataFrame
        From `run_few_samples_network`.
    kernels : DataFrame or None
        Columns n, draw, accuracy: one kernel's rows.

    Returns
    -------
    DataFrame
        One line for each n: n_draws, network (mean accuracy), draw_std, single (mean of each
        network alone), kernel (mean on the draws that both have), n_paired, difference
        (network less kernel, mean over those draws), difference_error (its standard error
        over draws: test images and pool are the same and stay as they are), resnet34 (published,
        on other draws and test images); NaN where there is nothing to compare.
    """
    published = {r.n: r.accuracy for r in FEW_SAMPLES_CIFAR10 if r.label == "ResNet-34"}
    lines = []
    for n, group in rows.groupby("n", sort=True):
        line: dict[str, Any] = {
            "n": n,
            "n_draws": len(group),
            "network": group.accuracy.mean(),
            "draw_std": group.accuracy.std(ddof=1),
            "single": group.accuracy_single.mean(),
            "kernel": np.nan,
            "n_paired": 0,
            "difference": np.nan,
            "difference_error": np.nan,
        }
        if kernels is not None:
            own = kernels[kernels.n == n]
            both = group.merge(own, on="draw", suffixes=("", "_kernel"), validate="1:1")
            gap = both.accuracy - both.accuracy_kernel
            line |= {
                "kernel": both.accuracy_kernel.mean(),
                "n_paired": len(both),
                "difference": gap.mean(),
                "difference_error": gap.std(ddof=1) / np.sqrt(max(len(both), 1)),
            }
        lines.append(line | {"resnet34": published.get(n, np.nan)})
    return pd.DataFrame(lines)


def difference_intervals(beside: pd.DataFrame) -> list[Interval]:
    """Return Student's 95 % interval over draws of each line's difference; NaN where none is."""
    lines = beside[["difference", "difference_error", "n_paired"]].to_numpy(float)
    halves = [stdtrit(max(n - 1, 1), 0.975) * error for _, error, n in lines]
    return [
        Interval(float(mean), float(mean - half), float(mean + half), int(n))
        for (mean, _, n), half in zip(lines, halves, strict=True)
    ]
