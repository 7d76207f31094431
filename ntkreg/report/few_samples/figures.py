"""The figure of the few-samples study."""

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.shared.figures import COLOURS, plain_log_x
from ntkreg.studies.shared.statistics import Z95

__all__ = ["depth_figure", "few_samples_figure"]


def few_samples_figure(
    summary: pd.DataFrame, comparison: pd.DataFrame, published: pd.DataFrame
) -> Figure:
    """Draw accuracies beside the published ones, and their differences with intervals.

    Parameters
    ----------
    summary, comparison, published : DataFrame
        Of the files of those names. Left: mean and corrected spread over draws at the
        greatest depth (of one draw with the interval of its test images), published rows with
        their spread. Right, if there are any: NTK less
        published CNTK with 95 % intervals, label read as the number of convolutions.
    """
    chosen = comparison[(comparison["get"] == "ntk") & (comparison.reading == "convolutions")]
    figure = Figure(figsize=(11 if len(chosen) else 7, 4.6), layout="constrained")
    left, *others = figure.subplots(1, 2 if len(chosen) else 1, squeeze=False)[0]
    sizes = sorted(summary.n.unique())
    deepest, one_draw = summary.depth.max(), summary.n_draws.max() == 1
    for i, get in enumerate(("ntk", "nngp")):
        ours = summary[(summary["get"] == get) & (summary.depth == deepest)]
        _bars(
            left,
            ours.n * 1.04 ** (i - 1),
            ours["mean"],
            Z95 * ours.test_error if one_draw else ours.corrected_std,
            f"{get.upper()}, {deepest} hidden layers",
            "os"[i],
            COLOURS[i],
        )
    for i, label in enumerate(("CNTK-14", "ResNet-34")):
        row = published[(published.label == label) & published.n.isin(sizes)]
        if row.empty:
            continue
        shift = 1.04 ** (i + 1)
        _bars(
            left,
            row.n * shift,
            row.accuracy,
            row["std"],
            f"{label} (published)",
            "^v"[i],
            COLOURS[2 + 2 * i],
            "--",
        )
    bar = "95 % of the test images" if one_draw else "one standard deviation over draws"
    left.set(ylabel="test accuracy, %", title=f"{'' if one_draw else 'mean, '}bar: {bar}")
    left.legend(frameon=False, fontsize="small")

    for right in others:
        _differences(right, chosen)
    for axes in (left, *others):
        plain_log_x(axes, sizes)
        axes.set_xlabel("training images")
        axes.grid(alpha=0.25)
    return figure


def depth_figure(summary: pd.DataFrame, steps: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """Draw accuracy against hidden layers beside the published, and what each step brings.

    Parameters
    ----------
    summary, steps, published : DataFrame
        Of the files of those names. Left: mean accuracy of the NTK, one line for each n (of
        one draw with the interval of its test images), and the published one. Right: NTK of
        each depth less the one before, paired, with 95 % intervals.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    depths, sizes = sorted(summary.depth.unique()), sorted(summary.n.unique(), reverse=True)
    known = published[published.depth.isin(depths)].sort_values("depth")
    one_draw = summary.n_draws.max() == 1
    title = "NTK, 95 % of the test images" if one_draw else "NTK, mean over draws"
    label = f"n = {published.n.max()} (published)"
    left.plot(known.depth, known.accuracy, "k*--", label=label, linewidth=1.3)
    for i, n in enumerate(sizes):
        style = {"color": COLOURS[i % len(COLOURS)], "marker": "osDv<>P"[i % 7], "markersize": 4.5}
        rows = summary[(summary["get"] == "ntk") & (summary.n == n)].sort_values("depth")
        left.plot(rows.depth, rows["mean"], label=f"n = {n}", linewidth=1.3, **style)
        if one_draw:
            half, colour = Z95 * rows.test_error, style["color"]
            left.errorbar(rows.depth, rows["mean"], yerr=half, color=colour, capsize=2, linewidth=1)
        mine = steps[(steps["get"] == "ntk") & (steps.n == n)].sort_values("depth")
        # Side by side, or the intervals hide each other.
        places = np.arange(len(mine)) + 0.1 * (i - (len(sizes) - 1) / 2)
        half = (mine.high - mine.low) / 2
        right.errorbar(
            places, mine.difference, yerr=half, linestyle="none", capsize=2, linewidth=1.3, **style
        )
    right.axhline(0, color="0.4", linewidth=0.8)
    names = [f"{before} to {after}" for before, after in pairwise(depths)]
    right.set_xticks(range(len(names)), names)
    right.set(xlabel="hidden layers", ylabel="points gained", title="NTK, 95 % intervals")
    plain_log_x(left, depths)
    left.set(xlabel="hidden layers", ylabel="test accuracy, %", title=title)
    for axes in (left, right):
        axes.grid(alpha=0.25)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize="small")
    return figure


def _differences(axes, chosen: pd.DataFrame) -> None:
    """Draw NTK less published, one series a published label."""
    for i, (label, rows) in enumerate(chosen.groupby("published", sort=False)):
        half = (rows.high - rows.low) / 2
        shift = 1.05 ** (i - 1.5)
        _bars(
            axes,
            rows.n * shift,
            rows.difference,
            half,
            f"against {label}",
            "oD^s"[i % 4],
            COLOURS[i],
            "none",
        )
    axes.axhline(0, color="0.4", linewidth=0.8)
    axes.set(ylabel="NTK less published, points", title="difference, bar: 95 % interval")
    axes.legend(frameon=False, fontsize="small")


def _bars(axes, x, y, half, label, marker, colour, line="-") -> None:
    axes.errorbar(
        x, y, yerr=half, label=label, marker=marker, color=colour, linestyle=line,
        capsize=2, markersize=4.5, linewidth=1.3,
    )  # fmt: skip
