"""Kernel folders that grow by rows and columns."""

import errno
import json
import os

import numpy as np
import pytest
import toy_engine

from ntkreg import compute_gram, fully_connected, open_gram
from ntkreg.errors import SpecError, StoreMismatchError
from ntkreg.gram import extend, store

X = np.random.default_rng(0).standard_normal((30, 3))
NET = fully_connected(depth=2)


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    toy_engine.install(monkeypatch.setattr)


@pytest.fixture
def computed(monkeypatch):
    """Return a list that grows by each tile computed from now on."""
    found, compute_tile = [], store.compute_tile

    def counted(work, tile, *rest):
        found.append((tile.i, tile.j))
        return compute_tile(work, tile, *rest)

    monkeypatch.setattr(store, "compute_tile", counted)
    return found


def _extend(folder, inputs, Z=None, **options):
    gram = compute_gram(NET, inputs, Z, folder=folder, tile=4, extend=True, **options)
    return np.asarray(gram.values["ntk"])


@pytest.mark.parametrize("n", [16, 18])  # at an edge of tiles, and within one
@pytest.mark.parametrize("normalize", [None, "unit_diagonal"])
def test_only_tiles_that_are_not_there_whole_are_computed(tmp_path, computed, n, normalize):
    compute_gram(NET, X[:n], folder=tmp_path, tile=4, normalize=normalize)
    there = {(i, j) for i in range(n // 4) for j in range(i, n // 4)}
    del computed[:]
    wanted = compute_gram(NET, X, normalize=normalize).values["ntk"]
    for _ in range(2):  # grown, then only read
        assert np.array_equal(_extend(tmp_path, X, normalize=normalize), wanted)
    assert sorted(computed) == [
        (i, j) for i in range(8) for j in range(i, 8) if (i, j) not in there
    ]
    assert np.array_equal(np.asarray(open_gram(tmp_path).values["ntk"]), wanted)


def test_real_engines_keep_their_bits(tmp_path, monkeypatch):
    monkeypatch.undo()
    rows = np.random.default_rng(1).standard_normal((90, 5))
    options = {"get": ("nngp", "ntk"), "depths": (1, 3), "folder": tmp_path}
    compute_gram(NET, rows[:70], **options)
    grown = compute_gram(NET, rows, extend=True, **options).values
    whole = compute_gram(NET, rows, **{**options, "folder": None}).values
    for field, values in whole.items():
        assert np.array_equal(np.asarray(grown[field]), values)


@pytest.mark.parametrize(("n", "m"), [(30, 9), (17, 13), (30, 13)])
def test_rows_and_columns_of_a_cross_gram_are_added(tmp_path, n, m):
    Z = X[:13] + 1
    _extend(tmp_path, X[:17], Z[:9])
    assert np.array_equal(
        _extend(tmp_path, X[:n], Z[:m]), compute_gram(NET, X[:n], Z[:m]).values["ntk"]
    )


@pytest.mark.parametrize(
    ("inputs", "Z", "options"),
    [
        (X[:18] + 1, None, {}),  # other rows
        (X[:9], None, {}),  # fewer
        (X[::-1].copy(), None, {}),
        (X, X, {}),
        (X, None, {"normalize": "unit_diagonal"}),
        (X[:, :2], None, {}),
    ],
)
def test_another_gram_is_refused_and_left_alone(tmp_path, inputs, Z, options):
    compute_gram(NET, X[:10], folder=tmp_path, tile=4)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(StoreMismatchError, match=r"Give (inputs that begin .*)?another folder"):
        _extend(tmp_path, inputs, Z, **options)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_without_being_asked_no_folder_grows(tmp_path):
    compute_gram(NET, X[:10], folder=tmp_path, tile=4)
    with pytest.raises(StoreMismatchError, match=r"X\.shape: stored .*Give extend=True to add"):
        compute_gram(NET, X, folder=tmp_path)
    with pytest.raises(StoreMismatchError, match=r"Give inputs that begin with those"):
        _extend(tmp_path, X + 1)
    with pytest.raises(SpecError, match="extend must be a bool; got 1"):
        compute_gram(NET, X, folder=tmp_path, extend=1)
    with pytest.raises(SpecError, match="extend and shard need a folder"):
        compute_gram(NET, X, extend=True)


def test_a_folder_that_was_begun_by_extending_is_a_new_one(tmp_path):
    assert np.array_equal(_extend(tmp_path / "new", X), compute_gram(NET, X).values["ntk"])


def test_another_version_does_not_go_on(tmp_path):
    compute_gram(NET, X[:10], folder=tmp_path, tile=4)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "versions": {"numpy": "1"}}))
    with pytest.raises(StoreMismatchError, match="begun in another way"):
        _extend(tmp_path, X)


@pytest.mark.filterwarnings("ignore:.*do not match their checksums")  # those at the old edge
@pytest.mark.parametrize("step", ["remove_metadata", "write_json", "rewrite_journal", "after"])
@pytest.mark.parametrize("then", ["same", "larger"])
def test_a_process_killed_while_a_folder_grows_leaves_one_that_goes_on(
    tmp_path, monkeypatch, step, then
):
    """Also to the smaller Gram where the larger one is not begun."""
    compute_gram(NET, X[:18], folder=tmp_path, tile=4)

    def killed(*arguments):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    owner = extend if step == "write_json" else extend.TileFiles
    with monkeypatch.context() as patched:
        if step == "after":
            patched.setattr(store, "compute_tile", killed)
        else:
            patched.setattr(owner, step, killed)
        with pytest.raises(OSError, match="Finished tiles are kept"):
            _extend(tmp_path, X)
    if then == "same" and step in ("remove_metadata", "write_json"):
        again = compute_gram(NET, X[:18], folder=tmp_path).values["ntk"]
        assert np.array_equal(np.asarray(again), compute_gram(NET, X[:18]).values["ntk"])
    assert np.array_equal(_extend(tmp_path, X), compute_gram(NET, X).values["ntk"])
