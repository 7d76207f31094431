"""The study is whole, goes on after a kill to the same rows, and its page is made of them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ntkreg.errors import DataError, DivergenceError, SpecError
from ntkreg.journal import Journal
from ntkreg.report.landscape.page import write_landscape_report
from ntkreg.storage import held_alone
from ntkreg.studies.landscape.cells import CellSpec
from ntkreg.studies.landscape.finished import finished_of
from ntkreg.studies.landscape.plan import plan_landscape
from ntkreg.studies.landscape.questions import QUESTIONS
from ntkreg.studies.landscape.statements import STATEMENTS
from ntkreg.studies.landscape.study import run_landscape, specs_of
from ntkreg.studies.landscape.task import load_task

LEFT = 3
"""Pieces that the killed study still has to do: the first ends, the second is killed."""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a signal that cannot be caught")
def test_a_killed_study_goes_on_to_the_same_rows(landscape_config, landscape_folder, tmp_path):
    whole = (landscape_folder / "finished.jsonl").read_bytes().splitlines(keepends=True)
    assert len(whole) == len(specs_of(load_task(landscape_config))) == len(QUESTIONS) + 2 + 3
    journal = tmp_path / "finished.jsonl"
    journal.write_bytes(b"".join(whole[:-LEFT]))
    command = [sys.executable, "-m", "ntkreg", "landscape", str(landscape_folder / "config.yaml")]
    command += ["--output", str(tmp_path), "--n_jobs", "1", "--store", str(tmp_path / "kernels")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while journal.read_bytes().count(b"\n") <= len(whole) - LEFT:
        assert process.poll() is None, "it ended before"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = journal.read_bytes()
    assert kept.count(b"\n") < len(whole)
    assert not (tmp_path / "rows.csv").exists()
    with journal.open("ab") as stream:
        stream.write(b'{"key": "cut o')  # as a full disk leaves it
    subprocess.run(command, check=True, capture_output=True)
    assert journal.read_bytes().startswith(kept)
    for name in ("rows", "verdicts", "planes"):
        found, wanted = ((f / f"{name}.csv").read_bytes() for f in (tmp_path, landscape_folder))
        assert found == wanted
    assert list((tmp_path / "kernels").glob("*/manifest.json"))


@pytest.mark.parametrize(
    "damage",
    [
        {"width": 8},
        {"values": [[0.0, 0, "loss"]]},
        {"values": [[0.0, 0, "loss", "low"]]},
        {"values": None},
        {"more": 1},
    ],
)
def test_a_piece_that_is_no_cell_is_refused(landscape_config, tmp_path, damage):
    task, spec = load_task(landscape_config), CellSpec(1, 4)
    path = tmp_path / "finished.jsonl"
    good = {"depth": 1, "width": 4, "values": [[0.0, 0, "loss", 0.5]]}
    finished_of(Journal(path, 10_000), task, [spec]).add(spec, good)
    assert finished_of(Journal(path, 10_000), task, [spec]).get(spec) == good
    line = json.loads(path.read_text())
    path.write_text(json.dumps(line | {"piece": good | damage}) + "\n")
    with pytest.raises(DataError, match=r"landscape: .*line 1: the piece is not what its key says"):
        finished_of(Journal(path, 10_000), task, [spec])


@pytest.mark.slow
def test_too_large_a_rate_is_named(landscape_config):
    task = load_task(landscape_config)
    with pytest.raises(DivergenceError, match="Lower the learning rate"):
        task.descend(task.network(1, 4), 1e3 * task.rate(1), seeds=range(2))


def test_a_second_process_is_kept_out(landscape_config, tmp_path):
    with (
        held_alone(tmp_path / "finished.jsonl"),
        pytest.raises(BlockingIOError, match="another process"),
    ):
        run_landscape(landscape_config, tmp_path, progress=False)


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
def test_a_plan_counts_and_makes_nothing(landscape_config, tmp_path, monkeypatch):
    place = "ntkreg.studies.landscape.plan.seconds_to_start"
    monkeypatch.setattr(place, lambda work, n_jobs, n_pieces: 100 * n_jobs + n_pieces)
    [plan] = plan_landscape(landscape_config, tmp_path / "x", n_jobs=2)
    assert plan.counts == {"pieces": len(QUESTIONS) + 5, "networks": 12}
    assert plan.seconds["starting processes"] >= 100 * 2 + len(QUESTIONS) + 5
    assert all(seconds >= 0 for seconds in plan.seconds.values())
    assert {"questions", "waiting for the last"} < set(plan.seconds)
    assert not (tmp_path / "x").exists()


def test_the_widest_cells_begin(landscape_config):
    first, *_ = specs_of(load_task(landscape_config))
    assert first == CellSpec(landscape_config.depths[-1], landscape_config.widths[-1])


def test_targets_of_one_class_and_too_many_features_are_refused(landscape_config):
    digits = replace(landscape_config, surface="digits", positive=tuple(range(10)))
    with pytest.raises(SpecError, match="positive must be some, not all"):
        load_task(digits)
    with pytest.raises(SpecError, match="n_features must be at most 12"):
        load_task(replace(landscape_config, surface="digits", n_features=13))
    task = load_task(replace(landscape_config, surface="digits"))
    assert task.X.shape == (12, 3)
    assert sorted(set(task.y)) == [-1, 1]
