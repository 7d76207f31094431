import json
import re

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from small_sets import SMALL
from spoilt_study import spoilt

from ntkreg.errors import SpecError
from ntkreg.report.compare.figures import comparison_figure
from ntkreg.report.compare.page import summary_table, verdicts, write_compare_report
from ntkreg.report.shared.read import StudyFolder
from ntkreg.studies.compare.statistics import pair_tests


@pytest.fixture(scope="module")
def page(page_of):
    return page_of("Compare").read_text(encoding="utf-8")


def test_the_page_answers_first_and_says_the_protocol_and_every_failure(page, compare_folder):
    tests = StudyFolder(compare_folder).table("tests")
    told = (tests.verdict != "not told apart").sum()
    lead = re.findall(r'<p class="lead">(.*?)</p>', page)
    assert f"Of 3 pairs of models, {told} are told apart on 6 data sets" in lead[1]
    for words in ("two-fold cross-validation", "7 data sets, 3 models",
                  "each tuned over 4 settings", "one class, NTK: one class: all 40 rows",
                  "mean CKA", "max_features: sqrt, 1.0"):  # fmt: skip
        assert words in page
    assert page.count("<img") == 2


def test_verdicts_name_the_better_one_whichever_stands_first():
    rng = np.random.default_rng(0)
    values = {"a": rng.normal(70, 1, 12), "b": rng.normal(90, 1, 12), "c": rng.normal(70, 1, 12)}
    rows = pd.DataFrame(
        [(f"s{i}", m, 0, v) for m, each in values.items() for i, v in enumerate(each)],
        columns=["set", "model", "split", "accuracy"],
    )
    overall = pd.DataFrame([{"n_sets": 12, "n_models": 3, "statistic": 9.0, "p": 1e-4}])
    tests = pair_tests(rows, ["a", "b", "c"])
    said = verdicts(overall, tests)
    assert said[0] == "By Friedman's test the models' ranks differ (p = 0.0001)."
    assert re.match(r"b ranks above: a \(\+\d+\.\d+, p = .*\); c \(\+", said[2])
    assert len(said) == 3
    assert "are not told apart (p = 0.2)" in verdicts(overall.assign(p=0.2), tests)[0]


def test_tables_stand_by_rank_with_intervals(compare_folder):
    summary = StudyFolder(compare_folder).table("summary")
    table = summary_table(summary)
    assert table["rank"].astype(float).is_monotonic_increasing
    row = summary.set_index("model").loc[table.model.iloc[0]]
    assert table.accuracy.iloc[0] == f"{row.accuracy:.2f} ({row.low:.2f} .. {row.high:.2f})"
    assert (table.failed == 1).all()


def test_what_is_kept_has_every_row_and_remarks_take_their_figures_from_it(compare_folder, keep_as):
    study = StudyFolder(compare_folder)
    remarks = (
        "NTK {{mean: NTK}} rank {{rank: NTK}} on {{sets}}; less RBF {{difference: NTK; RBF}}, "
        "turned {{difference: RBF; NTK}}, p {{p: NTK; RBF}} and {{p-alone: RBF; NTK}}, "
        "{{told: NTK; RBF}}, {{wins: RBF; NTK}}, alike {{alike: RBF; NTK}}, {{minutes}} minutes, "
        "apart {{apart: NTK; RBF; 2}} and {{apart: RBF; NTK; 99}}"
    )
    file = keep_as(compare_folder, "kept", remarks)
    words = file("md").read_text(encoding="utf-8")
    pair = study.table("tests").set_index(["first", "second"]).loc[("NTK", "RBF")]
    assert f"less RBF {pair.difference:+.2f} ({pair.low:+.2f} .. {pair.high:+.2f}), " in words
    assert f"turned {-pair.difference:+.2f} ({-pair.high:+.2f} .. {-pair.low:+.2f}), " in words
    assert f"p {pair.p_holm:.2g} and {pair.p:.2g}, not told apart, " in words
    assert f"{pair.losses} - {pair.ties} - {pair.wins}, alike " in words
    means = study.table("accuracies").pivot(index="set", columns="model", values="mean")
    apart = (abs(means.NTK - means.RBF) > 2).sum()
    assert f"apart {apart} and 0" in words
    assert "rank " in words
    assert "on 6; " in words
    assert len(pd.read_csv(file("csv"))) == 6 * 3 * 4
    assert matplotlib.image.imread(file("png"))[..., :3].std() > 0.01
    for wrong in ("{{mean: SVM}}", "{{p: NTK; SVM}}", "{{alike: NTK; forest}}"):
        with pytest.raises(SpecError, match="remarks"):
            keep_as(compare_folder, "wrong", wrong)


@pytest.mark.usefixtures("blank_pictures")
def test_nothing_in_its_files_becomes_html(compare_folder, tmp_path):
    columns = {"works": ["status"], "tests": ["first", "verdict"]}
    text = write_compare_report(spoilt(compare_folder, tmp_path / "c", **columns)).read_text()
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 6


def test_medians_of_eigenvalues_are_drawn_as_far_as_nearly_all_sets_have_so_many(compare_folder):
    study = StudyFolder(compare_folder)
    tables = [study.table(name) for name in ("summary", "groups", "alike", "spectra")]
    spectra = tables[-1] = tables[-1].copy()
    ks = sorted(set(spectra.k))
    spectra["n_sets"] = np.where(spectra.k == ks[-1], 8, np.where(spectra.k == ks[-2], 9, 10))
    figure = comparison_figure(*tables)
    [axes] = [axes for axes in figure.axes if axes.get_title() == "eigenvalues, centred"]
    assert len(axes.lines) == spectra.model.nunique()
    assert all(line.get_xdata().tolist() == ks[:-1] for line in axes.lines)


def test_ranks_are_drawn_without_kernels_and_groups(compare_folder):
    study = StudyFolder(compare_folder)
    empty = {name: study.table(name).iloc[:0] for name in ("groups", "alike", "spectra")}
    figure = comparison_figure(study.table("summary"), *empty.values())
    [axes] = figure.axes
    assert {text.get_text().split()[0] for text in axes.texts} & set(SMALL)
    assert len(axes.lines) == 3  # a line a model, no bar
    assert json.loads((study.path / "record.json").read_text())["svm_steps"] == 200_000
