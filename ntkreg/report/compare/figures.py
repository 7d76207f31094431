"""Figures of the comparison of models."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.shared.figures import COLOURS

__all__ = ["comparison_figure", "sets_figure"]


_NEARLY_ALL = 0.9
"""Of the data sets, that a median of eigenvalues is drawn of."""


def comparison_figure(
    summary: pd.DataFrame, runs: pd.DataFrame, alike: pd.DataFrame, spectra: pd.DataFrame
) -> Figure:
    """Draw ranks with who is not told apart, and below how alike the kernels are.

    Parameters
    ----------
    summary, runs, alike, spectra : DataFrame
        Of the files of those names; ``groups.csv`` for `runs`.
    """
    kernels = list(dict.fromkeys(spectra.model))
    colours = {m: COLOURS[i % len(COLOURS)] for i, m in enumerate(summary.model)}
    lines = len(summary) + len(runs)
    heights = [1.1 + 0.22 * lines, 4.4] if kernels else [1.1 + 0.22 * lines]
    figure = Figure(figsize=(11, sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    _ranks(figure.add_subplot(grid[0, :]), summary, runs, colours)
    if kernels:
        _heat_map(figure, figure.add_subplot(grid[1, 0]), kernels, alike)
        _spectra(figure.add_subplot(grid[1, 1]), spectra, colours)
    return figure


def sets_figure(accuracies: pd.DataFrame) -> Figure:
    """Draw each model's accuracy less the best one, data sets down the side.

    Parameters
    ----------
    accuracies : DataFrame
        The file of that name.
    """
    table = accuracies.pivot_table(index="set", columns="model", values="mean", sort=False)
    table = table[list(dict.fromkeys(accuracies.model))]
    less = table.sub(table.max(axis=1), axis=0)
    size = (2.5 + 0.75 * table.shape[1], 1.4 + 0.19 * len(table))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    shown = axes.imshow(less, cmap="viridis", vmin=-10, vmax=0, aspect="auto")
    axes.set_yticks(range(len(less)), less.index, fontsize=7)
    axes.set_xticks(range(less.shape[1]), less.columns, rotation=35, ha="right")
    figure.colorbar(shown, ax=axes, label="points below the best", extend="min", shrink=0.5)
    return figure


def _ranks(axes, summary: pd.DataFrame, runs: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Draw Demsar's diagram: names at their mean ranks, a bar over those not told apart."""
    ordered = summary.dropna(subset=["rank"]).sort_values("rank")
    ranks = dict(zip(ordered.model, ordered["rank"], strict=True))
    bars = [[ranks[name] for name in text.split("; ")] for text in runs.models]
    top = len(bars) + 0.6
    for level, bar in enumerate(bars):
        ends = [min(bar) - 0.03, max(bar) + 0.03]
        axes.plot(ends, [-level - 0.6] * 2, color="0.15", linewidth=4, solid_capstyle="butt")
    half, (least, most) = (len(ranks) + 1) // 2, (1, max(len(summary), 2))
    for place, (name, rank) in enumerate(ranks.items()):
        left = place < half
        row = place if left else len(ranks) - 1 - place
        height, end = -top - row, least - 0.12 if left else most + 0.12
        style = {"color": colours[name], "linewidth": 1}
        axes.plot([rank, rank, end], [0, height, height], **style)
        text = f"{name}  {rank:.2f}" if left else f"{rank:.2f}  {name}"
        axes.text(end, height, f" {text} ", ha="right" if left else "left", va="center")
    axes.set(xlim=(least - 1.4, most + 1.4), ylim=(-top - half, 0.2))
    axes.xaxis.tick_top()
    axes.set_xticks(range(least, most + 1))
    axes.set_title("mean rank over data sets (1: best); bars join models not told apart")
    axes.spines[["left", "right", "bottom"]].set_visible(False)
    axes.spines["top"].set_bounds(least, most)
    axes.yaxis.set_visible(False)


def _heat_map(figure: Figure, axes, kernels: Sequence[str], alike: pd.DataFrame) -> None:
    """Draw mean alignment of every two kernels."""
    values = np.eye(len(kernels))
    for row in alike.itertuples():
        i, j = kernels.index(row.first), kernels.index(row.second)
        values[i, j] = values[j, i] = row.mean
    shown = axes.imshow(values, cmap="viridis", vmin=min(0.0, float(np.nanmin(values))), vmax=1)
    for i, j in np.ndindex(*values.shape):
        dark = values[i, j] < 0.6
        axes.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center",
                  color="white" if dark else "black", fontsize=8)  # fmt: skip
    axes.set_xticks(range(len(kernels)), kernels, rotation=35, ha="right")
    axes.set_yticks(range(len(kernels)), kernels)
    axes.set_title("centred alignment (CKA), mean over data sets")
    figure.colorbar(shown, ax=axes, shrink=0.8)


def _spectra(axes, spectra: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Draw how eigenvalues fall: the median over data sets, and quartiles.

    As far as nearly all data sets have so many: a median over the larger ones alone may rise.
    """
    spectra = spectra[spectra.n_sets >= _NEARLY_ALL * spectra.n_sets.max()]
    for name, rows in spectra.groupby("model", sort=False):
        colour = colours[name]
        axes.plot(rows.k, rows["median"], marker="o", markersize=3, color=colour, label=name)
        axes.fill_between(rows.k, rows.lower, rows.upper, color=colour, alpha=0.1, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set(xlabel="k", ylabel="k-th eigenvalue over the first", title="eigenvalues, centred")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize="small")
