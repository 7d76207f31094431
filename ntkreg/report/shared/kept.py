"""What `benchmarks/` keeps of a finished study, and the page that is made of it alone.

Of a study that is kept as STEM there are STEM.csv (its rows), STEM.NAME.csv (tables that do not
follow from them), STEM.json and STEM.yaml (record and configuration), and what is made of these:
STEM.md and STEM.png. An author's remarks lie in remarks/NAME.md beside.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ntkreg.errors import DataError, SpecError
from ntkreg.report.shared.document import Document
from ntkreg.report.shared.markdown import markdown_page
from ntkreg.report.shared.page import draw_pictures, html_page, in_own_style, png, write_bytes
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.remarks import Quantity
from ntkreg.storage import write_json, write_table, write_text

__all__ = ["AS_DRAWN", "KeptStudy", "Report", "keep", "remake"]

AS_DRAWN = "picture_as_drawn"
"""Key of a record that says why STEM.png stays as the study drew it: its tables were not kept."""

Tables = Mapping[str, Callable[["KeptStudy"], pd.DataFrame]]


@dataclass(frozen=True)
class Report:
    """How one study is reported.

    Attributes
    ----------
    document : callable
        From its `StudyFolder` to its page.
    write_page : callable
        From the path of its folder to that of ``page.html``, which it writes there.
    rows : callable or None
        What STEM.csv keeps; None for a study of which nothing is kept.
    derived : mapping of str to callable
        Tables that follow from what is kept, by name.
    quantities : mapping of str to callable
        What remarks may ask for, by name (`ntkreg.report.shared.remarks`).
    whole_page : bool
        Whether the page says more than its Markdown: then it is kept, too, as STEM.html.
    """

    document: Callable[[StudyFolder], Document]
    write_page: Callable[[Path], Path]
    rows: Callable[[StudyFolder], pd.DataFrame] | None = lambda study: study.table("rows")
    derived: Tables = field(default_factory=dict)
    quantities: Mapping[str, Quantity] = field(default_factory=dict)
    whole_page: bool = False


class KeptStudy(StudyFolder):
    """A study as `benchmarks/` keeps it.

    Parameters
    ----------
    stem : path without suffix
    derived : mapping of str to callable
        Tables that follow from those that are kept.
    """

    def __init__(self, stem: str | Path, derived: Tables) -> None:
        self.stem, self._derived = Path(stem), derived
        self._made: dict[str, pd.DataFrame] = {}
        super().__init__(self.stem.parent)

    def has(self, name: str) -> bool:
        """Whether there is a table of this name."""
        return super().has(name) or name in self._derived

    def table(self, name: str) -> pd.DataFrame:
        """Return a table that is kept, or follows from those that are."""
        if name not in self._derived or super().has(name):
            return super().table(name)
        if name not in self._made:
            self._made[name] = self._derived[name](self)
        return self._made[name]

    def sibling(self, name: str) -> "KeptStudy":
        """Return another study that is kept beside, with the tables that have a file."""
        return KeptStudy(self.stem.with_name(name), {})

    def _file(self, name: str) -> str:
        usual = {"rows.csv": ".csv", "record.json": ".json", "config.yaml": ".yaml"}
        return f"{self.stem.name}{usual.get(name, f'.{name}')}"


@in_own_style()
def keep(study: StudyFolder, report: Report, stem: Path) -> list[Path]:
    """Write what is kept of a finished study and return the paths.

    Rows, the tables that what is kept of its page asks for, record, configuration.
    """
    if report.rows is None:
        raise SpecError(f"report: of {study.path} only page.html is made; leave out --benchmark.")
    made = report.document(study)
    for picture in made.pictures():
        if picture.kept:
            picture.draw()  # asks for its tables
    asked = dict(study.tables_read)
    rows, record, config = (_file(stem, suffix) for suffix in (".csv", ".json", ".yaml"))
    write_table(rows, report.rows(study), float_format="%.6g")
    write_json(record, study.record())
    write_text(config, study.config_text())
    beside = {
        _file(stem, f".{name}.csv"): table
        for name, table in asked.items()
        if name != "rows" and not _follows(name, report, stem)
    }
    for path, table in beside.items():
        write_table(path, table)
    for path in stem.parent.glob(f"{stem.name}.*.csv"):  # of what was kept under this name before
        if path not in beside and "." not in path.stem.removeprefix(f"{stem.name}."):
            path.unlink()
    written = [rows, record, config, *beside]
    if report.whole_page:
        whole = _file(stem, ".html")
        write_text(whole, html_page(made, draw_pictures(made)))
        written += [whole]
    return written


@in_own_style()
def remake(study: KeptStudy, report: Report, remarks: str) -> list[Path]:
    """Make STEM.md and STEM.png of what is kept, and return their paths.

    Parameters
    ----------
    study : KeptStudy
    report : Report
    remarks : str
        Markdown of an author's, "" for none.
    """
    made, stem = report.document(study), study.stem
    text, picture = _file(stem, ".md"), _file(stem, ".png")
    if report.whole_page:
        whole = f"The whole page, with all figures: [{stem.name}.html]({stem.name}.html)."
        remarks = f"{remarks.strip()}\n\n{whole}"
    content = markdown_page(made, picture.name, remarks)
    written = [text]
    if AS_DRAWN not in study.record():
        [drawn] = [png(p.draw()) for p in made.pictures() if p.kept]
        write_bytes(picture, drawn)
        written += [picture]
    write_text(text, content)
    return written


def _follows(name: str, report: Report, stem: Path) -> bool:
    """Whether a table follows from the rows that are kept; some need another study's, too."""
    if name not in report.derived:
        return False
    try:
        report.derived[name](KeptStudy(stem, report.derived))
    except DataError:
        return False
    return True


def _file(stem: Path, suffix: str) -> Path:
    """Return the path of one of the files of a stem; a dot in the stem's name stays."""
    return stem.parent / f"{stem.name}{suffix}"
