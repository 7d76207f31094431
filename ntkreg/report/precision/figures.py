"""The figure of the precision study."""

import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.shared.figures import COLOURS

__all__ = ["precision_figure"]

_DTYPES = {"float32": "-", "mixed": "--"}


def precision_figure(rows: pd.DataFrame) -> Figure:
    """Draw the relative error against the ridge, a panel a training set.

    Parameters
    ----------
    rows : DataFrame
        ``rows.csv`` of the study. Lines: colours for networks, worse of NNGP and NTK; dashed
        for mixed.
    """
    cases, networks = list(rows.case.unique()), list(rows.network.unique())
    alphas = sorted(rows.alpha.unique())
    figure = Figure(figsize=(3.6 * len(cases) + 1.6, 4.2), layout="constrained")
    panels = figure.subplots(1, len(cases), sharey=True, squeeze=False)[0]
    for axes, case in zip(panels, cases, strict=True):
        for i, network in enumerate(networks):
            for dtype, style in _DTYPES.items():
                chosen = rows[
                    (rows.case == case) & (rows.network == network) & (rows.dtype == dtype)
                ]
                if chosen.empty:
                    continue
                worst = chosen.groupby("alpha").relative_error.max().reindex(alphas)
                axes.plot(
                    range(len(alphas)), worst, linestyle=style, marker="o", markersize=3.5,
                    color=COLOURS[i % len(COLOURS)], linewidth=1.3, label=f"{network}, {dtype}",
                )  # fmt: skip
        axes.axhline(1, color="0.4", linewidth=0.8)
        axes.set_yscale("log")
        axes.set_xticks(range(len(alphas)), [f"{a:g}" for a in alphas])
        axes.set(title=case, xlabel="alpha / mean diagonal")
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("relative error of K + alpha I")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize="small")
    return figure
