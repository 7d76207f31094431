"""The width study as one page."""

import html
from pathlib import Path

import pandas as pd

from ntkreg.report.page import figure_block, page, provenance_block
from ntkreg.report.read import StudyFolder
from ntkreg.report.tables import html_table
from ntkreg.report.width_tables import count_verdicts, limit_table, point_table, verdict_table
from ntkreg.report.widths_figures import ensemble_figure, spread_figure, width_figure

__all__ = ["write_widths_report"]

METHOD = (
    "Slopes are of log(quantity) against log(width): weighted least squares on log v = a + b log n "
    "+ c/n, v the geometric mean over starts (for bias and fluctuation, roots of unbiased means "
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
    "posterior of the NNGP is what training the read-out alone for ever samples, and differs. "
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
        "In ntk kernels stop moving as the width grows, in mup they do not.",
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


def write_widths_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of a width study; return its path.

    Parameters
    ----------
    folder : path
        That `ntkreg.studies.widths.run_widths` wrote into.

    Raises
    ------
    DataError
        If a file of the study is missing or cannot be read.
    """
    study = StudyFolder(folder)
    summary, slopes, record = study.table("summary"), study.table("slopes"), study.record()
    limits = study.table("limits") if (study.path / "limits.csv").exists() else pd.DataFrame()
    verdicts = pd.concat([t.verdict for t in (slopes, limits) if len(t)])
    networks = ", ".join(record["networks"].values())
    body = [
        f'<p class="lead">{html.escape(count_verdicts(verdicts))}</p>',
        f"<p>{html.escape(networks)}; {html.escape(record['data']['source'])}. Learning rates: "
        + html.escape(", ".join(f"{v:.3g} ({k})" for k, v in record["learning_rates"].items()))
        + ".</p>",
        "<h2>Slopes against width</h2>",
        html_table(verdict_table(slopes)),
        f'<p class="small">{METHOD}</p>',
    ]
    for title, quantities, ylabel, caption in FIGURES:
        here = [q for q in quantities if (summary.quantity == q).any()]
        if here:
            figure = width_figure(summary, slopes, here, ylabel)
            text = f"{caption} Grey lines: expected slopes; dotted: bounds."
            body += [f"<h2>{title}</h2>", figure_block(figure, text, alt=title)]
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
    target.write_text(page(f"Width scaling on {record['data']['source']}", body), encoding="utf-8")
    return target


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
