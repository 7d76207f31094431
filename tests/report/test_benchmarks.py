"""Every page of benchmarks/ is made again from the rows, records and remarks that lie there."""

import json
import re
import shutil
import sys

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from benchmark_pages import FOLDER, ROOT, measured

from ntkreg.report.register import REPORTS, remake_benchmark
from ntkreg.report.shared.kept import AS_DRAWN, KeptStudy
from ntkreg.report.shared.remarks import PLACEHOLDER
from ntkreg.report.shared.tables import html_table
from ntkreg.report.widths.page import ENSEMBLES, FIGURES, METHOD
from ntkreg.report.widths.tables import limit_table, point_table, verdict_table
from ntkreg.studies.few_samples.summary import exact_accuracies
from ntkreg.studies.optimizers.config import OptimizersConfig
from ntkreg.studies.optimizers.verdicts import make_verdicts
from ntkreg.studies.shared.statistics import summarize_draws
from ntkreg.studies.widths.tables import slope_table, spread_points

sys.path.insert(0, str(ROOT / "scripts"))
import bench_page
import verdicts

RECORDS = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
STUDIES = sorted(stem for stem, record in RECORDS.items() if "study" in record)
SPEEDS = sorted(set(RECORDS) - set(STUDIES))
# Of every kind of study the first that is drawn: what draws the others is the same.
DRAWN = set({RECORDS[s]["study"]: s for s in STUDIES[::-1] if AS_DRAWN not in RECORDS[s]}.values())
WIDTHS = [stem for stem in STUDIES if RECORDS[stem]["study"] == "Widths"]


def kept(stem):
    return KeptStudy(FOLDER / stem, REPORTS[RECORDS[stem]["study"]].derived)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Return a copy of benchmarks/ without anything that is made."""
    made = shutil.ignore_patterns("*.html", "*.png")
    folder = shutil.copytree(FOLDER, tmp_path_factory.mktemp("x") / "benchmarks", ignore=made)
    for page in folder.glob("*.md"):
        page.unlink()
    return folder


def test_every_page_has_its_rows_and_its_record():
    assert set(RECORDS) == {page.stem for page in FOLDER.glob("*.md")}
    assert {path.stem for path in (FOLDER / "remarks").iterdir()} <= set(STUDIES)
    assert set(SPEEDS) == set(bench_page.PAGES)


@pytest.mark.parametrize("stem", STUDIES)
def test_a_page_of_a_study_is_made_again(stem, copy, monkeypatch):
    monkeypatch.setattr("ntkreg.report.shared.kept.png", lambda figure: b"made, not drawn")
    made = remake_benchmark(copy / stem)
    assert made[0].read_text(encoding="utf-8") == (FOLDER / made[0].name).read_text(
        encoding="utf-8"
    ), f"make it again: ntkreg report --benchmark benchmarks/{stem}"
    assert (len(made) == 1) == (AS_DRAWN in RECORDS[stem])


@pytest.mark.parametrize(
    "stem",
    [n if n in DRAWN else pytest.param(n, marks=pytest.mark.slow) for n in STUDIES],
)
def test_a_picture_of_a_study_is_drawn_again(stem, copy):
    for path in remake_benchmark(copy / stem)[1:]:
        # Fonts differ by a pixel from one version of FreeType to the next.
        ours, theirs = (matplotlib.image.imread(p)[..., :3] for p in (path, FOLDER / path.name))
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).mean() < 0.02


@pytest.mark.parametrize("stem", SPEEDS)
def test_a_page_on_speed_is_made_again(stem, copy):
    text = bench_page.remake(copy / stem)
    assert text == (FOLDER / f"{stem}.md").read_text(encoding="utf-8"), (
        f"make it again: python scripts/bench_page.py {stem}"
    )


@pytest.mark.parametrize("path", sorted((FOLDER / "remarks").iterdir()), ids=lambda p: p.stem)
def test_no_measured_figure_of_a_remark_is_typed_in(path):
    assert not measured(PLACEHOLDER.sub("", path.read_text(encoding="utf-8")))


def test_a_figure_that_changes_in_the_rows_changes_in_the_sentence(copy, tmp_path):
    shutil.copytree(copy, tmp_path / "b")
    stem = tmp_path / "b" / "cifar10_myrtle5_flip"
    before = remake_benchmark(stem)[0].read_text(encoding="utf-8")
    rows = pd.read_csv(f"{stem}.csv")
    first = (rows["get"] == "ntk") & (rows.n == 640)
    rows.assign(accuracy=rows.accuracy + 2 * first).to_csv(f"{stem}.csv", index=False)
    after = remake_benchmark(stem)[0].read_text(encoding="utf-8")
    assert "| 640 | +3.9 (+3.3 .. +4.6) | +3.7" in before
    assert "| 640 | +5.9 (+5.3 .. +6.6) | +3.7" in after


@pytest.mark.parametrize("stem", WIDTHS)
def test_slopes_that_follow_from_the_rows_are_theirs(stem):
    study = kept(stem)
    found = slope_table(pd.DataFrame(spread_points(study.table("rows"))))
    keys = ["depth", "parametrization", "quantity", "kind", "expected"]
    both = found.merge(study.table("slopes"), on=keys, suffixes=("", "_kept"))
    assert len(both) == len(found)
    for name in ("slope", "low", "high"):
        np.testing.assert_allclose(both[name], both[f"{name}_kept"], rtol=1e-8)
    for name in ("verdict", "first_width", "last_width", "n_widths"):
        assert (both[name] == both[f"{name}_kept"]).all()


@pytest.mark.parametrize("stem", WIDTHS)
def test_whole_pages_of_the_width_study_hold_the_same_tables(stem):
    study = kept(stem)
    text = (FOLDER / f"{stem}.html").read_text(encoding="utf-8")
    errors = ["train_error", "test_error", "train_loss", "test_loss", "rank_start", "rank_end"]
    for table in (
        verdict_table(study.table("slopes")),
        limit_table(study.table("limits")),
        point_table(study.table("summary"), errors),
    ):
        for line in html_table(table).splitlines():
            assert line in text
    for sentence in (METHOD, ENSEMBLES, FIGURES[1][3]):
        assert sentence in text.replace("<code>", "`").replace("</code>", "`")


def test_a_comparison_follows_from_its_rows_but_for_test_images():
    study, record = kept("cifar10_best_kernel"), RECORDS["cifar10_best_kernel"]
    told, n_test = study.table("comparison"), record["n_test"]
    rows = exact_accuracies(study.table("rows"), n_test)
    draws = rows.pivot_table(index=["n", "draw"], columns="kernel", values="accuracy")
    for kernel, own in rows.groupby("kernel"):
        found = summarize_draws(own, pool=record["pool"], n_test=n_test).set_index("n")
        lines = told[told.kernel == kernel].set_index("n")
        for name in ("mean", "draw_std", "corrected_std", "test_error", "mean_error"):
            np.testing.assert_allclose(lines[name], found[name], rtol=1e-9)
        for n, line in lines.iterrows():
            [best] = told[(told.n == n) & (told.verdict == "best")].kernel
            less = draws.loc[n][kernel] - draws.loc[n][best]
            assert line.difference == pytest.approx(less.mean(), abs=1e-6)
            assert line.paired_draw_std == pytest.approx(less.std(ddof=1), abs=1e-9)
            if kernel != best:
                assert line.verdict == ("worse" if line.high < 0 else "inside")


def test_verdicts_on_optimisers_follow_from_their_rows():
    study = kept("optimizers_mnist")
    tables = {name: study.table(name) for name in ("runs", "batches", "verdicts")}
    config = OptimizersConfig(**study.config())
    # The trajectory's and the stopped kernels' tables were not kept: any will do here.
    levels = tables["runs"].assign(level=config.levels[-1], kernel_gap=1.0)
    levels = levels[levels.labels == "correct"]
    names = ["flow_loss", "ridge_loss", "distance", "test_loss"]
    anything = pd.DataFrame(
        [{"kernel": k, "seed": s, "time": 1.0} | dict.fromkeys(names, 1.0)
         for k in ("analytic", "empirical") for s in config.seeds]
    )  # fmt: skip
    tables |= {"levels": levels, "stops": anything, "curves": anything}
    found = make_verdicts(config, tables)
    asked = ["end points", "noise of sgd", "labels"]
    keys = ["question", "subject", "quantity"]
    both = found[found.question.isin(asked)].merge(study.table("verdicts"), on=keys)
    assert len(both) == len(found[found.question.isin(asked)])
    assert (both.verdict_x == both.verdict_y).all()
    for name in ("estimate", "low", "high"):
        np.testing.assert_allclose(both[f"{name}_x"], both[f"{name}_y"], rtol=1e-3)


@pytest.mark.parametrize(
    ("claim", "least", "median", "greatest", "verdict"),
    [
        (">= 2.5", 2.24, 2.34, 3.0, "missed"),
        (">= 2.5", 2.24, 2.6, 3.0, "holds at the median only"),
        ("<= 267 (result 61, 10 % of it, 200)", 127, 127, 127, "holds"),
        ("0.75..1.25", 1.15, 1.19, 1.29, "holds at the median only"),
        ("0.75..1.25", 0.6, 0.7, 0.8, "missed"),
        ("< 2", 0.8, 2.1, 2.2, "missed"),
        ("", 1, 2, 3, ""),
    ],
)
def test_a_claim_is_judged_by_its_median_and_every_round(claim, least, median, greatest, verdict):
    assert verdicts.verdict(claim, median, least, greatest) == verdict


def test_what_was_only_printed_is_said_in_the_record():
    for stem in STUDIES:
        said = RECORDS[stem].get("printed_only", "")
        for table in re.findall(r"[\w.]+\.csv", said):
            assert (FOLDER / table).exists()
