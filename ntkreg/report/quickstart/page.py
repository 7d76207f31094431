"""The quickstart's page: what was compared, how it went, where it failed."""

import html
from pathlib import Path

import pandas as pd

from ntkreg.report.shared.figures import (
    accuracy_figure,
    eigenvalue_figure,
    hardest_figure,
    heatmap_figure,
)
from ntkreg.report.shared.page import figure_block, in_own_style, page, provenance_block, save_png
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.tables import accuracy_table, html_table
from ntkreg.storage import write_text

__all__ = ["write_quickstart_report"]


@in_own_style()
def write_quickstart_report(folder: str | Path) -> Path:
    """Make ``page.html`` and ``figures/*.png`` from a quickstart's files.

    Parameters
    ----------
    folder : path
        That `ntkreg.studies.quickstart.study.run_quickstart` wrote into.

    Returns
    -------
    Path
        Of the page; it needs no other file.

    Raises
    ------
    DataError
        If a file of the study is missing or cannot be read.
    """
    study = StudyFolder(folder)
    # Everything is read before the first figure is drawn: what is missing shows at once.
    rows, timings = study.table("rows"), study.table("timings")
    eigenvalues, hardest = study.table("eigenvalues"), study.arrays("hardest")
    record, config_text = study.record(), study.config_text()
    kernels = study.arrays("kernels")
    labels = kernels.pop("labels")
    n_splits = rows.split.nunique()
    pictures = {
        "accuracy": (
            accuracy_figure(rows),
            f"Mean over {n_splits} random splits; bars are one standard deviation over them. "
            "Training sets are nested, and all methods see the same images.",
        ),
        "kernels": (
            heatmap_figure(kernels, labels),
            "Similarity of every two images, K(x, z) / sqrt(K(x, x) K(z, z)), images in the "
            "order of their classes. Bright blocks on the diagonal: the kernel sees the classes "
            "before any label is used. Each panel has its own colour scale.",
        ),
        "eigenvalues": (
            eigenvalue_figure(eigenvalues),
            "Eigenvalues of the whole kernel matrix. Directions with large eigenvalues are "
            "learnt first and from few examples; the ridge stops those far below it.",
        ),
        "hardest": (
            hardest_figure(hardest),
            "Images most often misclassified by the eight kernels at the largest training set: "
            "true label, most frequent wrong answer, share of wrong predictions and their number.",
        ),
    }
    figures = study.path / "figures"
    figures.mkdir(exist_ok=True)
    for name, (figure, _) in pictures.items():
        save_png(figure, figures / f"{name}.png")
    blocks = {
        name: figure_block(figure, caption, alt=name)
        for name, (figure, caption) in pictures.items()
    }
    body = [
        f'<p class="lead">{html.escape(_headline(rows, record))}</p>',
        "<p>Neural tangent (NTK) and Gaussian-process (NNGP) kernels are those of networks of "
        "infinite width: dense, and convolutional with no pooling (flatten), global (GAP) and "
        "local average pooling (LAP). They are not tuned: depth and ridge are those of the "
        "configuration below. The RBF-SVM's C and gamma are tuned by cross-validation inside "
        "each training set. Splits are random, so the same writers are in both parts.</p>",
        "<h2>Accuracy on images held out, %</h2>",
        html_table(accuracy_table(rows)),
        f'<p class="small">Mean ± standard deviation over {n_splits} splits.</p>',
        blocks["accuracy"],
        "<h2>What the kernels see</h2>",
        blocks["kernels"],
        "<h2>How fast their eigenvalues fall</h2>",
        blocks["eigenvalues"],
        "<h2>The hardest images</h2>",
        blocks["hardest"],
        "<h2>Time</h2>",
        html_table(timings.assign(seconds=timings.seconds.map("{:.2f}".format))),
        provenance_block(record, config_text),
    ]
    target = study.path / "page.html"
    write_text(target, page("Kernels of infinitely wide networks on handwritten digits", body))
    return target


def _headline(rows: pd.DataFrame, record: dict) -> str:
    """Say in one sentence how the best kernel did beside the SVM at the largest size."""
    n = rows.n_train.max()
    largest = rows[rows.n_train == n]
    means = largest.groupby("method").accuracy.mean()
    is_kernel = largest.groupby("method")["get"].first() != ""
    best = means[is_kernel].idxmax()
    [svm] = means[~is_kernel].index
    spread = largest.groupby("method").accuracy.std(ddof=1)
    return (
        f"From {n} of scikit-learn's 8 × 8 digits, {best}, the best of {is_kernel.sum()} kernels "
        f"here, reads {means[best]:.1f} % of {record['n_test']} held-out digits right "
        f"(± {spread[best]:.1f} over splits); {svm} {means[svm]:.1f} % (± {spread[svm]:.1f})."
    )
