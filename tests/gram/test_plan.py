import os
import resource
import subprocess
import sys
import time
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import toy_engine

from ntkreg import cntk, compute_gram, fully_connected, machine, plan_gram
from ntkreg.errors import PlanError
from ntkreg.gram import plan
from ntkreg.machine import free_disk, free_memory, readable, stored_bytes

NET = fully_connected(depth=2)


def test_plan_counts_pairs_and_bytes():
    X = np.ones((30, 4), np.float32)
    made = plan_gram(NET, X, np.ones((20, 4), np.float32), get=("nngp", "ntk"), depths=(1, 2))
    assert made.pairs == 600
    assert made.result_bytes == 600 * 4 * 4
    assert made.disk_bytes == 0
    assert made.peak_bytes >= made.result_bytes
    assert plan_gram(NET, X).pairs == 30 * 31 // 2


def test_plan_reads_well():
    text = str(plan_gram(NET, np.ones((30, 4)), get=("nngp", "ntk"), n_jobs=3))
    assert "NNGP and NTK of fully_connected(depth=2" in text
    assert "30 x 30, symmetric, float64" in text
    assert "465 pairs" in text
    assert "on 3 threads" in text
    assert "time    about" in text


def test_plan_is_made_in_a_second_and_near_the_truth(monkeypatch):
    toy_engine.install(monkeypatch.setattr, pause=0.02)
    X = np.ones((40, 2))
    start = time.perf_counter()
    made = plan_gram(NET, X, X, n_jobs=2)
    assert time.perf_counter() - start < 1
    start = time.perf_counter()
    compute_gram(NET, X, X, n_jobs=2)
    taken = time.perf_counter() - start
    assert 0.3 * taken < made.seconds < 3 * taken


def test_plan_computes_at_most_a_few_blocks(monkeypatch):
    toy_engine.install(monkeypatch.setattr, limit=1.0)
    X = np.ones((1000, 2))
    X[50:] = 5  # the toy engine fails there
    plan_gram(NET, X)


def test_memory_that_is_not_there_is_refused_with_what_would_fit(monkeypatch):
    toy_engine.install(monkeypatch.setattr)
    monkeypatch.setattr(plan, "free_memory", lambda: 1_000_000)
    monkeypatch.setattr(plan, "_A_THREAD", 0)  # sizes here are small beside it
    X = np.ones((300, 2))
    with pytest.raises(PlanError) as caught:
        compute_gram(NET, X, get=("nngp", "ntk"), depths=(1, 2), n_jobs=1)
    message = str(caught.value)
    assert "300 x 300 values" in message
    assert "900.0 kB can be used" in message
    assert "n up to about 167" in message
    assert "1 of the 2 variants" not in message  # 1.4 MB a depth would not fit either
    assert "folder=" in message
    assert "float32" not in message  # nor half of 2.9 MB
    with pytest.raises(PlanError, match="dtype=float32; one of nngp and ntk at a time"):
        plan_gram(NET, X[:240], get=("nngp", "ntk"), n_jobs=1)


def test_a_gram_of_terabytes_is_refused_on_any_machine():
    with pytest.raises(PlanError, match=r"2000000 x 2000000 .* 32\.0 TB"):
        compute_gram(NET, np.ones((2_000_000, 1)))


def test_disk_that_is_not_there_is_refused_and_nothing_is_written(monkeypatch, tmp_path):
    monkeypatch.setattr(plan, "free_disk", lambda folder: 1000)
    with pytest.raises(PlanError, match=r"of disk at .*900 B can be used.*; a folder with"):
        compute_gram(NET, np.ones((50, 2)), folder=tmp_path / "K")
    assert not (tmp_path / "K").exists()


def test_a_disk_of_which_nobody_knows_the_size_is_tried(monkeypatch, tmp_path):
    unknown = SimpleNamespace(total=0, free=0)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: unknown)
    assert free_disk(tmp_path) is None
    compute_gram(NET, np.ones((50, 2)), folder=tmp_path / "K")


def test_a_complete_folder_is_read_on_a_full_disk_whatever_tile_is_asked(monkeypatch, tmp_path):
    toy_engine.install(monkeypatch.setattr)
    X = np.ones((50, 2))
    compute_gram(NET, X, folder=tmp_path / "K", tile=4)
    monkeypatch.setattr(plan, "free_disk", lambda folder: 0)
    gram = compute_gram(NET, X, folder=tmp_path / "K", tile=4000)
    assert np.array_equal(np.asarray(gram.values["ntk"]), compute_gram(NET, X).values["ntk"])
    assert plan_gram(NET, X, folder=tmp_path / "K", tile=4000).tile == 4


def test_a_folder_at_which_others_work_can_be_planned_for(monkeypatch, tmp_path):
    (tmp_path / "draft.tmp").write_bytes(b"1234")
    (tmp_path / "link").symlink_to(tmp_path / "draft.tmp")
    (tmp_path / "K").mkdir()
    (tmp_path / "K" / "tile").write_bytes(b"123")
    only_links = os.lstat(tmp_path / "link").st_size
    assert stored_bytes(tmp_path) == 7 + only_links
    lstat = os.lstat

    def gone(path):
        if str(path).endswith(".tmp"):
            raise FileNotFoundError(path)
        return lstat(path)

    monkeypatch.setattr(machine.os, "lstat", gone)
    assert stored_bytes(tmp_path) == 3 + only_links
    assert stored_bytes(tmp_path / "none") == 0


def test_a_folder_needs_memory_for_tiles_only():
    X = np.ones((1500, 1))
    held = plan_gram(cntk(1, "flatten"), X.reshape(-1, 1, 1, 1), n_jobs=1)
    stored = plan_gram(cntk(1, "flatten"), X.reshape(-1, 1, 1, 1), n_jobs=1, folder="no/such")
    assert stored.peak_bytes < held.result_bytes / 4
    assert stored.disk_bytes >= held.pairs * 8


@pytest.mark.parametrize("normalize", [None, "unit_diagonal"])
def test_no_more_memory_is_taken_than_planned(monkeypatch, normalize):
    toy_engine.install(monkeypatch.setattr, side=40)
    X = np.ones((2400, 4))
    options = {"n_jobs": 2, "tile": 800, "normalize": normalize}
    made = plan_gram(NET, X, **options)
    compute_gram(NET, X[:10], **options)  # imports and caches are not the Gram's
    tracemalloc.start()
    gram = compute_gram(NET, X, **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert gram.values["ntk"].nbytes == made.result_bytes
    assert peak < made.peak_bytes + 2e6  # a tile has 5 MB


MEASURE = """
import numpy as np
from ntkreg import fully_connected, kernel

def status(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))

X = np.random.default_rng(0).standard_normal((4000, 3072), dtype=np.float32)
options = {"get": ("nngp", "ntk"), "progress": False}
kernel(fully_connected(5), X[:300], **options)
open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew: compiling is over
before = status("VmRSS")
K = kernel(fully_connected(5), X, **options)
print(status("VmHWM") - before, sum(values.nbytes for values in K))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
def test_a_large_gram_takes_its_own_size_a_tenth_and_200_mb_at_most():
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True)
    grown, result = map(int, done.stdout.split())
    assert result == 2 * 4 * 4000**2
    assert 0.9 * result < grown < 1.1 * result + 200e6


def test_free_memory_is_the_least_of_machine_and_control_group(monkeypatch, tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable: 4000 kB\n")
    monkeypatch.setattr(machine, "_MEMINFO", meminfo)
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert free_memory() == 4000 * 1024
    for name, text in (("max", "3000000"), ("current", "1000000"), ("stat", "inactive_file 5000")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert free_memory() == 2_005_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory() == 4000 * 1024


def test_a_tile_that_no_disk_holds_is_what_is_to_be_changed(tmp_path):
    with pytest.raises(
        PlanError, match=r"fit: a new folder with tiles of a side below 1,000,000,[0-9]{3},"
    ) as e:
        compute_gram(NET, np.ones((30, 2)), folder=tmp_path / "K", tile=10**9)
    assert "n up to" not in str(e.value)


@pytest.mark.parametrize(
    ("line", "group", "limit", "used"),
    [
        ("0::/slurm/job_7/step_0", "slurm/job_7", "memory.max", "memory.current"),
        (
            "4:memory:/slurm/job_7",
            "memory/slurm/job_7",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
        ),
    ],
)
def test_free_memory_counts_the_group_of_a_batch_job(
    monkeypatch, tmp_path, line, group, limit, used
):
    (tmp_path / "own").write_text(f"9:cpu:/elsewhere\n{line}\n")
    (tmp_path / group).mkdir(parents=True)
    for name, text in ((limit, "3000000"), (used, "1000000"), ("memory.stat", "inactive_file 5")):
        (tmp_path / group / name).write_text(text)
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine, "_OWN_GROUPS", tmp_path / "own")
    assert free_memory() == 2_000_005
    (tmp_path / group / "memory.stat").write_text("inactive_file 5 total_inactive_file 7")
    assert free_memory() == 2_000_007


@pytest.mark.skipif(sys.platform != "linux", reason="what is used is read from /proc")
@pytest.mark.parametrize("name", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_free_memory_counts_what_ulimit_leaves(name):
    which = getattr(resource, name)
    soft, hard = resource.getrlimit(which)
    pages = os.sysconf("SC_PAGE_SIZE") * np.loadtxt("/proc/self/statm")
    used = int(pages[0 if name == "RLIMIT_AS" else 5])
    resource.setrlimit(which, (used + 300_000_000, hard))
    try:
        assert 250_000_000 < free_memory() < 310_000_000
    finally:
        resource.setrlimit(which, (soft, hard))


def test_free_memory_falls_back_where_there_is_no_proc(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "none")
    monkeypatch.setattr(machine, "_CGROUP", tmp_path / "none")
    assert free_memory() is None or free_memory() > 0


def test_free_disk_of_a_folder_to_be_made(tmp_path):
    assert free_disk(tmp_path / "a/b") > 0


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2.5e9, "2.5 GB"), (3e16, "30000.0 TB")],
)
def test_bytes_are_readable(n_bytes, text):
    assert readable(n_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "0.012 s"), (99.4, "99 s"), (110, "110 s"), (125, "2 min"), (9000, "2.5 h")],
)
def test_seconds_are_readable(seconds, text):
    assert plan.readable_time(seconds) == text
