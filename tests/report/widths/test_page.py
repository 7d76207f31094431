import html
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from ntkreg.errors import DataError
from ntkreg.report.widths.page import write_widths_report
from ntkreg.report.widths.tables import LABELS, count_verdicts, verdict_table
from ntkreg.studies.widths.quantities import QUANTITIES

MARKUP = '"><script>x</script>&'


@pytest.fixture(scope="module")
def text(page_of):
    return page_of("Widths").read_text(encoding="utf-8")


def test_the_page_has_every_figure(text):
    assert text.count("<img") == 7


def test_every_slope_and_limit_is_on_the_page_with_its_verdict(text, widths_folder):
    slopes, limits = (pd.read_csv(widths_folder / f"{n}.csv") for n in ("slopes", "limits"))
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    for row in verdict_table(slopes).itertuples(index=False):
        line = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row[:4])
        assert any(line in found for found in rows)
    assert text.count("NTK-GP after this training</td>") == 2
    verdicts = pd.concat([slopes.verdict, limits.verdict.fillna("")])
    assert count_verdicts(verdicts) in text
    for words in ("n_steps: 8", "jax: ", "fully_connected(depth=2)", "mup, 2 hidden", "≤ -0.5"):
        assert words in text


def test_verdicts_are_counted_without_what_is_not_claimed():
    verdicts = pd.Series(["agrees", "agrees", "disagrees", "undecided", ""])
    assert count_verdicts(verdicts).startswith("3 of 4 rows are decided: 2 agree with theory, 1 ")


def test_every_quantity_has_a_label():
    assert list(LABELS) == list(QUANTITIES)


@pytest.mark.usefixtures("blank_pictures")
def test_a_study_of_mup_alone_has_a_page_without_kernels_and_ensembles(widths_folder, tmp_path):
    copy = shutil.copytree(widths_folder, tmp_path / "copy")
    for name in ("summary", "slopes"):
        table = pd.read_csv(copy / f"{name}.csv")
        table[table.parametrization == "mup"].to_csv(copy / f"{name}.csv", index=False)
    for name in ("ensembles", "limits"):
        (copy / f"{name}.csv").unlink()
    text = write_widths_report(copy).read_text(encoding="utf-8")
    assert text.count("<img") == 5
    assert "NTK-GP" not in text


@pytest.mark.usefixtures("blank_pictures")
def test_missing_files_are_named_and_their_text_stays_text(widths_folder, tmp_path):
    copy = shutil.copytree(widths_folder, tmp_path / "copy")
    slopes = pd.read_csv(copy / "slopes.csv")
    slopes.assign(source=slopes.source + MARKUP).to_csv(copy / "slopes.csv", index=False)
    text = write_widths_report(copy).read_text(encoding="utf-8")
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == len(slopes)
    (copy / "summary.csv").unlink()
    with pytest.raises(DataError, match=r"summary\.csv is missing"):
        write_widths_report(copy)


def test_benchmark_files_hold_verdicts_rows_picture_and_page(widths_folder, keep_as, text):
    file = keep_as(widths_folder, "w.v1", "What follows: nothing.")
    words = file("md").read_text(encoding="utf-8")
    slopes = verdict_table(pd.read_csv(widths_folder / "slopes.csv"))
    for row in slopes.itertuples(index=False):
        assert "| " + " | ".join(str(cell) for cell in row[:4]) in words
    for wanted in ("What follows: nothing.", "](w.v1.png)", "](w.v1.html)", "n_steps: 8", "jax: "):
        assert wanted in words
    assert len(pd.read_csv(file("csv"))) == len(pd.read_csv(widths_folder / "rows.csv"))
    assert file("html").read_text(encoding="utf-8") == text


@pytest.mark.usefixtures("blank_pictures")
def test_the_title_says_how_small_images_were_made(widths_folder, tmp_path, text):
    assert "pixels</title>" not in text
    copy = shutil.copytree(widths_folder, tmp_path / "copy")
    config = (copy / "config.yaml").read_text(encoding="utf-8")
    (copy / "config.yaml").write_text(config.replace("downscale: null", "downscale: 4"))
    page = write_widths_report(copy).read_text(encoding="utf-8")
    assert ", images of 4 x 4 pixels</title>" in page


def test_a_slopes_source_is_wrapped_so_that_the_table_fits(text):
    assert re.search(r'<th class="long">source</th>', text)
    assert re.search(r'<td class="long">[^<]{48,}</td>', text)


def test_pages_that_are_kept_have_the_present_style(text):
    style = re.search(r"<style>.*?</style>", text, re.DOTALL)[0]
    kept = sorted((Path(__file__).resolve().parents[3] / "benchmarks").glob("*.html"))
    assert kept
    for path in kept:
        assert style in path.read_text(encoding="utf-8"), f"{path.name} was drawn in another style"
