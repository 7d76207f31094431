"""The figure of the page that joins both studies: a panel a group, width from left to right."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.narrow_to_wide.quantities import GROUPS
from ntkreg.report.shared.figures import COLOURS, plain_log_x

__all__ = ["joined_figure"]

_LEAST = 1e-6
"""What is smaller is drawn here: zero has no place on a log axis."""


def joined_figure(lines: pd.DataFrame) -> Figure:
    """Draw every quantity against width; bars are 95 % intervals, dashed lines the width study."""
    figure = Figure(figsize=(13, 9.4), layout="constrained")
    ticks = sorted(lines.width.unique())[::2]
    for axes, group in zip(figure.subplots(2, 2, sharex=True).ravel(), GROUPS, strict=True):
        own = lines[lines.group == group]
        for i, (quantity, each) in enumerate(own.groupby("quantity", sort=False)):
            value, low, high = (np.maximum(each[k], _LEAST) for k in ("value", "low", "high"))
            axes.errorbar(
                each.width,
                value,
                yerr=[np.maximum(value - low, 0), np.maximum(high - value, 0)],
                color=COLOURS[i],
                marker="o",
                markersize=4,
                capsize=2,
                linestyle="--" if (each.study == "widths").all() else "-",
                label=quantity,
            )
        axes.set(yscale="log", title=group)
        plain_log_x(axes, ticks)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize="small")
    for axes in figure.axes[2:]:
        axes.set_xlabel("width")
    return figure
