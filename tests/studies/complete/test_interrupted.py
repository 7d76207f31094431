"""A study that is stopped from outside: soon over, and nothing that was finished is lost."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="sends signals to a group of processes"),
]

CONFIG = """\
matrix: low-rank
size: 60
ranks: [3]
n_seen: [700, 1400]
depths: [2, 3, 4]
init_scales: [1.0e-3]
optimizer_depths: [2]
n_instances: 1
n_paths: 0
max_steps: 20000
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study.yaml").write_text(CONFIG)

    def begin(folder, n_jobs, *more):
        command = [sys.executable, "-m", "ntkreg", "complete", str(tmp_path / "study.yaml")]
        command += ["--output", str(folder), "--n_jobs", str(n_jobs), *more]
        with (tmp_path / "said").open("w") as said:
            return subprocess.Popen(command, stdout=said, stderr=said, process_group=0)

    return begin


def until_some_are_finished(process, journal, n=2):
    while not journal.exists() or journal.read_bytes().count(b"\n") < n:
        assert process.poll() is None, "it ended before"
        time.sleep(0.02)


def result(folder):
    rows = pd.read_csv(folder / "rows.csv").drop(columns="seconds")
    return rows, (folder / "verdicts.csv").read_bytes()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_waits_for_no_run(study, tmp_path, n_jobs):
    """Each run but the first, of the nuclear norm, would take minutes."""
    journal = tmp_path / "long" / "finished.jsonl"
    process = study(tmp_path / "long", n_jobs, "--tol", "1e-13", "--max_steps", "10000000")
    until_some_are_finished(process, journal, 1)
    kept, began = journal.read_bytes(), time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all of them get it
    process.wait()
    assert time.monotonic() - began < 10  # a second or two where nobody else is at work
    assert process.returncode == 130
    said = (tmp_path / "said").read_text()
    assert said.splitlines()[-1].startswith("ntkreg: interrupted.")
    assert "Traceback" not in said
    assert journal.read_bytes() == kept


def test_a_killed_study_goes_on_to_the_same_rows(study, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert study(whole, 1).wait() == 0
    journal = parts / "finished.jsonl"
    process = study(parts, 2)
    until_some_are_finished(process, journal)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = journal.read_bytes()
    # Two at once: one does the work, the other is refused, or comes when all is done.
    both = [study(parts, 1), study(parts, 1)]
    ended = {process.wait() for process in both}
    assert 0 in ended <= {0, 2}
    assert journal.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    pd.testing.assert_frame_equal(result(parts)[0], result(whole)[0])
    assert result(parts)[1] == result(whole)[1]
