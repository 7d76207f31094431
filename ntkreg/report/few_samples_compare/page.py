"""The page of `ntkreg few-samples-compare`."""

from pathlib import Path

import pandas as pd

from ntkreg.report.few_samples_compare.figures import kernel_comparison_figure
from ntkreg.report.shared.document import Document, Picture, Section, Table, Text
from ntkreg.report.shared.page import write_html
from ntkreg.report.shared.provenance import provenance
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.tables import with_spread

__all__ = ["best_table", "document", "write_few_samples_compare_report"]

TITLE = "Which kernel is best, from few images"

CAPTION = (
    "Left: mean test accuracy over draws; band: one standard error of the best kernel's mean "
    "(draws, pool and test images), most of which all kernels share, since they are tested on "
    "the same images. Right: each kernel less the best at that n, paired by draw and test "
    "image, with 95 % intervals for all kernels together. Where 0 lies inside, no difference "
    "is claimed."
)

LEGEND = (
    "Accuracy in percent, errors in points. 'draw std': standard deviation over draws from one "
    "pool of N images; 'corrected std': the same over sqrt(1 - n/N), the spread of draws that "
    "share no pool; 'test error': binomial standard error of the test images. 'difference': "
    "less the best kernel at that n, on the same draws and test images, so that what both find "
    "hard cancels; 'paired draw std' and 'paired test error' are its spread over draws (the "
    "interval counts the pool they share too) and the standard error from the choice of test "
    "images. The intervals hold at 95 % for all kernels at one n together (Student, "
    "Bonferroni), since the best was picked after the fact. 'inside': the interval holds 0, "
    "and no difference is claimed."
)

MARKS = {"best": " (best)", "inside": " (inside)", "worse": "", "unknown": " (?)"}


def document(study: StudyFolder) -> Document:
    """Return the page of a kernel comparison."""
    comparison, kernels = study.table("comparison"), study.table("kernels")
    answers = tuple(Text(sentence, "lead") for sentence in _answers(comparison))
    picture = Picture(
        "kernels",
        lambda: kernel_comparison_figure(comparison),
        CAPTION,
        "accuracy against training images by kernel",
        kept=True,
    )
    *most, last = [Section(title, (Table(table),)) for title, table in _tables(comparison, kernels)]
    return Document(
        TITLE,
        (
            Section("", (*answers, Text(_setting(study.record())), picture)),
            *most,
            Section(last.title, (*last.blocks, Text(LEGEND, "small"))),
            provenance(study, *kernels.command),
        ),
    )


def write_few_samples_compare_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of a kernel comparison; return its path.

    Raises
    ------
    DataError
        If a file of the study is missing or cannot be read.
    """
    study = StudyFolder(folder)
    return write_html(study.path, document(study))


def best_table(comparison: pd.DataFrame) -> pd.DataFrame:
    """Return the best kernel at each n, and those that cannot be told from it.

    Parameters
    ----------
    comparison : DataFrame
        ``comparison.csv`` of a kernel comparison.
    """
    lines = []
    for n, group in comparison.groupby("n"):
        [best] = group[group.verdict == "best"].itertuples()
        inside = group[group.verdict == "inside"].kernel
        lines.append(
            {
                "n": n,
                "best": best.kernel,
                "accuracy": f"{best.mean:.1f} ± {best.mean_error:.1f}",
                "not told from it": "; ".join(inside) or "none",
                "worse": int((group.verdict == "worse").sum()),
            }
        )
    return pd.DataFrame(lines)


def _tables(comparison: pd.DataFrame, kernels: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    each = [(f"n = {n}", _errors_table(group)) for n, group in comparison.groupby("n", sort=True)]
    return [
        ("The best at each n", best_table(comparison)),
        ("Accuracy, %, mean ± draw std", _accuracy_table(comparison)),
        *each,
        ("The kernels", kernels.drop(columns=["config_hash", "command"])),
    ]


def _accuracy_table(comparison: pd.DataFrame) -> pd.DataFrame:
    """Return kernels by n, best on the average over n first."""
    cells = comparison.assign(
        cell=[with_spread(r.mean, r.draw_std) + MARKS[r.verdict] for r in comparison.itertuples()]
    )
    order = comparison.groupby("kernel")["mean"].mean().sort_values(ascending=False).index
    table = cells.pivot(index="kernel", columns="n", values="cell").loc[order]
    table.columns = [f"n = {n}" for n in table.columns]
    return table.rename_axis("kernel").reset_index()


def _errors_table(group: pd.DataFrame) -> pd.DataFrame:
    """Return every part of the errors at one n."""
    best = group.verdict == "best"
    points, signed = "{:.2f}".format, "{:+.2f}".format
    interval = group.low.map(signed) + " .. " + group.high.map(signed)
    return pd.DataFrame(
        {
            "kernel": group.kernel,
            "accuracy": group["mean"].map(points),
            "draw std": group.draw_std.map(points),
            "corrected std": group.corrected_std.map(points),
            "test error": group.test_error.map(points),
            "error of mean": group.mean_error.map(points),
            "difference": group.difference.map(signed).mask(best, ""),
            "95 % interval": interval.mask(best, ""),
            "verdict": group.verdict,
            "paired draw std": group.paired_draw_std.map(points).mask(best, ""),
            "paired test error": group.paired_test_error.map(points).mask(best, ""),
        }
    )


def _setting(record: dict) -> str:
    """Say what all kernels share."""
    sizes = ", ".join(map(str, record["n_samples"]))
    return (
        f"{record['n_draws']} class-balanced draws of n = {sizes} out of one pool of "
        f"{record['pool']} images of {record['data']['source']}, {record['n_test']} test images, "
        "the same for every kernel. Statistics of the preprocessing come from the whole pool, "
        "without its labels. Every network is taken at its greatest depth."
    )


def _answers(comparison: pd.DataFrame) -> list[str]:
    """Answer in two sentences: who is best where, and who is never told from the best."""
    best = comparison[comparison.verdict == "best"]
    where = "; ".join(
        f"{kernel} at n = {', '.join(map(str, group.n))}"
        for kernel, group in best.groupby("kernel", sort=False)
    )
    never_worse = comparison.groupby("kernel", sort=False).verdict.agg(
        lambda verdicts: not (verdicts == "worse").any()
    )
    names = "; ".join(never_worse.index[never_worse])
    return [
        f"Highest mean accuracy: {where}.",
        "Never worse than the best by more than the 95 % interval, at any n: "
        f"{names or 'none of them'}.",
    ]
