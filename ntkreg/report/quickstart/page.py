"""The quickstart's page: what was compared, how it went, where it failed."""

from pathlib import Path

import pandas as pd

from ntkreg.report.quickstart.figures import (
    accuracy_figure,
    eigenvalue_figure,
    hardest_figure,
    heatmap_figure,
)
from ntkreg.report.shared.document import Document, Picture, Section, Table, Text
from ntkreg.report.shared.page import draw_pictures, html_page, write_bytes
from ntkreg.report.shared.provenance import provenance
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.tables import accuracy_table
from ntkreg.storage import write_text
from ntkreg.studies.shared.statistics import mean_and_spread

__all__ = ["document", "write_quickstart_report"]

ABOUT = (
    "Neural tangent (NTK) and Gaussian-process (NNGP) kernels are those of networks of "
    "infinite width: dense, and convolutional with no pooling (flatten), global (GAP) and "
    "local average pooling (LAP). They are not tuned: depth and ridge are those of the "
    "configuration below. The RBF-SVM's C and gamma are tuned by cross-validation inside "
    "each training set. Splits are random, so the same writers are in both parts."
)


def document(study: StudyFolder) -> Document:
    """Return the page of a quickstart."""
    # Everything is read before the first figure is drawn: what is missing shows at once.
    rows, timings = study.table("rows"), study.table("timings")
    eigenvalues, hardest = study.table("eigenvalues"), study.arrays("hardest")
    kernels = study.arrays("kernels")
    labels = kernels.pop("labels")
    n_splits = rows.split.nunique()
    accuracy = Picture(
        "accuracy",
        lambda: accuracy_figure(rows),
        f"Mean over {n_splits} random splits; bars are one standard deviation over them. "
        "Training sets are nested, and all methods see the same images.",
        "accuracy",
        kept=True,
    )
    similarity = Picture(
        "kernels",
        lambda: heatmap_figure(kernels, labels),
        "Similarity of every two images, K(x, z) / sqrt(K(x, x) K(z, z)), images in the "
        "order of their classes. Bright blocks on the diagonal: the kernel sees the classes "
        "before any label is used. Each panel has its own colour scale.",
        "kernels",
    )
    spectrum = Picture(
        "eigenvalues",
        lambda: eigenvalue_figure(eigenvalues),
        "Eigenvalues of the whole kernel matrix. Directions with large eigenvalues are "
        "learnt first and from few examples; the ridge stops those far below it.",
        "eigenvalues",
    )
    failures = Picture(
        "hardest",
        lambda: hardest_figure(hardest),
        "Images most often misclassified by the eight kernels at the largest training set: "
        "true label, most frequent wrong answer, share of wrong predictions and their number.",
        "hardest",
    )
    spread = Text(f"Mean ± standard deviation over {n_splits} splits.", "small")
    seconds = timings.assign(seconds=timings.seconds.map("{:.2f}".format))
    return Document(
        "Kernels of infinitely wide networks on handwritten digits",
        (
            Section("", (Text(_headline(rows, study.record()), "lead"), Text(ABOUT))),
            Section(
                "Accuracy on images held out, %", (Table(accuracy_table(rows)), spread, accuracy)
            ),
            Section("What the kernels see", (similarity,)),
            Section("How fast their eigenvalues fall", (spectrum,)),
            Section("The hardest images", (failures,)),
            Section("Time", (Table(seconds),)),
            provenance(study),
        ),
    )


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
    made = document(study)
    pictures = draw_pictures(made)
    figures = study.path / "figures"
    figures.mkdir(exist_ok=True)
    for name, content in pictures.items():
        write_bytes(figures / f"{name}.png", content)
    target = study.path / "page.html"
    write_text(target, html_page(made, pictures))
    return target


def _headline(rows: pd.DataFrame, record: dict) -> str:
    """Say in one sentence how the best kernel did beside the SVM at the largest size."""
    n = rows.n_train.max()
    found = mean_and_spread(rows[rows.n_train == n], ["method", "get"], ["accuracy"]).accuracy
    kernels = found[found.index.get_level_values("get") != ""].droplevel("get")
    [(svm, row)] = found.xs("", level="get").iterrows()
    best = kernels["mean"].idxmax()
    return (
        f"From {n} of scikit-learn's 8 × 8 digits, {best}, the best of {len(kernels)} kernels "
        f"here, reads {kernels['mean'][best]:.1f} % of {record['n_test']} held-out digits right "
        f"(± {kernels['std'][best]:.1f} over splits); {svm} {row['mean']:.1f} % "
        f"(± {row['std']:.1f})."
    )
