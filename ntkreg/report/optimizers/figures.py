"""Figures of the optimiser study, from its tables."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.shared.figures import COLOURS, plain_log_x
from ntkreg.studies.optimizers.means import (
    batch_means,
    label_means,
    log_means,
    pair_means,
    stop_means,
)

__all__ = ["labels_figure", "noise_figure", "pairs_figure", "stopping_figure", "trajectory_figure"]

_MARKERS = "osD^v<>P"


def trajectory_figure(levels: pd.DataFrame) -> Figure:
    """Draw the gap to the kernel trajectory against width, and against the loss level.

    Geometric means over seeds, bars of one standard deviation of the logarithm. Left: the
    last level, with lines of slope -1/2 and -1. Right: the largest width.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    last = levels[levels.level == levels.level.min()]
    widest = levels[levels.width == levels.width.max()]
    for axes, chosen, x in ((left, last, "width"), (right, widest, "level")):
        for i, (optimizer, own) in enumerate(chosen.groupby("optimizer", sort=False)):
            _log_bars(axes, own, x, "kernel_gap", i, optimizer if axes is left else None)
        axes.set_yscale("log")
        plain_log_x(axes, sorted(chosen[x].unique()))
        axes.grid(alpha=0.25)
    widths = np.array(sorted(last.width.unique()), float)
    narrowest = last[last.width == widths[0]]
    base = log_means(narrowest.kernel_gap, narrowest.width)["mean"].iloc[0]
    for slope, line in ((-0.5, ":"), (-1.0, "-.")):
        left.plot(
            widths,
            base * (widths / widths[0]) ** slope,
            line,
            color="0.6",
            label=f"slope {slope:g}",
            zorder=0,
        )
    left.set(
        xlabel="width",
        ylabel="distance from the kernel trajectory, relative",
        title=f"at training loss {levels.level.min():g}",
    )
    right.set(xlabel="training loss", title=f"width {levels.width.max()}")
    right.invert_xaxis()
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    return figure


def pairs_figure(pairs: pd.DataFrame) -> Figure:
    """Draw mean distances of every two end points as three matrices.

    Pairs of which one has no end point, having diverged, stay empty.
    """
    names = list(dict.fromkeys([*pairs["first"], *pairs.second]))
    figure = Figure(figsize=(12.5, 4.9), layout="constrained")
    titles = {
        "parameters": "parameters, over gradient descent's way",
        "function": "test outputs, over gradient descent's way",
        "kernel": "empirical NTK, over the NTK at the start",
    }
    for axes, (column, title) in zip(figure.subplots(1, 3), titles.items(), strict=True):
        values = np.full((len(names), len(names)), np.nan)
        for (a, b), value in pair_means(pairs, column).items():
            i, j = names.index(a), names.index(b)
            values[i, j] = values[j, i] = value
        top = np.nanmax(values, initial=1e-9)
        axes.imshow(values, cmap="Blues", vmin=0, vmax=top)
        for i in range(len(names)):
            for j in range(len(names)):
                if np.isfinite(values[i, j]):
                    colour = "white" if values[i, j] > 0.6 * top else "black"
                    axes.text(
                        j, i, f"{values[i, j]:.2f}", color=colour,
                        ha="center", va="center", fontsize="small",
                    )  # fmt: skip
        labels = [name.replace("_", " ") for name in names]
        axes.set_xticks(range(len(names)), labels, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), labels if column == "parameters" else [])
        axes.tick_params(length=0)
        axes.set_title(title, fontsize="medium")
    return figure


def noise_figure(batches: pd.DataFrame) -> Figure:
    """Draw sgd's distance from gradient descent, and its test error, against its noise scale."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    ended = batches[(batches.outcome == "reached") & (batches.noise_scale > 0)]
    means = batch_means(ended)
    for i, (size, own) in enumerate(ended.groupby("batch_size")):
        mean = means[means.batch_size == size]
        label = f"batches of {size}"
        style = _style(i)
        left.plot(own.noise_scale, own.function, **{**style, "linestyle": "none", "alpha": 0.35})
        left.plot(mean.noise_scale, mean.function, label=label, **style)
        right.errorbar(
            mean.noise_scale, mean.test_error, yerr=mean["std"], label=label, capsize=2, **style
        )
    if len(ended):
        ends = np.array([ended.noise_scale.min(), ended.noise_scale.max()])
        everywhere = pd.Series(0, ended.index)
        middle = log_means(ended.noise_scale, everywhere)["mean"].iloc[0]
        height = log_means(ended.function, everywhere)["mean"].iloc[0]
        left.plot(ends, height * (ends / middle) ** 0.5, ":", color="0.6", label="slope 1/2")
        left.plot(ends, height * (ends / middle), "-.", color="0.6", label="slope 1")
        left.legend(frameon=False, fontsize="small")
    left.set(
        xscale="log",
        yscale="log",
        xlabel="noise scale, learning rate (n / batch - 1)",
        ylabel="test outputs: distance from gradient descent",
        title="every run, and means",
    )
    right.set(
        xscale="log",
        xlabel="noise scale",
        ylabel="test error, %",
        title="mean, bar: one standard deviation over seeds",
    )
    for axes in (left, right):
        axes.grid(alpha=0.25)
    return figure


def stopping_figure(stops: pd.DataFrame, curves: pd.DataFrame, n_train: int) -> Figure:
    """Draw test loss against stop time (ridge n / time), and how near the predictions are."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, (kernel, mean) in enumerate(stop_means(stops).groupby("kernel")):
        colour = COLOURS[i]
        left.plot(mean.time, mean.flow_loss, color=colour, label=f"{kernel} kernel, stopped")
        left.plot(mean.time, mean.ridge_loss, "--", color=colour, label=f"{kernel} kernel, ridge")
        right.plot(mean.time, mean.distance, color=colour, label=f"{kernel} kernel, stop and ridge")
    for j, (_, own) in enumerate(curves.groupby("seed")):
        style = {"color": COLOURS[2], "linewidth": 0.9, "alpha": 0.7}
        left.plot(own.time, own.test_loss, label=None if j else "networks, one a seed", **style)
        right.plot(
            own.time, own.flow_distance, label=None if j else "network and kernel, stopped", **style
        )
    ceiling = stops.flow_loss[stops.time == stops.time.min()].max()
    left.set(
        xscale="log",
        xlabel=f"time t; ridge {n_train} / t",
        ylabel="test loss",
        ylim=(0.9 * stops[["flow_loss", "ridge_loss"]].to_numpy().min(), 1.5 * ceiling),
    )
    right.set(xscale="log", yscale="log", xlabel="time t", ylabel="distance on test inputs")
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize="small")
    return figure


def labels_figure(runs: pd.DataFrame) -> Figure:
    """Draw the test error of every optimiser on correct and on random labels.

    Every run that reached the last level; the dotted line is chance.
    """
    figure = Figure(figsize=(8.5, 4.2), layout="constrained")
    axes = figure.subplots()
    chosen = runs[runs.outcome == "reached"]
    names = list(chosen.optimizer.unique())
    for i, (labels, shift) in enumerate((("correct", -0.1), ("random", 0.1))):
        own = chosen[chosen.labels == labels]
        places = own.optimizer.map(names.index).to_numpy(float) + shift
        style = _style(i) | {"linestyle": "none"}
        axes.plot(places, own.test_error, alpha=0.5, label=f"{labels} labels", **style)
        means = label_means(own)[labels]
        middles = means.index.map(names.index).to_numpy(float) + shift
        axes.hlines(means, middles - 0.09, middles + 0.09, color=style["color"], linewidth=2)
    axes.axhline(50, color="0.6", linestyle=":")
    axes.set_xticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set(ylabel="test error, %", ylim=(0, 100), title="bars: means over seeds")
    axes.grid(alpha=0.25, axis="y")
    axes.legend(frameon=False, fontsize="small")
    return figure


def _log_bars(axes: Any, own: pd.DataFrame, x: str, y: str, i: int, label: str | None) -> None:
    means = log_means(own[y], own[x])
    axes.errorbar(
        means.index * 1.02 ** (i - 3.5),  # side by side
        means["mean"],
        yerr=[means.below, means.above],
        label=label and label.replace("_", " "),
        capsize=2,
        **_style(i),
    )


def _style(i: int) -> dict[str, Any]:
    return {
        "color": COLOURS[i % len(COLOURS)],
        "marker": _MARKERS[i % len(_MARKERS)],
        "markersize": 4.5,
        "linewidth": 1.3,
    }
