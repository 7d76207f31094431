"""The page of `ntkreg few-samples`."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.few_samples import first_images
from ntkreg.report.few_samples.figures import depth_figure, few_samples_figure
from ntkreg.report.shared.document import Document, Picture, Section, Table, Text
from ntkreg.report.shared.page import write_html
from ntkreg.report.shared.provenance import provenance
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.tables import (
    comparison_table,
    depth_table,
    errors_table,
    steps_table,
)

__all__ = ["document", "write_few_samples_report"]

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


def document(study: StudyFolder) -> Document:
    """Return the page of a few-samples study."""
    record, published = study.record(), study.table("published")
    classes = record.get("n_classes", 10)
    source = f"Published: {published.source[0]}." if len(published) else ""
    caption = source or "No published figures of this kernel on these classes."
    shown = f"test accuracy{', ours and published' if source else ''}"
    picture = Picture("accuracy", lambda: _figure(study), caption, shown, kept=True)
    answers = tuple(Text(sentence, "lead") for sentence in _answers(study))
    setting = Text(f"`{record['network']}`, {record['n_test']} test images.")
    tables = [Section(title, (Table(table),)) for title, table in _tables(study)]
    return Document(
        TITLE if classes == 10 else f"{TITLE}: {classes} classes",
        (
            Section("", (*answers, setting, picture, Text(_legend(study), "small"))),
            *tables,
            provenance(study),
        ),
    )


def write_few_samples_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of a few-samples study; return its path."""
    study = StudyFolder(folder)
    return write_html(study.path, document(study))


def _steps(study: StudyFolder) -> pd.DataFrame:
    """Return each depth less the one before; no rows where there is one depth."""
    summary = study.table("summary")
    return study.table("steps") if summary.depth.nunique() > 1 else pd.DataFrame()


def _against_steps(study: StudyFolder) -> bool:
    """Whether published depths are of another n: only steps between them can be compared."""
    if len(study.table("comparison")):
        return False
    steps = _steps(study)
    return bool(len(steps) and steps.published.notna().any())


def _figure(study: StudyFolder) -> Figure:
    """Return accuracy against n; or against depth, where that is what was published or varied."""
    summary, published = study.table("summary"), study.table("published")
    of_depths = not first_images.drawn(study) and len(_steps(study))
    if of_depths or _against_steps(study):
        return depth_figure(summary, study.table("steps"), published)
    return few_samples_figure(summary, study.table("comparison"), published)


def _legend(study: StudyFolder) -> str:
    """Explain the columns of all tables."""
    if not first_images.drawn(study):
        return first_images.LEGEND
    if len(study.table("comparison")):
        return LEGEND
    return f"{ERRORS} {STEPS}" if len(_steps(study)) else ERRORS


def _answers(study: StudyFolder) -> list[str]:
    """Say what can be claimed."""
    if not first_images.drawn(study):
        return first_images.answers(study)
    if _against_steps(study):
        return _step_verdicts(study.table("steps"))
    comparison = study.table("comparison")
    if len(comparison):
        return _verdicts(comparison)
    return ["No published figure is held against this kernel."]


def _tables(study: StudyFolder) -> list[tuple[str, pd.DataFrame]]:
    """Return all tables under their titles."""
    if not first_images.drawn(study):
        return first_images.tables(study)
    summary, comparison = study.table("summary"), study.table("comparison")
    tables = [
        (f"NTK: {READINGS[reading]}", comparison_table(comparison, reading))
        for reading in _readings(comparison)
    ]
    for get in ("ntk", "nngp"):
        name = get.upper()
        depths = f"{name} at every depth, mean ± draw std", depth_table(summary, get)
        if len(comparison):
            tables += [depths]
            continue
        steps = _steps(study)
        if len(steps):
            step = f"{name}, each depth less the one before", steps_table(steps, get)
            tables += [depths, step]
        tables += [(f"{name} with its errors", errors_table(summary, get))]
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
