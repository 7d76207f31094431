"""The few-samples study as Markdown, CSV and PNG, to be kept, and as a page."""

import html
from pathlib import Path

import pandas as pd

from ntkreg.report.few_samples_figures import few_samples_figure
from ntkreg.report.page import figure_block, page, provenance_block, save_png
from ntkreg.report.read import StudyFolder
from ntkreg.report.tables import comparison_table, depth_table, html_table, markdown_table

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


def write_few_samples_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of a few-samples study; return its path."""
    study = StudyFolder(folder)
    summary, comparison = study.table("summary"), study.table("comparison")
    figure = few_samples_figure(summary, comparison, study.table("published"))
    body = [f'<p class="lead">{html.escape(sentence)}</p>' for sentence in _verdicts(comparison)]
    body += [
        figure_block(
            figure,
            f"Published: {study.table('published').source[0]}.",
            alt="accuracy against training images, ours and published",
        )
    ]
    for reading, text in READINGS.items():
        body += [
            f"<h2>NTK: {text}</h2>",
            html_table(comparison_table(comparison, reading)),
        ]
    body += [f'<p class="small">{LEGEND}</p>']
    for get in ("ntk", "nngp"):
        body += [f"<h2>{get.upper()} at every depth</h2>", html_table(depth_table(summary, get))]
    body += [provenance_block(study.record(), study.config_text())]
    target = study.path / "page.html"
    target.write_text(page(TITLE, body), encoding="utf-8")
    return target


def write_few_samples_benchmark(
    folder: str | Path, stem: str | Path, *, remarks: str = ""
) -> tuple[Path, Path, Path]:
    """Make ``stem.md``, ``stem.csv`` and ``stem.png`` from a few-samples study.

    Parameters
    ----------
    folder : path
        That `ntkreg.studies.few_samples.run_few_samples` wrote into.
    stem : path without suffix
    remarks : str
        Markdown put right after the verdicts: where figures differ, and why.

    Returns
    -------
    tuple of Path
        Of the Markdown, the CSV (all rows) and the picture.
    """
    study, stem = StudyFolder(folder), Path(stem)
    summary, comparison, record = (
        study.table("summary"),
        study.table("comparison"),
        study.record(),
    )
    published = study.table("published")
    targets = tuple(stem.parent / f"{stem.name}{suffix}" for suffix in (".md", ".csv", ".png"))
    text, rows, picture = targets
    save_png(few_samples_figure(summary, comparison, published), picture)
    study.table("rows").to_csv(rows, index=False, float_format="%.6g")
    parts = [
        f"# {TITLE}\n",
        f"`{record['network']}`, {record['n_test']} test images.\n",
        f"Published: {published.source[0]}.\n",
        *(f"{sentence}\n" for sentence in _verdicts(comparison)),
    ]
    parts += [remarks.strip() + "\n"] if remarks else []
    parts += [f"![accuracy against training images]({picture.name})\n", LEGEND + "\n"]
    for reading, meaning in READINGS.items():
        parts += [f"## NTK: {meaning}\n"]
        parts += [markdown_table(comparison_table(comparison, reading))]
    for get in ("ntk", "nngp"):
        parts += [f"## {get.upper()} at every depth, mean ± draw std\n"]
        parts += [markdown_table(depth_table(summary, get))]
    versions = "\n".join(f"{key}: {value}" for key, value in record["environment"].items())
    parts += [f"## Configuration\n\n```yaml\n{study.config_text()}```\n"]
    parts += [f"`{record['command']}`\n\n```\n{versions}\n```\n"]
    text.write_text("\n".join(parts), encoding="utf-8")
    return text, rows, picture


def _verdicts(comparison: pd.DataFrame) -> list[str]:
    """Say for each reading how many NTK comparisons are outside their interval."""
    sentences = []
    for reading, text in READINGS.items():
        chosen = comparison[(comparison["get"] == "ntk") & (comparison.reading == reading)]
        if not len(chosen):
            continue
        outside = chosen[chosen.verdict == "outside"]
        where = ", ".join(
            f"{r.published} at n = {r.n} ({r.difference:+.1f})" for r in outside.itertuples()
        )
        sentences.append(
            f"{text}: {len(outside)} of {len(chosen)} published NTK figures differ from ours "
            f"by more than the 95 % interval{': ' + where if where else ''}."
        )
    return sentences
