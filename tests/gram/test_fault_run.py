"""The long run of faults, in small, and what the committed one says."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]


def _sound(rows):
    assert rows["tiles lost"].sum() == 0
    whole = rows[rows["wrong values"].notna()]
    assert len(whole) > 0
    assert whole["wrong values"].sum() == 0
    assert (whole["values"] > 0).all()


def test_the_committed_run_lost_nothing_in_a_hundred_kills():
    rows = pd.read_csv(ROOT / "benchmarks" / "faults.csv")
    _sound(rows)
    assert rows["processes killed"].sum() >= 100
    assert rows["tiles damaged"].sum() > 0
    assert {"cut short", "a bit flipped", "deleted", "disk full"} <= set(rows.fault)
    asked = rows[rows.fault == "second writer, wrong network"]
    assert (asked.refused >= 1).all()  # the first writer may have ended before the second came
    assert (asked.refused == 2).any()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked, and killed")
def test_a_short_run_loses_nothing(tmp_path):
    command = [sys.executable, str(ROOT / "scripts" / "fault_run.py"), "--kills", "6"]
    done = subprocess.run([*command, "--output", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _sound(pd.read_csv(tmp_path / "faults.csv"))
