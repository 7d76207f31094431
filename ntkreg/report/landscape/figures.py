"""Figures of the landscape study."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import gmean

from ntkreg.report.shared.figures import COLOURS, plain_log_x

__all__ = ["barrier_figure", "curvature_figure", "wall_figure"]

_LEAST = 1e-6
"""What is smaller is drawn here: zero has no place on a log axis."""

_BARRIERS = {
    "barrier_straight": "straight, different starts",
    "barrier_matched": "straight, after matching",
    "barrier_same_start": "straight, same start",
    "barrier_bezier": "Bezier curve",
    "barrier_polygon": "polygon",
}


def barrier_figure(rows: pd.DataFrame) -> Figure:
    """Draw every kind of barrier against width, a panel a depth; bars from least to greatest."""
    grid = rows[(rows.part == "grid") & (rows.level == 0)]
    depths = sorted(grid.depth.unique())
    figure = Figure(figsize=(5.4 * len(depths), 4.2), layout="constrained")
    for axes, depth in zip(
        figure.subplots(1, len(depths), sharey=True, squeeze=False)[0], depths, strict=True
    ):
        for i, (quantity, label) in enumerate(_BARRIERS.items()):
            own = grid[(grid.depth == depth) & (grid.quantity == quantity)]
            _errorbars(axes, own, i, label, "mean")
        axes.set(yscale="log", xlabel="width", title=f"depth {depth}")
        plain_log_x(axes, sorted(grid.width.unique()))
        axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize="small")
    figure.axes[0].set_ylabel("barrier over the loss of zero outputs")
    return figure


def curvature_figure(rows: pd.DataFrame, limits: dict[str, float]) -> Figure:
    """Draw the largest curvature and the negative share against width at every level."""
    grid = rows[(rows.part == "grid") & (rows.level > 0)]
    depths = sorted(grid.depth.unique())
    figure = Figure(figsize=(5.4 * len(depths), 7), layout="constrained")
    all_axes = figure.subplots(2, len(depths), squeeze=False)
    titles = {"lambda_max": "largest curvature", "negative_share": "share of negative curvature"}
    for line, (quantity, title) in zip(all_axes, titles.items(), strict=True):
        for axes, depth in zip(line, depths, strict=True):
            for i, level in enumerate(sorted(grid.level.unique(), reverse=True)):
                own = grid[
                    (grid.depth == depth) & (grid.level == level) & (grid.quantity == quantity)
                ]
                _errorbars(axes, own, i, f"loss {level:g}")
            if quantity == "lambda_max":
                axes.axhline(limits[str(depth)], color="0.4", linestyle="--", label="kernel")
            axes.set(yscale="log", xlabel="width", title=f"{title}, depth {depth}")
            plain_log_x(axes, sorted(grid.width.unique()))
            axes.grid(alpha=0.25)
    all_axes[0, 0].legend(frameon=False, fontsize="small")
    return figure


def wall_figure(planes: pd.DataFrame, barriers: dict[str, list[float]]) -> Figure:
    """Draw the plane of two minima and their curve, narrow and wide side by side."""
    widths = sorted(planes.width.unique())
    figure = Figure(figsize=(14, 6), layout="constrained")
    for axes, width in zip(figure.subplots(1, len(widths), squeeze=False)[0], widths, strict=True):
        own = planes[planes.width == width]
        grid = own[own.of == "plane"].pivot(index="y", columns="x", values="loss")
        logs = np.log10(np.maximum(grid.to_numpy(), 1e-4))
        levels = np.linspace(-4, min(2.0, float(logs.max())), 25)
        axes.contourf(grid.columns, grid.index, logs, levels=levels, cmap="magma", extend="both")
        axes.contour(
            grid.columns, grid.index, logs, levels=levels[::3], colors="white", linewidths=0.3
        )
        curve = own[own.of == "curve"]
        axes.plot(curve.x, curve.y, color="white", linewidth=2.4)
        axes.plot([0, 1], [0, 0], color="white", linewidth=1.2, linestyle=":")
        axes.plot([0, 1], [0, 0], "o", color="white", markersize=9, markeredgecolor="black")
        straight, bent = barriers[str(width)]
        axes.set_title(
            f"width {width}: barrier {straight:.2g} straight, {bent:.2g} along the curve",
            fontsize="x-large",
        )
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def _errorbars(axes, own: pd.DataFrame, i: int, label: str, reduce: str = "geometric") -> None:
    """Draw means over seeds, with bars from the least to the greatest."""
    if not len(own):
        return
    values = own.assign(value=np.maximum(own.value, _LEAST)).groupby("width").value
    middle = values.mean() if reduce == "mean" else values.agg(gmean)
    bars = [np.maximum(middle - values.min(), 0), np.maximum(values.max() - middle, 0)]
    axes.errorbar(
        middle.index, middle, yerr=bars, marker="o", markersize=4, capsize=2, color=COLOURS[i],
        label=label,
    )  # fmt: skip
