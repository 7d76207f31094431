"""The page of `ntkreg few-samples-network`."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.shared.document import Document, Picture, Section, Table, Text
from ntkreg.report.shared.figures import COLOURS, plain_log_x
from ntkreg.report.shared.page import write_html
from ntkreg.report.shared.provenance import provenance
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.tables import with_spread
from ntkreg.studies.few_samples_network.beside import difference_intervals

__all__ = ["document", "network_figure", "network_table", "write_few_samples_network_report"]

TITLE = "Finite networks from few images"

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
            "95 % interval": ""
            if pd.isna(row.difference_error)
            else f"{interval.low:+.1f} .. {interval.high:+.1f}",
            "ResNet-34": _number(row.resnet34, ".2f"),
        }
        for row, interval in zip(beside.itertuples(), difference_intervals(beside), strict=True)
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


def document(study: StudyFolder) -> Document:
    """Return the page of a few-samples study of finite networks."""
    beside, record = study.table("beside"), study.record()
    setting = f"`{record['network']}`, trained; {record['n_test']} test images."
    picture = Picture(
        "accuracy",
        lambda: network_figure(beside),
        "Means over draws.",
        "accuracy against training images",
        kept=True,
    )
    table, legend = Table(network_table(beside)), Text(LEGEND, "small")
    return Document(
        TITLE, (Section("", (Text(setting), picture, table, legend)), provenance(study))
    )


def write_few_samples_network_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of the study; return its path."""
    study = StudyFolder(folder)
    return write_html(study.path, document(study))


def _number(value: float, form: str) -> str:
    return "" if pd.isna(value) else format(value, form)
