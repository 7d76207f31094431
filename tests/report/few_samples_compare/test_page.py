import json
import re

import matplotlib.image
import pandas as pd
import pytest
from spoilt_study import spoilt

from ntkreg.report.few_samples_compare.figures import kernel_comparison_figure
from ntkreg.report.few_samples_compare.page import write_few_samples_compare_report


@pytest.fixture(scope="module")
def comparison_page(page_of):
    return page_of("Comparison").read_text(encoding="utf-8")


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


def test_the_comparisons_files_hold_every_command_row_and_the_picture(comparison_folder, keep_as):
    file = keep_as(comparison_folder, "best", "Noise has no best kernel.")
    words = file("md").read_text(encoding="utf-8")
    assert "Noise has no best kernel." in words
    assert "](best.png)" in words
    record = json.loads((comparison_folder / "record.json").read_text())
    assert words.count(record["command"]) == 3  # two runs and the comparison, all by pytest
    assert len(pd.read_csv(file("csv"))) == 4 * 2 * 3
    assert matplotlib.image.imread(file("png"))[..., :3].std() > 0.01


@pytest.mark.usefixtures("blank_pictures")
def test_nothing_in_a_comparisons_files_becomes_html(comparison_folder, tmp_path):
    columns = {"comparison": ["kernel", "name"], "kernels": ["name", "network"]}
    copy = spoilt(comparison_folder, tmp_path / "c", **columns)
    text = write_few_samples_compare_report(copy).read_text(encoding="utf-8")
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 4 * 2


def test_ten_kernels_are_told_apart_in_the_comparison():
    names = [f"kernel {i}" for i in range(10)]
    numbers = dict.fromkeys(["mean_error", "low", "high", "difference"], 1.0)
    table = pd.DataFrame({"name": names, "get": "ntk", "n": 10, "mean": range(10), **numbers})
    table["verdict"] = ["worse"] * 9 + ["best"]
    lines = kernel_comparison_figure(table).axes[0].get_lines()
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 10
