import re
import shutil

import matplotlib.image
import pandas as pd
import pytest

from ntkreg.errors import DataError
from ntkreg.report.optimizers.page import write_optimizers_report
from ntkreg.report.optimizers.tables import (
    ends_table,
    gap_table,
    noise_table,
    sentences,
    verdict_table,
)
from ntkreg.studies.optimizers.means import gap_means

SLOPE = "slope of the gap against width"


@pytest.fixture(scope="module")
def text(page_of):
    return page_of("Optimizers").read_text(encoding="utf-8")


def tables(folder):
    runs = pd.read_csv(folder / "runs.csv")
    return pd.read_csv(folder / "verdicts.csv"), runs[runs.width == 32]


def test_the_page_answers_every_question(text):
    assert text.count("<img") == 5
    assert text.count("<li>") == 5
    for words in ("Who follows", "Runs on random labels", "n_train: 20", "corners.npz", "numpy: "):
        assert words in text
    assert ">nan<" not in text


def test_sentences_say_what_the_verdicts_are(optimizers_folder):
    verdicts, runs = tables(optimizers_folder)
    slopes = verdicts.quantity == SLOPE
    verdicts.loc[slopes, "verdict"] = ["within the bound", "slower than the bound"]
    verdicts.loc[slopes, "estimate"] = [-0.81, -0.02]
    first = sentences(verdicts, runs)[0]
    assert "gradient descent (-0.81) stay within theory's bound" in first
    assert "adam (-0.02) fall slower" in first
    assert "undecided" not in first
    gap = verdicts.quantity.str.startswith("test error, random")
    for verdict, words in (
        ("random labels are worse", "2 of 2 optimisers. Training loss does not predict"),
        ("undecided", "0 of 2 optimisers. Training loss does not show"),
    ):
        verdicts.loc[gap, "verdict"] = verdict
        assert words in sentences(verdicts, runs)[-1]


def test_tables_hold_means_over_seeds(optimizers_folder):
    verdicts, runs = tables(optimizers_folder)
    table = ends_table(runs, "random").set_index("optimiser")
    own = runs[(runs.labels == "random") & (runs.optimizer == "adam")]
    assert table.loc["adam", "reached"] == "2 of 2"
    assert table.loc["adam", "test error, %"].startswith(f"{own.test_error.mean():.1f} ± ")
    lines = verdict_table(verdicts, "labels")
    assert len(lines) == 4
    row = verdicts[verdicts.quantity == SLOPE].iloc[0]
    cell = verdict_table(verdicts, "kernel trajectory").iloc[0]["95 % interval"]
    assert cell == f"{row.low:.4g} .. {row.high:.4g}"


def test_gaps_stand_by_width(optimizers_folder):
    levels = pd.read_csv(optimizers_folder / "levels.csv")
    table = gap_table(gap_means(levels)).set_index("optimiser")
    own = levels[(levels.optimizer == "adam") & (levels.width == 8) & (levels.level == 0.05)]
    assert list(table.columns) == ["width 8", "width 32"]
    assert table.loc["adam", "width 8"].startswith(f"{own.kernel_gap.mean():.3f} ± ")


def test_errors_of_sgd_stand_by_batch_size_and_rate(optimizers_folder):
    batches = pd.read_csv(optimizers_folder / "batches.csv")
    batches.loc[(batches.rate == 0.2) & (batches.seed == 3), "outcome"] = "diverged"
    table = noise_table(batches)
    assert list(table.columns) == ["batch size", "rate 0.05", "rate 0.2"]
    own = batches[batches.rate == 0.05].test_error
    assert table["rate 0.05"].tolist() == [f"{own.mean():.1f} ± {own.std():.1f}"]
    assert table["rate 0.2"].tolist()[0].endswith("(1 of 2)")


@pytest.mark.usefixtures("blank_pictures")
def test_runs_that_diverged_are_told_and_do_not_spoil_the_page(optimizers_folder, tmp_path):
    copy = shutil.copytree(optimizers_folder, tmp_path / "copy")
    runs, pairs = pd.read_csv(copy / "runs.csv"), pd.read_csv(copy / "pairs.csv")
    adam = (runs.optimizer == "adam") & (runs.labels == "correct") & (runs.width == 32)
    runs.loc[adam, ["outcome"]] = "diverged"
    runs.loc[adam, ["train_loss", "test_error", "moved", "kernel_drift"]] = float("nan")
    runs.to_csv(copy / "runs.csv", index=False)
    pairs.loc[pairs.width == 32, ["parameters", "function", "kernel"]] = float("nan")
    pairs.to_csv(copy / "pairs.csv", index=False)
    assert "0 of 2" in write_optimizers_report(copy).read_text(encoding="utf-8")


@pytest.mark.usefixtures("blank_pictures")
def test_markup_in_files_does_not_become_html(optimizers_folder, tmp_path):
    copy = shutil.copytree(optimizers_folder, tmp_path / "copy")
    for name, column in (("verdicts", "subject"), ("runs", "optimizer")):
        table = pd.read_csv(copy / f"{name}.csv")
        table[column] += "<script>"
        table.to_csv(copy / f"{name}.csv", index=False)
    verdicts = pd.read_csv(copy / "verdicts.csv")
    verdicts.loc[verdicts.question == "stopping and ridge", "subject"] = [
        f"{name} kernel"
        for name in ("analytic", "analytic", "analytic", "empirical", "empirical", "empirical", "")
    ]
    verdicts.to_csv(copy / "verdicts.csv", index=False)
    text = write_optimizers_report(copy).read_text(encoding="utf-8")
    assert "<script" not in text
    assert "adam&lt;script&gt;" in text


@pytest.mark.parametrize("name", ["levels.csv", "verdicts.csv", "record.json"])
def test_a_missing_file_is_named(optimizers_folder, tmp_path, name):
    copy = shutil.copytree(optimizers_folder, tmp_path / "copy")
    (copy / name).unlink()
    with pytest.raises(DataError, match=re.escape(name)):
        write_optimizers_report(copy)


def test_benchmark_files_hold_sentences_rows_and_picture(optimizers_folder, keep_as):
    file = keep_as(optimizers_folder, "corners", "A remark.")
    words = file("md").read_text(encoding="utf-8")
    assert "A remark." in words
    assert "- Kernel trajectory, slope" in words
    assert "![Who follows the kernel trajectory](corners.png)" in words
    assert len(pd.read_csv(file("csv"))) == 14 + 4
    assert matplotlib.image.imread(file("png"))[..., :3].std() > 0.01
