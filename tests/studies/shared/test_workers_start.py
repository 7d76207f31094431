"""What plans say of processes: the time of starting some, and that the last ones run alone."""

import importlib
import itertools

import pytest

from ntkreg.errors import SpecError
from ntkreg.studies.shared import workers
from ntkreg.studies.shared.workers import seconds_of_the_last, seconds_to_start


def test_one_process_is_there_already(monkeypatch):
    monkeypatch.setattr(workers, "ProcessPoolExecutor", None)  # starting one would be an error
    assert seconds_to_start(SpecError, 1, 10) > 0
    assert seconds_to_start(SpecError, 4, 1) > 0


def test_others_are_started_and_import_what_the_work_needs(tmp_path, monkeypatch):
    (tmp_path / "module_of_the_work.py").write_text(
        "import os, pathlib\n"
        "pathlib.Path(__file__).with_name(f'imported-{os.getpid()}').touch()\n"
        "def work(): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    work = importlib.import_module("module_of_the_work").work
    assert seconds_to_start(work, 2, 10) > 0.05
    assert len(list(tmp_path.glob("imported-*"))) in (2, 3)  # here, and there: one may do it all


@pytest.mark.parametrize(
    ("pieces", "n_jobs", "later"),
    [
        ([3.0, 1, 1, 1], 2, 0.0),
        ([1.0, 1, 1, 3], 2, 1.0),
        ([5.0], 4, 3.75),
        ([2.0, 3], 1, 0.0),
        ([], 2, 0),
    ],
)
def test_processes_end_when_the_last_piece_does(pieces, n_jobs, later):
    assert seconds_of_the_last(pieces, n_jobs) == pytest.approx(later)


def test_the_longest_first_end_no_later_than_any_other_order():
    pieces = (4.0, 3.0, 3.0, 1.0)
    first = seconds_of_the_last(pieces, 2)
    assert all(seconds_of_the_last(p, 2) >= first for p in itertools.permutations(pieces))
