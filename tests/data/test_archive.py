"""What npz archives of strangers may hold."""

import io
import os
import re
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from ntkreg.data import archive, load_npz, read_arrays
from ntkreg.errors import DataError


def npy(shape="(4, 3)", descr="'|u1'", data=b"\0" * 12, version=(1, 0), header=None):
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    text = (text if header is None else header).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text + data


def saved(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def packed(tmp_path, *members, compression=zipfile.ZIP_DEFLATED):
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy("(1000000000, 1000)"), "must have 1,000,000,000,000 bytes; it has 12"),
        (npy("(4611686018427387904, 4611686018427387904)"), "must have"),
        (npy("(4, 2)"), "must have 8 bytes; it has 12"),
        (npy("(4, 4)"), "must have 16 bytes; it has 12"),
        (npy("(-4, -3)"), "no sensible shape"),
        (npy("(-1, 3)"), "no sensible shape"),
        (npy("(True, 12)"), "no sensible shape"),
        (npy(f"({'1, ' * 40}12)"), "no sensible shape"),
        (npy("(4.0, 3)"), "damaged header"),
        (npy("4"), "damaged header"),
        (npy("(1000000000000000,)", "'<U0'", b""), "no sensible shape or dtype"),
        (npy("(1000000000000000,)", "'|V0'", b""), "records"),
        (npy("(1,)", "'|O'", b"\x80\x04K\x01."), "pickled objects, which are not read"),
        (npy("(4,)", "('<f8', (2,))", b"\0" * 64), "records"),
        (npy("(4,)", "[('a', '|O')]", b"\0" * 64), "pickled objects"),
        (saved(np.zeros(4, [("a", "i4"), ("b", "f8")])), "records"),
        (saved(np.array([{}], dtype=object)), "pickled objects"),
        (npy("(3,)", "'<U1'", b"\xff" * 12), "values that its dtype does not have"),
        (npy("(3,)", "'|b1'", b"\0\1\2"), "values that its dtype does not have"),
        (npy(descr="'zz'"), "damaged header"),
        (npy(header="{}"), "damaged header"),
        (npy(header="((((" * 2000), "damaged header"),
        (npy(header="__import__('os').system('touch pwned')"), "damaged header"),
        (npy(header="{'descr': '|u1', 'fortran_order': 0, 'shape': (4, 3)}"), "damaged header"),
        (npy(header="{'descr': '|u1'}" + " " * 60_000), "header that NumPy never writes"),
        (npy(version=(9, 0)), "header that NumPy never writes"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", "header that NumPy never writes"),
        (b"\x93NUMPY", "header that NumPy never writes"),
        (b"hello", "is no array"),
        (b"", "is no array"),
        (b"\x80\x04K\x01.", "is no array"),
    ],
    ids=lambda value: repr(value)[:40],
)
@pytest.mark.filterwarnings("ignore:Reading `.npy`")
def test_a_member_that_lies_or_is_no_plain_array_is_refused(tmp_path, content, message):
    path = packed(tmp_path, ("x.npy", content))
    with pytest.raises(DataError, match=rf"set\.npz: not a sound \.npz archive: x\b.*{message}"):
        read_arrays(path, ("x",))


def _forged(tmp_path, at, value):
    """Return an archive with other bytes in the directory's entry, `at` bytes after its start."""
    path = packed(tmp_path, ("x.npy", npy("(4000000000, 1)")))
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + at : entry + at + len(value)] = value
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (24, struct.pack("<I", 4_000_000_128), "declares 4,000,000,128 bytes"),
        (20, struct.pack("<II", 4_000_000_128, 4_000_000_128), "declares 4,000,000,128 bytes"),
        (8, b"\x01", "encrypted"),
        (10, b"\x0c", "compressed as NumPy never does"),
        (10, b"\x63", "compressed as NumPy never does"),
        (42, b"\xff\xff\xff\x7f", "not a sound"),
    ],
)
def test_a_directory_that_lies_is_refused_before_anything_is_read(tmp_path, at, value, message):
    with pytest.raises(DataError, match=message):
        read_arrays(_forged(tmp_path, at, value), ("x",))


def test_more_than_fits_in_free_memory_is_refused_with_sizes(tmp_path, monkeypatch):
    path = tmp_path / "set.npz"
    np.savez_compressed(path, x=np.zeros(100_000), y=np.zeros(1000))
    monkeypatch.setattr(archive, "free_memory", lambda: 500_000)
    with pytest.raises(
        DataError, match=r"take 808.0 kB \(x alone 800.0 kB\), and 500.0 kB .* free"
    ):
        read_arrays(path, ("x", "y"))
    assert read_arrays(path, ("y",))["y"].shape == (1000,)
    monkeypatch.setattr(archive, "free_memory", lambda: None)
    assert read_arrays(path, ("x",))["x"].shape == (100_000,)


@pytest.mark.parametrize("names", [("x.npy", "x.npy"), ("x", "x.npy")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(tmp_path, names):
    path = packed(tmp_path, *((name, saved(np.zeros(2))) for name in names))
    with pytest.raises(DataError, match="holds 'x' twice"):
        read_arrays(path, ("x",))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path, compression):
    path = packed(tmp_path, ("x.npy", saved(np.zeros(20))), compression=compression)
    with pytest.raises(DataError, match="compressed as NumPy never does"):
        read_arrays(path, ("x",))


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04" + b"\0" * 30, bytes(range(200)), b"x,y\n1,2\n", b"\x80\x04K\x01."],
)
def test_what_is_no_archive_never_gets_numpys_advice(tmp_path, content):
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"set\.npz: not a sound \.npz archive") as caught:
        read_arrays(path, ("x",))
    assert not re.search("pickle|unsafe|trust", str(caught.value))


def test_pipes_devices_and_planted_links_are_not_read(tmp_path):
    pipe, link, path = tmp_path / "pipe.npz", tmp_path / "link.npz", tmp_path / "set.npz"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="not a plain file"):
        read_arrays(pipe, ("x",))
    with pytest.raises(DataError, match="not a plain file"):
        read_arrays(os.devnull, ("x",))
    np.savez(path, x=np.arange(3))
    link.symlink_to(path)
    assert read_arrays(link, ("x",))["x"].tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="a symbolic link"):
        read_arrays(link, ("x",), links=False)


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.asfortranarray(np.arange(12.0).reshape(4, 3)), "float64"),
        (np.arange(12, dtype=">f4").reshape(4, 3), "float32"),
        (np.arange(12, dtype=">i8").reshape(4, 3), "int64"),
        (np.arange(12, dtype="f2").reshape(4, 3), "float16"),
        (np.arange(12, dtype=np.longdouble).reshape(4, 3), np.dtype(np.longdouble).name),
        (np.arange(12).reshape(4, 3) > 3, "bool"),
        (np.zeros((0, 3), np.uint8), "uint8"),
    ],
)
def test_other_orders_and_widths_of_numbers_are_read(tmp_path, array, dtype):
    path = tmp_path / "set.npz"
    y = np.arange(len(array))
    np.savez(path, x=array, y_test=y, x_test=array, y=y)
    found = read_arrays(path, None)
    assert sorted(found) == ["x", "x_test", "y", "y_test"]
    np.testing.assert_array_equal(found["x"], array)
    assert found["x"].dtype == dtype
    assert found["x"].dtype.isnative
    if len(array):
        assert load_npz(path, x_train="x", y_train="y").X_train.dtype == dtype


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": np.zeros((4, 2), complex)}, "X_train must hold real numbers"),
        ({"x_train": np.zeros((4, 2), "M8[s]")}, "X_train must hold real numbers"),
        ({"x_train": np.zeros((4, 2), "S3")}, "X_train must hold real numbers"),
        ({"y_train": np.zeros(4, "M8[s]")}, "y_train must be 4 numbers or strings"),
        ({"y_train": np.array([b"a"] * 4)}, "y_train must be 4 numbers or strings"),
        ({"y_train": np.zeros(4, complex)}, "y_train must be 4 numbers or strings"),
        ({"y_train": np.array(["a"] * 4)}, "both be numbers or both strings"),
        ({"class_names": np.array([1.5, 2.5])}, "class names must be at most"),
        ({"class_names": np.full(100_001, "a")}, r"class names must be .* shape \(100001,\)"),
    ],
)
def test_data_of_other_kinds_are_named(tmp_path, changed, message):
    path = tmp_path / "set.npz"
    sound = {"x_train": np.zeros((4, 2)), "y_train": np.arange(4) % 2}
    sound |= {"x_test": np.zeros((2, 2)), "y_test": np.arange(2)}
    np.savez(path, **sound | changed)
    with pytest.raises(DataError, match=message):
        load_npz(path)


def test_names_as_bytes_are_text(tmp_path):
    path = tmp_path / "set.npz"
    X, y = np.zeros((2, 2)), np.arange(2)
    np.savez(path, x_train=X, y_train=y, x_test=X, y_test=y, class_names=np.array([b"a", b"b"]))
    assert load_npz(path).class_names == ("a", "b")


def test_random_damage_never_shows_another_error(tmp_path):
    path = tmp_path / "set.npz"
    rng = np.random.default_rng(0)
    np.savez_compressed(path, x=rng.integers(0, 9, (6, 5)), names=np.array(["ab", "c"]))
    sound = path.read_bytes()
    for _ in range(400):
        content = bytearray(sound)
        for at in rng.integers(0, len(content), rng.integers(1, 4)):
            content[at] = rng.integers(0, 256)
        path.write_bytes(content[: rng.choice([len(content), rng.integers(1, len(content))])])
        try:
            assert read_arrays(path, ("x",), ("names",))["x"].shape == (6, 5)
        except DataError as error:
            assert "allow_pickle" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize(
    "dtype", ["?", "<U4", ">U4", ">f8", ">c16", ">M8[s]"], ids=lambda dtype: dtype.strip("<>")
)
def test_an_array_is_in_memory_once(tmp_path, dtype, order):
    array = np.zeros((1000, 2000), dtype, order=order)
    array[3, 5] = 1
    np.savez(tmp_path / "set.npz", x=array)
    tracemalloc.start()
    try:
        found = read_arrays(tmp_path / "set.npz", ["x"])["x"]
        assert tracemalloc.get_traced_memory()[1] < 1.2 * array.nbytes + 1_000_000
    finally:
        tracemalloc.stop()
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.flags.f_contiguous == (order == "F")
    np.testing.assert_array_equal(found, array)
