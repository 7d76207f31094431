"""Pages on choosing: what it costs, what criteria choose, and a training time for a ridge."""

from typing import Any

import numpy as np
import pandas as pd
from bench_layout import page_of
from matplotlib.figure import Figure
from scipy.stats import t as student
from verdicts import verdict

from ntkreg.report.shared.document import Document, Picture, Text
from ntkreg.report.shared.figures import COLOURS

__all__ = ["model_selection", "ridge_choices", "training_time"]


def model_selection(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_model_selection.py on what a choice costs."""
    about = (
        f"{record['clock']}; contenders take turns; medians over rounds with the bootstrap's 95 % "
        "interval of the median, of fewer than six rounds their spread. A Cholesky fit is the same "
        "work by the estimator of one ridge: scikit-learn's checks, factor, coefficients, samples "
        "left out. A solve is that of the solver alone, without an estimator's checks. A textbook "
        "fit is LAPACK's potrf and potri alone, one BLAS thread, for the diagonal of the inverse: "
        "ours also checks K, and estimates its condition and its least eigenvalue by Lanczos."
    )
    table = rows.assign(claim=rows.claim.fillna(""))
    verdicts = [verdict(r.claim, r.median, r.low, r.high) for r in table.itertuples()]
    shown = table.assign(verdict=verdicts).map(lambda v: f"{v:.3g}" if isinstance(v, float) else v)
    meaning = (
        "`holds`: in the whole interval; `holds at the median only`: not in all of it; `missed`: "
        "not at the median."
    )
    return page_of("What choosing a ridge costs", record, about, (meaning,), shown)


def ridge_choices(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of ridge_choices.py."""
    about, texts = choices_about(record), choices_texts(rows)
    title = "Ridges chosen by leave-one-out, KARE and marginal likelihood"
    return page_of(title, record, about, texts, choices_table(rows))


def training_time(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of training_time.py."""
    blocks, shown = time_blocks(rows, record), time_table(rows)
    return page_of("Training that stops early, and ridges", record, "", (), shown, blocks)


def choices_about(record: dict[str, Any]) -> str:
    """Return what the page on choices says of how they were made."""
    return (
        "Ridge (of eleven) and depth (1 to 4), chosen without the test samples; accuracy on these, "
        "mean and standard deviation over splits. Tables: a dense NTK, halves of each set. Images: "
        'the CNTK of `cntk(depth, "lap")`, class-balanced draws of each set, tested on '
        f"{record['n_test']} others; draws share test images. `loo`: leave-one-out mean squared "
        "error of coded labels; `best`: the best ridge and depth for the test samples themselves, "
        "which nobody can choose. alpha: median of ridges chosen, in units of the mean diagonal."
    )


def choices_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a line a set: accuracy and ridge by each criterion."""
    shown = rows.groupby(["data", "n", "criterion"], sort=False).agg(
        accuracy=("accuracy", lambda a: f"{100 * a.mean():.1f} +- {100 * a.std():.1f}"),
        alpha=("alpha", lambda a: f"{a.median():.2g}"),
    )
    wide = shown.unstack("criterion")
    wide.columns = [f"{criterion} {what}" for what, criterion in wide.columns]
    return wide.reset_index()


def choices_texts(rows: pd.DataFrame) -> tuple[str, ...]:
    """Say how KARE and the likelihood do beside leave-one-out, on tables and on images."""
    texts = []
    for kind, part in rows.groupby("kind", sort=False):
        paired = part.pivot_table(index=["data", "split"], columns="criterion", values="accuracy")
        by_set = 100 * paired.groupby("data", sort=False).mean()
        for name in ("kare", "likelihood"):
            less = by_set[name] - by_set["loo"]
            if kind == "table":
                half = student.ppf(0.975, len(less) - 1) * less.std() / len(less) ** 0.5
                texts.append(
                    f"{name} less loo, mean over {len(less)} tables and 95 % interval: "
                    f"{less.mean():+.2f} ({less.mean() - half:+.2f} to {less.mean() + half:+.2f}) "
                    "points of accuracy."
                )
                continue
            draws = 100 * (paired[name] - paired["loo"])
            each = "; ".join(
                f"{data} {d.mean():+.2f} ({d.min():+.2f} to {d.max():+.2f})"
                for data, d in draws.groupby("data", sort=False)
            )
            texts.append(f"{name} less loo on images, mean and range over draws, points: {each}.")
    return tuple(texts)


def _corrected(less: pd.Series, n: int, n_test: int) -> tuple[float, float, float]:
    """Return mean and 95 % interval over random splits that share rows (Nadeau, Bengio 2003)."""
    spread = less.std() * (1 / len(less) + n_test / n) ** 0.5
    half = student.ppf(0.975, len(less) - 1) * spread
    return less.mean(), less.mean() - half, less.mean() + half


def _chosen(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the row of least error along each path of each split, by folds or on the test."""
    return rows.loc[rows.groupby(["set", "split", "path"], sort=False)[by].idxmin()]


def time_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a line a set: errors of what folds choose along either path, and of the best."""
    lines = []
    for name, part in rows.groupby("set", sort=False):
        found = _chosen(part, "fold").pivot(index="split", columns="path", values="test")
        best = _chosen(part, "test").pivot(index="split", columns="path", values="test")
        n, n_test = int(part.n.iloc[0]), int(part.n_test.iloc[0])
        mean, low, high = _corrected(found["time"] - found["ridge"], n, n_test)
        lines.append(
            {
                "set": name,
                "n": n,
                "error": part.error.iloc[0],
                **{p: f"{found[p].mean():.3f} +- {found[p].std():.3f}" for p in ("time", "ridge")},
                "time less ridge": f"{mean:+.4f} ({low:+.4f} to {high:+.4f})",
                **{f"best {p}": f"{best[p].mean():.3f}" for p in ("time", "ridge")},
            }
        )
    return pd.DataFrame(lines)


def time_blocks(rows: pd.DataFrame, record: dict[str, Any]) -> tuple[Any, ...]:
    """Return what the page on training times says before its table, and its figure."""
    about = (
        "A dense NTK of depth 2; training that stops at a time without a ridge, and ridges without "
        "a stop, 50 of either: a time t beside the ridge n_samples n_targets / t. Error: share of "
        "the variance of test targets that is not explained, or share of test labels that are "
        f"wrong; at most {record['most']} rows to train on and to test on. `time`, `ridge`: those "
        "that five folds of the training rows choose, mean and standard deviation over "
        f"{rows.split.nunique()} random splits. Splits share rows: intervals (95 %) are Nadeau and "
        "Bengio's (2003). `best`: the least test error of each path, which nobody can choose."
    )
    costs = {name: np.array(taken) for name, taken in record["costs"].items()}
    said = "; ".join(
        f"{ours} beside {peer} {np.median(ratio):.3g} ({ratio.min():.3g} to {ratio.max():.3g})"
        for ours, peer in (("50 times", "a time"), ("50 times", "a ridge"))
        for ratio in [costs[ours] / costs[peer]]
    )
    cost = (
        f"CPU time at n = {record['cost_n']}, Gram given, medians and spread of "
        f"{len(costs['a time'])} rounds in turns: {said}. A path of times is one "
        f"eigendecomposition ({np.median(costs['a time']):.2g} s), a ridge one Cholesky "
        f"factorisation ({np.median(costs['a ridge']):.2g} s)."
    )
    caption = (
        "Test error along both paths, mean over splits and a standard deviation either way. "
        "Points: what folds choose, a split each."
    )
    alt = "Error against training time and against the ridge, a panel a set"
    picture = Picture("training_time", lambda: _curves(rows), caption, alt, kept=True)
    return Text(about), Text(cost), picture


def _curves(rows: pd.DataFrame) -> Figure:
    sets = list(rows["set"].unique())
    figure = Figure(figsize=(3.1 * len(sets), 3.6), layout="constrained")
    panels = figure.subplots(1, len(sets), squeeze=False)[0]
    labels = {"time": "stopped at t, no ridge", "ridge": "ridge n_samples n_targets / t"}
    for axes, name in zip(panels, sets, strict=True):
        part = rows[rows["set"] == name]
        chosen = _chosen(part, "fold")
        for colour, (path, label) in zip(COLOURS, labels.items(), strict=False):
            own = part[part.path == path]
            errors = own.pivot(index="split", columns="ridge", values="test")
            # Ridges are in units of each split's kernel: so times differ a little between splits.
            times = own.groupby("ridge").time.median()
            mean, spread = errors.mean(), errors.std()
            axes.plot(times, mean, color=colour, linewidth=1.4, label=label)
            axes.fill_between(
                times, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0
            )
            picked = chosen[chosen.path == path]
            axes.plot(picked.time, picked.test, ".", color=colour, markersize=5)
        low = rows[rows["set"] == name].groupby(["path", "ridge"]).test.mean()
        axes.set(
            xscale="log", xlabel="t", title=name, ylim=(0.85 * low.min(), min(low.max(), 1.15))
        )
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("test error")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    return figure
