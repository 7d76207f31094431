import base64
import json
import re
import shutil
import subprocess
import sys

import matplotlib.image
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ntkreg.errors import DataError
from ntkreg.report.few_samples import write_few_samples_benchmark, write_few_samples_report
from ntkreg.report.page import figure_block, page, provenance_block
from ntkreg.report.quickstart import write_quickstart_report

MARKUP = '"><script>x</script>&'
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


def test_every_block_escapes_its_text():
    figure = Figure()
    block = figure_block(figure, caption="a < b", alt='"><script>')
    assert "<figcaption>a &lt; b<" in block
    assert 'alt="&quot;&gt;&lt;script&gt;"' in block
    record = {"command": "<b>", "config_hash": "<i>" * 9, "environment": {"x": "&"}}
    text = page("1 < 2", [provenance_block(record, "key: <script>")])
    for tag in ("<b>", "<i>", "<script>"):
        assert tag not in text
    assert text.count("1 &lt; 2") == 2  # title and heading
    assert "x: &amp;" in text


def spoilt(folder, copy, **columns):
    """Copy a study with markup in columns of its tables, its record and configuration."""
    shutil.copytree(folder, copy)
    for name, spoilt_columns in columns.items():
        table = pd.read_csv(copy / f"{name}.csv", keep_default_na=False)
        for column in spoilt_columns:
            table[column] = table[column] + MARKUP
        table.to_csv(copy / f"{name}.csv", index=False)
    record = json.loads((copy / "record.json").read_text())
    record["command"] += MARKUP
    record["config_hash"] = f"{MARKUP:.12}"
    record["environment"]["numpy"] += MARKUP
    (copy / "record.json").write_text(json.dumps(record))
    with open(copy / "config.yaml", "a") as stream:
        stream.write(f"# {MARKUP}\n")
    return copy


def test_nothing_in_a_quickstarts_files_becomes_html(quickstart_folder, tmp_path):
    copy = spoilt(quickstart_folder, tmp_path / "q", rows=["method"], timings=["step"])
    text = write_quickstart_report(copy).read_text(encoding="utf-8")
    assert "<script" not in text
    cells = pd.read_csv(copy / "rows.csv").method.nunique()
    cells += len(pd.read_csv(copy / "timings.csv"))
    # Two in the headline, and command, hash, configuration and versions.
    assert text.count("&lt;script&gt;") == 2 + cells + 4


def test_nothing_in_a_few_samples_studys_files_becomes_html(few_samples_folder, tmp_path):
    copy = spoilt(
        few_samples_folder, tmp_path / "f", comparison=["published"], published=["source"]
    )
    comparison = pd.read_csv(copy / "comparison.csv")
    comparison.assign(verdict="outside").to_csv(copy / "comparison.csv", index=False)
    text = write_few_samples_report(copy).read_text(encoding="utf-8")
    assert "<script" not in text
    lead = re.findall(r'<p class="lead">.*?</p>', text, re.DOTALL)
    assert all("&lt;script&gt;" in sentence for sentence in lead)
    assert len(lead) == 2


def test_report_computes_nothing():
    code = (
        "import sys, ntkreg.report.quickstart, ntkreg.report.few_samples\n"
        "import ntkreg.report.optimizers\n"
        "rooms = ('kernels', 'gram', 'solvers', 'estimators', 'studies')\n"
        "loaded = [r for r in rooms if f'ntkreg.{r}' in sys.modules]\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
