"""The study as a whole: files, failures, resuming, processes."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import yaml
from small_sets import SMALL, threads, write_set

from ntkreg.cli import main
from ntkreg.errors import DataError, SpecError
from ntkreg.report.shared.read import StudyFolder
from ntkreg.studies.compare import study as module
from ntkreg.studies.compare.plan import plan_compare
from ntkreg.studies.compare.study import run_compare
from ntkreg.studies.shared.workers import run_all

TABLES = (
    *("rows", "works", "sets", "summary", "accuracies", "tests", "friedman", "groups"),
    *("differences", "geometry", "shapes", "alignments", "alike", "spectra"),
)


def tables(folder):
    """Return what does not depend on times, as text."""
    names = sorted(set(TABLES) - {"works", "summary"})
    return {name: (folder / f"{name}.csv").read_text() for name in names}


def test_every_model_meets_every_set(config, tmp_path):
    summary = run_compare(config, tmp_path / "out", n_jobs=1, progress=False)
    read = StudyFolder(tmp_path / "out")
    rows = read.table("rows")
    assert list(dict.fromkeys(rows.set)) == ["first", "second set", "third"]
    assert (rows.groupby(["set", "model"]).size() == 4).all()
    assert len(rows) == 36
    assert rows.accuracy.between(0, 100).all()
    assert rows.accuracy.mean() > 70  # it can be learnt
    assert rows.setting[0].startswith("network: [")
    assert list(summary.model) == list(SMALL)
    assert (summary.n_sets == 3).all()
    assert (summary.seconds > 0).all()
    works = read.table("works")
    assert (works.status == "done").all()
    if sys.platform == "linux":
        assert works.peak_bytes.notna().all()
    assert all(read.has(name) for name in TABLES)
    record = read.record()
    assert record["study"] == "Compare"
    assert (record["n_sets"], record["n_models"]) == (3, 3)


def test_a_run_goes_on_and_a_changed_model_alone_is_run_again(config, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run_compare(config, out, n_jobs=1, progress=False)
    before, done = tables(out), []
    original = module.tune_and_test

    def counted(config, model, data, size, store):
        done.append((model.name, data.name))
        return original(config, model, data, size, store)

    monkeypatch.setattr(module, "tune_and_test", counted)
    run_compare(config, out, n_jobs=1, progress=False)
    assert (done, tables(out)) == ([], before)
    models = {**config.models, "RBF": {**SMALL["RBF"], "gamma": [0.5, 2.0]}}
    run_compare(dataclasses.replace(config, models=models), out, n_jobs=1, progress=False)
    assert {name for name, _ in done} == {"RBF"}
    assert len(done) == 3
    done.clear()
    run_compare(config, out, n_jobs=1, progress=False)  # the first ones are still there
    assert (done, tables(out)) == ([], before)
    run_compare(dataclasses.replace(config, seed=1), out, n_jobs=1, progress=False)
    assert len(done) == 9


def test_processes_give_the_same_rows(config, tmp_path):
    run_compare(config, tmp_path / "one", n_jobs=1, progress=False)
    run_compare(config, tmp_path / "two", n_jobs=2, progress=False)
    assert tables(tmp_path / "one") == tables(tmp_path / "two")


@pytest.mark.parametrize("n_jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_killed_run_goes_on_to_the_same_rows(config, tmp_path, n_jobs):
    path, out = tmp_path / "c.yaml", tmp_path / "out"
    plain = dataclasses.asdict(config)
    path.write_text(yaml.safe_dump(json.loads(json.dumps(plain))))
    command = [sys.executable, "-m", "ntkreg", "compare", str(path), "--output", str(out)]
    process = subprocess.Popen([*command, "--n_jobs", str(n_jobs)], stderr=subprocess.DEVNULL)
    journal = out / "finished.jsonl"
    for _ in range(1200):
        if journal.exists() and journal.read_bytes().count(b"\n") >= 2:
            break
        time.sleep(0.05)
        assert process.poll() is None, "ended before it was killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    found = journal.read_bytes()
    assert found.count(b"\n") >= 2
    with open(journal, "ab") as file:
        file.write(b'{"key": "half a li')  # what a kill in the middle of a line leaves
    run_compare(config, out, n_jobs=1, progress=False)
    assert journal.read_bytes().startswith(found[: found.rfind(b"\n") + 1])
    keys = {json.loads(line)["key"] for line in journal.read_bytes().splitlines()}
    assert len(keys) == 9  # each whole, on a line of its own
    run_compare(config, tmp_path / "whole", n_jobs=1, progress=False)
    assert tables(out) == tables(tmp_path / "whole")


@pytest.mark.skipif(not os.path.exists("/proc"), reason="looks for processes in /proc")
def test_workers_end_with_a_killed_run(tmp_path):
    path = tmp_path / "sleepers.py"
    path.write_text(
        "import os, pathlib, sys, time\n"
        "from ntkreg.studies.shared.workers import run_all\n"
        "def sleep(folder):\n"
        "    (pathlib.Path(folder) / str(os.getpid())).touch()\n"
        "    time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    list(run_all(sleep, [(sys.argv[1],)] * 2, 2))\n"
    )
    (tmp_path / "pids").mkdir()
    process = subprocess.Popen([sys.executable, str(path), str(tmp_path / "pids")])
    for _ in range(600):
        workers = [int(p.name) for p in (tmp_path / "pids").iterdir()]
        if len(workers) == 2:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(os.path.exists(f"/proc/{w}/stat") for w in workers):
        time.sleep(0.1)
    assert len(workers) == 2
    assert not any(os.path.exists(f"/proc/{w}/stat") for w in workers)


def test_what_fails_is_told_and_the_others_go_on(config, folder, tmp_path):
    (folder / "broken.npz").write_bytes(b"PK nothing")
    (folder / "empty cells.csv").write_text("a,y\n1,0\n,1\n")
    write_set(folder / "bare.npz", splits=False)
    write_set(folder / "one class.npz", y=np.zeros(40, int))
    write_set(folder / "one row.npz", n=1, splits=False)
    models = {
        **config.models,
        "CNTK": {"kind": "cntk", "network": [[1, 0], [2, 0]], "readout": ["gap"], "C": [1, 2]},
    }
    config = dataclasses.replace(config, models=models)
    summary = run_compare(config, tmp_path / "out", n_jobs=1, progress=False)
    works = StudyFolder(tmp_path / "out").table("works")
    assert works[works.model == "every model"].set.tolist() == ["broken", "empty cells"]
    said = {r.set: r.status for r in works[works.model.isin(["NTK", "every model"])].itertuples()}
    assert "not a sound .npz archive" in said["broken"]
    assert "NaN or infinity, first in row 1" in said["empty cells"]
    assert 'Use "nested tuning"' in said["bare"]
    assert said["one class"] == "one class: all 40 rows are of one class."
    assert said["one row"] == "one row: all 1 rows are of one class."
    assert said["third"] == "done"
    cntk = works[(works.model == "CNTK") & works.set.isin(["first", "third"])]
    assert cntk.status.str.contains("CNTK: convolutional kernels need images").all()
    assert list(summary.model) == list(SMALL)  # of CNTK there is no accuracy
    assert (summary.failed == 3).all()
    assert (summary.n_sets == 3).all()


def test_a_folder_of_nothing_but_failures(config, tmp_path):
    for path in (tmp_path / "data").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(
        SpecError, match=r"no model has an accuracy.*The first: first: .*not a sound"
    ):
        run_compare(config, tmp_path / "out", n_jobs=1, progress=False)


def test_a_strangers_journal_is_refused(config, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for content, said in ((b"{}\n", "is no result of a comparison"), (b"x\n", "not sound JSON")):
        (out / "finished.jsonl").write_bytes(content)
        with pytest.raises(DataError, match=f"line 1.*{said}.*delete this file"):
            run_compare(config, out, n_jobs=1, progress=False)


def test_data_sets_are_chosen_by_name_and_size(config, tmp_path):
    one = dataclasses.replace(config, data_sets=("third", "first"))
    run_compare(one, tmp_path / "a", n_jobs=1, progress=False)
    assert StudyFolder(tmp_path / "a").table("sets").set.tolist() == ["third", "first"]
    small = dataclasses.replace(config, most_rows=44)
    run_compare(small, tmp_path / "b", n_jobs=1, progress=False)
    assert StudyFolder(tmp_path / "b").table("sets").set.tolist() == ["first", "second set"]
    with pytest.raises(SpecError, match=r"has no nothing. It has first, second set, third"):
        run_compare(dataclasses.replace(config, data_sets=("nothing",)), tmp_path / "c")


def test_the_plan_counts_fits_and_seconds(config, tmp_path, monkeypatch):
    [plan] = plan_compare(config, tmp_path, n_jobs=1)
    assert plan.counts == {"data sets": 3, "models": 3, "settings each": 4, "fits": 3 * 3 * 8}
    assert list(plan.seconds) == list(SMALL)
    assert all(s > 0 for s in plan.seconds.values())
    assert plan.peak_bytes == 16 * 2 * 48**2
    nested = dataclasses.replace(config, protocol="nested tuning")
    place = "ntkreg.studies.compare.plan.seconds_to_start"
    monkeypatch.setattr(place, lambda work, n_jobs, n_pieces: 100 * n_jobs + n_pieces)
    [plan] = plan_compare(nested, tmp_path, n_jobs=2)
    assert plan.counts["fits"] == 3 * 3 * 4 * 9
    assert plan.seconds["starting processes"] == 100 * 2 + 3 * 3
    assert plan.seconds["waiting for the last"] >= 0
    bare = dataclasses.replace(config, data_sets=("bare",))
    write_set(tmp_path / "data" / "bare.npz", splits=False)
    with pytest.raises(SpecError, match="no data set that this protocol can use"):
        list(plan_compare(bare, tmp_path))


def test_the_command_prints_ranks_and_its_files(config, folder, tmp_path, capsys):
    path, out = tmp_path / "c.yaml", tmp_path / "out"
    path.write_text(
        yaml.safe_dump({"data": str(folder), "models": SMALL, "budget": 4, "n_trees": 3})
    )
    assert main(["compare", str(path), "--output", str(out), "--n_jobs", "1"]) == 0
    text = capsys.readouterr().out
    assert "Of 3 pairs of models, 0 are told apart on 3 data sets" in text
    assert text.splitlines()[-2:] == [f"page   {out / 'page.html'}", f"rows   {out / 'rows.csv'}"]
    assert pd.read_csv(out / "rows.csv").split.max() == 3
    assert main(["plan", str(path)]) == 0
    assert "3 data sets, 3 models, 4 settings each" in capsys.readouterr().out
    assert main(["compare", str(path), "--data", str(tmp_path / "no"), "--output", str(out)]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_workers_have_one_thread_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    found = [info for _, info in run_all(threads, [(), ()], 2)]
    assert len(found) == 2
    assert all(found)
    assert {number for numbers in found for number in numbers} == {1}
