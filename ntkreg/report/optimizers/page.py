"""The page of `ntkreg optimizers`."""

from functools import partial
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
from ntkreg.report.shared.document import Document, Picture, Points, Section, Table, Text
from ntkreg.report.shared.page import write_html
from ntkreg.report.shared.provenance import provenance
from ntkreg.report.shared.read import StudyFolder
from ntkreg.studies.optimizers.means import gap_means

__all__ = ["document", "write_optimizers_report"]

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


LEGEND = (
    "Rates are in units of the largest stable learning rate at the start (gradient descent, sgd, "
    "momentum, Nesterov), or the share of the loss that a first step of the gradient's signs takes "
    "away (rmsprop, adam, adagrad, adadelta). Parameters moved and kernel drift are relative to "
    "the start. Mean ± standard deviation over seeds."
)

INTERVALS = (
    "Intervals are 95 %, Student's t over seeds; what they do not decide is called undecided. "
    "They cover the starts and batches, not other data or settings."
)


def document(study: StudyFolder) -> Document:
    """Return the page of an optimiser study."""
    runs, verdicts, record = study.table("runs"), study.table("verdicts"), study.record()
    own = runs[runs.width == record["width"]]
    opening = (
        Text(_setting(record, runs)),
        Points(tuple(sentences(verdicts, own))),
        Text(INTERVALS, "small"),
    )
    below = {
        "kernel trajectory": Section(GAP_HEADING, (Table(gap_table(_gaps(study))),), 3),
        "noise of sgd": Section(NOISE_HEADING, (Table(noise_table(study.table("batches"))),), 3),
    }
    sections = []
    for question, (heading, caption) in SECTIONS.items():
        kept = question == "kernel trajectory"
        draw = partial(_figure, study, question)
        picture = Picture(question.replace(" ", "_"), draw, caption, heading, kept)
        sections += [Section(heading, (picture, Table(verdict_table(verdicts, question))))]
        sections += [below[question]] if question in below else []
    sections += [
        Section(f"Runs on {labels} labels", (Table(ends_table(own, labels)),), 3)
        for labels in ("correct", "random")
    ]
    last = Section(sections[-1].title, (*sections[-1].blocks, Text(LEGEND, "small")), 3)
    return Document(TITLE, (Section("", opening), *sections[:-1], last, provenance(study)))


def write_optimizers_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of an optimiser study; return its path.

    Raises
    ------
    DataError
        If a file of the study is missing or cannot be read.
    """
    study = StudyFolder(folder)
    return write_html(study.path, document(study))


def _gaps(study: StudyFolder) -> pd.DataFrame:
    return study.table("gaps") if study.has("gaps") else gap_means(study.table("levels"))


def _figure(study: StudyFolder, question: str) -> Figure:
    """Draw the figure of one question."""
    record = study.record()
    match question:
        case "kernel trajectory":
            return trajectory_figure(study.table("levels"))
        case "end points":
            pairs = study.table("pairs")
            return pairs_figure(pairs[pairs.width == record["width"]])
        case "noise of sgd":
            return noise_figure(study.table("batches"))
        case "stopping and ridge":
            return stopping_figure(study.table("stops"), study.table("curves"), record["n_train"])
    runs = study.table("runs")
    return labels_figure(runs[runs.width == record["width"]])


def _setting(record: dict, runs: pd.DataFrame) -> str:
    widths = ", ".join(map(str, sorted(runs.width.unique())))
    return (
        f"{record['n_train']} training and {record['n_test']} test inputs of "
        f"{record['data']['source']}, two classes; {record['network']} in the NTK "
        f"parametrisation, squared loss, at widths {widths} for the kernel trajectory and "
        f"{record['width']} for all else; {runs.seed.nunique()} starts, the same for all."
    )
