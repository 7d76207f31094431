"""Pages of the benchmarks of estimators: Gaussian processes, costs, completion."""

from typing import Any

import numpy as np
import pandas as pd
from bench_layout import page_of
from verdicts import VERDICTS, verdict

from ntkreg.report.shared.document import Document

__all__ = ["completion_speed", "estimators", "gp_kernel", "grid_search"]


def gp_kernel(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_gp_kernel.py."""
    about = (
        f"{record['clock']}; contenders take turns, medians of {record['rounds']} rounds, with the "
        f"least and greatest ratio, compilation excluded. Depth {record['depth']}, "
        f"{record['features']} columns of Gaussian numbers, one thread but for `all cores`."
    )
    fits = (
        f"Fits are whole: {record['restarts']} restarts, one run each, a fitted `WhiteKernel`, "
        "normalised y. The likelihood is the greatest log marginal likelihood found. Its kernels "
        "are not the same: scikit-ntk's biases start at 0 and are trained, ours are drawn, with "
        "the variance of their prior. The UCI sets have whole numbers for classes as y, "
        "standardised X, and are used whole."
    )
    shown = rows.map(lambda v: f"{v:.4g}" if isinstance(v, float) and not pd.isna(v) else v)
    title = "NeuralTangentKernel, and scikit-ntk"
    return page_of(title, record, about, (fits,), shown.fillna(""))


def estimators(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_estimators.py."""
    about = (
        f"{record['clock']}, one thread, to fit 1,000 of scikit-learn's digits, to predict "
        "1,000 others, and accuracy on those in percent: medians over splits, and their spread; "
        "compilation excluded. Estimators with a choice have theirs included."
    )
    spread = [f"{r.median:.3g} ({r.least:.3g} to {r.greatest:.3g})" for r in rows.itertuples()]
    wide = rows.assign(shown=spread).pivot(index="estimator", columns="figure", values="shown")
    shown = wide.loc[rows.estimator.unique(), rows.figure.unique()].reset_index()
    return page_of("What estimators cost", record, about, (), shown)


def completion_speed(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_completion.py."""
    rows = rows.assign(
        verdict=[verdict(r.claim, r.median, r.least, r.greatest) for r in rows.itertuples()]
    )
    about = (
        f"{record['clock']}, medians of {record['rounds']} rounds in turns, beside "
        f"{record['peer']}. Ours takes the largest `tol` of a ladder at which its norm is no "
        "farther above the minimum than that of the peer's point with the seen entries put back."
    )
    shown = rows.drop(columns=["median", "least", "greatest", "claim", "verdict"])
    shown = shown.map(lambda v: v if isinstance(v, str) else f"{v:.2g}")
    shown["SCS / ours"] = [
        f"{r.median:.3g} ({r.least:.3g} to {r.greatest:.3g})" for r in rows.itertuples()
    ]
    shown = shown.assign(claim=rows.claim, verdict=rows.verdict)
    took = record["training_seconds"]
    trained = (
        "A product of three matrices of 100 x 100, trained on 2,000 entries to loss 1e-6: "
        f"{np.median(took):.1f} s ({min(took):.1f} to {max(took):.1f} over starts)."
    )
    title = "Least nuclear norms beside cvxpy, and training of a product"
    return page_of(title, record, about, (trained, VERDICTS), shown)


def grid_search(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_grid_search.py."""
    about = (
        f"{record['settings']} settings and {record['folds']} folds of `NTKClassifier` with "
        f"`n_jobs=None`, without the last fit; searches take turns, medians of {record['rounds']} "
        "rounds, and their spread. CPU time of all processes; workers are up and loops compiled "
        "before. `our threads`: most at a time in one process, and `BLAS threads`, most that a "
        f"BLAS would take then. OMP_NUM_THREADS outside: {record['OMP_NUM_THREADS']}."
    )
    base = rows[rows.search == "n_jobs=1"].set_index(["case", "round"])
    shown = []
    for (case, search), group in rows.groupby(["case", "search"], sort=False):
        of = group.set_index(["case", "round"])
        line = {"case": case, "search": search}
        for clock in ("wall s", "CPU s"):
            ratio = of[clock] / base.loc[of.index, clock]
            line[clock] = f"{of[clock].median():.3g}"
            line[f"{clock[:-2]} / n_jobs=1"] = (
                f"{ratio.median():.2f} ({ratio.min():.2f} to {ratio.max():.2f})"
            )
        line |= {"our threads": int(group.ours.max()), "BLAS threads": int(group.blas.max())}
        shown.append(line)
    return page_of("Grid searches in parallel", record, about, (), pd.DataFrame(shown))
