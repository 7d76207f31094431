"""Several processes on one kernel folder: shards that share the work, and who is refused."""

import contextlib
import errno
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import toy_engine

from ntkreg import compute_gram, fully_connected, gram_status, open_gram
from ntkreg.errors import DataError, SpecError, StoreMismatchError
from ntkreg.gram import hold as hold_module
from ntkreg.gram import store
from ntkreg.gram.hold import hold
from ntkreg.gram.shard import Shard, as_shard

X = np.random.default_rng(0).standard_normal((30, 3))
NET = fully_connected(depth=2)
WANTED = (X[:, None] * X[None]).sum(axis=2)


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    toy_engine.install(monkeypatch.setattr)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "K"


def _compute(folder, shard=None, inputs=X, **options):
    gram = compute_gram(NET, inputs, folder=folder, tile=4, shard=shard, n_jobs=1, **options)
    return np.asarray(gram.values["ntk"])


def test_shards_compute_each_tile_once_and_together_all(folder, monkeypatch):
    computed, compute_tile = [], store.compute_tile

    def counted(work, tile, *rest):
        computed.append((tile.i, tile.j))
        return compute_tile(work, tile, *rest)

    monkeypatch.setattr(store, "compute_tile", counted)
    for shard in ("2/3", "1/3"):
        part = _compute(folder, shard)
        there = ~np.isnan(part)
        assert np.array_equal(part[there], WANTED[there])
        assert 0 < there.mean() < 1
    assert np.array_equal(_compute(folder, "3/3"), WANTED)
    assert len(computed) == len(set(computed)) == 36
    assert np.array_equal(_compute(folder), WANTED)
    assert np.array_equal(np.asarray(open_gram(folder).values["ntk"]), WANTED)
    assert len(computed) == 36


def test_shards_at_the_same_time_share_the_work(folder, monkeypatch):
    toy_engine.install(monkeypatch.setattr, pause=0.01)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda i: _compute(folder, f"{i}/3"), (1, 2, 3)))
    assert gram_status(folder).complete
    assert np.array_equal(_compute(folder), WANTED)


def test_a_folder_that_another_begins_meanwhile_is_no_strangers(folder, monkeypatch):
    """It writes its manifest, and tiles, just when this process has found no manifest."""
    read, begun = store.read_manifest, []

    def slow(path):
        found = read(path)
        if not begun:
            begun.append(1)
            _compute(folder, "1/2")
        return found

    monkeypatch.setattr(store, "read_manifest", slow)
    assert np.array_equal(_compute(folder, "2/2"), WANTED)


def test_what_is_left_of_a_lost_shard_is_computed_by_whoever_comes(folder):
    _compute(folder, "1/2")
    assert np.array_equal(_compute(folder), WANTED)
    # One journal, so that a copy of it is all there is to know.
    assert (folder / "tiles.txt").read_text().count("\n") == 36
    assert (folder / "shards" / "1-of-2.txt").read_text() == ""


def test_a_damaged_tile_is_its_shards_to_compute_again(folder):
    for shard in ("1/2", "2/2"):
        _compute(folder, shard)
    path = folder / "values.zarr" / "c" / "0" / "0" / "0" / "1"  # the second tile: shard 2
    path.write_bytes(path.read_bytes()[::-1])
    compute_gram(NET, X, folder=folder, shard="1/2", n_jobs=1)
    with pytest.raises(DataError, match=r"tile \(0, 1\) .* is damaged"):
        np.asarray(open_gram(folder).values["ntk"])
    with pytest.warns(RuntimeWarning, match="1 of 18 tiles .* computed again"):
        _compute(folder, "2/2")
    assert np.array_equal(np.asarray(open_gram(folder).values["ntk"]), WANTED)


def test_shards_extend_a_folder(folder):
    _compute(folder, inputs=X[:18])
    for shard in ("1/2", "2/2"):
        _compute(folder, shard, extend=True)
    assert np.array_equal(_compute(folder), WANTED)


@pytest.mark.parametrize(
    ("there", "asked", "message"),
    [
        (None, None, "another process is working on it"),
        (None, "1/2", "another process is working on it"),
        ("1/2", None, "another process is working on it"),
        ("1/2", "1/2", "another process is working on its shard 1/2"),
        ("1/2", "1/3", "shards of another split than into 3 are at work on it"),
        ("1/2", "2/2", None),
    ],
)
def test_who_may_work_beside_whom(folder, there, asked, message):
    _compute(folder, "1/4")  # begun, by nobody who is still there
    with hold(folder, as_shard(there)) as held:
        held.share()
        assert gram_status(folder).at_work
        expected = contextlib.nullcontext() if message is None else None
        with expected or pytest.raises(BlockingIOError, match=message):
            _compute(folder, asked)
    assert gram_status(folder).at_work is False
    assert np.array_equal(_compute(folder), WANTED)


def test_no_folder_grows_under_shards_at_work(folder):
    _compute(folder, inputs=X[:18])
    with hold(folder, Shard(1, 2)) as held:
        held.share()
        with pytest.raises(BlockingIOError, match="can grow only while no other process"):
            _compute(folder, "2/2", extend=True)
    assert open_gram(folder).values["ntk"].shape == (18, 18)


def test_a_folder_that_is_gone_is_not_made_anew(folder, monkeypatch):
    """As when its disk is lost, and leaves an empty folder where it was mounted."""
    compute_tile, moved = store.compute_tile, folder.with_name("moved")

    def lost(work, tile, *rest):
        if (tile.i, tile.j) == (2, 2):
            folder.rename(moved)
            folder.mkdir()
        return compute_tile(work, tile, *rest)

    monkeypatch.setattr(store, "compute_tile", lost)
    with pytest.raises(OSError, match=r"no longer there: it was moved .*are kept") as caught:
        _compute(folder)
    assert caught.value.errno == errno.ESTALE
    assert list(folder.iterdir()) == []
    monkeypatch.setattr(store, "compute_tile", compute_tile)
    assert gram_status(moved).done > 10
    assert np.array_equal(_compute(moved), WANTED)


def test_where_there_are_no_locks_work_goes_on_with_a_warning(folder, monkeypatch):
    def none(*arguments):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(hold_module.fcntl, "flock", none)
    with pytest.warns(RuntimeWarning, match=f"of folder {folder} has no locks"):
        assert np.array_equal(_compute(folder), WANTED)


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/0", (1, 2), "a/b", 1, "1/10000", "-1/2"])
def test_what_is_no_shard_is_refused(folder, shard):
    with pytest.raises(SpecError, match=r'shard must be a text such as "2/8".*got'):
        _compute(folder, shard)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["shards", "shards/1-of-2.txt", "shards.lock"])
def test_nothing_of_shards_is_read_or_written_through_a_link(folder, name):
    _compute(folder, "2/2")
    victim = folder.parent / "thesis"
    if name == "shards":
        (folder / name).rename(victim)
    else:
        victim.write_text("dear")
        (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(victim)
    with pytest.raises((StoreMismatchError, DataError), match="is a symbolic link"):
        _compute(folder, "1/2")
    assert name == "shards" or victim.read_text() == "dear"


def test_journals_of_shards_are_bounded_together(folder):
    _compute(folder, "1/1")
    for k in range(1, 4):
        (folder / "shards" / f"{k}-of-9.txt").write_bytes(b"\n" * 500_000)
    with pytest.raises(DataError, match="journals in it are longer"):
        open_gram(folder)
