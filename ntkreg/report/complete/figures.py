"""Figures of the completion study."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure

from ntkreg.report.shared.figures import COLOURS

__all__ = ["error_figure", "optimiser_figure", "start_figure", "trajectory_figure", "wall_figure"]

PLASMA = colormaps["plasma"]

_LEAST = 1e-9
"""Errors below are drawn here: what is exact has no place on a log axis."""


def error_figure(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Figure:
    """Draw error against seen entries, a panel a rank; shaded where depth 3 is the nearer.

    Points are geometric means over instances, bars reach from the least to the greatest.
    """
    ranks = sorted(rows["rank"].unique())
    figure = Figure(figsize=(max(6.4 * len(ranks), 7.4), 4.6), layout="constrained")
    for axes, rank in zip(figure.subplots(1, len(ranks), squeeze=False)[0], ranks, strict=True):
        own = rows[rows["rank"] == rank]
        for i, depth in enumerate(sorted(own.depth.unique())):
            errors = own[own.depth == depth].groupby("n_seen").error
            middle = np.maximum(errors.agg(lambda e: np.exp(np.log(e + 1e-300).mean())), _LEAST)
            low, high = np.maximum(errors.min(), _LEAST), np.maximum(errors.max(), _LEAST)
            bars = [np.maximum(middle - low, 0), np.maximum(high - middle, 0)]
            axes.errorbar(
                middle.index, middle, yerr=bars, marker="o", markersize=4, capsize=2,
                color=COLOURS[4] if depth == 0 else COLOURS[i - 1],
                linestyle="--" if depth == 0 else "-",
                label=f"depth {depth}" if depth else "nuclear norm",
            )  # fmt: skip
        _shade(axes, verdicts, rank)
        axes.set(yscale="log", xlabel="entries seen", ylabel="mean square error")
        axes.set_title(f"rank {rank}" if rank else "held-out ratings", fontsize="medium")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize="small")
    return figure


def start_figure(rows: pd.DataFrame) -> Figure:
    """Draw error and effective rank against the scale of the start, a line a depth.

    Of runs that came to their loss: others are at another place of their way.
    """
    rows = rows[rows.outcome == "reached"]
    figure = Figure(figsize=(9.6, 4), layout="constrained")
    titles = {"error": "mean square error", "effective_rank": "effective rank"}
    for axes, (column, title) in zip(figure.subplots(1, 2), titles.items(), strict=True):
        for i, (depth, own) in enumerate(rows[rows.depth > 0].groupby("depth")):
            found = own.groupby("init_scale")[column]
            middle = found.mean()
            bars = [middle - found.min(), found.max() - middle]
            axes.errorbar(
                middle.index, middle, yerr=bars, marker="o", markersize=4, capsize=2,
                color=COLOURS[i], label=f"depth {depth}",
            )  # fmt: skip
        nuclear = rows[rows.depth == 0][column].mean()
        axes.axhline(nuclear, color="0.4", linestyle="--", label="nuclear norm")
        axes.set(xscale="log", xlabel="scale of the start", title=title)
        if column == "error":
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize="small")
    return figure


def optimiser_figure(rows: pd.DataFrame) -> Figure:
    """Draw every instance's error by optimiser, a colour a depth."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(rows.optimizer))
    for i, (depth, own) in enumerate(rows.groupby("depth")):
        places = own.optimizer.map(names.index) + 0.16 * (i - 0.5)
        axes.plot(
            places, own.error, "o", color=COLOURS[i], markersize=5, alpha=0.8,
            label=f"depth {depth}",
        )  # fmt: skip
    axes.set_xticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set(yscale="log", ylabel="mean square error")
    axes.grid(alpha=0.25, axis="y")
    axes.legend(frameon=False)
    return figure


def trajectory_figure(paths: pd.DataFrame) -> Figure:
    """Draw singular values over time with the integral of their equation on top of them."""
    depths = sorted(paths.depth.unique())
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    for axes, depth in zip(figure.subplots(2, 2).ravel(), depths, strict=False):
        own = paths[paths.depth == depth]
        for r, name in enumerate(_followed(paths)):
            colour = COLOURS[r % len(COLOURS)]
            axes.plot(own.time, own[name], color=colour, linewidth=2.2, alpha=0.45)
            equation = own[name.replace("sigma", "equation")]
            axes.plot(own.time, equation, color=colour, linewidth=0.9, linestyle="--")
        axes.set(title=f"depth {depth}", xlabel="time", ylabel="singular values")
        axes.grid(alpha=0.25)
    return figure


def wall_figure(paths: pd.DataFrame, rows: pd.DataFrame) -> Figure:
    """Draw singular values over training, depths side by side, and the nuclear norm's spectrum.

    Coloured: as many as the matrix itself has, whose own are thin lines through all panels; grey:
    those that it has not.

    Parameters
    ----------
    paths : DataFrame
    rows : DataFrame
        ``spectra``: of one instance, the least nuclear norm's singular values and the truth's;
        NaN where the truth is not known, and then all are coloured.
    """
    depths, followed = sorted(paths.depth.unique()), _followed(paths)
    truth = rows.truth[rows.truth > 1e-9 * rows.truth.max()].tolist()
    n_true = len(truth) or len(followed)
    hues = [PLASMA(0.05 + 0.8 * r / max(n_true - 1, 1)) for r in range(n_true)]
    shades = [*hues, *["0.72"] * len(followed)]
    figure = Figure(figsize=(16, 6.4), layout="constrained")
    all_axes = figure.subplots(
        1, len(depths) + 1, sharey=True, width_ratios=[1] * len(depths) + [0.8]
    )
    for axes, depth in zip(all_axes, depths, strict=False):
        own = paths[paths.depth == depth]
        # In steps, which are long where nothing moves; depth 1 has no plateau to shorten.
        share = np.linspace(0, 1, len(own)) if depth > 1 else own.time / own.time.max()
        for r in reversed(range(len(followed))):
            axes.plot(
                share, own[followed[r]], color=shades[r], solid_capstyle="round",
                linewidth=3.2 if r < n_true else 1.8, clip_on=False,
            )  # fmt: skip
        axes.set(title=f"depth {depth}", xlim=(0, 1))
    last = all_axes[-1]
    for r in range(len(followed)):
        last.bar(r, rows.nuclear.iloc[r], color=shades[r], width=0.62)
    last.set(title="least nuclear norm", xlim=(-0.6, len(followed) - 0.4))
    for axes in all_axes:
        for value in truth[: len(followed)]:
            axes.axhline(value, color="0.35", linewidth=0.7, linestyle=(0, (1, 3)), zorder=0)
        axes.title.set(fontsize=19, fontweight="light", color="0.15")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color("0.6")
        axes.tick_params(left=False, labelcolor="0.35", labelsize=12)
        axes.set_xticks([])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("training \N{RIGHTWARDS ARROW}", fontsize=13, color="0.35")
    last.set_xlabel("its singular values", fontsize=13, color="0.35")
    all_axes[0].set_ylabel("singular values", fontsize=13, color="0.35")
    return figure


def _followed(paths: pd.DataFrame) -> list[str]:
    return [name for name in paths if name.startswith("sigma_")]


def _shade(axes, verdicts: pd.DataFrame, rank: int) -> None:
    """Shade from the first to the last number of seen entries at which depth 3 is nearer."""
    own = verdicts[
        (verdicts.statement == "window")
        & (verdicts.verdict == "depth is nearer")
        & (verdicts.quantity == "error of depth 3 over that of the nuclear norm")
        & verdicts.subject.str.startswith(f"rank {rank}," if rank else "")
    ]
    seen = own.subject.str.extract(r"(\d+) seen")[0].astype(int)
    if len(seen):
        axes.axvspan(seen.min(), seen.max(), color=COLOURS[1], alpha=0.12, linewidth=0)
