"""Arrays that lie where a client and workers of one machine see them; else they are sent."""

import errno
import tempfile

import numpy as np
import pytest
import toy_engine
from local_cluster import NET, X, is_left_empty

from ntkreg import compute_gram
from ntkreg.gram import on_worker
from ntkreg.gram.meeting import Lying, Mark, Meeting, NotSeenError


@pytest.fixture
def moved(monkeypatch):
    """Return a set of what has come how: inputs or values that lie somewhere, or were sent."""
    how, work, left = set(), on_worker._work_of, on_worker._left

    def way(array):
        return "lie" if isinstance(array, Lying) else "are sent"

    def inputs(job, X, Z):
        how.add(f"inputs {way(X)}")
        return work(job, X, Z)

    def values(job, found):
        kept = left(job, found)
        how.add(f"values {way(kept)}")
        return kept

    monkeypatch.setattr(on_worker, "_work_of", inputs)
    monkeypatch.setattr(on_worker, "_left", values)
    return how


def _is_right(client, **options):
    found = compute_gram(NET, X, X[:9] + 1, tile=4, client=client, **options).values["ntk"]
    assert np.array_equal(found, compute_gram(NET, X, X[:9] + 1, **options).values["ntk"])


def test_on_one_machine_nothing_is_moved(client, monkeypatch, moved, tmp_path):
    toy_engine.install(monkeypatch.setattr)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    _is_right(client, normalize="unit_diagonal")
    assert moved == {"inputs lie", "values lie"}
    is_left_empty(client)
    assert not list(tmp_path.iterdir())


def test_where_workers_do_not_see_the_meeting_place_all_is_sent(client, monkeypatch, moved):
    toy_engine.install(monkeypatch.setattr)
    monkeypatch.setattr(Mark, "is_seen", lambda mark: False)
    _is_right(client)
    assert moved == {"inputs are sent", "values are sent"}


def test_where_one_worker_does_not_see_the_inputs_they_are_sent(client, monkeypatch, moved):
    toy_engine.install(monkeypatch.setattr)
    run = client.run

    def on_two_machines(function, *arguments, **options):
        found = run(function, *arguments, **options)
        return {**found, "tcp://elsewhere": False} if function is not on_worker.forget else found

    monkeypatch.setattr(client, "run", on_two_machines)
    _is_right(client)
    assert moved == {"inputs are sent", "values lie"}


@pytest.mark.parametrize("fails", ["TemporaryDirectory", "save"])
def test_where_nothing_can_be_written_all_is_sent(client, monkeypatch, moved, fails):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    toy_engine.install(monkeypatch.setattr)
    monkeypatch.setattr(tempfile if fails == "TemporaryDirectory" else np, fails, full)
    _is_right(client)
    assert moved == {"inputs are sent", "values are sent"}


def test_a_worker_elsewhere_that_joins_gets_the_inputs(client, monkeypatch, moved):
    toy_engine.install(monkeypatch.setattr)
    array, asked = Lying.array.fget, []

    def of_another_machine(lying):
        asked.append(lying)
        if len(asked) == 2:
            raise NotSeenError("not seen from here")
        return array(lying)

    monkeypatch.setattr(Lying, "array", property(of_another_machine))
    # The inputs are asked for in every task.
    monkeypatch.setattr(
        on_worker, "_works", type("", (dict,), {"__contains__": lambda *a: False})()
    )
    _is_right(client)
    assert moved == {"inputs lie", "inputs are sent", "values lie"}


def test_values_are_taken_once(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Meeting.begin() as meeting:
        left = meeting.leave(X)
        taken = meeting.take(left)
        assert np.array_equal(taken, X)
        assert taken.flags.writeable
        assert taken.flags.aligned
        with pytest.raises(NotSeenError, match="is not seen from here"):
            meeting.take(left)
        np.save(tmp_path / "mine.npy", X)
        elsewhere = Mark.of(str(tmp_path / "mine.npy"), (tmp_path / "mine.npy").lstat())
        with pytest.raises(NotSeenError, match="does not lie in"):
            meeting.take(Lying(elsewhere))
        (tmp_path / "mine.npy").unlink()  # is still there
    with pytest.raises(NotSeenError):
        meeting.leave(X)
    assert not list(tmp_path.iterdir())
