"""The page of `ntkreg widths`."""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ntkreg.report.narrow_to_wide.page import NAME
from ntkreg.report.shared.document import Document, Link, Picture, Section, Table, Text
from ntkreg.report.shared.page import write_html
from ntkreg.report.shared.provenance import provenance
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.widths.figures import ensemble_figure, spread_figure, width_figure
from ntkreg.report.widths.tables import count_verdicts, limit_table, point_table, verdict_table

__all__ = ["document", "write_widths_report"]

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

KEPT = ("ntk_drift", "feature_drift")
"""Quantities of the figure that a benchmark keeps."""

GREY = "Grey lines: expected slopes; dotted: bounds."


def document(study: StudyFolder) -> Document:
    """Return the page of a width study; Markdown has the figure on the change in training."""
    summary, slopes, record = study.table("summary"), study.table("slopes"), study.record()
    limits = _limits(study)
    answer, setting = Text(_verdicts(slopes, limits), "lead"), Text(_setting(record))
    sections = [Section("", (answer, setting))]
    beside = study.file(NAME)
    if beside.exists():
        link = Link("Beside the loss surface: how a network becomes its kernel", beside.name)
        sections += [Section("From narrow to wide", (link,), kept=False)]
    sections += [
        Section("Slopes against width", (Table(verdict_table(slopes)), Text(METHOD, "small"))),
    ]
    for title, quantities, ylabel, caption in FIGURES:
        here = [q for q in quantities if (summary.quantity == q).any()]
        if here:
            kept = quantities == KEPT
            draw = partial(width_figure, summary, slopes, here, ylabel)
            picture = Picture(here[0], draw, f"{caption} {GREY}", title, kept)
            sections += [Section(title, (picture,), kept=kept)]
    if len(limits):
        table, text = Table(limit_table(limits)), Text(ENSEMBLES, "small")
        picture = Picture(
            "ensembles",
            lambda: ensemble_figure(study.table("ensembles")),
            "Bars: 95 % intervals.",
            "ensembles against formulas",
        )
        # The caption is the figure's alone: Markdown, which does not show it, has the table.
        sections += [
            Section("Ensembles", (table, text)),
            Section("Ensembles against width", (picture,), 3, kept=False),
        ]
    sections += [_errors_and_ranks(summary), provenance(study)]
    return Document(_title(study), tuple(sections))


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
    return write_html(study.path, document(study))


def _limits(study: StudyFolder) -> pd.DataFrame:
    """Of ensembles, which only networks in the NTK parametrisation have."""
    return study.table("limits") if study.has("limits") else pd.DataFrame()


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


def _errors_and_ranks(summary: pd.DataFrame) -> Section:
    errors, ranks = ["train_error", "test_error"], ["rank_start", "rank_end"]
    bars = "Bars: one standard deviation over starts."
    return Section(
        "Errors and features",
        (
            Picture(
                "errors", lambda: spread_figure(summary, errors, "wrong signs, %"), bars, "errors"
            ),
            Picture(
                "ranks",
                lambda: spread_figure(summary, ranks, "effective rank"),
                f"Exponential of the entropy of the singular values of the features. {bars}",
                "effective ranks of features",
            ),
            Text("Mean ± standard deviation over starts."),
            Table(point_table(summary, [*errors, "train_loss", "test_loss", *ranks])),
        ),
        kept=False,
    )
