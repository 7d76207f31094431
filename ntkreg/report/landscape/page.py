"""The page of `ntkreg landscape`."""

from pathlib import Path

from ntkreg.report.landscape.figures import barrier_figure, curvature_figure, wall_figure
from ntkreg.report.landscape.tables import count_sentence, grid_table, sentences, verdict_table
from ntkreg.report.shared.document import Document, Picture, Points, Section, Table, Text
from ntkreg.report.shared.page import write_html
from ntkreg.report.shared.provenance import provenance
from ntkreg.report.shared.read import StudyFolder
from ntkreg.studies.landscape.statements import STATEMENTS

__all__ = ["document", "write_landscape_report"]

PLAIN = (
    "The loss of a network is a surface over its weights, and gradient descent walks down on it. "
    "For narrow networks it is rough: negative curvature, barriers between minima, mini-batches "
    "that disagree. As networks get wider it becomes the convex bowl of their kernel, as far as "
    "training gets. Each row below says what the literature expects, what was measured, and "
    "whether they agree."
)

METHOD = (
    "Intervals are 95 %: Student's t over starts, or over pairs of starts for barriers; of "
    "logarithms where the quantity is a ratio, and Welch's between two widths or depths; ratios of "
    "what is below 1e-12 count it as that. "
    "Agrees: the whole interval is as expected; disagrees: none of it is. Networks are compared at "
    "levels of their training loss, in units of that of zero outputs, since after equally many "
    "steps they are at different losses; at interpolation negative eigenvalues are rounding."
)

WALL = (
    "The plane through two trained networks of different starts (dots) and the bend of a Bezier "
    "curve of low loss between them (line); dotted: the straight way. Colour: the logarithm of the "
    "loss over that of zero outputs, dark is low."
)

BARRIERS = (
    "Barriers over the loss of zero outputs. Points: means over pairs of starts; bars: least and "
    "greatest; what is below 1e-6 is drawn there."
)

CURVATURE = (
    "Points: geometric means over starts; bars: least and greatest; dashed: the largest eigenvalue "
    "of the analytic NTK over the number of points."
)


def document(study: StudyFolder) -> Document:
    """Return the page of a landscape study; Markdown has the figure of barriers."""
    rows, verdicts, record = study.table("rows"), study.table("verdicts"), study.record()
    opening = Section(
        "",
        (
            Text(PLAIN, "lead"),
            Text(_setting(study)),
            Text(count_sentence(verdicts)),
            Points(tuple(sentences(verdicts))),
            Text(METHOD, "small"),
        ),
    )
    wall = Picture(
        "wall",
        lambda: wall_figure(study.table("planes"), record["barriers"]),
        WALL,
        "loss planes of a narrow and a wide network",
    )
    curvature = Picture(
        "curvature",
        lambda: curvature_figure(rows, record["kernel_eigenvalues"]),
        CURVATURE,
        "curvature against width",
    )
    barriers = Picture(
        "barriers", lambda: barrier_figure(rows), BARRIERS, "barriers against width", True
    )
    sections = [opening, Section("Narrow and wide", (wall,), kept=False)]
    for key, statement in STATEMENTS.items():
        table = verdict_table(verdicts, key)
        if not len(table):
            continue
        pictures = {"kernel": (curvature,), "straight": (barriers,)}.get(key, ())
        source = Text(f"{statement.source}.", "small")
        sections.append(Section(statement.words, (*pictures, Table(table), source)))
    sections.append(Section("All levels, means over starts", (Table(grid_table(rows)),)))
    title = f"The loss surface as networks get wider: {record['data']['source']}"
    return Document(title, (*sections, provenance(study)))


def write_landscape_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of a landscape study; return its path.

    Raises
    ------
    DataError
        If a file of the study is missing or cannot be read.
    """
    study = StudyFolder(folder)
    return write_html(study.path, document(study))


def _setting(study: StudyFolder) -> str:
    config = study.config()
    return (
        f"{config['n_train']} points of {config['n_features']} features, {config['n_seeds']} "
        f"starts a width; erf networks in the parametrisation of the NTK, full-batch gradient "
        f"descent at {config['rate']:g} of the kernel's stable rate, until every network is at "
        f"{config['levels'][-1]:g} of the loss of zero outputs, at most {config['max_steps']:,} "
        f"steps. The loss is half the mean square."
    )
