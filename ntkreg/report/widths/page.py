"""The width study as one page."""

import html
from pathlib import Path
from typing import Any

import pandas as pd

from ntkreg.report.shared.benchmark import files_of, provenance
from ntkreg.report.shared.page import figure_block, in_own_style, page, provenance_block, save_png
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.tables import html_table, markdown_table
from ntkreg.report.widths.figures import ensemble_figure, spread_figure, width_figure
from ntkreg.report.widths.tables import count_verdicts, limit_table, point_table, verdict_table
from ntkreg.storage import write_table, write_text

__all__ = ["write_widths_benchmark", "write_widths_report"]

METHOD = (
    "Slopes are of log(quantity) against log(width): weighted least squares on log v = a + b log n "
    "+ c/n, or with c = 0 where fewer than five widths have a point (said beside them); v the "
    "geometric mean over starts (for bias and fluctuation, roots of unbiased means "
    "over pairs of starts), weights from the spread over starts. The narrowest widths are left out "
    "while chi squared refuses the fit at the 5 % level and more than five widths remain; the "
    "interval is Student's 95 % one, wider by the root of chi squared over its degrees of freedom "
    "where the fit is still refused. A row is undecided if its interval is wider than ±0.1; it "
    "agrees if the interval holds the expected slope or lies within 0.1 of it. A bound (≤) is "
    "judged one-sided: it disagrees if the whole interval is above, and is decided, however wide "
    "the interval, if all of it is below. Widths at which some network diverged, or its "
    "linearisation has no stable training at this rate, have no point."
)

ENSEMBLES = (
    "Means and variances over starts of the trained networks' test outputs, against formulas for "
    "infinitely wide ones; sums over all test inputs, limits by least squares on a + c/n. The "
    "posterior of the NNGP is what training the read-out alone for ever samples, by theory "
    "another: `disagrees` means that it is not told from the ensemble here. "
    "Stopped at the time at which its mean is nearest to the NTK-GP's it can come close: of that "
    "nothing is claimed."
)

FIGURES = (
    (
        "Kernels at the start",
        ("nngp_frobenius", "ntk_frobenius", "nngp_bias", "ntk_bias"),
        "relative error",
        "Distance from the analytic kernel; bias is the mean's over starts, where it is told from "
        "zero. Bars: 95 % intervals.",
    ),
    (
        "Lazy and feature-learning networks",
        ("ntk_drift", "feature_drift"),
        "relative change in training",
        "By theory kernels stop moving in ntk as the width grows, and do not in mup; the table "
        "says which slopes are decided.",
    ),
    (
        "Weights",
        ("weights_input", "weights_hidden", "weights_output"),
        "relative change in training",
        "Distance from the start over the norm at the start, by layer.",
    ),
    (
        "Linearised training",
        ("linear_gap", "prediction_gap"),
        "gap on test inputs",
        "Root mean square over test inputs, largest over time, to training of the network's own "
        "linearisation; and mean square, at the end, to training under the analytic NTK from the "
        "network's own start.",
    ),
)

GREY = "Grey lines: expected slopes; dotted: bounds."


@in_own_style()
def write_widths_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of a width study; return its path.

    Parameters
    ----------
    folder : path
        That `ntkreg.studies.widths.study.run_widths` wrote into.

    Raises
    ------
    DataError
        If a file of the study is missing or cannot be read.
    """
    study = StudyFolder(folder)
    summary, slopes, record = study.table("summary"), study.table("slopes"), study.record()
    limits = _limits(study)
    body = [
        f'<p class="lead">{html.escape(_verdicts(slopes, limits))}</p>',
        f"<p>{html.escape(_setting(record))}</p>",
        "<h2>Slopes against width</h2>",
        html_table(verdict_table(slopes)),
        f'<p class="small">{METHOD}</p>',
    ]
    for title, quantities, ylabel, caption in FIGURES:
        here = [q for q in quantities if (summary.quantity == q).any()]
        if here:
            figure = width_figure(summary, slopes, here, ylabel)
            body += [f"<h2>{title}</h2>", figure_block(figure, f"{caption} {GREY}", alt=title)]
    if len(limits):
        figure = ensemble_figure(study.table("ensembles"))
        body += [
            "<h2>Ensembles</h2>",
            figure_block(figure, "Bars: 95 % intervals.", alt="ensembles against formulas"),
            html_table(limit_table(limits)),
            f'<p class="small">{ENSEMBLES}</p>',
        ]
    body += _errors_and_ranks(summary)
    body += [provenance_block(record, study.config_text())]
    target = study.path / "page.html"
    write_text(target, page(_title(study), body))
    return target


@in_own_style()
def write_widths_benchmark(
    folder: str | Path, stem: str | Path, *, remarks: str = ""
) -> tuple[Path, Path, Path, Path]:
    """Make ``stem.md``, ``stem.csv``, ``stem.png`` and ``stem.html`` from a width study.

    Parameters
    ----------
    folder : path
        That `ntkreg.studies.widths.study.run_widths` wrote into.
    stem : path without suffix
    remarks : str
        Markdown put right after the number of verdicts.

    Returns
    -------
    tuple of Path
        Of the Markdown (verdicts), the CSV (a row a network), the picture (change in training),
        and the study's whole page.
    """
    study = StudyFolder(folder)
    summary, slopes, record = study.table("summary"), study.table("slopes"), study.record()
    limits = _limits(study)
    text, rows, picture, whole = files_of(stem, ".md", ".csv", ".png", ".html")
    title, quantities, ylabel, caption = FIGURES[1]
    save_png(width_figure(summary, slopes, list(quantities), ylabel), picture)
    write_table(rows, study.table("rows"), float_format="%.6g")
    write_text(whole, write_widths_report(folder).read_text(encoding="utf-8"))
    parts = [f"# {_title(study)}\n", _verdicts(slopes, limits) + "\n", _setting(record) + "\n"]
    parts += [remarks.strip() + "\n"] if remarks else []
    parts += [f"The whole page, with all figures: [{whole.name}]({whole.name}).\n"]
    parts += [f"![{title}]({picture.name})\n", f"{caption} {GREY}\n"]
    parts += ["## Slopes against width\n", markdown_table(verdict_table(slopes)), METHOD + "\n"]
    if len(limits):
        parts += ["## Ensembles\n", markdown_table(limit_table(limits)), ENSEMBLES + "\n"]
    parts += [provenance(record, study.config_text())]
    write_text(text, "\n".join(parts))
    return text, rows, picture, whole


def _limits(study: StudyFolder) -> pd.DataFrame:
    """Of ensembles, which only networks in the NTK parametrisation have."""
    return study.table("limits") if (study.path / "limits.csv").exists() else pd.DataFrame()


def _title(study: StudyFolder) -> str:
    side = study.config()["downscale"]
    small = "" if side is None else f", images of {side} x {side} pixels"
    return f"Width scaling on {study.record()['data']['source']}{small}"


def _verdicts(slopes: pd.DataFrame, limits: pd.DataFrame) -> str:
    return count_verdicts(pd.concat([t.verdict for t in (slopes, limits) if len(t)]))


def _setting(record: dict[str, Any]) -> str:
    rates = ", ".join(f"{rate:.3g} ({of})" for of, rate in record["learning_rates"].items())
    networks = ", ".join(record["networks"].values())
    return f"{networks}; {record['data']['source']}. Learning rates: {rates}."


def _errors_and_ranks(summary: pd.DataFrame) -> list[str]:
    errors, ranks = ["train_error", "test_error"], ["rank_start", "rank_end"]
    bars = "Bars: one standard deviation over starts."
    return [
        "<h2>Errors and features</h2>",
        figure_block(spread_figure(summary, errors, "wrong signs, %"), bars, alt="errors"),
        figure_block(
            spread_figure(summary, ranks, "effective rank"),
            f"Exponential of the entropy of the singular values of the features. {bars}",
            alt="effective ranks of features",
        ),
        "<p>Mean ± standard deviation over starts.</p>",
        html_table(point_table(summary, [*errors, "train_loss", "test_loss", *ranks])),
    ]
