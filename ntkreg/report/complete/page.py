"""The page of `ntkreg complete`."""

from pathlib import Path

import pandas as pd

from ntkreg.report.complete.figures import (
    error_figure,
    optimiser_figure,
    start_figure,
    trajectory_figure,
    wall_figure,
)
from ntkreg.report.complete.statements import statement_table
from ntkreg.report.complete.tables import (
    ending_table,
    instance_table,
    verdict_table,
    window_table,
)
from ntkreg.report.shared.document import Document, Picture, Section, Table, Text
from ntkreg.report.shared.page import write_html
from ntkreg.report.shared.provenance import provenance
from ntkreg.report.shared.read import StudyFolder
from ntkreg.studies.complete.statements import STATEMENTS

__all__ = ["document", "write_complete_report"]

PLAIN = (
    "A matrix of which only some entries are seen can be filled in without end: every choice of "
    "the others fits what is seen. Which one a method takes says what it likes. The least nuclear "
    "norm likes a small sum of singular values. A deep linear network, a product of matrices "
    "trained on the seen entries from a small start, is told nothing of the kind: its loss sees "
    "no difference. Yet it ends at matrices of low rank, since along gradient descent large "
    "singular values grow fast and small ones wait; the more factors, the longer they wait."
)

METHOD = (
    "Intervals are 95 %, Student's t, of logarithms of ratios between what the same instance gives "
    "in two ways; instances differ in matrix, seen entries and start. What an interval does not "
    "decide is called undecided. Only runs that came to their loss are compared; tables say how "
    "many did. Training ends at a mean square error over the seen entries, which is a floor of the "
    "error, too: above the window the nuclear norm is exact and wins by that. "
    "The nuclear norm's solution is proven by its duality gap."
)

ERRORS = (
    "Points: geometric means over instances; bars: least and greatest. Shaded: where the interval "
    "says that depth 3 is nearer than the least nuclear norm. Errors below 1e-9 are drawn there."
)

PATHS = (
    "Thick: singular values along gradient descent from a balanced start, the first instance; "
    "dashed, on top: the integral of their differential equation (Arora et al. 2019, arXiv "
    "1905.13655, theorem 3). Deviations are the largest distance over the path, relative to the "
    "largest singular value; steps are a share of one over the curvature, and shrink with it."
)

WALL = (
    "The largest singular values while a product of one to four matrices is trained on the same "
    "entries; right: those of the least nuclear norm. Thin lines through all panels: the matrix "
    "itself. Colours: as many as it has; grey: more than it has. Depth 1 fills what is seen and "
    "leaves the rest: all grow together. From depth 3 on one after the other wakes, ends on its "
    "line, and the grey ones sleep."
)


def document(study: StudyFolder) -> Document:
    """Return the page of a completion study; Markdown has the figure of errors."""
    rows, verdicts, record = study.table("rows"), study.table("verdicts"), study.record()
    config = study.config()
    scale, depths = config["init_scales"][0], config["optimizer_depths"]
    plain = (rows.optimizer.isin(["", "gd"])) & rows.init_scale.isin([0, scale])
    at = (rows["rank"] == record["reference_rank"]) & (rows.n_seen == record["reference_seen"])
    starts = rows[at & rows.optimizer.isin(["", "gd"])]
    optimisers = rows[at & (rows.init_scale == scale) & rows.depth.isin(depths)]
    window = rows[plain]
    by_start = rows[at & rows.optimizer.isin(["", "gd", "gd_long"])]
    by_start = by_start[(by_start.optimizer != "gd_long") | (by_start.depth == 2)]
    by_start = by_start.sort_values(["depth", "optimizer", "init_scale"], kind="stable")
    opening = (
        Text(PLAIN, "lead"),
        Text(_setting(study, rows)),
        Table(statement_table(verdicts)),
        Text(METHOD, "small"),
    )
    sections = [Section("", opening)]
    followed = (verdicts.statement == "equation").any()
    if followed:
        sections += [_wall(study)]
    sections += [
        Section(
            STATEMENTS["window"],
            (
                Picture("errors", lambda: error_figure(window, verdicts), ERRORS, "errors", True),
                Text("Mean square errors, least to greatest instance."),
                Table(window_table(window)),
            ),
        ),
        Section("Ratios by seen entries", (Table(verdict_table(verdicts, "window")),), 3),
        Section(
            STATEMENTS["depth 2"],
            (Table(verdict_table(verdicts, "depth 2")), Table(instance_table(starts))),
        ),
        Section(
            STATEMENTS["start"],
            (
                Picture(
                    "starts", lambda: start_figure(starts),
                    "Means over the instances that came to the loss; bars: least and greatest.",
                    "starts",
                ),
                Table(ending_table(by_start)),
                Table(verdict_table(verdicts, "start")),
            ),
        ),
        Section(
            STATEMENTS["optimisers"],
            (
                Picture(
                    "optimisers", lambda: optimiser_figure(optimisers),
                    "Every instance, at the same training loss.", "optimisers",
                ),
                Table(ending_table(optimisers)),
                Table(verdict_table(verdicts, "optimisers")),
            ),
        ),
        Section(STATEMENTS["quasi-norms"], (Table(verdict_table(verdicts, "quasi-norms")),)),
    ]  # fmt: skip
    if followed:
        picture = Picture("paths", lambda: trajectory_figure(study.table("paths")), PATHS, "paths")
        table = Table(verdict_table(verdicts, "equation"))
        sections += [Section(STATEMENTS["equation"], (picture, table))]
    return Document(_title(study), (*sections, provenance(study)))


def write_complete_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of a completion study; return its path.

    Raises
    ------
    DataError
        If a file of the study is missing or cannot be read.
    """
    study = StudyFolder(folder)
    return write_html(study.path, document(study))


def _wall(study: StudyFolder) -> Section:
    picture = Picture(
        "wall", lambda: wall_figure(study.table("paths"), study.table("spectra")), WALL,
        "singular values over training",
    )  # fmt: skip
    return Section("What the loss does not see", (picture,), kept=False)


def _title(study: StudyFolder) -> str:
    source = study.record()["data"]["source"]
    of = "matrices of low rank" if source == "low-rank" else f"ratings of {source}"
    return f"Deep matrix factorisation against the nuclear norm: {of}"


def _setting(study: StudyFolder, rows: pd.DataFrame) -> str:
    record, config = study.record(), study.config()
    ranks = ", ".join(str(r) for r in sorted(rows["rank"].unique()) if r)
    what = f"random, of rank {ranks} and mean square 1" if ranks else "ratings"
    error = "all entries" if ranks else f"the {100 * config['held_out']:g} % that are held out"
    side, other = record["shape"]
    return (
        f"Matrices of {side} x {other}, {what}, {rows.instance.nunique()} instances. Errors are "
        f"mean squares over {error}. Starts are Gaussian of scale {config['init_scales'][0]:g} "
        f"unless said otherwise; steps of gradient descent come from the curvature, and training "
        f"ends at loss {config['tol']:g}. Starts, optimisers and paths: "
        + (f"rank {record['reference_rank']}, " if ranks else "")
        + f"{record['reference_seen']} entries seen."
    )
