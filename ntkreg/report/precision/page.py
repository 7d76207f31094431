"""The page of `ntkreg precision`."""

import math
from pathlib import Path

import pandas as pd

from ntkreg.report.precision.figures import precision_figure
from ntkreg.report.shared.document import Document, Picture, Points, Section, Table, Text
from ntkreg.report.shared.page import write_html
from ntkreg.report.shared.provenance import provenance
from ntkreg.report.shared.read import StudyFolder
from ntkreg.studies.precision.errors import DTYPES, error_ratios

__all__ = ["by_alpha_table", "document", "gram_table", "safe_table", "write_precision_report"]

TITLE = "Precision of the kernel"

LEGEND = (
    "Training sets: 'distinct' images; 'near copies', with some of them again, changed by "
    "noise; 'copies', with some of them twice (K is singular). Ridges alpha are in units of the "
    "mean diagonal d of K. Least eigenvalue, over d. Negative: eigenvalues below 0 by more than "
    "float64 rounds. Largest error: |dK_ij| / sqrt(K_ii K_jj); norm: the operator norm of dK "
    "over d; dK is the difference to float64. Relative error: the operator norm of dK between "
    "inverse roots of K + alpha I, the largest part by which dK changes any quadratic form of "
    "it: what bounds the harm, whatever the labels. Residual: of the solution, in the float64 "
    "system, over the labels. Prediction difference: root mean square over test images, over "
    "that of float64's predictions, with these labels. -: not positive definite, nothing is "
    "predicted."
)


def gram_table(safe: pd.DataFrame) -> pd.DataFrame:
    """Return eigenvalues and errors of each Gram, a line a kernel, case and dtype."""
    lines = [
        {
            **_names(row),
            "dtype": row.dtype,
            "least eigenvalue": f"{row.min_eigenvalue:.1e}",
            "negative": row.negative,
            "largest error": _error(row.max_error, row.dtype),
            "norm of the error": _error(row.norm_error, row.dtype),
        }
        for row in safe.itertuples()
    ]
    return pd.DataFrame(lines)


def safe_table(safe: pd.DataFrame) -> pd.DataFrame:
    """Return the least safe ridge of each kernel and case, a column a dtype."""
    return _by_dtype(safe, "alpha", lambda v: "none" if math.isnan(v) else f"{v:g}")


def by_alpha_table(rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Return one measured quantity, a column a dtype and ridge.

    Parameters
    ----------
    rows : DataFrame
        ``rows.csv`` of the study.
    quantity : str
        A column of it.
    """
    percent = quantity in ("accuracy", "changed")
    if quantity != "accuracy":
        rows = rows[rows.dtype != "float64"]
    lines: dict[tuple, dict[str, str]] = {}
    for row in rows.itertuples():
        key = (row.network, row.get, row.case)
        line = lines.setdefault(key, _names(row))
        value = getattr(row, quantity)
        text = f"{value:.1f}" if percent else f"{value:.0e}"
        line[f"{row.dtype}, {row.alpha:g}"] = "-" if math.isnan(value) else text
    return pd.DataFrame(lines.values()).fillna("")


def document(study: StudyFolder) -> Document:
    """Return the page of a precision study."""
    rows, safe, record = study.table("rows"), study.table("safe"), study.record()
    answers = [Text(s, "lead") for s in _answers(rows, safe, record)]
    networks = tuple(f"{name}: `{network}`" for name, network in record["networks"].items())
    picture = Picture(
        "relative_error",
        lambda: precision_figure(rows),
        "Relative error of the system that is solved, the larger of NNGP's and NTK's; where "
        "it reaches 1 the Gram can be indefinite.",
        "relative error against the ridge",
        kept=True,
    )
    return Document(
        TITLE,
        (
            Section("", (*answers, Points(networks), picture, Text(LEGEND, "small"))),
            *(Section(title, (Table(table),)) for title, table in _tables(rows, safe)),
            provenance(study),
        ),
    )


def write_precision_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of a precision study; return its path."""
    study = StudyFolder(folder)
    return write_html(study.path, document(study))


def _tables(rows: pd.DataFrame, safe: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [
        ("Least safe ridge", safe_table(safe)),
        ("The Gram", gram_table(safe)),
        ("Relative error", by_alpha_table(rows, "relative_error")),
        ("Residual", by_alpha_table(rows, "residual")),
        ("Prediction difference", by_alpha_table(rows, "prediction_difference")),
        ("Accuracy, %", by_alpha_table(rows, "accuracy")),
    ]


def _answers(rows: pd.DataFrame, safe: pd.DataFrame, record: dict) -> list[str]:
    """Say for each dtype what its errors do: worst case first, then what happened here."""
    tolerance, n_test = record["tolerance"], record["n_test"]
    sentences = []
    for dtype in DTYPES[:2]:
        mine = safe[safe.dtype == dtype]
        if mine.empty:
            continue
        parts = []
        for case, group in mine.groupby("case", sort=False):
            worst = group.alpha.max(skipna=False)
            parts.append(f"{case} {'none tried' if math.isnan(worst) else f'{worst:g}'}")
        solved = rows[(rows.dtype == dtype) & rows.prediction_difference.notna()]
        largest = solved.loc[solved.prediction_difference.idxmax()]
        sentences.append(
            f"{dtype}: the ridge at which no kernel's relative error exceeds {tolerance:g} is, for "
            f"{'; '.join(parts)}. Where the system could be solved, predictions differ from "
            f"float64's by {largest.prediction_difference:.0e} at most ({largest.network} "
            f"{largest['get'].upper()}, {largest.case}, alpha {largest.alpha:g}), and at most "
            f"{solved.changed.max() * n_test / 100:.0f} of {n_test} test images change class."
        )
    ratio = error_ratios(rows[rows.case != "copies"], "relative_error")
    if len(ratio):
        sentences.append(
            f"Without copies the relative error of float32 is {ratio.median():.1f} times that of "
            f"mixed (median over kernels, sets and ridges; {ratio.min():.1f} to {ratio.max():.0f})."
        )
    return sentences


def _names(row) -> dict[str, str]:
    return {"network": row.network, "kernel": row.get.upper(), "training set": row.case}


def _error(value: float, dtype: str) -> str:
    return "0" if dtype == "float64" else f"{value:.1e}"


def _by_dtype(table: pd.DataFrame, column: str, write) -> pd.DataFrame:
    lines: dict[tuple, dict[str, str]] = {}
    for row in table.itertuples():
        line = lines.setdefault((row.network, row.get, row.case), _names(row))
        line[row.dtype] = write(getattr(row, column))
    frame = pd.DataFrame(lines.values()).fillna("")
    return frame[[*frame.columns[:3], *(d for d in DTYPES if d in frame)]]
