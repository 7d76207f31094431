import json
import os

import numpy as np
import pytest
import toy_engine

from ntkreg import compute_gram, fully_connected, gram_status
from ntkreg.errors import StoreMismatchError
from ntkreg.gram.status import _rate

X = np.random.default_rng(0).standard_normal((19, 3))


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    toy_engine.install(monkeypatch.setattr)


@pytest.fixture
def folder(tmp_path):
    options = {"get": ("nngp", "ntk"), "depths": (1, 2), "normalize": "unit_diagonal"}
    # One thread, so that the first lines of the journal, which `_halve` keeps, are the same ones.
    compute_gram(fully_connected(2), X, folder=tmp_path / "K", tile=8, n_jobs=1, **options)
    return tmp_path / "K"


def _halve(folder):
    lines = (folder / "tiles.txt").read_text().splitlines(keepends=True)
    (folder / "tiles.txt").write_text("".join(lines[:3]))


def test_it_says_what_is_there(folder):
    said = gram_status(folder)
    assert (said.done, said.pairs, said.pairs_done) == (6, 190, 190)
    assert said.complete
    assert said.seconds_left == 0
    text = str(said)
    assert "NNGP and NTK of fully_connected(depth=2" in text
    assert "19 x 19, symmetric, 2 variants, float64, normalize unit_diagonal" in text
    assert "6 of 6 (100.0%), side 8" in text
    assert "left" not in text
    assert "ToyEngine, ntkreg" in text


def test_it_says_what_is_left_at_the_rate_of_late(folder):
    _halve(folder)
    for k, tile in enumerate(("0/0", "0/1", "0/2")):
        path = folder / "values.zarr" / "c" / "0" / "0" / tile
        os.utime(path, (1000 + 4 * k, 1000 + 4 * k))
    said = gram_status(folder)
    assert (said.done, said.pairs_done) == (3, 36 + 64 + 24)
    assert said.rate == pytest.approx((64 + 24) / 8)
    assert said.seconds_left == pytest.approx(66 / 11)
    assert said.at_work is False
    assert "66 pairs, about 6 s; nobody is at work" in str(said)


def test_pauses_between_runs_are_no_work():
    steady = [(float(t), 10) for t in range(20)]
    assert _rate(steady) == pytest.approx(10)
    assert _rate([*steady, *((t + 5000, n) for t, n in steady)]) == pytest.approx(10)
    # Too few to tell a pause from threads that end together.
    assert _rate([(0.0, 10), (1.0, 10), (5000.0, 10)]) is None
    assert _rate([*steady[:6], (5000.0, 10)]) == pytest.approx(10)
    assert _rate([]) is _rate(steady[:1]) is _rate([(1.0, 5), (1.0, 5)]) is None


@pytest.mark.parametrize("threads", [2, 3, 8, 40])
def test_tiles_that_threads_end_together_are_no_pauses(threads):
    latest = [(10.0 * wave + 0.01 * k, 10) for wave in range(100) for k in range(threads)][:200]
    assert _rate(latest) == pytest.approx(threads, rel=0.3)


def test_a_folder_at_its_very_beginning_has_no_rate_yet(folder):
    (folder / "tiles.txt").unlink()
    said = gram_status(folder)
    assert (said.done, said.rate, said.seconds_left) == (0, None, None)
    assert "not known yet" in str(said)


def test_what_a_stranger_calls_a_network_is_no_command_to_a_terminal(folder):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "network": {"fingerprint": "\x1b[2Jabcdefghijkl"}}))
    assert "network ?[2Jabcdefgh" in str(gram_status(folder))


def test_where_there_is_no_sound_folder(folder):
    with pytest.raises(FileNotFoundError, match="gram_status: there is no kernel folder at"):
        gram_status(folder.parent)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(StoreMismatchError, match="not the manifest"):
        gram_status(folder)
