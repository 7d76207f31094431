"""Figures of the quickstart, from its files."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.shared.figures import COLOURS, plain_log_x
from ntkreg.studies.shared.statistics import mean_and_spread

__all__ = ["accuracy_figure", "eigenvalue_figure", "hardest_figure", "heatmap_figure"]

STYLES: dict[str, dict[str, Any]] = {
    "ntk": {"linestyle": "-", "marker": "o"},
    "nngp": {"linestyle": "--", "marker": "o", "markerfacecolor": "white"},
    "": {"linestyle": ":", "marker": "s"},
}


def accuracy_figure(rows: pd.DataFrame) -> Figure:
    """Draw accuracy against training images, bars of one standard deviation over splits."""
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes = figure.subplots()
    networks = list(rows.network.unique())
    methods = rows.drop_duplicates("method")
    found = mean_and_spread(rows, ["method", "n_train"], ["accuracy"]).accuracy
    for i, method in enumerate(methods.itertuples()):
        own = found.loc[method.method].sort_index()
        mean, std = own["mean"], own["std"].fillna(0)
        # Side by side, or the bars of nine methods hide each other.
        shift = 1.018 ** (i - (len(methods) - 1) / 2)
        axes.errorbar(
            mean.index * shift,
            mean,
            yerr=std,
            label=method.method,
            color=COLOURS[networks.index(method.network) % len(COLOURS)],
            capsize=2,
            markersize=4.5,
            linewidth=1.3,
            **STYLES[method.get],
        )
    plain_log_x(axes, sorted(rows.n_train.unique()))
    axes.set(xlabel="training images", ylabel="test accuracy, %")
    axes.grid(alpha=0.25)
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    return figure


def heatmap_figure(kernels: dict[str, np.ndarray], labels: np.ndarray) -> Figure:
    """Draw each kernel with its images in the order of their classes, lines between them.

    Parameters
    ----------
    kernels : dict of name to ndarray of shape (n, n)
        Unit diagonal.
    labels : ndarray of shape (n,)
        Sorted.
    """
    columns = 2 if len(kernels) > 1 else 1
    lines = -(-len(kernels) // columns)
    figure = Figure(figsize=(3.9 * columns, 3.5 * lines), layout="constrained")
    starts = np.flatnonzero(np.diff(labels)) + 1
    edges = np.concatenate([[0], starts, [len(labels)]])
    middles = (edges[:-1] + edges[1:]) / 2 - 0.5
    all_axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, (name, K) in zip(all_axes, kernels.items(), strict=False):
        # The diagonal is 1 by construction: the scale is that of the other entries.
        off = K[~np.eye(len(K), dtype=bool)]
        image = axes.imshow(K, cmap="viridis", vmin=off.min(), vmax=np.quantile(off, 0.999))
        for start in starts:
            axes.axhline(start - 0.5, color="white", linewidth=0.6)
            axes.axvline(start - 0.5, color="white", linewidth=0.6)
        axes.set_xticks(middles, labels[edges[:-1]])
        axes.set_yticks(middles, labels[edges[:-1]])
        axes.tick_params(length=0, labelsize="small")
        axes.set_title(f"{name} NTK", fontsize="medium")
        figure.colorbar(image, ax=axes, shrink=0.85)
    for axes in all_axes[len(kernels) :]:
        axes.set_visible(False)
    return figure


def eigenvalue_figure(eigenvalues: pd.DataFrame) -> Figure:
    """Draw eigenvalues over the mean diagonal against their rank, both axes logarithmic."""
    figure = Figure(figsize=(7.5, 4.4), layout="constrained")
    axes = figure.subplots()
    methods = list(eigenvalues.method.unique())
    networks = list(dict.fromkeys(m.rsplit(" ", 1)[0] for m in methods))
    for method in methods:
        network, get = method.rsplit(" ", 1)
        # Rounding leaves eigenvalues that are not positive; a logarithm has no place for them.
        one = eigenvalues[(eigenvalues.method == method) & (eigenvalues.value > 0)]
        axes.loglog(
            one["index"],
            one.value,
            label=method,
            color=COLOURS[networks.index(network) % len(COLOURS)],
            linestyle=STYLES[get.lower()]["linestyle"],
            linewidth=1.3,
        )
    axes.set(xlabel="rank", ylabel="eigenvalue / mean diagonal")
    axes.grid(alpha=0.25)
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    return figure


def hardest_figure(hardest: dict[str, np.ndarray]) -> Figure:
    """Draw the images most often misclassified: true label, usual answer, share of errors."""
    images = hardest["images"]
    columns = min(6, max(len(images), 1))
    lines = max(-(-len(images) // columns), 1)
    figure = Figure(figsize=(1.35 * columns, 1.75 * lines), layout="constrained")
    all_axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in all_axes:
        axes.axis("off")
    for i, axes in enumerate(all_axes[: len(images)]):
        image = images[i]
        shown = image[..., 0] if image.shape[-1] == 1 else image
        axes.imshow(shown, cmap="gray_r")
        axes.set_title(
            f"{hardest['true'][i]} read as {hardest['predicted'][i]}\n"
            f"{100 * hardest['error'][i]:.0f} % of {hardest['n_predictions'][i]}",
            fontsize="small",
        )
    if not len(images):
        all_axes[0].text(0, 0.5, "No image was misclassified.")
    return figure
