"""The figure of the few-samples study."""

import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.figures import COLOURS, plain_log_x

__all__ = ["few_samples_figure"]


def few_samples_figure(
    summary: pd.DataFrame, comparison: pd.DataFrame, published: pd.DataFrame
) -> Figure:
    """Draw accuracies beside the published ones, and their differences with intervals.

    Parameters
    ----------
    summary, comparison, published : DataFrame
        Of the files of those names. Left: mean and corrected spread over draws at the
        greatest depth, published rows with their spread. Right: NTK less published CNTK
        with 95 % intervals, label read as the number of convolutions.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    sizes = sorted(summary.n.unique())
    deepest = summary.depth.max()

    for i, get in enumerate(("ntk", "nngp")):
        ours = summary[(summary["get"] == get) & (summary.depth == deepest)]
        _bars(
            left,
            ours.n * 1.04 ** (i - 1),
            ours["mean"],
            ours.corrected_std,
            f"{get.upper()}, {deepest} hidden layers",
            "os"[i],
            COLOURS[i],
        )
    for i, label in enumerate(("CNTK-14", "ResNet-34")):
        row = published[(published.label == label) & published.n.isin(sizes)]
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
    left.set(ylabel="test accuracy, %", title="mean, bar: one standard deviation over draws")
    left.legend(frameon=False, fontsize="small")

    chosen = comparison[(comparison["get"] == "ntk") & (comparison.reading == "convolutions")]
    for i, (label, rows) in enumerate(chosen.groupby("published", sort=False)):
        half = (rows.high - rows.low) / 2
        shift = 1.05 ** (i - 1.5)
        _bars(
            right,
            rows.n * shift,
            rows.difference,
            half,
            f"against {label}",
            "oD^s"[i % 4],
            COLOURS[i],
            "none",
        )
    right.axhline(0, color="0.4", linewidth=0.8)
    right.set(ylabel="NTK less published, points", title="difference, bar: 95 % interval")
    if len(chosen):
        right.legend(frameon=False, fontsize="small")

    for axes in (left, right):
        plain_log_x(axes, sizes)
        axes.set_xlabel("training images")
        axes.grid(alpha=0.25)
    return figure


def _bars(axes, x, y, half, label, marker, colour, line="-") -> None:
    axes.errorbar(
        x, y, yerr=half, label=label, marker=marker, color=colour, linestyle=line,
        capsize=2, markersize=4.5, linewidth=1.3,
    )  # fmt: skip
