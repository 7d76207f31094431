"""The optimiser study as a page, and as Markdown, CSV and PNG to be kept."""

import html
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.optimizers.figures import (
    labels_figure,
    noise_figure,
    pairs_figure,
    stopping_figure,
    trajectory_figure,
)
from ntkreg.report.optimizers.tables import (
    ends_table,
    gap_table,
    noise_table,
    sentences,
    verdict_table,
)
from ntkreg.report.shared.benchmark import files_of, provenance
from ntkreg.report.shared.page import figure_block, in_own_style, page, provenance_block, save_png
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.tables import html_table, markdown_table
from ntkreg.storage import write_table, write_text

__all__ = ["write_optimizers_benchmark", "write_optimizers_report"]

TITLE = "Optimisers from one start"

SECTIONS = {
    "kernel trajectory": (
        "Who follows the kernel trajectory",
        "Gap: distance on the test inputs between a network in training and the linearised "
        "network under gradient flow, in closed form from the empirical NTK of the same start, "
        "both at the same training loss, over how far the latter has come. In the infinite width "
        "gradient descent with small steps is this flow: its gap falls with the width, by theory "
        "at least like width^(-1/2). An optimiser that scales gradients entry by entry has "
        "another limit, and its gap need not fall so. Left: at the last loss level. Right: at the "
        "largest width. "
        "Geometric means over seeds, bars of one standard deviation of the logarithm.",
    ),
    "end points": (
        "Where they end",
        "Mean distances at the same training loss from the same starts. Of "
        "parameters and of outputs on the test inputs, in units of gradient descent's own way "
        "from the start; of the empirical NTK on the training inputs (Frobenius), in units of "
        "the NTK at the start.",
    ),
    "noise of sgd": (
        "Batches, learning rates and noise",
        "sgd to the same training loss with all combinations of batch sizes and learning rates; "
        "noise scale: learning rate times (n / batch size - 1) (Smith and Le 2018, arXiv "
        "1710.06451). Distances from the end of full-batch gradient descent from the same start, "
        "in units of its way. Slopes are of logarithms, one a seed.",
    ),
    "stopping and ridge": (
        "Stopping early and ridge",
        "Training labels with a share flipped, test labels as they are. Kernels in closed form: "
        "gradient flow stopped at t, and ridge regression at n / t (Ali, Kolter and Tibshirani "
        "2019, arXiv 1810.10082). The empirical kernel starts from, and shrinks to, the outputs "
        "of the network at its start; the analytic one 0. Networks: gradient descent, time is "
        "learning rate times steps. Right: distances on the test inputs over how far the flow "
        "has come: of the flow from the ridge, and of the network from its kernel's flow.",
    ),
    "labels": (
        "Correct and random labels",
        "Random labels: the correct ones, permuted. All runs end at the same training loss.",
    ),
}
"""Heading and caption of each question."""


GAP_HEADING = "Gap at the last loss level"
NOISE_HEADING = "Test error of sgd, %"


@in_own_style()
def write_optimizers_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of an optimiser study; return its path.

    Raises
    ------
    DataError
        If a file of the study is missing or cannot be read.
    """
    study = StudyFolder(folder)
    runs, verdicts = study.table("runs"), study.table("verdicts")
    record, config_text = study.record(), study.config_text()
    figures = _figures(study, runs, record)
    own = runs[runs.width == record["width"]]
    body = [f'<p class="lead">{html.escape(s)}</p>' for s in sentences(verdicts, own)]
    body += [
        f"<p>{html.escape(_setting(record, runs))}</p>",
        '<p class="small">Intervals are 95 %, Student\'s t over seeds; what they do not decide is '
        "called undecided. They cover the starts and batches, not other data or settings.</p>",
    ]
    for question, (heading, caption) in SECTIONS.items():
        body += [
            f"<h2>{heading}</h2>",
            figure_block(figures[question], caption, alt=heading),
            html_table(verdict_table(verdicts, question)),
        ]
        if question == "kernel trajectory":
            levels = study.table("levels")
            body += [f"<h3>{GAP_HEADING}</h3>", html_table(gap_table(levels))]
        if question == "noise of sgd":
            batches = study.table("batches")
            body += [f"<h3>{NOISE_HEADING}</h3>", html_table(noise_table(batches))]
        if question == "labels":
            for labels in ("correct", "random"):
                body += [f"<h3>Runs on {labels} labels</h3>", html_table(ends_table(own, labels))]
    body += [f'<p class="small">{LEGEND}</p>', provenance_block(record, config_text)]
    target = study.path / "page.html"
    write_text(target, page(TITLE, body))
    return target


LEGEND = (
    "Rates are in units of the largest stable learning rate at the start (gradient descent, sgd, "
    "momentum, Nesterov), or the share of the loss that a first step of the gradient's signs takes "
    "away (rmsprop, adam, adagrad, adadelta). Parameters moved and kernel drift are relative to "
    "the start. Mean ± standard deviation over seeds."
)


@in_own_style()
def write_optimizers_benchmark(
    folder: str | Path, stem: str | Path, *, remarks: str = ""
) -> tuple[Path, Path, Path]:
    """Make ``stem.md``, ``stem.csv`` (a row a run) and ``stem.png`` from an optimiser study.

    Parameters
    ----------
    folder : path
        That `ntkreg.studies.optimizers.study.run_optimizers` wrote into.
    stem : path without suffix
    remarks : str
        Markdown put right after the verdicts.
    """
    study = StudyFolder(folder)
    runs, verdicts = study.table("runs"), study.table("verdicts")
    record = study.record()
    own = runs[runs.width == record["width"]]
    text, rows, picture = files_of(stem, ".md", ".csv", ".png")
    save_png(trajectory_figure(study.table("levels")), picture)
    every = pd.concat([runs.assign(part="optimisers"), study.table("batches").assign(part="noise")])
    write_table(rows, every, float_format="%.6g")
    parts = [f"# {TITLE}\n", f"{_setting(record, runs)}\n"]
    parts += [f"- {sentence}" for sentence in sentences(verdicts, own)]
    parts += ["", remarks.strip() + "\n"] if remarks else [""]
    parts += [f"![distance from the kernel trajectory]({picture.name})\n"]
    for question, (heading, caption) in SECTIONS.items():
        parts += [f"## {heading}\n", caption + "\n"]
        parts += [markdown_table(verdict_table(verdicts, question))]
        if question == "kernel trajectory":
            levels = study.table("levels")
            parts += [f"### {GAP_HEADING}\n", markdown_table(gap_table(levels))]
        if question == "noise of sgd":
            batches = study.table("batches")
            parts += [f"### {NOISE_HEADING}\n", markdown_table(noise_table(batches))]
    for labels in ("correct", "random"):
        parts += [f"## Runs on {labels} labels\n", markdown_table(ends_table(own, labels))]
    parts += [LEGEND + "\n", provenance(record, study.config_text())]
    write_text(text, "\n".join(parts))
    return text, rows, picture


def _figures(study: StudyFolder, runs: pd.DataFrame, record: dict) -> dict[str, Figure]:
    # Everything is read before the first figure is drawn: what is missing shows at once.
    levels, pairs, batches, stops, curves = map(
        study.table, ("levels", "pairs", "batches", "stops", "curves")
    )
    return {
        "kernel trajectory": trajectory_figure(levels),
        "end points": pairs_figure(pairs[pairs.width == record["width"]]),
        "noise of sgd": noise_figure(batches),
        "stopping and ridge": stopping_figure(stops, curves, record["n_train"]),
        "labels": labels_figure(runs[runs.width == record["width"]]),
    }


def _setting(record: dict, runs: pd.DataFrame) -> str:
    widths = ", ".join(map(str, sorted(runs.width.unique())))
    return (
        f"{record['n_train']} training and {record['n_test']} test inputs of "
        f"{record['data']['source']}, two classes; {record['network']} in the NTK "
        f"parametrisation, squared loss, at widths {widths} for the kernel trajectory and "
        f"{record['width']} for all else; {runs.seed.nunique()} starts, the same for all."
    )
