"""Kernel folders that somebody else made, by mistake or in order to do harm."""

import json
import os
import shutil
import time

import numpy as np
import pytest
import toy_engine

import ntkreg
from ntkreg import compute_gram, fully_connected
from ntkreg.errors import DataError, PlanError, StoreMismatchError
from ntkreg.gram import tile_files

X = np.random.default_rng(0).standard_normal((19, 3))
NET = fully_connected(depth=2)
OURS = (StoreMismatchError, DataError, PlanError)


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    toy_engine.install(monkeypatch.setattr)


@pytest.fixture
def folder(tmp_path):
    compute_gram(NET, X, folder=tmp_path / "K", tile=8)
    return tmp_path / "K"


@pytest.fixture
def wanted():
    return compute_gram(NET, X).values["ntk"]


def _edit(path, changes):
    content = json.loads(path.read_text())
    for key, value in changes.items():
        if value is ...:
            del content[key]
        else:
            content[key] = value
    path.write_text(json.dumps(content))


def _snapshot(root):
    """Return every file, link and folder below, with what it holds."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[path] = os.readlink(path)
        else:
            found[path] = path.read_bytes() if path.is_file() else "no file"
    return found


def _read_all(gram):
    return {name: np.asarray(values) for name, values in gram.values.items()}


def _is_refused(folder, match=None, *, opened=True):
    """Assert that nothing reads this folder, that all say so soon, and that it is left alone."""
    before, start = _snapshot(folder.parent), time.monotonic()
    with pytest.raises(OURS, match=match):
        _read_all(compute_gram(NET, X, folder=folder))
    for partial in (False, True) if opened else ():
        with pytest.raises(OURS, match=match):
            _read_all(ntkreg.open_gram(folder, partial=partial))
    assert time.monotonic() - start < 10
    # The lock is no file of the stranger's, and is made before it is known that all is well.
    after = {path: held for path, held in _snapshot(folder.parent).items() if path.name != "lock"}
    assert after == {path: held for path, held in before.items() if path.name != "lock"}


INPUTS = {"shape": [19, 3], "dtype": "float64", "sha256": "0" * 64}
MANIFESTS = {
    "tile -5": {"tile": -5},
    "tile 0": {"tile": 0},
    "tile as text": {"tile": "8"},
    "tile as fraction": {"tile": 8.0},
    "tile true": {"tile": True},
    "tile null": {"tile": None},
    "tile as list": {"tile": [8]},
    "tile beyond memory": {"tile": 1 << 30},
    "tile beyond 64 bits": {"tile": 1 << 70},
    "no tile": {"tile": ...},
    "format 2": {"format": "ntkreg kernel, 2"},
    "no format": {"format": ...},
    "network a number": {"network": 3},
    "network null": {"network": None},
    "no network": {"network": ...},
    "network without fingerprint": {"network": {}},
    "fingerprint a number": {"network": {"fingerprint": 3}},
    "X a list": {"X": [1]},
    "X null": {"X": None},
    "X of minus one rows": {"X": {**INPUTS, "shape": [-1, 3]}},
    "X of no shape": {"X": {**INPUTS, "shape": []}},
    "X of 10^30 rows": {"X": {**INPUTS, "shape": [10**30, 3]}},
    "X of too many tiles": {"X": {**INPUTS, "shape": [10**11, 3]}},
    "hash a number": {"X": {**INPUTS, "sha256": 7}},
    "Z of other features": {"Z": {**INPUTS, "shape": [19, 4]}},
    "Z true": {"Z": True},
    "dtype of objects": {"dtype": "object"},
    "dtype float16": {"dtype": "float16"},
    "dtype a list": {"dtype": ["float64"]},
    "no fields": {"fields": []},
    "unknown field": {"fields": ["ntk", "k"]},
    "fields as text": {"fields": "ntk"},
    "a field twice": {"fields": ["ntk", "ntk"]},
    "depths a number": {"depths": 3},
    "depths of text": {"depths": ["1"]},
    "depths empty": {"depths": []},
    "depths and variants": {"depths": [1], "variants": [{}], "networks": ["a"]},
    "networks without variants": {"networks": ["a", "b"]},
    "variants of numbers": {"variants": [1]},
    "unknown normalize": {"normalize": "rows"},
    "unknown symmetry": {"symmetry": "rotation"},
    "engine a mapping": {"engine": {}},
    "versions a list": {"versions": []},
    "machine a text": {"machine": "mine"},
    "other machines a mapping": {"other_machines": {}},
    "an unknown key": {"transposed": True},
}


@pytest.mark.parametrize("changes", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_makes_no_sense_is_refused(folder, changes):
    _edit(folder / "manifest.json", changes)
    _is_refused(folder)


TEXTS = {
    "empty": b"",
    "cut short": b'{"format": ',
    "a list": b"[]",
    "a number": b"1",
    "deep": b"[" * 100_000,
    "no UTF-8": b'{"format": "\xff"}',
    "a key twice": b'{"format": 1, "format": 2}',
    "5000 digits": b'{"tile": ' + b"9" * 5000 + b"}",
    "2 MB": b'{"format": "' + b" " * 2_000_000 + b'"}',
}


@pytest.mark.parametrize("name", ["manifest.json", "values.zarr/zarr.json"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_no_sound_json_is_refused(folder, name, text):
    (folder / name).write_bytes(text)
    _is_refused(folder)


ARRAYS = {
    "dtype": {"data_type": "float32"},
    "objects": {"data_type": "variable_length_bytes"},
    "shape": {"shape": [1, 1, 10, 10]},
    "shape beyond memory": {"shape": [1, 1, 1 << 50, 1 << 50]},
    "fill value": {"fill_value": 7.0},
    "chunks": {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 1, 4, 4]}}},
    "keys": {"chunk_key_encoding": {"name": "v2", "configuration": {"separator": "."}}},
    "other endian": {"codecs": [{"name": "bytes", "configuration": {"endian": "big"}}]},
    "a pickle codec": {"codecs": [{"name": "numcodecs.pickle", "configuration": {}}]},
    "compressed": {"codecs": [{"name": "bytes"}, {"name": "zstd"}]},
    "no codecs": {"codecs": ...},
    "format 2": {"zarr_format": 2},
    "a group": {"node_type": "group"},
    "attributes": {"attributes": {"units": "m"}},
    "a storage transformer": {"storage_transformers": [{"name": "sharding"}]},
}


@pytest.mark.parametrize("changes", ARRAYS.values(), ids=ARRAYS)
def test_an_array_of_another_kind_than_we_write_is_refused(folder, changes):
    _edit(folder / "values.zarr" / "zarr.json", changes)
    _is_refused(folder, r"zarr\.json: does not fit manifest\.json beside it")


@pytest.mark.parametrize("name", [".zarray", ".zgroup", ".zmetadata", ".zattrs"])
@pytest.mark.parametrize("alone", [False, True])
def test_metadata_of_zarr_2_is_refused_unread(folder, name, alone):
    if alone:
        (folder / "values.zarr" / "zarr.json").unlink()
    (folder / "values.zarr" / name).write_text("{}")
    _is_refused(folder, "belongs to another format of Zarr")


def test_a_pickle_in_an_array_of_zarr_2_is_not_executed(folder):
    """Zarr itself executes it when it opens this array with numcodecs <= 0.16.5."""
    shutil.rmtree(folder / "values.zarr")
    (folder / "values.zarr").mkdir()
    metadata = {
        "zarr_format": 2,
        "shape": [1, 1, 19, 19],
        "chunks": [1, 1, 8, 8],
        "dtype": "|O",
        "order": "C",
        "compressor": None,
        "fill_value": None,
        "filters": [{"id": "vlen-utf8"}, {"id": "pickle"}],
    }
    (folder / "values.zarr" / ".zarray").write_text(json.dumps(metadata))
    victim = folder.parent / "made by the pickle"
    code = f"cposix\nsystem\n(S'touch \"{victim}\"'\ntR.".encode()
    (folder / "values.zarr" / "0.0.0.0").write_bytes(code)
    _is_refused(folder)
    assert not victim.exists()


LINKED = ["manifest.json", "tiles.txt", "values.zarr", "values.zarr/zarr.json"]
LINKED += ["values.zarr/c", "values.zarr/c/0", "values.zarr/c/0/0", "values.zarr/c/0/0/1"]
LINKED += ["values.zarr/c/0/0/1/2"]


@pytest.mark.parametrize("name", LINKED)
def test_links_are_refused_though_they_lead_to_the_right_thing(folder, name):
    target = folder.parent / "elsewhere"
    (folder / name).rename(target)
    (folder / name).symlink_to(target)
    _is_refused(folder, "is a symbolic link")


@pytest.mark.parametrize("name", LINKED)
def test_links_to_nowhere_are_refused(folder, name):
    path = folder / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(folder.parent / "nowhere")
    _is_refused(folder, "is a symbolic link")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this file system")
@pytest.mark.parametrize("name", [name for name in LINKED if "." in name.rsplit("/")[-1]])
def test_pipes_are_refused_without_waiting(folder, name):
    path = folder / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.mkfifo(path)
    _is_refused(folder, "is of another kind")


@pytest.mark.parametrize("name", [name for name in LINKED if name.endswith((".json", ".txt", "2"))])
def test_folders_in_place_of_files_are_refused(folder, name):
    (folder / name).unlink()
    (folder / name).mkdir()
    _is_refused(folder, "is of another kind")


@pytest.mark.parametrize("name", ["manifest.json.tmp", "lock", "tiles.txt", "values.zarr"])
def test_nothing_is_written_through_a_link_in_a_new_folder(tmp_path, name):
    victim = tmp_path / "thesis"
    if name == "values.zarr":
        victim.mkdir()
        (victim / "chapter").write_text("dear")
    else:
        victim.write_text("dear, without an end of line")
    before = _snapshot(tmp_path)
    folder = tmp_path / "K"
    folder.mkdir()
    (folder / name).symlink_to(victim)
    if name == "manifest.json.tmp":  # a draft is replaced, as one that a killed run left
        compute_gram(NET, X, folder=folder)
    else:
        with pytest.raises(OURS, match=r"is a symbolic link|holds no kernel"):
            compute_gram(NET, X, folder=folder)
    assert {path: held for path, held in _snapshot(tmp_path).items() if path in before} == before


def test_a_folder_may_itself_be_reached_through_a_link(folder, wanted):
    (folder.parent / "link").symlink_to(folder)
    gram = compute_gram(NET, X, folder=folder.parent / "link")
    assert np.array_equal(np.asarray(gram.values["ntk"]), wanted)


SHA = b"0" * 64
LINES = {
    "huge numbers": b"99999999 99999999 " + SHA + b"\n",
    "5000 digits": b"9" * 5000 + b" 0 " + SHA + b"\n",
    "negative": b"-1 0 " + SHA + b"\n",
    "below the diagonal": b"2 0 " + SHA + b"\n",
    "beyond the grid": b"0 3 " + SHA + b"\n",
    "no ASCII": b"\xff\xfe\x00 \xb2 " + SHA + b"\n",
    "digits of another script": "٠ ٠ ".encode() + SHA + b"\n",
    "no checksum": b"0 0\n",
    "a short checksum": b"0 0 abc\n",
    "not finished": b"0 0 " + SHA,
    "empty lines": b"\n" * 1_000_000,
    "a long line": b"0 " * 400_000 + b"\n",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_lines_of_the_journal_that_say_nothing_are_passed_over(folder, wanted, line):
    with open(folder / "tiles.txt", "ab") as journal:
        journal.write(line)
    for gram in (ntkreg.open_gram(folder), compute_gram(NET, X, folder=folder)):
        assert np.array_equal(np.asarray(gram.values["ntk"]), wanted)


def test_lines_of_tiles_that_there_are_not_finish_no_gram(folder, wanted):
    """Three of them for one that is missing: a Gram is not complete by counting lines."""
    journal = folder / "tiles.txt"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[1:]))
    with open(journal, "ab") as file:
        file.write(LINES["below the diagonal"] + LINES["beyond the grid"] + LINES["huge numbers"])
    with pytest.raises(StoreMismatchError, match="holds 5 of 6 tiles"):
        ntkreg.open_gram(folder)
    assert np.array_equal(np.asarray(compute_gram(NET, X, folder=folder).values["ntk"]), wanted)


def test_a_journal_is_read_within_bounds(folder):
    with open(folder / "tiles.txt", "ab") as journal:
        journal.truncate(1 << 20)
        ntkreg.open_gram(folder)
        journal.truncate((1 << 20) + 256 * 6 + 1)
    _is_refused(folder, "larger than")


def test_a_tile_of_another_length_is_not_even_read(folder, monkeypatch):
    tile = folder / "values.zarr" / "c" / "0" / "0" / "1" / "2"
    with open(tile, "r+b") as file:
        file.truncate(1 << 40)  # a terabyte of nothing takes no room on the disk
    monkeypatch.setattr(tile_files.np, "fromfile", None)
    with pytest.raises(DataError, match=r"tile \(1, 2\) .* is damaged: 1,099,511,627,776 bytes"):
        ntkreg.open_gram(folder).values["ntk"].read(slice(8, 16), slice(16, 19))


def test_other_values_with_their_checksum_are_their_makers_word(folder, wanted):
    """Also NaN, as in memory: who solves with a Gram looks whether it is finite."""
    files = tile_files.TileFiles(folder, ntkreg.open_gram(folder).values["ntk"]._files.layout)
    files.write(1, 2, np.full((1, 1, 8, 3), np.nan))
    got = np.asarray(ntkreg.open_gram(folder).values["ntk"])
    assert np.isnan(got[8:16, 16:]).all()
    assert np.array_equal(np.nan_to_num(got[:8]), wanted[:8])


def test_a_tile_off_the_grid_of_blocks_is_not_gone_on_with(folder):
    _edit(folder / "manifest.json", {"tile": 7})
    _edit(
        folder / "values.zarr" / "zarr.json",
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 1, 7, 7]}}},
    )
    _is_refused(folder, "tile", opened=False)


def test_keys_with_dots_do_not_hide_what_metadata_say(folder):
    grid = {"name": "regular", "configuration": {"chunk_shape": [1, 1, 2, 2]}}
    shape = [1, 1, 8, 8]
    dots = {"chunk_grid.name": "regular", "chunk_grid.configuration.chunk_shape": shape}
    _edit(folder / "values.zarr" / "zarr.json", {"chunk_grid": grid, **dots})
    with pytest.raises(StoreMismatchError, match=r"zarr.json: does not fit manifest.json"):
        ntkreg.open_gram(folder)


def test_complaints_are_few_however_many_there_are(folder):
    _edit(folder / "manifest.json", {f"key {i}": i for i in range(10_000)})
    with pytest.raises(StoreMismatchError, match="and 9995 more") as told:
        ntkreg.open_gram(folder)
    assert len(str(told.value)) < 1000


def test_tiles_of_another_gram_are_not_blamed_on_the_caller(folder):
    _edit(folder / "manifest.json", {"tile": 1})
    rows = np.random.default_rng(0).standard_normal((2100, 3))
    with pytest.raises(StoreMismatchError, match="holds another Gram, in tiles of side 1"):
        compute_gram(NET, rows, folder=folder)
