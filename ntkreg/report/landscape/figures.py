"""Figures of the landscape study."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import gmean

from ntkreg.report.shared.figures import COLOURS, plain_log_x

__all__ = ["barrier_figure", "curvature_figure", "wall_figure"]

_LEAST = 1e-6
"""What is smaller is drawn here: zero has no place on a log axis."""

_DECADES = -4, 1
"""Powers of ten of the losses that colours of a plane tell apart; what is beyond has the last."""

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
    """Draw the plane of two minima and their curve, narrow and wide side by side.

    Both have the same colours and the same scale, of the distance between their minima.
    """
    widths = sorted(planes.width.unique())
    figure = Figure(figsize=(14.5, 6.4), layout="constrained")
    all_axes = figure.subplots(1, len(widths), squeeze=False)[0]
    for axes, width in zip(all_axes, widths, strict=True):
        own = planes[planes.width == width]
        grid = own[own.of == "plane"].pivot(index="y", columns="x", values="loss")
        logs = np.log10(grid.to_numpy()).clip(*_DECADES)
        levels = np.linspace(*_DECADES, 101)
        filled = axes.contourf(grid.columns, grid.index, logs, levels=levels, cmap="magma")
        filled.set_edgecolor("face")  # no hairlines between neighbours
        axes.contour(
            grid.columns, grid.index, logs, levels=[-3, -2, -1, 0], colors="white",
            linewidths=0.6, linestyles="-", alpha=0.45,
        )  # fmt: skip
        curve = own[own.of == "curve"]
        axes.plot(curve.x, curve.y, color="black", linewidth=5, alpha=0.55)
        axes.plot(curve.x, curve.y, color="#7fe7dc", linewidth=2.6)
        axes.plot([0, 1], [0, 0], color="white", linewidth=1.6, linestyle=(0, (1, 2)))
        axes.plot([0, 1], [0, 0], "o", color="white", markersize=11, markeredgecolor="black")
        straight, bent = barriers[str(width)]
        shown = f"{bent:.2g}" if bent > _LEAST else "none"
        axes.set_title(f"{width} units", fontsize=20, pad=10)
        axes.set_xlabel(
            f"barrier {straight:.2g} on the straight way, {shown} along the curve", fontsize=13
        )
        axes.set(xticks=[], yticks=[], aspect="equal")
        for side in axes.spines.values():
            side.set_visible(False)
    low, high = _DECADES
    ticks = list(range(low, high + 1))
    bar = figure.colorbar(filled, ax=list(all_axes), ticks=ticks, pad=0.015, aspect=34)
    bar.set_ticklabels([f"$10^{{{tick}}}$" for tick in ticks])
    bar.set_label("loss over that of zero outputs", fontsize=12)
    bar.outline.set_visible(False)
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
