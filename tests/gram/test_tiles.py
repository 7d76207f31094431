import numpy as np
import pytest
import toy_engine
from threadpoolctl import threadpool_info

from ntkreg import cntk, compute_gram, fully_connected
from ntkreg.gram import work as work_module
from ntkreg.gram.tiles import count_tiles, iter_tiles, tile_size
from ntkreg.gram.work import check_work
from ntkreg.kernels import KernelSpec

CASES = {
    "dense": (fully_connected(depth=2), (70, 10)),
    "flatten": (cntk(depth=2, readout="flatten"), (70, 4, 3, 2)),
    "gap": (cntk(depth=2, readout="gap"), (40, 4, 3, 2)),
}


def _inputs(shape, dtype):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
def test_neither_threads_nor_tile_change_a_bit(case, dtype):
    network, shape = CASES[case]
    X = _inputs(shape, dtype)
    options = {"get": ("nngp", "ntk"), "depths": (1, 2), "normalize": "unit_diagonal"}
    for Z in (None, X[:37]):
        wanted = compute_gram(network, X, Z, **options, n_jobs=1).values
        for n_jobs in (1, 2, 4):
            for tile in (1, 7, 64):
                got = compute_gram(network, X, Z, **options, n_jobs=n_jobs, tile=tile).values
                for field in ("nngp", "ntk"):
                    assert np.array_equal(got[field], wanted[field]), (n_jobs, tile, field)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 11])
@pytest.mark.parametrize("tile", [1, 4, 5, 12, 100])
def test_every_entry_is_written_whatever_the_tile(monkeypatch, n, tile):
    toy_engine.install(monkeypatch.setattr)
    X = _inputs((n, 3), np.float64)
    # Fresh memory is often zero: entries nobody writes must not look right by chance.
    empty = np.empty

    def empty_is_nan(*args, **options):
        array = empty(*args, **options)
        array.fill(np.nan)
        return array

    monkeypatch.setattr(np, "empty", empty_is_nan)
    for Z in (None, _inputs((7, 3), np.float64)):
        K = compute_gram(fully_connected(), X, Z, tile=tile).values["ntk"]
        np.testing.assert_allclose(K, X @ (X if Z is None else Z).T, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("tile", [4, 8, 20])
def test_unit_diagonal_takes_the_norms_of_the_right_rows_and_columns(monkeypatch, tile):
    toy_engine.install(monkeypatch.setattr)
    X, Z = _inputs((11, 3), np.float64), _inputs((9, 3), np.float64) + 1
    for other in (None, Z):
        B = X if other is None else other
        wanted = X @ B.T / np.linalg.norm(X, axis=1)[:, None] / np.linalg.norm(B, axis=1)
        K = compute_gram(fully_connected(), X, other, normalize="unit_diagonal", tile=tile)
        np.testing.assert_allclose(K.values["ntk"], wanted, rtol=1e-13, atol=1e-15)


def test_a_tile_is_whole_blocks(monkeypatch):
    toy_engine.install(monkeypatch.setattr)
    work = check_work(KernelSpec(fully_connected()), np.ones((1000, 2)))
    assert [tile_size(work, t) for t in (None, 1, 4, 5, 9)] == [4, 4, 4, 8, 12]
    assert tile_size(work, None, coarse=True) == 32


def test_symmetric_gram_computes_each_pair_once(monkeypatch):
    toy_engine.install(monkeypatch.setattr)
    work = check_work(KernelSpec(fully_connected()), np.ones((11, 2)))
    tiles = list(iter_tiles(work, 4))
    assert len(tiles) == count_tiles(work, 4) == 6
    assert sum(t.pairs(symmetric=True) for t in tiles) == work.pairs == 66
    cross = check_work(KernelSpec(fully_connected()), np.ones((11, 2)), np.ones((5, 2)))
    tiles = list(iter_tiles(cross, 4))
    assert len(tiles) == count_tiles(cross, 4) == 6
    assert sum(t.pairs(symmetric=False) for t in tiles) == cross.pairs == 55


def test_blas_runs_on_one_thread_inside_workers_and_as_before_afterwards(monkeypatch):
    seen = []

    class Spy(toy_engine.ToyEngine):
        def cross(self, X, Z):
            seen.extend(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas")
            return super().cross(X, Z)

    make = Spy((2,), np.dtype(float), ("ntk",), 1)
    monkeypatch.setattr(work_module, "engine_for", lambda *a, **k: make)
    before = threadpool_info()
    compute_gram(fully_connected(), np.ones((9, 2)), n_jobs=2)
    assert seen
    assert set(seen) == {1}
    assert threadpool_info() == before
