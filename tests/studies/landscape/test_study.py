"""The study is whole, goes on after a kill to the same rows, and its page is made of them."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ntkreg.errors import SpecError
from ntkreg.report.landscape.page import write_landscape_report
from ntkreg.studies.landscape import study as study_module
from ntkreg.studies.landscape.plan import plan_landscape
from ntkreg.studies.landscape.statements import STATEMENTS
from ntkreg.studies.landscape.study import run_landscape, specs_of
from ntkreg.studies.landscape.task import load_task


@pytest.mark.slow
def test_a_killed_study_goes_on_to_the_same_rows(
    landscape_config, landscape_folder, tmp_path, monkeypatch
):
    whole = (landscape_folder / "finished.jsonl").read_bytes().splitlines(keepends=True)
    assert len(whole) == len(specs_of(load_task(landscape_config))) == 5 + 2 + 3
    journal = tmp_path / "finished.jsonl"
    journal.write_bytes(b"".join(whole[:-1]) + whole[-1][:40])  # a kill in the midst of a line
    again = run_landscape(landscape_config, tmp_path, progress=False)
    rows = pd.read_csv(landscape_folder / "rows.csv")
    assert len(again) == len(rows)
    for name in ("rows", "verdicts", "planes"):
        found, wanted = ((f / f"{name}.csv").read_bytes() for f in (tmp_path, landscape_folder))
        assert found == wanted
    monkeypatch.setattr(study_module, "measure_cell", None)  # nothing is done any more


@pytest.mark.slow
def test_rows_hold_every_quantity_and_no_nan(landscape_folder):
    rows = pd.read_csv(landscape_folder / "rows.csv")
    assert np.isfinite(rows.value).all()
    grid = rows[(rows.part == "grid") & (rows.level == 0)]
    barriers = grid[grid.quantity.str.startswith("barrier_")]
    assert set(barriers.groupby("quantity").size()) == {3 * 2}  # widths, pairs
    assert (barriers.value >= 0).all()
    full = grid[(grid.quantity == "rank_share") & (grid.width >= 12)]
    assert (full.value == 1).all()
    verdicts = pd.read_csv(landscape_folder / "verdicts.csv")
    assert set(verdicts.statement) == set(STATEMENTS) - {"depth"}  # one depth alone
    assert set(verdicts.verdict) <= {"agrees", "disagrees", "undecided", "measured"}


@pytest.mark.slow
def test_the_page_shows_every_statement(landscape_folder):
    page = write_landscape_report(landscape_folder).read_text()
    for key, statement in STATEMENTS.items():
        if key != "depth":
            assert statement.words in re.sub("&#x27;", "'", page)
    assert page.count("<img") == 3


@pytest.mark.slow
def test_a_plan_counts_and_makes_nothing(landscape_config, tmp_path):
    [plan] = plan_landscape(landscape_config, tmp_path / "x")
    assert plan.counts == {"pieces": 10, "networks": 12}
    assert all(seconds > 0 for seconds in plan.seconds.values())
    assert not (tmp_path / "x").exists()


def test_targets_of_one_class_and_too_many_features_are_refused(landscape_config):
    digits = replace(landscape_config, surface="digits", positive=tuple(range(10)))
    with pytest.raises(SpecError, match="positive must be some, not all"):
        load_task(digits)
    with pytest.raises(SpecError, match="n_features must be at most 12"):
        load_task(replace(landscape_config, surface="digits", n_features=13))
    task = load_task(replace(landscape_config, surface="digits"))
    assert task.X.shape == (12, 3)
    assert sorted(set(task.y)) == [-1, 1]
