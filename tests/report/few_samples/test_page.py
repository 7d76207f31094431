import re
import shutil

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from spoilt_study import spoilt

from ntkreg.report.few_samples.figures import few_samples_figure
from ntkreg.report.few_samples.page import write_few_samples_report
from ntkreg.studies.shared.statistics import Z95


@pytest.fixture(scope="module")
def few_samples_page(page_of):
    return page_of("FewSamples").read_text(encoding="utf-8")


def test_few_samples_page_shows_both_readings_and_the_verdict(few_samples_page):
    assert few_samples_page.count("<img") == 1
    for words in ("CNTK-5", "d - 1 hidden layers", "inside", "corrected std", "arXiv 1910.01663"):
        assert words in few_samples_page


@pytest.mark.usefixtures("blank_pictures")
def test_a_reading_without_a_published_depth_is_not_mentioned(few_samples_folder, tmp_path):
    folder = shutil.copytree(few_samples_folder, tmp_path / "copy")
    known = pd.read_csv(folder / "comparison.csv")
    known = known[known.reading == "convolutions"]
    known.to_csv(folder / "comparison.csv", index=False)
    said = write_few_samples_report(folder).read_text(encoding="utf-8")
    assert "read as d convolutions" in said
    assert "with the read-out" not in said
    assert "0 of 0" not in said


def test_benchmark_files_hold_table_rows_and_picture(few_samples_folder, keep_as):
    file = keep_as(few_samples_folder, "cifar10_few_samples", "Where they differ: nowhere.")
    words = file("md").read_text(encoding="utf-8")
    assert "Where they differ: nowhere." in words
    assert "![test accuracy, ours and published](cifar10_few_samples.png)" in words
    assert "| 10 | CNTK-5 | 15.08 ± 2.43* | 5 |" in words
    assert len(file("csv").read_text().splitlines()) == 1 + 2 * 2 * 2 * 3
    assert matplotlib.image.imread(file("png"))[..., :3].std() > 0.01


def test_a_network_without_published_rows_has_a_page_with_its_errors(unpublished_folder):
    text = write_few_samples_report(unpublished_folder).read_text(encoding="utf-8")
    for words in ("No published figure is held against", "NTK with its errors", "corrected std"):
        assert words in text
    for words in ("CNTK-5", ">nan<", "each depth less"):
        assert words not in text.replace("CNTK-14", "")


@pytest.mark.usefixtures("blank_pictures")
def test_a_page_of_two_classes_lays_steps_in_depth_beside_the_published(two_classes_folder):
    text = write_few_samples_report(two_classes_folder).read_text(encoding="utf-8")
    for words in ("2 to 3", "+23.45", "+0.75", "1904.11955, Table 2", "2 classes"):
        assert words in text
    assert "1910.01663" not in text


def test_a_benchmark_of_two_classes_draws_the_steps(two_classes_folder, keep_as):
    file = keep_as(two_classes_folder, "two")
    assert "| 4 | 2 to 3 |" in file("md").read_text(encoding="utf-8")
    assert matplotlib.image.imread(file("png"))[..., :3].std() > 0.01


@pytest.mark.usefixtures("blank_pictures")
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


def test_a_page_of_the_first_images_has_the_error_of_test_images_alone(first_images_folder):
    text = write_few_samples_report(first_images_folder).read_text(encoding="utf-8")
    for words in ("1904.11955, Table 1", "CNTK-V-2K, depth 3", "40.94", "2 to 3", "+1.60"):
        assert words in text
    for words in (">nan", "± nan", "draw std", "1910.01663"):
        assert words not in text


@pytest.mark.parametrize("one_draw", [True, False])
def test_bars_of_one_draw_are_those_of_its_test_images(unpublished_folder, one_draw):
    summary, comparison, published = (
        pd.read_csv(unpublished_folder / f"{name}.csv")
        for name in ("summary", "comparison", "published")
    )
    if one_draw:
        summary = summary.assign(n_draws=1, corrected_std=np.nan)
    axes = few_samples_figure(summary, comparison, published[:0]).axes[0]
    assert ("95 % of the test images" in axes.get_title()) == one_draw
    assert {text.get_text()[:3] for text in axes.get_legend().get_texts()} == {"NTK", "NNG"}
    [bar, *_] = axes.containers[0].lines[2][0].get_segments()
    first = summary[(summary["get"] == "ntk") & (summary.depth == summary.depth.max())].iloc[0]
    half = Z95 * first.test_error if one_draw else first.corrected_std
    assert bar[1][1] - bar[0][1] == pytest.approx(2 * half)
