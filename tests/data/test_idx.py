"""idx files: sound ones, plain and gzipped, and what a stranger may make of one."""

import gzip
import struct

import numpy as np
import pytest

from ntkreg.data import load_data, load_inputs, load_mnist, read_idx
from ntkreg.errors import DataError

CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}


def idx(array, code=8):
    lengths = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, code, array.ndim]) + lengths + array.tobytes()


def write_mnist(folder, pack=lambda content: content, end="", n=5, m=3):
    rng = np.random.default_rng(0)
    arrays = {
        "train-images-idx3-ubyte": rng.integers(0, 256, (n, 28, 28), np.uint8),
        "train-labels-idx1-ubyte": rng.integers(0, 10, n).astype(np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (m, 28, 28), np.uint8),
        "t10k-labels-idx1-ubyte": rng.integers(0, 10, m).astype(np.uint8),
    }
    for name, array in arrays.items():
        (folder / f"{name}{end}").write_bytes(pack(idx(array)))
    return list(arrays.values())


@pytest.mark.parametrize(("pack", "end"), [(bytes, ""), (gzip.compress, ".gz")])
def test_mnist_is_read_as_it_was_written(tmp_path, pack, end):
    X, y, X_test, y_test = write_mnist(tmp_path, pack, end)
    for data in (load_mnist(tmp_path), load_data(tmp_path)):
        assert np.array_equal(data.X_train, X[..., None])
        assert np.array_equal(data.X_test, X_test[..., None])
        assert np.array_equal(data.y_train, y)
        assert np.array_equal(data.y_test, y_test)
        assert data.X_train.dtype == np.uint8
    assert np.array_equal(load_inputs(tmp_path)[0], X_test[..., None])


@pytest.mark.parametrize(("dtype", "code"), CODES.items())
def test_every_dtype_comes_in_native_order(tmp_path, dtype, code):
    array = np.arange(-6, 6).astype(dtype).reshape(2, 3, 2)
    (tmp_path / "a").write_bytes(idx(array, code))
    found = read_idx(tmp_path / "a")
    assert np.array_equal(found, array)
    assert found.dtype.isnative
    assert found.flags.writeable


HEADER = b"\0\0\x08\x03"
HUGE = HEADER + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1)
WRONG = {
    "nothing": (b"", "begins with"),
    "another format": (b"\x89PNG\r\n", "begins with"),
    "an unknown dtype": (b"\0\0\x0a\1\0\0\0\1\0", "begins with"),
    "no axes": (b"\0\0\x08\0", "axes"),
    "many axes": (b"\0\0\x08\xff" + bytes(1020), "axes"),
    "a header cut short": (HEADER + b"\0\0", "axes"),
    "huge lengths": (HUGE, "cannot hold"),
    "values cut short": (HEADER + struct.pack(">3I", 2, 2, 2) + bytes(7), "cannot hold|ends after"),
    "values too many": (HEADER + struct.pack(">3I", 2, 2, 2) + bytes(9), "longer"),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
@pytest.mark.parametrize("name", WRONG)
def test_files_that_are_none_are_refused(tmp_path, name, pack):
    content, message = WRONG[name]
    (tmp_path / "a").write_bytes(pack(content))
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "a")


def test_a_gzip_that_never_ends_is_read_no_further_than_it_says(tmp_path, monkeypatch):
    bomb = gzip.compress(HEADER + struct.pack(">3I", 1, 2, 2) + bytes(30_000_000))
    (tmp_path / "a").write_bytes(bomb)
    read = []
    monkeypatch.setattr(gzip.GzipFile, "read", _counting(gzip.GzipFile.read, read))
    with pytest.raises(DataError, match="longer"):
        read_idx(tmp_path / "a")
    assert sum(read) < 100


def _counting(plain, read):
    def count(self, size=-1):
        content = plain(self, size)
        read.append(len(content))
        return content

    return count


def test_more_than_the_memory_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(idx(np.zeros((10, 10), np.uint8)))
    monkeypatch.setattr("ntkreg.data.idx.free_memory", lambda: 150)
    with pytest.raises(DataError, match="memory"):
        read_idx(tmp_path / "a")


def test_a_damaged_gzip_is_a_data_error(tmp_path):
    content = bytearray(gzip.compress(idx(np.arange(200, dtype=np.uint8))))
    content[40] ^= 0xFF
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError, match="not a sound idx"):
        read_idx(tmp_path / "a")


def test_what_is_missing_or_mixed_up_is_named(tmp_path):
    write_mnist(tmp_path)
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    content = labels.read_bytes()
    labels.write_bytes((tmp_path / "t10k-images-idx3-ubyte").read_bytes())
    with pytest.raises(DataError, match="labels of 1 axes"):
        load_mnist(tmp_path)
    labels.unlink()
    with pytest.raises(FileNotFoundError, match="t10k-labels"):
        load_mnist(tmp_path)
    labels.write_bytes(content[:7] + b"\2" + content[8:10])
    with pytest.raises(DataError, match="y_test"):
        load_mnist(tmp_path)
