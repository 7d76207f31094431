"""Figures of the width study: points against width on log axes, reference lines."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.shared.figures import COLOURS, plain_log_x
from ntkreg.report.widths.tables import FORMULAS, LABELS

__all__ = ["ensemble_figure", "spread_figure", "width_figure"]

STYLES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D")
TITLES = {"ntk": "ntk (lazy)", "mup": "mup (learns features)"}


def width_figure(
    summary: pd.DataFrame, slopes: pd.DataFrame, quantities: Sequence[str], ylabel: str
) -> Figure:
    """Draw quantities against width, one panel a parametrisation, with reference lines.

    Parameters
    ----------
    summary, slopes : DataFrame
        Of the study's files of those names. Bars are 95 % intervals; grey lines have the
        expected slope (dotted: a bound) and go through the widest point.
    quantities : sequence of str
    ylabel : str
    """
    shown = summary[summary.quantity.isin(quantities) & summary.log_error.notna()]
    panels = sorted(shown.parametrization.unique(), reverse=True)  # ntk first
    figure = Figure(figsize=(max(5.2 * len(panels), 7), 4.4), layout="constrained")
    depths = sorted(shown.depth.unique())
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, panel in zip(all_axes, panels, strict=True):
        for i, key in enumerate(quantities):
            for j, depth in enumerate(depths):
                here = (shown.parametrization == panel) & (shown.depth == depth)
                points = shown[here & (shown.quantity == key)].sort_values("width")
                if not len(points):
                    continue
                factor = np.exp(1.96 * points.log_error)
                bars = [points.value - points.value / factor, points.value * factor - points.value]
                axes.errorbar(
                    points.width, points.value, yerr=bars, color=COLOURS[i % len(COLOURS)],
                    linestyle=STYLES[j % 4], marker=MARKERS[j % 4], markersize=4.5,
                    linewidth=1.3, capsize=2, label=f"{LABELS.get(key, key)}, {depth} hidden",
                )  # fmt: skip
                expected = slopes[
                    (slopes.parametrization == panel)
                    & (slopes.depth == depth)
                    & (slopes.quantity == key)
                ]
                _references(axes, points, expected)
        axes.set(yscale="log", title=TITLES.get(panel, panel), xlabel="width")
        plain_log_x(axes, sorted(shown.width.unique()))
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize="x-small")
    all_axes[0].set_ylabel(ylabel)
    return figure


def spread_figure(summary: pd.DataFrame, quantities: Sequence[str], ylabel: str) -> Figure:
    """Draw means of quantities against width with bars of one standard deviation over starts."""
    shown = summary[summary.quantity.isin(quantities)]
    panels = sorted(shown.parametrization.unique(), reverse=True)  # ntk first
    figure = Figure(figsize=(max(5.2 * len(panels), 7), 4.2), layout="constrained")
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, panel in zip(all_axes, panels, strict=True):
        lines = shown[shown.parametrization == panel].groupby(["quantity", "depth"])
        for (key, depth), points in lines:
            i, j = list(quantities).index(key), sorted(shown.depth.unique()).index(depth)
            points = points.sort_values("width")
            axes.errorbar(
                points.width * 1.04 ** (i - j), points.value, yerr=points["std"].fillna(0),
                color=COLOURS[i % len(COLOURS)], linestyle=STYLES[j % 4],
                marker=MARKERS[j % 4], markersize=4.5, linewidth=1.3, capsize=2,
                label=f"{LABELS.get(key, key)}, {depth} hidden",
            )  # fmt: skip
        axes.set(title=TITLES.get(panel, panel), xlabel="width")
        plain_log_x(axes, sorted(shown.width.unique()))
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize="x-small")
    all_axes[0].set_ylabel(ylabel)
    return figure


def ensemble_figure(ensembles: pd.DataFrame) -> Figure:
    """Draw how far means and variances over starts are from each formula, against width."""
    figure = Figure(figsize=(10.4, 4.2), layout="constrained")
    titles = {
        "mean": "squared distance of means / variance",
        "variance": "variance over starts / formula's",
    }
    for axes, (moment, title) in zip(figure.subplots(1, 2), titles.items(), strict=True):
        chosen = ensembles[ensembles.moment == moment]
        depths = sorted(chosen.depth.unique())
        for (name, depth), points in chosen.groupby(["formula", "depth"], sort=False):
            i, j = list(FORMULAS).index(name), depths.index(depth)
            points = points.sort_values("width")
            axes.errorbar(
                points.width * 1.05 ** (i - 1), points.value, yerr=1.96 * points.error,
                color=COLOURS[i], linestyle=STYLES[j % 4], marker=MARKERS[j % 4],
                markersize=4.5, linewidth=1.3, capsize=2, label=f"{FORMULAS[name]}, {depth} hidden",
            )  # fmt: skip
        axes.axhline({"mean": 0, "variance": 1}[moment], color="0.4", linewidth=0.8)
        # Narrow networks are off by orders of magnitude: linear near the limit only.
        if moment == "mean":
            axes.set_yscale("symlog", linthresh=0.05)
        else:
            axes.set_yscale("log")
        plain_log_x(axes, sorted(chosen.width.unique()))
        axes.set(xlabel="width", title=title)
        axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize="x-small")
    return figure


def _references(axes, points: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Draw lines of the expected slopes through the widest point."""
    if len(points) < 2:
        return
    widths = np.array([points.width.min(), points.width.max()], float)
    last = points.value.iloc[-1]
    for row in expected.itertuples():
        line = last * (widths / widths[1]) ** row.expected
        axes.plot(
            widths, line, color="0.55", linewidth=0.9, zorder=0,
            linestyle=":" if row.kind == "bound" else "-",
        )  # fmt: skip
