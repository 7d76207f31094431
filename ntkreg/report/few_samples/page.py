"""The few-samples study as Markdown, CSV and PNG, to be kept, and as a page."""

import html
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.few_samples.figures import depth_figure, few_samples_figure
from ntkreg.report.shared.benchmark import files_of, provenance
from ntkreg.report.shared.page import figure_block, in_own_style, page, provenance_block, save_png
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.tables import (
    comparison_table,
    depth_table,
    errors_table,
    html_table,
    markdown_table,
    steps_table,
)
from ntkreg.storage import write_table, write_text

__all__ = ["write_few_samples_benchmark", "write_few_samples_report"]

TITLE = "CIFAR-10 from few images"

READINGS = {
    "convolutions": "CNTK-d read as d convolutions, so d hidden layers here",
    "read-out counted": "CNTK-d read as d layers with the read-out, so d - 1 hidden layers here",
}

ERRORS = (
    "Accuracy in percent, errors in points. 'draw std': standard deviation over draws from "
    "one pool of N images; 'corrected std': the same over sqrt(1 - n/N), the spread of draws "
    "that share no pool; 'test error': binomial standard error of our test images; 'error of "
    "mean': draws, pool and test images together, sqrt(draw std^2 / draws + corrected std^2 "
    "n/N + test error^2)."
)

LEGEND = (
    f"{ERRORS} The interval is that of ours less published, whose error is its std "
    "over sqrt(draws) and the binomial error of 10,000 test images; * marks a std borrowed "
    "from CNTK-14 at the same n. Where 0 lies inside, no difference is claimed."
)


STEPS = (
    "'difference': each depth less the one before, on the same draws and test images; intervals "
    "hold at 95 % for all steps of one kernel and n together (Student, Bonferroni). 'rises' and "
    "'falls': 0 lies outside."
)


@in_own_style()
def write_few_samples_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of a few-samples study; return its path."""
    study = _Files(folder)
    record = study.record()
    body = [f'<p class="lead">{html.escape(sentence)}</p>' for sentence in study.verdicts()]
    body += [f"<p>{html.escape(record['network'])}, {record['n_test']} test images.</p>"]
    body += [figure_block(study.figure(), study.caption(), alt="test accuracy, ours and published")]
    for title, table in study.tables():
        body += [f"<h2>{title}</h2>", html_table(table)]
    body += [f'<p class="small">{study.legend()}</p>']
    body += [provenance_block(record, study.config_text())]
    target = study.path / "page.html"
    write_text(target, page(_title(record), body))
    return target


@in_own_style()
def write_few_samples_benchmark(
    folder: str | Path, stem: str | Path, *, remarks: str = ""
) -> tuple[Path, Path, Path]:
    """Make ``stem.md``, ``stem.csv`` and ``stem.png`` from a few-samples study.

    Parameters
    ----------
    folder : path
        That `ntkreg.studies.few_samples.study.run_few_samples` wrote into.
    stem : path without suffix
    remarks : str
        Markdown put right after the verdicts: where figures differ, and why.

    Returns
    -------
    tuple of Path
        Of the Markdown, the CSV (all rows) and the picture.
    """
    study = _Files(folder)
    record = study.record()
    text, rows, picture = files_of(stem, ".md", ".csv", ".png")
    save_png(study.figure(), picture)
    write_table(rows, study.table("rows"), float_format="%.6g")
    parts = [
        f"# {_title(record)}\n",
        f"`{record['network']}`, {record['n_test']} test images.\n",
        f"{study.caption()}\n",
        *(f"{sentence}\n" for sentence in study.verdicts()),
    ]
    parts += [remarks.strip() + "\n"] if remarks else []
    parts += [f"![test accuracy, ours and published]({picture.name})\n", study.legend() + "\n"]
    for title, table in study.tables():
        parts += [f"## {title}\n", markdown_table(table)]
    parts += [provenance(record, study.config_text())]
    write_text(text, "\n".join(parts))
    return text, rows, picture


def _title(record: dict) -> str:
    classes = record.get("n_classes", 10)
    return TITLE if classes == 10 else f"{TITLE}: {classes} classes"


class _Files(StudyFolder):
    """The study's tables, and what page and benchmark both say about them."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder)
        self.summary, self.comparison = self.table("summary"), self.table("comparison")
        self.published, self.steps = self.table("published"), self.table("steps")
        # Published depths of another n: only the steps between them can be compared.
        self.has_steps = bool(self.steps.published.notna().any())

    def figure(self) -> Figure:
        """Return accuracy against n; or against depth, where that is what was published."""
        if self.has_steps:
            return depth_figure(self.summary, self.steps, self.published)
        return few_samples_figure(self.summary, self.comparison, self.published)

    def caption(self) -> str:
        """Say where published figures come from."""
        if not len(self.published):
            return "No published figures on these classes."
        return f"Published: {self.published.source[0]}."

    def legend(self) -> str:
        """Explain the columns of all tables."""
        if len(self.comparison):
            return LEGEND
        return f"{ERRORS} {STEPS}" if len(self.steps) else ERRORS

    def verdicts(self) -> list[str]:
        """Say what can be claimed."""
        if self.has_steps:
            return _step_verdicts(self.steps)
        if len(self.comparison):
            return _verdicts(self.comparison)
        return ["No published figure is held against this kernel."]

    def tables(self) -> list[tuple[str, pd.DataFrame]]:
        """Return all tables under their titles."""
        tables = []
        if len(self.comparison):
            tables += [
                (f"NTK: {READINGS[reading]}", comparison_table(self.comparison, reading))
                for reading in _readings(self.comparison)
            ]
        for get in ("ntk", "nngp"):
            name = get.upper()
            depths = f"{name} at every depth, mean ± draw std", depth_table(self.summary, get)
            if len(self.comparison):
                tables += [depths]
                continue
            if len(self.steps):
                steps = f"{name}, each depth less the one before", steps_table(self.steps, get)
                tables += [depths, steps]
            tables += [(f"{name} with its errors", errors_table(self.summary, get))]
        return tables


def _step_verdicts(steps: pd.DataFrame) -> list[str]:
    """Say for the greatest n what each step in depth brought, and what is published."""
    chosen = steps[(steps["get"] == "ntk") & (steps.n == steps.n.max())]
    said = ", ".join(
        f"{r.depth_before} to {r.depth} {r.difference:+.1f} ({r.verdict}; published "
        f"{r.published:+.2f})"
        for r in chosen.itertuples()
    )
    return [
        f"NTK at n = {steps.n.max()}, points gained from one number of hidden layers to the "
        f"next: {said}.",
        "The published kernels saw many more images, so that only the direction of steps can be "
        "held against them, not their size.",
    ]


def _readings(comparison: pd.DataFrame) -> list[str]:
    """Return the readings under which a published NTK row has a depth of ours beside it."""
    ours = comparison[comparison["get"] == "ntk"]
    return [reading for reading in READINGS if (ours.reading == reading).any()]


def _verdicts(comparison: pd.DataFrame) -> list[str]:
    """Say for each reading how many NTK comparisons are outside their interval."""
    sentences = []
    for reading in _readings(comparison):
        chosen = comparison[(comparison["get"] == "ntk") & (comparison.reading == reading)]
        outside = chosen[chosen.verdict == "outside"]
        where = ", ".join(
            f"{r.published} at n = {r.n} ({r.difference:+.1f})" for r in outside.itertuples()
        )
        sentences.append(
            f"{READINGS[reading]}: {len(outside)} of {len(chosen)} published NTK figures differ "
            f"from ours by more than the 95 % interval{': ' + where if where else ''}."
        )
    return sentences
