"""Products with a matrix by tiles of its upper triangle, beside NumPy's with all of it."""

import numpy as np
import pytest

from ntkreg.errors import ShapeError
from ntkreg.solvers.tiled_matrix import StoredMatrix, TiledMatrix, in_order, is_stored


class Stored:
    """The upper triangle alone: what is below it reads as NaN. Counts how often tiles are read."""

    def __init__(self, K, tile):
        self.shape, self.dtype, self.tile = K.shape, K.dtype, tile
        block = np.arange(len(K)) // tile
        self.K = np.where(block[:, None] <= block, K, np.nan).astype(K.dtype)
        self.reads = []

    def read(self, rows, columns):
        self.reads.append((rows.start, columns.start))
        return self.K[rows, columns]


def _symmetric(n, dtype="float32"):
    A = np.random.default_rng(n).standard_normal((n, n))
    return (A + A.T).astype(dtype)


def test_a_stored_matrix_is_told_from_an_array():
    K = _symmetric(3)
    assert isinstance(Stored(K, 2), StoredMatrix)
    assert is_stored(Stored(K, 2))
    assert not is_stored(K)
    assert not is_stored(K.tolist())


@pytest.mark.parametrize(("n", "tile"), [(1, 4), (2, 1), (37, 8), (64, 16), (30, 64)])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_products_columns_and_all_of_it_are_those_of_the_array(n, tile, n_jobs):
    K = _symmetric(n)
    stored = Stored(K, tile)
    tiled = TiledMatrix("test", stored, n_jobs)
    right = np.random.default_rng(0).standard_normal((n, 3))
    stored.reads.clear()
    np.testing.assert_allclose(tiled.multiply(right), K.astype(float) @ right, atol=1e-12)
    grid = -(-n // tile)
    assert len(stored.reads) == len(set(stored.reads)) == grid * (grid + 1) // 2
    chosen = np.array([0, n - 1, n // 2, 0])
    np.testing.assert_array_equal(tiled.columns(chosen), K[:, chosen])
    np.testing.assert_array_equal(tiled.dense(), K)
    np.testing.assert_array_equal(tiled.diagonal(), np.diagonal(K))
    assert tiled.dense().dtype == tiled.columns(chosen).dtype == np.float64


def test_an_array_and_a_mapped_file_are_read_in_place(tmp_path):
    K = _symmetric(1100)
    mapped = np.memmap(tmp_path / "K", K.dtype, "w+", shape=K.shape)
    mapped[...] = K
    right = np.random.default_rng(0).standard_normal((1100, 2))
    found = [TiledMatrix("test", A, 1).multiply(right) for A in (K, mapped)]
    np.testing.assert_allclose(found[0], K.astype(float) @ right, atol=1e-11)
    assert np.array_equal(*found)


def test_bits_depend_on_no_number_of_threads():
    K = _symmetric(300)
    right = np.random.default_rng(0).standard_normal((300, 2))
    found = [TiledMatrix("test", Stored(K, 32), n_jobs).multiply(right) for n_jobs in (1, 2, 5)]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_what_is_no_square_matrix_of_numbers_is_refused():
    K = _symmetric(20)
    K[3, 17] = np.nan
    with pytest.raises(ValueError, match=r"test: K contains NaN .* tile \(0, 2\) of side 8"):
        TiledMatrix("test", Stored(K, 8), 2)
    stored = Stored(_symmetric(20), 8)
    for shape in ((2, 20, 20), (20, 10), (0, 0)):
        stored.shape = shape
        with pytest.raises(ShapeError, match="K must be a square matrix"):
            TiledMatrix("test", stored, 1)
    with pytest.raises(ValueError, match="must be symmetric"):
        TiledMatrix("test", np.triu(np.ones((3, 3))), 1)


def test_an_error_of_a_thread_is_raised_and_nothing_more_begins():
    begun = []

    def work(k):
        begun.append(k)
        if k == 2:
            raise OSError("lost")
        return k

    with pytest.raises(OSError, match="lost"):
        list(in_order(work, range(1000), 2))
    assert len(begun) < 10
