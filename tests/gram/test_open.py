import json
import os
import pickle

import numpy as np
import pytest
import toy_engine
import zarr

from ntkreg import cntk, compute_gram, fully_connected, open_gram
from ntkreg.errors import DataError, PlanError, SpecError, StoreMismatchError
from ntkreg.gram import stored, tile_files
from ntkreg.gram.collection import KeptGram

X = np.random.default_rng(0).standard_normal((19, 3))
NET = fully_connected(depth=2)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "K"


@pytest.fixture
def toy(monkeypatch):
    toy_engine.install(monkeypatch.setattr)


def _halve(folder):
    """Leave of six tiles the three that a killed run would have finished."""
    journal = folder / "tiles.txt"
    lines = sorted(journal.read_text().splitlines(keepends=True))
    journal.write_text("".join(lines[:3]) + lines[3][:20])
    for line in lines[3:]:
        i, j, _ = line.split()
        (folder / "values.zarr" / "c" / "0" / "0" / i / j).unlink()


def _damage(path):
    content = bytearray(path.read_bytes())
    content[11] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("Z", [None, X[:11] + 1])
@pytest.mark.parametrize("several", [{}, {"depths": (1, 2)}, {"variants": [{"train_last": False}]}])
def test_a_folder_is_opened_without_network_and_inputs(toy, folder, Z, several):
    made = compute_gram(NET, X, Z, get=("nngp", "ntk"), folder=folder, tile=8, **several)
    opened = open_gram(folder)
    for name, values in made.values.items():
        assert opened.values[name].shape == values.shape
        assert np.array_equal(np.asarray(opened.values[name]), np.asarray(values))
        assert opened.values[name].mask().all()
    assert (opened.dtype, opened.fingerprint, opened.engine, opened.symmetric) == (
        made.dtype,
        made.fingerprint,
        made.engine,
        made.symmetric,
    )


@pytest.mark.parametrize("dtype", ["float32", "mixed"])
def test_its_dtype_is_that_of_the_values(folder, dtype):
    images = np.random.default_rng(0).standard_normal((9, 3, 3, 1))
    made = compute_gram(cntk(2), images, dtype=dtype, folder=folder)
    opened = open_gram(folder)
    assert opened.dtype == made.dtype == opened.values["ntk"].dtype
    assert np.array_equal(np.asarray(opened.values["ntk"]), np.asarray(made.values["ntk"]))


def test_a_half_done_folder_says_how_much_is_there_and_is_opened_when_asked(toy, folder):
    wanted = np.asarray(compute_gram(NET, X, folder=folder, tile=8).values["ntk"])
    _halve(folder)
    with pytest.raises(StoreMismatchError, match=r"holds 3 of 6 tiles\. .* partial=True"):
        open_gram(folder)
    values = open_gram(folder, partial=True).values["ntk"]
    there = values.mask()
    assert 0 < there.sum() < there.size
    assert np.array_equal(there, there.T)
    assert np.array_equal(np.isnan(np.asarray(values)), ~there)
    assert np.array_equal(np.asarray(values)[there], wanted[there])
    assert np.array_equal(values.mask(slice(3, 17), slice(1, 9)), there[3:17, 1:9])
    # What was finished and is broken is no part that is merely missing.
    (folder / "values.zarr" / "c" / "0" / "0" / "0" / "0").unlink()
    with pytest.raises(DataError, match=r"tile \(0, 0\) of the Gram in .* is missing"):
        np.asarray(values)


def test_a_folder_where_nothing_is_done_yet_is_opened_when_asked(toy, folder):
    compute_gram(NET, X, folder=folder, tile=8)
    for name in ("tiles.txt", "values.zarr/zarr.json"):
        (folder / name).unlink()
    values = open_gram(folder, partial=True).values["ntk"]
    assert not values.mask().any()
    assert np.isnan(np.asarray(values)).all()


def test_where_there_is_no_kernel_folder(folder):
    for path in (folder, folder.parent):
        with pytest.raises(FileNotFoundError, match="open_gram: there is no kernel folder at"):
            open_gram(path)
    with pytest.raises(SpecError, match="open_gram: folder must be a path"):
        open_gram("")
    with pytest.raises(SpecError, match="partial must be True or False; got 1"):
        open_gram(folder, partial=1)


def test_values_stay_those_of_their_folder_when_the_process_goes_elsewhere(
    toy, tmp_path, monkeypatch
):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    grams = [compute_gram(NET, X, folder="K", tile=8) for _ in range(2)]  # computed, then read
    grams.append(open_gram("K"))
    wanted = np.asarray(grams[0].values["ntk"])
    monkeypatch.chdir(tmp_path / "other")
    for _ in range(2):
        for gram in grams:
            assert np.array_equal(np.asarray(gram.values["ntk"]), wanted)
            copy = pickle.loads(pickle.dumps(gram.values["ntk"]))
            assert np.array_equal(np.asarray(copy), wanted)
        compute_gram(NET, X, folder="K", normalize="unit_diagonal")  # another Gram of that name
    assert sorted(os.listdir()) == ["K"]


@pytest.mark.parametrize("how", ["computed", "read", "opened", "pickled", "read before"])
def test_a_tile_lost_or_damaged_since_raises_when_read(toy, folder, how):
    gram = compute_gram(NET, X, folder=folder, tile=8)
    if how == "read":
        gram = compute_gram(NET, X, folder=folder)
    if how == "opened":
        gram = open_gram(folder)
    values = gram.values["ntk"]
    if how == "pickled":
        values = pickle.loads(pickle.dumps(values))
    if how == "read before":
        np.asarray(values)
    tile = folder / "values.zarr" / "c" / "0" / "0" / "1" / "2"
    held = tile.read_bytes()
    _damage(tile)
    message = r"tile \(1, 2\) of the Gram in .*K is damaged.* Make the call of compute_gram"
    for rows, columns in ((slice(None),) * 2, (slice(9, 10), slice(17, 18)), (slice(18, 19),) * 2):
        if rows == slice(18, 19):  # its neighbours can be read
            values.read(rows, columns)
            continue
        with pytest.raises(DataError, match=message):
            values.read(rows, columns)
    tile.write_bytes(held[:-8])
    with pytest.raises(DataError, match=r"tile \(1, 2\) .* 504 bytes in place of 512"):
        np.asarray(values)
    tile.unlink()
    with pytest.raises(DataError, match=r"tile \(1, 2\) .* is missing"):
        np.asarray(values)
    tile.write_bytes(held)
    assert not np.isnan(np.asarray(values)).any()


def test_no_tile_is_compared_twice_while_it_stays_the_same_file(toy, folder, monkeypatch):
    compute_gram(NET, X, folder=folder, tile=8, get=("nngp", "ntk"))
    compared = []
    checksum = tile_files.checksum_of
    monkeypatch.setattr(tile_files, "checksum_of", lambda v: compared.append(1) or checksum(v))
    gram = compute_gram(NET, X, folder=folder, get=("nngp", "ntk"))
    for values in gram.values.values():
        np.asarray(values)
    assert len(compared) == 6


def test_zarr_reads_what_is_written_here(toy, folder):
    K = compute_gram(NET, X, get=("nngp", "ntk"), depths=(1, 2), folder=folder, tile=8)
    array = zarr.open_array(folder / "values.zarr", mode="r")
    assert array.shape == (2, 2, 19, 19)
    upper = np.triu(np.ones((19, 19), bool))
    for field, values in enumerate(K.values.values()):
        assert np.array_equal(array[field][:, upper], np.asarray(values)[:, upper])
    assert np.isnan(array[0, 0, 16:, :8]).all()  # a tile that is the mirror of another


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_zarr_has_written_is_read_here(toy, folder, dtype):
    """As all folders were before the files were written without it."""
    wanted = np.asarray(compute_gram(NET, X, dtype=dtype, folder=folder, tile=8).values["ntk"])
    files = {p: p.read_bytes() for p in (folder / "values.zarr").rglob("*") if p.is_file()}
    metadata = json.loads((folder / "values.zarr" / "zarr.json").read_text())
    array = zarr.create_array(
        store=folder / "values.zarr",
        shape=(1, 1, 19, 19),
        chunks=(1, 1, 8, 8),
        dtype=dtype,
        fill_value=np.nan,
        compressors=None,
        config={"write_empty_chunks": True},
        overwrite=True,
    )
    for top in (0, 8, 16):
        array[:, :, top : top + 8, top:] = wanted[None, None, top : top + 8, top:]
    assert json.loads((folder / "values.zarr" / "zarr.json").read_text()) == metadata
    assert {p.relative_to(folder) for p in files} == {
        p.relative_to(folder) for p in (folder / "values.zarr").rglob("*") if p.is_file()
    }
    for path, content in files.items():
        assert path.name == "zarr.json" or path.read_bytes() == content
    for gram in (open_gram(folder), compute_gram(NET, X, dtype=dtype, folder=folder)):
        assert np.array_equal(np.asarray(gram.values["ntk"]), wanted)


def test_more_than_fits_into_memory_is_not_begun_to_be_read(folder, toy, monkeypatch):
    compute_gram(NET, X, folder=folder, tile=8, depths=(1, 2))
    values = open_gram(folder).values["ntk"]
    monkeypatch.setattr(stored, "_LARGE", 1000)
    monkeypatch.setattr(stored, "free_memory", lambda: 2 * 19 * 19 * 8 - 1)
    for read in (values.read, lambda: np.asarray(values), KeptGram(values, [0, 1]).read):
        with pytest.raises(PlanError, match=r"take 5.8 kB of memory; 5.8 kB are free. Read a part"):
            read()
    assert values.read(slice(0, 18)).shape == (2, 18, 19)
    assert KeptGram(values, 1).read().shape == (19, 19)
