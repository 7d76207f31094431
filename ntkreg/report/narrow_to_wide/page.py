"""The page of `ntkreg report WIDTHS LANDSCAPE`."""

from pathlib import Path

import numpy as np
import pandas as pd

from ntkreg.report.narrow_to_wide.figures import joined_figure
from ntkreg.report.narrow_to_wide.quantities import GROUPS, joined
from ntkreg.report.shared.document import Document, Picture, Section, Table, Text
from ntkreg.report.shared.page import draw_pictures, html_page
from ntkreg.report.shared.provenance import provenance
from ntkreg.report.shared.read import StudyFolder
from ntkreg.storage import write_text

__all__ = ["NAME", "document", "write_narrow_to_wide"]

NAME = "narrow_to_wide.html"

PLAIN = (
    "Read from left to right: a network that becomes its kernel as it gets wider takes the "
    "kernel's curvature, has curves without barrier between its minima, features that suffice to "
    "fit every point and stop moving, a training that follows its linearisation, and the kernel's "
    "predictions. How far each of these was measured to go:"
)

READING = (
    "Two studies side by side, each with its own data and activation: trends may be compared, "
    "heights may not. Means over starts with 95 % intervals; solid lines and `landscape`: the loss "
    "surface at fixed levels of the loss; dashed lines and `widths`: distance from the kernel. "
    "What is below 1e-6 is drawn there. Verdicts stand on the page of each study."
)


def document(widths: StudyFolder, landscape: StudyFolder) -> Document:
    """Return the page that joins a width study and a landscape study.

    Raises
    ------
    DataError
        If a file is missing, or both have no depth in common.
    """
    depth, lines = joined(widths, landscape)
    sources = [study.record()["data"]["source"] for study in (landscape, widths)]
    setting = (
        f"Networks of {depth} hidden layer{'s' if depth > 1 else ''}, NTK parametrisation; "
        f"landscape: {sources[0]}; widths: {sources[1]}."
    )
    picture = Picture(
        "narrow_to_wide",
        lambda: joined_figure(lines),
        READING,
        "surface, features, trajectory and prediction against width",
        True,
    )
    columns = sorted(lines.width.unique())
    opening = Section("", (Text(PLAIN, "lead"), Text(setting), picture))
    tables = [
        Section(group.capitalize(), (Table(_table(lines[lines.group == group], columns)),))
        for group in GROUPS
    ]
    title = "From narrow to wide: how a network becomes its kernel"
    return Document(title, (opening, *tables, provenance(landscape), provenance(widths)))


def write_narrow_to_wide(widths: StudyFolder, landscape: StudyFolder) -> Path:
    """Write the page beside the width study's, which links to it; return its path.

    Raises
    ------
    DataError
        As of `document`.
    """
    made = document(widths, landscape)
    target = widths.file(NAME)
    write_text(target, html_page(made, draw_pictures(made)))
    return target


def _table(lines: pd.DataFrame, columns: list[int]) -> pd.DataFrame:
    """Return values with widths from left to right, the same in each table, a line a quantity."""
    table = lines.pivot(index=["quantity", "study"], columns="width", values="value")
    names = list(dict.fromkeys(zip(lines.quantity, lines.study, strict=True)))
    table = table.reindex(index=names, columns=columns)
    shown = table.map(lambda v: "" if np.isnan(v) else f"{v:.2g}")
    shown.columns = [str(width) for width in shown.columns]
    return shown.reset_index().rename(columns={"quantity": "", "study": "of"})
