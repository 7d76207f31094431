"""Kernels computed by the workers of a cluster: what is sent, what is lost, who is refused."""

import contextlib
import errno
import json
import pickle
import socket
import sys
import threading
import types

import numpy as np
import pytest
import toy_engine
from local_cluster import NET, X, is_left_empty

from ntkreg import cntk, compute_gram, gram_status
from ntkreg.errors import DataError, SpecError, StoreMismatchError
from ntkreg.gram import client as client_module
from ntkreg.gram import cluster, on_worker, store, tile_files, tile_write
from ntkreg.gram.manifest import ways
from ntkreg.gram.meeting import Mark
from ntkreg.gram.tiles import iter_tiles
from ntkreg.gram.work import check_work
from ntkreg.kernels import KernelSpec

distributed = pytest.importorskip("distributed")

IMAGES = np.random.default_rng(0).standard_normal((12, 4, 4, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("network", "inputs", "Z", "options"),
    [
        (NET, X, None, {"get": ("nngp", "ntk"), "depths": (1, 3), "normalize": "unit_diagonal"}),
        (NET, X[:17], X[:9] + 1, {}),
        (cntk(2), IMAGES, None, {"symmetry": "flip", "dtype": "mixed"}),
    ],
)
def test_bits_are_those_of_one_machine(client, tmp_path, network, inputs, Z, options):
    wanted = compute_gram(network, inputs, Z, **options)
    options |= {"client": client, "tile": 16}
    found = compute_gram(network, inputs, Z, **options)
    kept = compute_gram(network, inputs, Z, folder=tmp_path, **options)
    for name, values in wanted.values.items():
        assert np.array_equal(found.values[name], values)
        assert np.array_equal(np.asarray(kept.values[name]), values)
    assert found.engine == wanted.engine
    is_left_empty(client)


def test_inputs_are_sent_once_and_few_tasks_are_under_way(client, monkeypatch):
    toy_engine.install(monkeypatch.setattr)
    scattered, asked, tasks = [], [], []
    scatter, submit = client.scatter, cluster._Run._submit

    def counted(run, tiles, deaths=0):
        asked.append(len(pickle.dumps((run.job, tiles))))
        submit(run, tiles, deaths)
        tasks.append(len(run.under_way))

    monkeypatch.setattr(
        client, "scatter", lambda *a, **kw: scattered.append(kw) or scatter(*a, **kw)
    )
    monkeypatch.setattr(cluster._Run, "_submit", counted)
    found = compute_gram(NET, X, tile=4, client=client).values["ntk"]
    assert np.array_equal(found, compute_gram(NET, X).values["ntk"])
    assert [kw["broadcast"] for kw in scattered] == [True]
    assert max(asked) < 3000 + 200 * 36
    assert max(tasks) <= 2 * 2
    # Once it is known how fast they are, tasks hold more than one tile.
    assert len(tasks) < 36


def test_a_folder_that_was_begun_is_gone_on_with_here_or_there(client, tmp_path, monkeypatch):
    toy_engine.install(monkeypatch.setattr)
    enter, entered = store.TileFiles._enter, []

    def stopping(files, checksums):
        if len(entered) >= 3:
            raise KeyboardInterrupt
        entered.extend(checksums)
        enter(files, checksums)

    monkeypatch.setattr(store.TileFiles, "_enter", stopping)
    with pytest.raises(KeyboardInterrupt):
        compute_gram(NET, X, folder=tmp_path, tile=4, client=client)
    assert 3 <= gram_status(tmp_path).done == len(entered) < 20
    is_left_empty(client)
    monkeypatch.setattr(store.TileFiles, "_enter", lambda *a: entered.extend(a[1]) or enter(*a))
    compute_gram(NET, X, folder=tmp_path, shard="1/2", client=client)
    found = compute_gram(NET, X, folder=tmp_path).values["ntk"]
    assert np.array_equal(np.asarray(found), compute_gram(NET, X).values["ntk"])
    assert len(entered) == len(set(entered)) == 36
    # What is complete needs no cluster.
    compute_gram(NET, X, folder=tmp_path, client="tcp://127.0.0.1:1")


def _written_by(monkeypatch):
    """Return who writes tiles from now on: "worker" or "here" for each."""
    who, write, values = [], tile_write.SharedFolder.write, store.TileFiles.write
    monkeypatch.setattr(
        tile_write.SharedFolder, "write", lambda *a: [write(*a), who.append("worker")][0]
    )
    monkeypatch.setattr(store.TileFiles, "write", lambda *a: who.append("here") or values(*a))
    return who


@pytest.mark.parametrize("seen", [True, False])
def test_workers_that_see_the_folder_write_into_it(client, tmp_path, monkeypatch, seen):
    toy_engine.install(monkeypatch.setattr)
    if not seen:  # another folder of that name, as on a machine of its own
        of_other = property(lambda held: Mark(str(tmp_path / "lock"), 1, 1))
        monkeypatch.setattr(store.Hold, "mark", of_other)
    who = _written_by(monkeypatch)
    found = compute_gram(NET, X, folder=tmp_path, tile=4, client=client).values["ntk"]
    assert np.array_equal(np.asarray(found), compute_gram(NET, X).values["ntk"])
    assert set(who) == {"worker" if seen else "here"}
    assert gram_status(tmp_path).done == len(who) == 36
    assert not list(tmp_path.rglob(".*"))  # no drafts


def test_a_worker_that_cannot_write_sends_its_values_here(client, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tile_write, "write_tile", full)
    who = _written_by(monkeypatch)
    found = compute_gram(NET, X, folder=tmp_path / "K", client=client).values["ntk"]
    assert np.array_equal(np.asarray(found), compute_gram(NET, X).values["ntk"])
    assert who == ["here"]
    monkeypatch.setattr(tile_files, "write_tile", full)
    with pytest.raises(OSError, match=r"cannot write to folder .*No space left .*same call again"):
        compute_gram(NET, X, folder=tmp_path / "L", client=client)
    is_left_empty(client)


def test_a_tile_that_is_not_seen_here_is_no_tile(client, tmp_path, monkeypatch):
    monkeypatch.setattr(tile_write.SharedFolder, "write", lambda *a: 64 * "0")
    with pytest.raises(DataError, match=r"tile \(0, 0\) .* was written by a worker, but"):
        compute_gram(NET, X, folder=tmp_path, client=client)
    assert gram_status(tmp_path).done == 0


def test_workers_of_another_kind_are_refused_unless_asked_for(client, tmp_path, monkeypatch):
    monkeypatch.setattr(client_module, "ways", lambda: ways() | {"machine": {"cpu": "old"}})
    monkeypatch.setattr(on_worker, "ways", lambda: ways() | {"machine": {"cpu": "new"}})
    with pytest.raises(StoreMismatchError, match=r"cpu: stored 'old', asked 'new'.*other_"):
        compute_gram(NET, X, folder=tmp_path, client=client)
    compute_gram(NET, X, folder=tmp_path, client=client, other_machine=True)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["machine"], manifest["other_machines"]) == ({"cpu": "old"}, [{"cpu": "new"}])
    monkeypatch.setattr(on_worker, "ways", lambda: {**ways(), "versions": {"numpy": "1"}})
    with pytest.raises(StoreMismatchError, match=r"would mix bits: versions\.[^O]*$"):
        compute_gram(NET, X, client=client, other_machine=True)


def test_an_error_of_a_worker_comes_here(client, monkeypatch):
    toy_engine.install(monkeypatch.setattr, limit=-10)
    with pytest.raises(FloatingPointError, match="input above its limit"):
        compute_gram(NET, X, client=client)
    is_left_empty(client)


@pytest.mark.parametrize("wrong", ["", 3, object()])
def test_what_is_no_client_is_refused(wrong):
    with pytest.raises(SpecError, match=r"client must be a distributed\.Client .*got"):
        compute_gram(NET, X, client=wrong)


@contextlib.contextmanager
def _answering(words):
    """Give the address of a server that is no scheduler: it says these words, or nothing."""

    def serve():
        with contextlib.suppress(OSError):
            while True:
                talk, _ = server.accept()
                talks.append(talk)
                talk.sendall(words)

    talks = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    for talk in talks:
        talk.close()


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ("tcp", None),
        ("tcp", b""),
        ("tcp", b"HTTP/1.1 400 Bad\r\n\r\n"),
        ("tls", b""),
        ("http", b""),
    ],
)
def test_where_no_scheduler_answers_the_address_is_named(monkeypatch, tmp_path, scheme, words):
    monkeypatch.setattr(client_module, "PATIENCE", 0.2)
    with contextlib.nullcontext("127.0.0.1:1") if words is None else _answering(words) as place:
        address = f"{scheme}://{place}"
        with pytest.raises(ConnectionError, match=rf"no scheduler answers at '{address}.*TLS"):
            compute_gram(NET, X, folder=tmp_path / "K", client=address)
    assert not (tmp_path / "K").exists()


def test_inputs_are_aligned_where_they_arrive():
    message = bytearray(4 * 12 + 1)
    X = np.frombuffer(message, np.float32, offset=1).reshape(3, 4)
    assert not X.flags.aligned
    there = pickle.loads(pickle.dumps(on_worker.Inputs(X), 5))
    assert there.array.flags.aligned
    assert np.array_equal(there.array, X)
    assert sys.getsizeof(there) >= X.nbytes


@pytest.mark.parametrize(("threads", "seconds"), [(1, 1), (100, 1), (1000, 10), (5000, 50)])
def test_a_scheduler_sees_a_hundred_tasks_a_second_at_most(threads, seconds):
    assert cluster.task_seconds(threads) == seconds
    run = cluster._Run(None, check_work(KernelSpec(NET), X), None)
    run.threads, run.pairs_a_second = threads, 100.0
    waiting = 100 * threads * list(iter_tiles(run.work, 256))[:1]  # one tile of 465 pairs
    tiles = run._tiles_a_task(waiting)
    assert tiles == max(1, min(int(seconds / 4.65), 50))
    # Near the end all still have something, but no crumbs of less than a tenth.
    assert run._tiles_a_task(waiting[: 2 * threads]) == max(1, int(0.1 * seconds / 4.65))


@pytest.mark.parametrize("has", [None, "0.0.9"])
def test_workers_with_another_ntkreg_or_none_are_named(client, monkeypatch, has):
    found = {"workers": {"tcp://one": {"packages": {"ntkreg": has}}}}
    monkeypatch.setattr(client, "get_versions", lambda packages: found)
    with pytest.raises(
        StoreMismatchError, match=rf"process's ntkreg .*: tcp://one has {has or 'none'}\."
    ):
        compute_gram(NET, X, client=client)


def test_a_worker_without_ntkreg_that_joins_is_named(client, monkeypatch):
    found = {"workers": {"tcp://two": {"packages": {"ntkreg": None}}}}
    monkeypatch.setattr(client, "get_versions", lambda packages: found)
    run = cluster._Run(client, check_work(KernelSpec(NET), X), None)
    run._count_threads()  # those that are there were looked at before
    threads = client.nthreads()
    monkeypatch.setattr(client, "nthreads", lambda: threads | {"tcp://two": 1})
    run.counted = -np.inf
    with pytest.warns(RuntimeWarning, match=r"tcp://two has none.*Install it there.*ends it"):
        run._count_threads()
    run.counted = -np.inf
    run._count_threads()  # said once


def test_values_come_from_workers_directly_where_these_are_reached():
    with socket.create_server(("127.0.0.1", 0)) as worker:
        address = f"tcp://127.0.0.1:{worker.getsockname()[1]}"
        assert client_module._are_reached([address])
        assert not client_module._are_reached([address, "tcp://127.0.0.1:1"])
    assert not client_module._are_reached(["inproc://127.0.0.1/1/2"])


class _Future:
    def __init__(self, value=None, error=None, status="finished"):
        self.value, self.error, self.status = value, error, status

    def result(self, timeout):
        if self.error is not None:
            raise self.error
        return self.value

    def release(self):
        """As of a real one."""


class _Client:
    """A cluster that computes at once, and fails as it is told: a list of errors, None for none."""

    status = "running"
    scheduler = None

    def __init__(self, *errors):
        self.errors, self.sent = list(errors), []

    def nthreads(self):
        return {"worker": 1}

    def scatter(self, arrays, **options):
        self.sent.append([_Future(A) for A in arrays])
        return self.sent[-1]

    def submit(self, function, *arguments, pure):
        if any(a.status == "lost" for a in arguments if isinstance(a, _Future)):
            return _Future(error=distributed.CancelledError(), status="cancelled")
        error = self.errors.pop(0) if self.errors else None
        if error == "inputs":
            for future in self.sent[-1]:
                future.status = "lost"
            return _Future(error=distributed.CancelledError(), status="cancelled")
        if error is not None:
            own = isinstance(error, distributed.KilledWorker | FileNotFoundError)
            return _Future(error=error, status="error" if own else "finished")
        plain = [a.value if isinstance(a, _Future) else a for a in arguments]
        return _Future(function(*plain))

    def cancel(self, futures):
        """As of a real one."""

    def run(self, function, *arguments, **options):
        on_worker._works.clear()
        return {"worker": function(*arguments) if function is not on_worker.forget else None}


def _killed():
    return distributed.KilledWorker("key", types.SimpleNamespace(address="tcp://one"), 3)


def _compute_with(stub):
    work = check_work(KernelSpec(NET), X)
    found = np.zeros((len(X), len(X)), np.float32)

    def take(tile, values):
        assert not found[tile.rows, tile.columns].any(), "a tile came twice"
        found[tile.rows, tile.columns] = values[0, 0]

    tiles = list(iter_tiles(work, 16))
    cluster.compute_on_cluster(stub, work, tiles, take, ways=ways(), progress=False)
    assert np.array_equal(np.triu(found), np.triu(compute_gram(NET, X).values["ntk"]))


@pytest.mark.parametrize(
    ("errors", "sent"),
    [
        ([_killed()] * 5, 1),
        ([None, TimeoutError(), OSError("worker gone")], 1),
        ([None, "inputs"], 2),
        (["inputs", "inputs", None, "inputs"], 4),
    ],
)
def test_what_is_lost_with_workers_is_asked_for_again(errors, sent):
    stub = _Client(*errors)
    _compute_with(stub)
    assert stub.errors == []
    assert len(stub.sent) == sent


@pytest.mark.parametrize("error", [TimeoutError(), KeyError("X"), ValueError("none to copy to")])
def test_inputs_whose_worker_dies_meanwhile_are_sent_again(error):
    class Scattering(_Client):
        def scatter(self, arrays, **options):
            sent = super().scatter(arrays, **options)
            if len(self.sent) == 1:
                raise error
            return sent

    stub = Scattering()
    _compute_with(stub)
    assert len(stub.sent) == 2


def test_tiles_that_kill_every_worker_end_the_run():
    with pytest.raises(RuntimeError, match=r"workers keep dying while they compute tiles \(0, 0\)"):
        _compute_with(_Client(*[_killed()] * 100))


def test_an_error_of_the_task_itself_is_not_tried_again():
    with pytest.raises(FileNotFoundError):
        _compute_with(_Client(None, FileNotFoundError()))


def test_a_scheduler_that_is_gone_is_said_so():
    stub = _Client(None, distributed.CancelledError())
    stub.status = "closed"
    with pytest.raises(ConnectionError, match="the scheduler is gone"):
        _compute_with(stub)
