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
from ntkreg.report.few_samples.page import write_few_samples_benchmark, write_few_samples_report
from ntkreg.report.few_samples_compare.figures import kernel_comparison_figure
from ntkreg.report.few_samples_compare.page import (
    write_few_samples_compare_benchmark,
    write_few_samples_compare_report,
)
from ntkreg.report.quickstart.page import write_quickstart_report
from ntkreg.report.shared.page import figure_block, page, provenance_block

MARKUP = '"><script>x</script>&'
PNG = base64.b64encode(b"\x89PNG").decode()[:4]


@pytest.fixture(scope="module")
def quickstart_page(quickstart_folder):
    return write_quickstart_report(quickstart_folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def few_samples_page(few_samples_folder):
    return write_few_samples_report(few_samples_folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def comparison_page(comparison_folder):
    return write_few_samples_compare_report(comparison_folder).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["quickstart_page", "few_samples_page", "comparison_page"])
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


def test_a_reading_without_a_published_depth_is_not_mentioned(few_samples_folder, tmp_path):
    folder = shutil.copytree(few_samples_folder, tmp_path / "copy")
    known = pd.read_csv(folder / "comparison.csv")
    known = known[known.reading == "convolutions"]
    known.to_csv(folder / "comparison.csv", index=False)
    text, *_ = write_few_samples_benchmark(folder, tmp_path / "page")
    for made in (text, write_few_samples_report(folder)):
        said = made.read_text(encoding="utf-8")
        assert "read as d convolutions" in said
        assert "with the read-out" not in said
        assert "0 of 0" not in said


def test_benchmark_files_hold_table_rows_and_picture(few_samples_folder, tmp_path):
    text, rows, picture = write_few_samples_benchmark(
        few_samples_folder, tmp_path / "cifar10_few_samples", remarks="Where they differ: nowhere."
    )
    assert [p.name for p in (text, rows, picture)] == [
        f"cifar10_few_samples.{suffix}" for suffix in ("md", "csv", "png")
    ]
    words = text.read_text(encoding="utf-8")
    assert "Where they differ: nowhere." in words
    assert "![test accuracy, ours and published](cifar10_few_samples.png)" in words
    assert "| 10 | CNTK-5 | 15.08 ± 2.43* | 5 |" in words
    assert len(rows.read_text().splitlines()) == 1 + 2 * 2 * 2 * 3
    assert matplotlib.image.imread(picture)[..., :3].std() > 0.01


def test_a_network_without_published_rows_has_a_page_with_its_errors(unpublished_folder):
    text = write_few_samples_report(unpublished_folder).read_text(encoding="utf-8")
    for words in ("No published figure is held against", "NTK with its errors", "corrected std"):
        assert words in text
    for words in ("CNTK-5", ">nan<", "each depth less"):
        assert words not in text.replace("CNTK-14", "")


def test_a_page_of_two_classes_lays_steps_in_depth_beside_the_published(two_classes_folder):
    text = write_few_samples_report(two_classes_folder).read_text(encoding="utf-8")
    for words in ("2 to 3", "+23.45", "+0.75", "1904.11955, Table 2", "2 classes"):
        assert words in text
    assert "1910.01663" not in text


def test_a_benchmark_of_two_classes_draws_the_steps(two_classes_folder, tmp_path):
    text, _, picture = write_few_samples_benchmark(two_classes_folder, tmp_path / "two")
    assert "| 4 | 2 to 3 |" in text.read_text(encoding="utf-8")
    assert matplotlib.image.imread(picture)[..., :3].std() > 0.01


def test_the_comparison_answers_first_and_shows_every_error(comparison_page, comparison_folder):
    comparison = pd.read_csv(comparison_folder / "comparison.csv")
    best = comparison[comparison.verdict == "best"].set_index("n").kernel
    lead = re.findall(r'<p class="lead">(.*?)</p>', comparison_page)
    assert all(f"{best[n]} at n = " in lead[0] for n in (10, 20))
    inside = comparison.groupby("kernel").verdict.agg(lambda v: "worse" not in set(v))
    for kernel, never_worse in inside.items():
        assert (kernel in lead[1]) == never_worse
    assert comparison_page.count("(best)") == 2
    for words in ("paired test error", "n = 20", "one layer NNGP", "Bonferroni", "30 test images"):
        assert words in comparison_page


def test_the_comparisons_files_hold_every_command_row_and_the_picture(comparison_folder, tmp_path):
    text, rows, picture = write_few_samples_compare_benchmark(
        comparison_folder, tmp_path / "best", remarks="Noise has no best kernel."
    )
    assert [p.name for p in (text, rows, picture)] == ["best.md", "best.csv", "best.png"]
    words = text.read_text(encoding="utf-8")
    assert "Noise has no best kernel." in words
    assert "](best.png)" in words
    record = json.loads((comparison_folder / "record.json").read_text())
    assert words.count(record["command"]) == 3  # two runs and the comparison, all by pytest
    assert len(pd.read_csv(rows)) == 4 * 2 * 3
    assert matplotlib.image.imread(picture)[..., :3].std() > 0.01


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


def test_nothing_in_a_comparisons_files_becomes_html(comparison_folder, tmp_path):
    columns = {"comparison": ["kernel", "name"], "kernels": ["name", "network"]}
    copy = spoilt(comparison_folder, tmp_path / "c", **columns)
    text = write_few_samples_compare_report(copy).read_text(encoding="utf-8")
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 4 * 2


def test_report_computes_nothing():
    code = (
        "import sys, ntkreg.report.quickstart.page, ntkreg.report.few_samples.page\n"
        "import ntkreg.report.few_samples_compare.page\n"
        "import ntkreg.report.optimizers.page\n"
        "rooms = ('kernels', 'gram', 'solvers', 'estimators', 'studies')\n"
        "loaded = [r for r in rooms if f'ntkreg.{r}' in sys.modules]\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_ten_kernels_are_told_apart_in_the_comparison():
    names = [f"kernel {i}" for i in range(10)]
    numbers = dict.fromkeys(["mean_error", "low", "high", "difference"], 1.0)
    table = pd.DataFrame({"name": names, "get": "ntk", "n": 10, "mean": range(10), **numbers})
    table["verdict"] = ["worse"] * 9 + ["best"]
    lines = kernel_comparison_figure(table).axes[0].get_lines()
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 10
