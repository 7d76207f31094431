import base64
import re
import shutil
import subprocess
import sys

import matplotlib.image
import pytest

from ntkreg.errors import DataError
from ntkreg.report.few_samples import write_few_samples_benchmark, write_few_samples_report
from ntkreg.report.page import page, provenance_block
from ntkreg.report.quickstart import write_quickstart_report

PNG = base64.b64encode(b"\x89PNG").decode()[:4]


@pytest.fixture(scope="module")
def quickstart_page(quickstart_folder):
    return write_quickstart_report(quickstart_folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def few_samples_page(few_samples_folder):
    return write_few_samples_report(few_samples_folder).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["quickstart_page", "few_samples_page"])
def test_page_needs_nothing_but_itself(name, request):
    text = request.getfixturevalue(name)
    sources = re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', text)
    assert sources
    assert all(s.startswith(f"data:image/png;base64,{PNG}") for s in sources)
    for fetched in ("http:", "https:", "<script", "<link", "@import", "url("):
        assert fetched not in text


def test_quickstart_page_shows_every_picture_method_and_setting(quickstart_page, quickstart_folder):
    assert quickstart_page.count("<img") == 4
    for name in ("accuracy", "kernels", "eigenvalues", "hardest"):
        pixels = matplotlib.image.imread(quickstart_folder / "figures" / f"{name}.png")
        assert pixels[..., :3].std() > 0.01  # drawn on
    for words in ("CNTK LAP NTK", "RBF-SVM (tuned)", "n = 30", "n_images: 60", "numpy: "):
        assert words in quickstart_page


def test_few_samples_page_shows_both_readings_and_the_verdict(few_samples_page):
    assert few_samples_page.count("<img") == 1
    for words in ("CNTK-5", "d - 1 hidden layers", "inside", "corrected std", "arXiv 1910.01663"):
        assert words in few_samples_page


def test_benchmark_files_hold_table_rows_and_picture(few_samples_folder, tmp_path):
    text, rows, picture = write_few_samples_benchmark(
        few_samples_folder, tmp_path / "cifar10_few_samples", remarks="Where they differ: nowhere."
    )
    assert [p.name for p in (text, rows, picture)] == [
        f"cifar10_few_samples.{suffix}" for suffix in ("md", "csv", "png")
    ]
    words = text.read_text(encoding="utf-8")
    assert "Where they differ: nowhere." in words
    assert "![accuracy against training images](cifar10_few_samples.png)" in words
    assert "| 10 | CNTK-5 | 15.08 ± 2.43* | 5 |" in words
    assert len(rows.read_text().splitlines()) == 1 + 2 * 2 * 2 * 3
    assert matplotlib.image.imread(picture)[..., :3].std() > 0.01


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


def test_text_from_files_is_escaped():
    block = provenance_block(
        {"command": "<b>", "config_hash": "0" * 64, "environment": {"x": "&"}}, "key: <script>"
    )
    text = page("1 < 2", [block])
    assert "<b>" not in text
    assert "<script>" not in text
    assert "1 &lt; 2" in text
    assert "x: &amp;" in text


def test_report_computes_nothing():
    code = (
        "import sys, ntkreg.report.quickstart, ntkreg.report.few_samples\n"
        "rooms = ('kernels', 'gram', 'solvers', 'estimators', 'studies')\n"
        "loaded = [r for r in rooms if f'ntkreg.{r}' in sys.modules]\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
