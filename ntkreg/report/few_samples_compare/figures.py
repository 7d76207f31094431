"""The figure of the kernel comparison."""

import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.shared.figures import COLOURS, plain_log_x

__all__ = ["kernel_comparison_figure"]

MARKERS = "os^Dv<>PX"


def kernel_comparison_figure(comparison: pd.DataFrame) -> Figure:
    """Draw accuracies, and differences to the best kernel with their intervals.

    Parameters
    ----------
    comparison : DataFrame
        ``comparison.csv`` of a kernel comparison. One line of panels for NTK and one for
        NNGP, if there are both; the best at each n is the best of all.
    """
    gets = [get for get in ("ntk", "nngp") if (comparison["get"] == get).any()]
    names = list(dict.fromkeys(comparison.sort_values("mean", ascending=False).name))
    sizes = sorted(comparison.n.unique())
    best = comparison[comparison.verdict == "best"].sort_values("n")
    figure = Figure(figsize=(11, 4 * len(gets) + 0.8), layout="constrained")
    panels = figure.subplots(len(gets), 2, squeeze=False, sharex=True, sharey="col")
    for (left, right), get in zip(panels, gets, strict=True):
        band = best["mean"] - best.mean_error, best["mean"] + best.mean_error
        left.fill_between(best.n, *band, color="0.88", linewidth=0)
        for i, name in enumerate(names):
            rows = comparison[(comparison.name == name) & (comparison["get"] == get)]
            rows = rows.sort_values("n")
            style = {
                "color": COLOURS[i % len(COLOURS)],
                "marker": MARKERS[i % len(MARKERS)],
                "markersize": 4.5,
                "linewidth": 1.3,
            }
            left.plot(rows.n, rows["mean"], label=name, **style)
            # Side by side, or the intervals hide each other.
            shift = 1.045 ** (i - (len(names) - 1) / 2)
            half = (rows.high - rows.low) / 2
            right.errorbar(
                rows.n * shift, rows.difference, yerr=half, capsize=2, linestyle="none", **style
            )
        right.axhline(0, color="0.4", linewidth=0.8)
        left.set(ylabel="test accuracy, %", title=get.upper())
        right.set(ylabel="less the best kernel, points", title=f"{get.upper()}, 95 % intervals")
        for axes in (left, right):
            plain_log_x(axes, sizes)
            axes.grid(alpha=0.25)
    for axes in panels[-1]:
        axes.set_xlabel("training images")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    return figure
