from pathlib import Path

import numpy as np
import pytest

from ntkreg.data import load_npz
from ntkreg.errors import DataError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def arrays(**changed):
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": rng.integers(0, 256, (3, 5, 4, 3), dtype=np.uint8),
        "y_test": np.array([2, 1, 0]),
        "class_names": np.array(["ant", "bee", "cat"]),
        "idx_train": np.arange(6),
    } | changed


def saved(tmp_path, **changed):
    path = tmp_path / "set.npz"
    np.savez_compressed(path, **{k: v for k, v in arrays(**changed).items() if v is not None})
    return path


def test_arrays_names_and_provenance_come_back(tmp_path):
    data = load_npz(saved(tmp_path))
    for name, value in arrays().items():
        if name[:2] in ("x_", "y_"):
            np.testing.assert_array_equal(getattr(data, name.replace("x_", "X_")), value)
    assert data.class_names == ("ant", "bee", "cat")
    assert data.provenance.source == "set.npz"
    assert (data.provenance.n_train, data.provenance.n_test) == (6, 3)
    assert data.provenance.shape == (5, 4, 3)


def test_fingerprint_follows_the_values(tmp_path):
    first = load_npz(saved(tmp_path)).provenance.sha256
    assert load_npz(saved(tmp_path)).provenance.sha256 == first
    assert load_npz(saved(tmp_path, y_test=np.array([2, 1, 1]))).provenance.sha256 != first


def test_keys_can_have_other_names(tmp_path):
    path = tmp_path / "other.npz"
    X, y = np.zeros((4, 2)), np.array(list("abab"))
    np.savez(path, X=X, labels=y)
    data = load_npz(path, x_train="X", y_train="labels", x_test="X", y_test="labels")
    assert data.X_train.shape == (4, 2)
    assert data.y_test.tolist() == list("abab")
    assert data.class_names is None


def test_images_without_channel_axis_have_one_channel(tmp_path):
    data = load_npz(saved(tmp_path, x_train=np.zeros((6, 5, 4)), x_test=np.zeros((3, 5, 4))))
    assert data.X_train.shape == (6, 5, 4, 1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_test": None}, "no array named x_test.*holds: x_train"),
        ({"x_test": np.zeros((3, 5, 5, 3))}, r"differ in shape: \(5, 4, 3\) and \(5, 5, 3\)"),
        ({"x_train": np.zeros((0, 5, 4, 3)), "y_train": np.zeros(0, int)}, "no training samples"),
        ({"x_train": np.full((6, 5, 4, 3), np.nan)}, "X_train holds NaN or infinity.* row 0"),
        ({"x_test": np.full((3, 5, 4, 3), np.inf)}, "X_test holds NaN or infinity"),
        ({"x_train": np.full((6, 5, 4, 3), "a")}, "X_train must hold real numbers"),
        ({"x_train": np.zeros(6)}, r"X_train must be images .* found shape \(6,\)"),
        ({"x_train": np.zeros((6, 5, 0, 3))}, r"found shape \(6, 5, 0, 3\)"),
        ({"y_train": np.zeros(5, int)}, r"y_train must be 6 .* found shape \(5,\)"),
        ({"y_train": np.zeros((6, 1), int)}, r"found shape \(6, 1\)"),
        ({"y_test": np.array([1, 2, 3])}, "label 3 of test row 2 is out of range"),
        ({"y_test": np.array([1, -1, 0])}, "label -1 of test row 1 is out of range"),
        ({"y_test": np.zeros(3)}, "y_test must hold integers"),
        ({"y_test": np.array([0, np.nan, 1]), "class_names": None}, "y_test holds NaN.*row 1"),
        ({"x_train": np.array([{}] * 6, dtype=object)}, "pickled objects"),
    ],
)
def test_arrays_that_make_no_sense_are_named(tmp_path, changed, message):
    with pytest.raises(DataError, match=rf"set\.npz: .*{message}"):
        load_npz(saved(tmp_path, **changed))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_archive_is_a_clear_error(tmp_path, share):
    path = saved(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"set\.npz: not a sound \.npz archive"):
        load_npz(path)


@pytest.mark.parametrize("at", [200, 500])
def test_a_flipped_byte_is_a_clear_error(tmp_path, at):
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"set\.npz"):
        load_npz(path)


def test_another_format_a_folder_and_nothing_are_told_apart(tmp_path):
    text = tmp_path / "text.npz"
    text.write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match=r"text\.npz: not a sound"):
        load_npz(text)
    bare = tmp_path / "bare.npy"
    np.save(bare, np.zeros(3))
    with pytest.raises(DataError, match="one bare array"):
        load_npz(bare)
    with pytest.raises(DataError, match="is a folder"):
        load_npz(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nothing\.npz: there is no such file"):
        load_npz(tmp_path / "nothing.npz")


@pytest.mark.skipif(
    not (SHARED / "cifar10_raw.npz").exists(), reason="needs ../shared/data/cifar10_raw.npz"
)
def test_cifar10_as_npz_is_read():
    data = load_npz(SHARED / "cifar10_raw.npz")
    assert data.X_train.shape == (8336, 32, 32, 3)
    assert data.X_test.dtype == np.uint8
    assert data.class_names is not None
    assert data.class_names[3] == "cat"


@pytest.mark.skipif(
    not (SHARED / "mnist_small.npz").exists(), reason="needs ../shared/data/mnist_small.npz"
)
def test_mnist_as_npz_has_one_channel():
    assert load_npz(SHARED / "mnist_small.npz").X_test.shape == (1000, 28, 28, 1)
