"""What a plan says of the start of processes is the time of starting some."""

import importlib

from ntkreg.errors import SpecError
from ntkreg.studies.shared import workers
from ntkreg.studies.shared.workers import seconds_to_start


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
