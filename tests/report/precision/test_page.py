import shutil

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from ntkreg.report.precision.page import (
    by_alpha_table,
    gram_table,
    safe_table,
    write_precision_report,
)
from ntkreg.report.shared.read import StudyFolder


@pytest.fixture(scope="module")
def rows():
    """Two dtypes at two ridges, of which one dtype cannot be solved at the first."""
    common = dict(network="gap 5", get="nngp", case="copies", n=3)
    values = [("float32", 0.0, np.nan), ("float32", 1e-6, 0.25), ("mixed", 0.0, 3e-3)]
    return pd.DataFrame(
        [{**common, "dtype": d, "alpha": a, "relative_error": v} for d, a, v in values]
    )


def test_a_line_has_a_column_for_each_dtype_and_ridge_and_a_dash_where_nothing_is(rows):
    (line,) = by_alpha_table(rows, "relative_error").to_dict("records")
    names = {"network": "gap 5", "kernel": "NNGP", "training set": "copies"}
    assert line == names | {"float32, 0": "-", "float32, 1e-06": "2e-01", "mixed, 0": "3e-03"}


def test_the_safe_ridge_of_a_dtype_that_was_not_run_is_left_empty(precision_folder):
    safe = StudyFolder(precision_folder).table("safe")
    table = safe_table(safe)
    assert list(table.columns[3:]) == ["float32", "mixed", "float64"]
    assert set(table.mixed[table.network == "dense"]) == {""}
    assert (table.float64[table["training set"] == "distinct"] == "0").all()
    safe.loc[safe.dtype == "float32", "alpha"] = np.nan
    assert set(safe_table(safe).float32) == {"none"}


def test_the_gram_table_shows_no_error_of_float64(precision_folder):
    table = gram_table(StudyFolder(precision_folder).table("safe"))
    exact = table.dtype == "float64"
    assert set(table["largest error"][exact]) == {"0"}
    assert table["largest error"][~exact].str.fullmatch(r"\d\.\de-0\d").all()


@pytest.mark.usefixtures("blank_pictures")
def test_the_page_says_what_is_safe(precision_folder, tmp_path):
    copy = shutil.copytree(precision_folder, tmp_path / "copy")
    (copy / "config.yaml").write_text("networks: <script>")
    text = write_precision_report(copy).read_text(encoding="utf-8")
    assert text.count("<img") == 1
    assert "<script" not in text
    for words in ("float32: the ridge", "mixed: the ridge", "Least safe ridge", "of 8 test images"):
        assert words in text


def test_benchmark_files_hold_tables_rows_and_picture(precision_folder, keep_as):
    file = keep_as(precision_folder, "p", "What follows: nothing.")
    words = file("md").read_text(encoding="utf-8")
    for wanted in ("What follows: nothing.", "](p.png)", "| dense | NNGP | copies |", "alphas:"):
        assert wanted in words
    assert len(file("csv").read_text().splitlines()) == 1 + 5 * 2 * 3 * 2
    assert matplotlib.image.imread(file("png"))[..., :3].std() > 0.01
