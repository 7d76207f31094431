import gzip
import io
import os
import pickle
import tarfile

import numpy as np
import pytest

from ntkreg.data import load_cifar10
from ntkreg.data.cifar10 import BATCHES, CLASS_NAMES
from ntkreg.errors import DataError

N = 4
"""Images a batch; official batches hold 10,000."""


@pytest.fixture
def images():
    """Return the pixels (6, N, 32, 32, 3) and labels (6, N) of the six batches."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (6, N, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, (6, N))


def channel_first_rows(pixels):
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).reshape(len(pixels), 3072)


def binary_batch(pixels, labels):
    rows = channel_first_rows(pixels)
    return np.column_stack([labels.astype(np.uint8), rows]).tobytes()


def python_batch(pixels, labels, protocol=2):
    batch = {
        b"batch_label": b"training batch 1 of 5",
        b"labels": labels.tolist(),
        b"data": channel_first_rows(pixels),
        b"filenames": [b"a.png"] * len(labels),
    }
    return pickle.dumps(batch, protocol=protocol)


def python_2_batch(pixels, labels):
    """Write the pickle as Python 2 and its NumPy did: protocol 2, byte strings, old names."""

    def string(text):  # SHORT_BINSTRING / BINSTRING
        n = len(text)
        return b"U" + bytes([n]) + text if n < 256 else b"T" + n.to_bytes(4, "little") + text

    def integer(i):  # BININT
        return b"J" + int(i).to_bytes(4, "little", signed=True)

    rows = channel_first_rows(pixels)
    dtype = (
        b"cnumpy\ndtype\n" + string(b"u1") + integer(0) + integer(1) + b"\x87R"
        b"(" + integer(3) + string(b"|") + b"NNN" + integer(-1) * 2 + integer(0) + b"tb"
    )
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        + (integer(0) + b"\x85" + string(b"b") + b"\x87R(" + integer(1))
        + (integer(rows.shape[0]) + integer(3072) + b"\x86" + dtype + b"\x89")
        + (string(rows.tobytes()) + b"tb")
    )
    listed = b"](" + b"".join(integer(v) for v in labels) + b"e"
    return (
        b"\x80\x02}(" + string(b"labels") + listed + string(b"data") + array
        + string(b"batch_label") + string(b"testing batch 1 of 1") + b"u."
    )  # fmt: skip


def write_folder(folder, images, make, suffix):
    folder.mkdir()
    for name, pixels, labels in zip(BATCHES, *images, strict=True):
        (folder / f"{name}{suffix}").write_bytes(make(pixels, labels))
    return folder


def binary_folder(tmp_path, images):
    return write_folder(tmp_path / "cifar-10-batches-bin", images, binary_batch, ".bin")


def python_folder(tmp_path, images, make=python_batch):
    return write_folder(tmp_path / "cifar-10-batches-py", images, make, "")


def archived(folder, kind="gz"):
    path = folder.parent / f"cifar-10.tar.{kind}"
    with tarfile.open(path, f"w:{kind}") as archive:
        archive.add(folder, folder.name)
    return path


def assert_same_images(data, images):
    X, y = images
    np.testing.assert_array_equal(data.X_train, X[:5].reshape(-1, 32, 32, 3))
    np.testing.assert_array_equal(data.X_test, X[5])
    np.testing.assert_array_equal(data.y_train, y[:5].ravel())
    np.testing.assert_array_equal(data.y_test, y[5])
    assert data.X_train.dtype == np.uint8
    assert data.X_train.flags.c_contiguous
    assert data.class_names == CLASS_NAMES


def test_binary_version_is_read_from_its_folder_its_parent_and_its_archive(tmp_path, images):
    folder = binary_folder(tmp_path, images)
    for path in (folder, tmp_path, str(folder), archived(folder)):
        assert_same_images(load_cifar10(path), images)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_python_version_is_read_in_every_protocol(tmp_path, images, protocol):
    folder = python_folder(tmp_path, images, lambda p, y: python_batch(p, y, protocol))
    assert_same_images(load_cifar10(folder), images)


def test_python_version_is_read_as_python_2_wrote_it(tmp_path, images):
    folder = python_folder(tmp_path, images, python_2_batch)
    assert_same_images(load_cifar10(folder), images)
    assert_same_images(load_cifar10(archived(folder)), images)


def test_both_versions_have_the_same_fingerprint(tmp_path, images):
    binary = load_cifar10(binary_folder(tmp_path, images)).provenance
    python = load_cifar10(python_folder(tmp_path, images)).provenance
    assert binary.sha256 == python.sha256
    assert binary.source == "cifar-10-batches-bin"
    images[0][0, 0, 0, 0, 0] ^= 1
    changed = load_cifar10(python_folder(tmp_path / "cifar-10-batches-py", images))
    assert changed.provenance.sha256 != binary.sha256


class Command:
    """What a malicious file would hold: unpickled by pickle.load, it runs a command."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_pickle_that_would_run_a_command_is_refused_by_name_and_does_not_run(tmp_path, images):
    folder = python_folder(tmp_path, images)
    mark = tmp_path / "was_here"
    content = pickle.dumps({b"data": Command(f"touch {mark}"), b"labels": [1]})
    (folder / "data_batch_2").write_bytes(content)
    with pytest.raises(DataError, match=rf"data_batch_2.*{os.system.__module__}\.system"):
        load_cifar10(folder)
    assert not mark.exists()
    pickle.loads(content)  # the test's own proof: pickle does run it
    assert mark.exists()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (np.array([{}, []], dtype=object), "dtype 'O8'"),
        (np.zeros(2, dtype=[("a", "i4")]), "dtype 'V4'"),
        (np.zeros(2, dtype="U3"), "dtype 'U3'"),
        (np.zeros(2, dtype=complex), "dtype 'c16'"),
        (np.float64(1), "scalar"),
        ({1, 2}, "set"),
        (1 + 2j, "complex"),
        (print, "print"),
        (bytearray(b"abc"), "bytearray"),
        (np.dtype("i4"), "_Dtype"),
        (np.ndarray, "_Callable"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_anything_but_plain_numeric_data_is_refused(tmp_path, images, value, named, protocol):
    folder = python_folder(tmp_path, images)
    (folder / "test_batch").write_bytes(pickle.dumps({b"data": value}, protocol=protocol))
    with pytest.raises(DataError, match="pickle asks for") as caught:
        load_cifar10(folder)
    assert named in str(caught.value)


def test_a_dtype_whose_state_is_forged_into_objects_is_refused(tmp_path, images):
    # dtype('u8') with fields; NumPy's own __setstate__ would take what the file says.
    folder = python_folder(tmp_path, images)
    forged = (
        b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        b"K\x00\x85U\x01b\x87R(K\x01K\x01\x85cnumpy\ndtype\nU\x02u8K\x00K\x01\x87R"
        b"(K\x03U\x01<NU\x01a\x85}J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb\x89U\x08AAAAAAAAtbs."
    )
    (folder / "test_batch").write_bytes(forged)
    with pytest.raises(DataError, match="structured dtype"):
        load_cifar10(folder)


@pytest.mark.parametrize("shape", [b"J\xff\xff\xff\xff", b"K\x09"])
def test_an_array_whose_shape_does_not_fit_its_bytes_is_refused(tmp_path, images, shape):
    folder = python_folder(tmp_path, images)
    forged = (
        b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        b"K\x00\x85U\x01b\x87R(K\x01" + shape + b"\x85cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08AAAAAAAAtbs."
    )
    (folder / "test_batch").write_bytes(forged)
    with pytest.raises(DataError, match=r"not a sound pickle.*array of shape"):
        load_cifar10(folder)


def test_a_list_that_holds_itself_is_a_clear_error(tmp_path, images):
    folder = python_folder(tmp_path, images)
    loop = []
    loop.append(loop)
    (folder / "test_batch").write_bytes(pickle.dumps(loop))
    with pytest.raises(DataError, match="not a sound pickle"):
        load_cifar10(folder)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([1, 2], "expected a pickled dict; found a list"),
        ({b"labels": [1]}, "'data' must be a uint8 array"),
        ({b"data": np.zeros((2, 3072)), b"labels": [1, 1]}, "'data' must be .* found float64"),
        ({b"data": np.zeros((2, 30), np.uint8), b"labels": [1, 1]}, r".* found uint8 \(2, 30\)"),
        ({b"data": np.zeros((0, 3072), np.uint8), b"labels": []}, r".* found uint8 \(0, 3072\)"),
        ({b"data": np.zeros((2, 3072), np.uint8)}, "'labels' must be a list"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, "2"]}, "'labels' must be a list"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 1, 1]}, "2 images but 3 labels"),
    ],
)
def test_a_python_batch_of_another_format_is_refused(tmp_path, images, batch, message):
    folder = python_folder(tmp_path, images)
    (folder / "data_batch_1").write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(DataError, match=f"data_batch_1: {message}"):
        load_cifar10(folder)


@pytest.mark.parametrize("size", [0, 1, 3072, 3073 * N - 1])
def test_a_binary_batch_of_broken_records_says_what_was_found(tmp_path, images, size):
    folder = binary_folder(tmp_path, images)
    path = folder / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=rf"data_batch_3\.bin: .*found {size} bytes"):
        load_cifar10(folder)


def test_a_batch_cut_between_two_records_is_noticed(tmp_path, images):
    folder = binary_folder(tmp_path, images)
    path = folder / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:3073])
    with pytest.raises(DataError, match=r"equally many images.*data_batch_3\.bin': 1"):
        load_cifar10(folder)


@pytest.mark.parametrize("make", [binary_folder, python_folder])
def test_a_label_out_of_range_is_named(tmp_path, images, make):
    images[1][5, 2] = 10
    with pytest.raises(DataError, match="label 10 of test row 2 is out of range"):
        load_cifar10(make(tmp_path, images))


@pytest.mark.parametrize("make", [binary_folder, python_folder])
@pytest.mark.parametrize("as_archive", [False, True])
def test_missing_batches_are_named(tmp_path, images, make, as_archive):
    folder = make(tmp_path, images)
    next(folder.glob("data_batch_4*")).unlink()
    with pytest.raises(FileNotFoundError, match=r"data_batch_4.* missing"):
        load_cifar10(archived(folder) if as_archive else folder)


def test_a_path_without_cifar_says_what_to_give(tmp_path):
    with pytest.raises(FileNotFoundError, match="cifar-10-batches-bin"):
        load_cifar10(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no CIFAR-10 batches here"):
        load_cifar10(tmp_path)


def test_truncated_pickle_is_a_clear_error(tmp_path, images):
    folder = python_folder(tmp_path, images)
    path = folder / "data_batch_5"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="data_batch_5: not a sound pickle"):
        load_cifar10(folder)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_truncated_archive_is_a_clear_error(tmp_path, images, share):
    path = archived(binary_folder(tmp_path, images))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises((DataError, FileNotFoundError), match=str(path)):
        load_cifar10(path)


@pytest.mark.parametrize("content", [b"", b"hello", gzip.compress(b"hello", mtime=0)])
def test_what_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz: "):
        load_cifar10(path)


def test_an_archive_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("readme"), io.BytesIO())
    with pytest.raises(DataError, match="holds no CIFAR-10 batches"):
        load_cifar10(path)


@pytest.mark.parametrize("as_archive", [False, True])
def test_a_file_far_too_big_is_not_read_into_memory(tmp_path, images, as_archive):
    folder = binary_folder(tmp_path, images)
    with open(folder / "test_batch.bin", "wb") as f:
        f.truncate(70_000_000)  # sparse: takes no disk
    with pytest.raises(DataError, match=r"too much for a batch|larger than 64,000,000 bytes"):
        load_cifar10(archived(folder) if as_archive else folder)


@pytest.mark.parametrize("kind", ["gz", "xz", "bz2", ""])
def test_every_compression_is_read_and_a_flipped_byte_is_a_clear_error(tmp_path, images, kind):
    path = archived(binary_folder(tmp_path, images), kind)
    assert_same_images(load_cifar10(path), images)
    content = path.read_bytes()
    for at in (*range(0, 60, 7), len(content) // 2, len(content) - 9):
        damaged = bytearray(content)
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        try:
            load_cifar10(path)
        except (DataError, FileNotFoundError) as error:
            assert path.name in str(error)  # noqa: PT017


def added(archive, name, content, **header):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in header.items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(content))


def test_a_batch_in_two_folders_of_an_archive_is_refused(tmp_path, images):
    path = archived(binary_folder(tmp_path, images))
    plain = gzip.decompress(path.read_bytes())
    (tmp_path / "two.tar").write_bytes(plain)
    with tarfile.open(tmp_path / "two.tar", "a") as archive:
        added(archive, "other/data_batch_1.bin", b"x")
    with pytest.raises(DataError, match=r"holds data_batch_1\.bin in two folders"):
        load_cifar10(tmp_path / "two.tar")


def test_links_devices_and_names_with_folders_above_are_no_batches(tmp_path, images):
    folder = binary_folder(tmp_path, images)
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as archive:
        for file in sorted(folder.iterdir())[:-1]:
            added(archive, f"/etc/../{file.name}", file.read_bytes())
        added(archive, "a/test_batch.bin", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        added(archive, "b/test_batch.bin", b"", type=tarfile.LNKTYPE, linkname="/etc/passwd")
        added(archive, "c/test_batch.bin", b"", type=tarfile.CHRTYPE)
        added(archive, "d/test_batch.bin", b"", type=tarfile.FIFOTYPE)
    with pytest.raises(FileNotFoundError, match=r"test_batch\.bin missing"):
        load_cifar10(path)
