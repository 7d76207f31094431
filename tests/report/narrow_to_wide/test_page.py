"""The page that joins a width study and a landscape study, from files alone."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from ntkreg.errors import DataError
from ntkreg.report.narrow_to_wide.page import NAME, document
from ntkreg.report.narrow_to_wide.quantities import GROUPS, joined
from ntkreg.report.register import REPORTS, write_joined
from ntkreg.report.shared.kept import KeptStudy
from ntkreg.report.shared.page import html_page
from ntkreg.report.shared.read import StudyFolder

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"

RECORD = {"study": "Landscape", "config_hash": "0", "command": "", "environment": {}}


@pytest.fixture
def landscape(tmp_path):
    """Return a folder with rows of two widths whose means are known."""
    folder = tmp_path / "landscape"
    folder.mkdir()
    names = ["part", "subject", "depth", "width", "level", "seed", "quantity", "value"]
    rows = [
        ("grid", "", 1, width, 0.01, seed, "lambda_max", value)
        for width, values in {8: (1.0, 4.0), 16: (2.2, 2.2)}.items()
        for seed, value in enumerate(values)
    ]
    rows += [("grid", "", 1, 8, 0.0, s, "barrier_bezier", v) for s, v in enumerate((0.0, 0.5))]
    pd.DataFrame(rows, columns=names).to_csv(folder / "rows.csv", index=False)
    (folder / "config.yaml").write_text("levels: [0.5, 0.01]\n")
    record = RECORD | {"kernel_eigenvalues": {"1": 2.0}, "data": {"source": "here", "sha256": ""}}
    (folder / "record.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def widths(tmp_path):
    """Return a folder with a summary of two widths."""
    folder = tmp_path / "widths"
    folder.mkdir()
    names = ["depth", "parametrization", "quantity", "width", "value", "log_error"]
    lines = [(1, "ntk", "ntk_drift", w, v, 0.1) for w, v in ((16, 0.5), (32, 0.25))]
    lines += [(1, "mup", "ntk_drift", 16, 9.0, 0.1), (3, "ntk", "ntk_drift", 16, 8.0, 0.1)]
    pd.DataFrame(lines, columns=names).to_csv(folder / "summary.csv", index=False)
    return folder


def test_lines_are_means_of_the_depth_that_both_have(widths, landscape):
    depth, lines = joined(StudyFolder(widths), StudyFolder(landscape))
    assert depth == 1
    found = {(r.quantity, r.width): r.value for r in lines.itertuples()}
    curvature = "largest curvature, off the kernel's"
    assert found == pytest.approx(
        {
            (curvature, 8): 0.5**0.5,  # of |1/2 - 1| and |4/2 - 1|
            (curvature, 16): 0.1,
            ("barrier along a Bezier curve", 8): 0.25,
            ("change of the NTK", 16): 0.5,
            ("change of the NTK", 32): 0.25,
        }
    )
    assert list(dict.fromkeys(lines.group)) == [g for g in GROUPS if g in set(lines.group)]


def test_studies_without_a_common_depth_are_refused(widths, landscape):
    rows = pd.read_csv(landscape / "rows.csv")
    rows.assign(depth=2).to_csv(landscape / "rows.csv", index=False)
    with pytest.raises(DataError, match=r"no depth in common \(networks of \[1, 3\] and \[2\]"):
        joined(StudyFolder(widths), StudyFolder(landscape))


def test_two_studies_in_the_wrong_order_are_refused(landscape):
    with pytest.raises(DataError, match="the first is of `ntkreg widths`"):
        write_joined(landscape, landscape)


def test_the_page_that_is_kept_is_made_of_studies_that_are_kept():
    widths = KeptStudy(BENCHMARKS / "widths_mnist", REPORTS["Widths"].derived)
    landscape = KeptStudy(BENCHMARKS / "landscape", {})
    page = html_page(document(widths, landscape), {"narrow_to_wide": b""})
    kept = widths.file(NAME).read_text(encoding="utf-8")
    picture = re.compile(r"base64,[^\"]*")
    assert picture.sub("", page) == picture.sub("", kept), (
        "make it again: ntkreg report benchmarks/widths_mnist benchmarks/landscape"
    )
    for group in GROUPS:
        assert f"<h2>{group.capitalize()}</h2>" in page


@pytest.mark.slow
def test_the_width_page_links_to_it(widths_folder, landscape, tmp_path):
    copy = shutil.copytree(widths_folder, tmp_path / "copy")
    # That study has two hidden layers.
    rows = pd.read_csv(landscape / "rows.csv")
    rows.assign(depth=2).to_csv(landscape / "rows.csv", index=False)
    record = json.loads((landscape / "record.json").read_text())
    (landscape / "record.json").write_text(json.dumps(record | {"kernel_eigenvalues": {"2": 2.0}}))
    made = write_joined(copy, landscape)
    assert [path.name for path in made] == [NAME, "page.html"]
    assert f'<a href="{NAME}">' in made[1].read_text(encoding="utf-8")
    assert KeptStudy(tmp_path / "w", {}).file(NAME).name == f"w.{NAME}"
