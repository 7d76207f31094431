"""Pages of scripts/uncertainty.py: how far to believe deviations and probabilities."""

from typing import Any

import numpy as np
import pandas as pd
from bench_layout import page_of
from matplotlib.figure import Figure

from ntkreg.report.shared.document import Document, Picture, Text
from ntkreg.report.shared.figures import COLOURS

__all__ = ["calibration", "coverage"]

_SPREAD = "mean and standard deviation over {} random splits, which share samples"


def _cells(values: pd.Series) -> str:
    return f"{values.mean():.3f} +- {values.std():.3f}"


def _coverage_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a line a set and model."""
    shown = [c for c in rows if c not in ("set", "n", "split", "model")]
    return rows.groupby(["set", "n", "model"], sort=False)[shown].agg(_cells).reset_index()


def _coverage_blocks(rows: pd.DataFrame, record: dict[str, Any]) -> tuple[Any, ...]:
    """Return what the page on coverage says before its table."""
    levels = [c for c in rows if c[0] == "0"]
    means = rows.groupby("model", sort=False)[levels].mean()
    worst = [
        f"{name}: {max(abs(line[c] - float(c)) for c in levels):.3f}"
        for name, line in means.iterrows()
    ]
    about = (
        "Share of test targets inside the central interval of a normal distribution, by the share "
        f"that should be; {_SPREAD.format(record['splits'])}. Targets standardised on training "
        "rows; log density in natural logarithms. The ridge of the NNGP by marginal likelihood, "
        "the noise and its likeliest scale (`output_scale_`) added to its deviations. The ensemble "
        "of the NTK has no noise of targets: its deviations alone say how networks differ, and are "
        "no interval for targets. Wine quality is a whole number from 0 to 5."
    )
    return Text(about), Text(
        "Greatest distance of a mean coverage from what it should be: " + "; ".join(worst) + "."
    )


def _calibration_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a line a set and model, with the expected calibration error of all splits."""
    shown = ["log loss", "accuracy", "confidence"]
    table = rows.groupby(["set", "n", "model"], sort=False)[shown].agg(_cells)
    table["calibration error"] = [
        f"{_error(part):.3f}" for _, part in rows.groupby(["set", "n", "model"], sort=False)
    ]
    return table.reset_index()


def _calibration_blocks(rows: pd.DataFrame, record: dict[str, Any]) -> tuple[Any, ...]:
    """Return what the page on calibration says before its table, and its figure."""
    about = (
        "Probabilities of test samples; log-loss in natural logarithms, and accuracy beside the "
        "mean of the greatest probability: "
        f"{_SPREAD.format(record['splits'])}. Calibration error: mean distance of both in ten bins "
        "of the greatest probability, weighted by their samples, of all splits together. "
        "`NTKClassifierCV` chooses its ridge and its temperature by leave-one-out without a refit; "
        "`CalibratedClassifierCV` refits for five folds, at ridge 0.1."
    )
    loss = rows.pivot_table(index=["set", "split"], columns="model", values="log loss", sort=False)
    ours = loss.columns[0]
    by_set = loss.groupby("set").mean()
    texts = []
    for other in loss.columns[1:]:
        less = by_set[ours] - by_set[other]
        texts.append(f"{other}: lower in {(less < 0).sum()} of {len(less)} sets")
    caption = (
        "Share of samples that are right among those of a greatest probability, all splits; "
        "below the diagonal a model is too sure. Bins of 20 samples or more."
    )
    alt = "Reliability diagrams of four classifiers, a panel a set"
    picture = Picture("calibration", lambda: _reliability(rows), caption, alt, kept=True)
    return Text(about), Text(f"Mean log-loss of {ours} beside {'; '.join(texts)}."), picture


def _bins(part: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = sum(1 for c in part if c.startswith("hit"))
    return tuple(
        part[[f"{kind}{b}" for b in range(n)]].sum().to_numpy() for kind in ("n", "sure", "hit")
    )


def _error(part: pd.DataFrame) -> float:
    n, sure, hit = _bins(part)
    return float(np.abs(sure - hit).sum() / n.sum())


def _reliability(rows: pd.DataFrame) -> Figure:
    sets = list(rows["set"].unique())
    figure = Figure(figsize=(2.7 * len(sets), 3.9), layout="constrained")
    panels = figure.subplots(1, len(sets), sharey=True, squeeze=False)[0]
    for axes, data in zip(panels, sets, strict=True):
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
        for colour, model in zip(COLOURS, rows.model.unique(), strict=False):
            n, sure, hit = _bins(rows[(rows["set"] == data) & (rows.model == model)])
            full = n >= 20
            axes.plot(
                sure[full] / n[full], hit[full] / n[full], color=colour, marker="o", markersize=3.5,
                linewidth=1.2, label=model,
            )  # fmt: skip
        axes.set(
            title=data, xlabel="greatest probability", xlim=(0, 1), ylim=(0, 1), aspect="equal"
        )
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("share that is right")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def coverage(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of uncertainty.py on deviations."""
    blocks = _coverage_blocks(rows, record)
    shown = _coverage_table(rows)
    return page_of("What intervals cover", record, "", (), shown, blocks)


def calibration(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of uncertainty.py on probabilities."""
    blocks = _calibration_blocks(rows, record)
    shown = _calibration_table(rows)
    return page_of("How probabilities are calibrated", record, "", (), shown, blocks)
