"""The few-samples study of finite networks as a table, a figure and a page."""

import html
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from scipy.special import stdtrit

from ntkreg.report.shared.benchmark import files_of, provenance
from ntkreg.report.shared.figures import COLOURS, plain_log_x
from ntkreg.report.shared.page import figure_block, in_own_style, page, provenance_block, save_png
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.tables import html_table, markdown_table, with_spread
from ntkreg.storage import write_table, write_text

__all__ = [
    "network_figure",
    "network_table",
    "write_few_samples_network_benchmark",
    "write_few_samples_network_report",
]

TITLE = "Finite networks from few images"
CAPTION = "Means over draws."
ALT = "accuracy against training images"

LEGEND = (
    "Accuracy in percent, ± standard deviation over draws. 'network less kernel': mean over the "
    "draws that both have, ± its standard error over draws, and Student's t interval; the test "
    "images and the pool are the same for both and are not resampled, so it says nothing about "
    "other test images. Where 0 lies inside, no difference is claimed. What else differs between "
    "network and kernel (loss, layers that are trained, ridge) stands in their configurations. "
    "ResNet-34 is published (Arora et al. 2020, arXiv 1910.01663), on other draws and all "
    "10,000 test images."
)


def network_table(beside: pd.DataFrame) -> pd.DataFrame:
    """Return ``beside.csv`` of the study as text, one line for each n."""
    lines = [
        {
            "n": row.n,
            "draws": row.n_draws,
            "network": with_spread(row.network, row.draw_std),
            "each alone": f"{row.single:.1f}",
            "kernel": _number(row.kernel, ".1f"),
            "network less kernel": _number(row.difference, "+.1f")
            + ("" if pd.isna(row.difference_error) else f" ± {row.difference_error:.1f}"),
            "95 % interval": _interval(row),
            "ResNet-34": _number(row.resnet34, ".2f"),
        }
        for row in beside.itertuples()
    ]
    return pd.DataFrame(lines)


def network_figure(beside: pd.DataFrame) -> Figure:
    """Draw accuracies of networks, their kernel and the published ResNet-34 against n."""
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.errorbar(
        beside.n, beside.network, yerr=beside.draw_std, marker="o", capsize=2, markersize=4.5,
        color=COLOURS[0], label="networks, bar: one standard deviation over draws",
    )  # fmt: skip
    others = (("kernel", "kernel on the same draws"), ("resnet34", "ResNet-34 (published)"))
    for i, (column, label) in enumerate(others):
        known = beside[beside[column].notna()]
        if len(known):
            axes.plot(known.n, known[column], "s^"[i] + "--", color=COLOURS[i + 1], label=label)
    plain_log_x(axes, sorted(beside.n))
    axes.set(xlabel="training images", ylabel="test accuracy, %")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize="small")
    return figure


@in_own_style()
def write_few_samples_network_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of the study; return its path."""
    study = StudyFolder(folder)
    beside, record = study.table("beside"), study.record()
    body = [
        f"<p>{html.escape(record['network'])}, trained; {record['n_test']} test images.</p>",
        figure_block(network_figure(beside), CAPTION, alt=ALT),
        html_table(network_table(beside)),
        f'<p class="small">{LEGEND}</p>',
        provenance_block(record, study.config_text()),
    ]
    target = study.path / "page.html"
    write_text(target, page(TITLE, body))
    return target


@in_own_style()
def write_few_samples_network_benchmark(
    folder: str | Path, stem: str | Path, *, remarks: str = ""
) -> tuple[Path, Path, Path]:
    """Make ``stem.md``, ``stem.csv`` (a row a draw) and ``stem.png`` from the study.

    Parameters
    ----------
    folder : path
        That `ntkreg.studies.few_samples_network.study.run_few_samples_network` wrote into.
    stem : path without suffix
    remarks : str
        Markdown put right before the figure.
    """
    study = StudyFolder(folder)
    beside, record = study.table("beside"), study.record()
    text, rows, picture = files_of(stem, ".md", ".csv", ".png")
    save_png(network_figure(beside), picture)
    write_table(rows, study.table("rows"), float_format="%.6g")
    parts = [f"# {TITLE}\n", f"`{record['network']}`, trained; {record['n_test']} test images.\n"]
    parts += [remarks.strip() + "\n"] if remarks else []
    parts += [f"![{ALT}]({picture.name})\n", f"{CAPTION} {LEGEND}\n"]
    parts += [markdown_table(network_table(beside)), provenance(record, study.config_text())]
    write_text(text, "\n".join(parts))
    return text, rows, picture


def _interval(row) -> str:
    """Return the difference's 95 % interval over draws."""
    if pd.isna(row.difference_error):
        return ""
    half = stdtrit(row.n_paired - 1, 0.975) * row.difference_error
    return f"{row.difference - half:+.1f} .. {row.difference + half:+.1f}"


def _number(value: float, form: str) -> str:
    return "" if pd.isna(value) else format(value, form)
