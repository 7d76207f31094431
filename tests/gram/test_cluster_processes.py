"""A scheduler and workers that are processes of their own, and die."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from ntkreg import cntk, compute_gram, gram_status
from ntkreg.cli import main
from ntkreg.errors import StoreMismatchError
from ntkreg.gram.tile_files import TileFiles

distributed = pytest.importorskip("distributed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.* has no workers; waiting")]

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((300, 14, 14, 1)).astype(np.float32)
NET = cntk(4)
OPTIONS = {"get": ("nngp", "ntk"), "depths": (2, 4), "normalize": "unit_diagonal"}


class _Cluster:
    """`dask scheduler` and `dask worker` on this machine's loopback."""

    def __init__(self, place):
        self.file, self.log = place / "scheduler.json", (place / "log").open("wb")
        self.processes, self.killed = [], 0
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
        until = time.monotonic() + 60
        while not self.file.exists():
            assert time.monotonic() < until, "the scheduler does not start"
            time.sleep(0.1)

    @property
    def address(self):
        return json.loads(self.file.read_text())["address"]

    def _start(self, *arguments, **environment):
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
        command += ["--scheduler-file", str(self.file)]
        # So that Ctrl-C and signals of this process's group are not theirs.
        child = subprocess.Popen(command, stdout=self.log, stderr=self.log, start_new_session=True,
                                 env=os.environ | environment)  # fmt: skip
        self.processes.append(child)
        return child

    def add_worker(self, *arguments, **environment):
        return self._start(
            "worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", *arguments,
            **environment,
        )  # fmt: skip

    def close(self):
        for child in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
            child.wait()
        self.log.close()


@pytest.fixture
def cluster(tmp_path):
    made = _Cluster(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def wanted():
    return compute_gram(NET, IMAGES, **OPTIONS).values


def test_workers_killed_every_few_seconds_lose_nothing(cluster, tmp_path, wanted):
    workers, done = [cluster.add_worker(), cluster.add_worker()], threading.Event()

    def kill():
        while not done.wait(5):
            workers.append(cluster.add_worker())  # joins in mid-run
            victim = workers.pop(0)
            victim.kill()
            cluster.killed += victim.wait() == -signal.SIGKILL

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        rounds = 0
        while cluster.killed < 8:
            folder = tmp_path / f"K{rounds}"
            found = compute_gram(NET, IMAGES, folder=folder, client=cluster.address, **OPTIONS)
            for name, values in wanted.items():
                assert np.array_equal(np.asarray(found.values[name]), values)
            rounds += 1
    finally:
        done.set()
        killer.join()


def test_every_worker_lost_at_once_and_then_some_again(cluster, wanted):
    workers = [cluster.add_worker(), cluster.add_worker()]

    def lose_all():
        time.sleep(4)
        for worker in workers:
            worker.kill()
        time.sleep(2)
        cluster.add_worker()

    thread = threading.Thread(target=lose_all)
    thread.start()
    found = compute_gram(NET, IMAGES, client=cluster.address, **OPTIONS)
    thread.join()
    for name, values in wanted.items():
        assert np.array_equal(found.values[name], values)


CLIENT = """
import sys
import numpy as np
from ntkreg import compute_gram
sys.path.insert(0, sys.argv[3])
from test_cluster_processes import IMAGES, NET, OPTIONS
compute_gram(NET, IMAGES, folder=sys.argv[1], client=sys.argv[2], **OPTIONS)
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_client_that_is_stopped_leaves_the_workers_idle_and_the_store_goes_on(
    cluster, tmp_path, wanted, sent
):
    cluster.add_worker()
    folder, here = tmp_path / "K", os.path.dirname(__file__)
    command = [sys.executable, "-c", CLIENT, str(folder), cluster.address, here]
    child = subprocess.Popen(command, stderr=cluster.log)
    until = time.monotonic() + 60
    while not (folder / "tiles.txt").exists() or gram_status(folder).done < 5:
        assert time.monotonic() < until
        time.sleep(0.05)
    child.send_signal(sent)
    assert child.wait(10) != 0
    done = gram_status(folder).done
    assert 5 <= done < 55
    with distributed.Client(cluster.address) as client:
        until = time.monotonic() + 10
        while any(client.processing().values()) or any(client.has_what().values()):
            assert time.monotonic() < until, "tasks or inputs are still on the workers"
            time.sleep(0.1)
    found = compute_gram(NET, IMAGES, folder=folder, client=cluster.address, **OPTIONS).values
    for name, values in wanted.items():
        assert np.array_equal(np.asarray(found[name]), values)


def test_workers_of_two_kinds_agree_to_1e_6_and_the_folder_says_so(cluster, tmp_path, wanted):
    cluster.add_worker()
    cluster.add_worker(
        NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="", OPENBLAS_CORETYPE="Sandybridge"
    )
    with distributed.Client(cluster.address) as client:
        client.wait_for_workers(2)
        with pytest.raises(StoreMismatchError, match=r"would mix bits: machine\.|mix bits: .*cpu"):
            compute_gram(NET, IMAGES, client=client, **OPTIONS)
        found = compute_gram(
            NET, IMAGES, folder=tmp_path / "K", client=client, other_machine=True, **OPTIONS
        )
    manifest = json.loads((tmp_path / "K" / "manifest.json").read_text())
    assert len({manifest["machine"]["cpu"], *(m["cpu"] for m in manifest["other_machines"])}) == 2
    for name, values in wanted.items():  # of a unit diagonal
        there = np.asarray(found.values[name])
        assert np.abs(there - values).max() <= 1e-6
        assert not np.array_equal(there, values)


def test_a_scheduler_that_dies_is_a_clear_error_and_the_folder_goes_on(
    cluster, tmp_path, wanted, monkeypatch
):
    cluster.add_worker()
    tiles = []

    def count(files, checksums):
        enter(files, checksums)
        tiles.extend(checksums)
        if len(tiles) >= 5:
            cluster.scheduler.kill()

    enter = TileFiles._enter
    monkeypatch.setattr(TileFiles, "_enter", count)
    with pytest.raises(ConnectionError, match="the scheduler is gone"):
        compute_gram(NET, IMAGES, folder=tmp_path / "K", client=cluster.address, **OPTIONS)
    assert 5 <= gram_status(tmp_path / "K").done < 55
    found = compute_gram(NET, IMAGES, folder=tmp_path / "K", **OPTIONS).values
    for name, values in wanted.items():
        assert np.array_equal(np.asarray(found[name]), values)


def test_the_command_computes_on_a_cluster(cluster, tmp_path, monkeypatch, capsys):
    cluster.add_worker()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text("data: digits\narchitecture: {recipe: cntk, depth: 3}\n"
                                     "get: ntk\nn_train: 100\nn_test: 10\n")  # fmt: skip
    assert main(["gram", "c.yaml", "--scheduler", cluster.address]) == 0
    assert "(100.0%)" in capsys.readouterr().out
