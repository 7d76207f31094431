import json
import re
import shutil

import matplotlib.image
import pandas as pd
import pytest
from spoilt_study import spoilt

from ntkreg.errors import DataError
from ntkreg.report.quickstart.page import write_quickstart_report


def test_quickstart_page_shows_every_picture_method_and_setting(page_of):
    page = page_of("Quickstart")
    text = page.read_text(encoding="utf-8")
    assert text.count("<img") == 4
    for name in ("accuracy", "kernels", "eigenvalues", "hardest"):
        pixels = matplotlib.image.imread(page.parent / "figures" / f"{name}.png")
        assert pixels[..., :3].std() > 0.01  # drawn on
    for words in ("CNTK LAP NTK", "RBF-SVM (tuned)", "n = 30", "n_images: 60", "numpy: "):
        assert words in text


@pytest.mark.parametrize(
    ("entry", "value"),
    [("command", None), ("environment", 3), ("config_hash", ["x"]), ("n_test", None)],
)
def test_an_entry_of_the_record_that_is_missing_or_another_is_named(
    quickstart_folder, tmp_path, entry, value
):
    copy = shutil.copytree(quickstart_folder, tmp_path / "copy")
    record = json.loads((copy / "record.json").read_text())
    assert record.pop(entry)
    (copy / "record.json").write_text(json.dumps(record | ({entry: value} if value else {})))
    with pytest.raises(DataError, match=rf"record.json.*{entry}"):
        write_quickstart_report(copy)


@pytest.mark.parametrize("name", ["rows.csv", "kernels.npz", "record.json", "config.yaml"])
def test_a_missing_file_is_named(quickstart_folder, tmp_path, name):
    copy = shutil.copytree(quickstart_folder, tmp_path / "copy")
    (copy / name).unlink()
    with pytest.raises(DataError, match=re.escape(name)):
        write_quickstart_report(copy)


@pytest.mark.parametrize("name", ["rows.csv", "kernels.npz", "record.json"])
def test_a_damaged_file_is_named(quickstart_folder, tmp_path, name):
    copy = shutil.copytree(quickstart_folder, tmp_path / "copy")
    (copy / name).write_bytes(b"")
    with pytest.raises(DataError, match=re.escape(name)):
        write_quickstart_report(copy)


@pytest.mark.usefixtures("blank_pictures")
def test_nothing_in_a_quickstarts_files_becomes_html(quickstart_folder, tmp_path):
    copy = spoilt(quickstart_folder, tmp_path / "q", rows=["method"], timings=["step"])
    text = write_quickstart_report(copy).read_text(encoding="utf-8")
    assert "<script" not in text
    cells = pd.read_csv(copy / "rows.csv").method.nunique()
    cells += len(pd.read_csv(copy / "timings.csv"))
    # Two in the headline, and command, hash, configuration and versions.
    assert text.count("&lt;script&gt;") == 2 + cells + 4
