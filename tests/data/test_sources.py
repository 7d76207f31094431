import tarfile

import numpy as np
import pytest

from ntkreg.data import load_data, load_digits_split, load_inputs
from ntkreg.errors import DataError, SpecError


def test_digits_are_named_by_a_word():
    assert load_data("digits").provenance == load_digits_split().provenance
    for key, name in (("x_train", "train"), ("x_test", "test")):
        X, y, source = load_inputs("digits", key)
        np.testing.assert_array_equal(X, getattr(load_digits_split(), f"X_{name}"))
        np.testing.assert_array_equal(y, getattr(load_digits_split(), f"y_{name}"))
        assert source == "digits"


def test_npz_is_known_by_its_name_and_any_array_can_be_read(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(
        path,
        x_train=np.zeros((3, 2, 2)),
        y_train=np.arange(3),
        x_test=np.ones((2, 2, 2)),
        y_test=np.arange(2),
        extra=np.full((4, 2, 2), 7),
    )
    assert load_data(str(path)).X_train.shape == (3, 2, 2, 1)
    X, y, source = load_inputs(str(path))
    assert (X.shape, y.tolist(), source) == ((2, 2, 2, 1), [0, 1], "set.npz")
    X, y, _ = load_inputs(str(path), "extra")
    assert (X.shape, y) == ((4, 2, 2, 1), None)
    with pytest.raises(DataError, match="no array named x_new"):
        load_inputs(str(path), "x_new")


def test_all_else_is_a_path_of_cifar10(tmp_path):
    with pytest.raises(FileNotFoundError, match="CIFAR-10"):
        load_data(str(tmp_path))


def test_digits_have_no_other_arrays():
    with pytest.raises(DataError, match="x_train and x_test only"):
        load_inputs("digits", "x_new")


def test_paths_are_as_good_as_text_and_all_else_is_named(tmp_path):
    path = tmp_path / "set.npz"
    X, y = np.zeros((3, 2)), np.arange(3)
    np.savez(path, x_train=X, y_train=y, x_test=X, y_test=y)
    assert load_data(path).provenance == load_data(str(path)).provenance
    assert load_inputs(path)[2] == "set.npz"
    with pytest.raises(FileNotFoundError, match="CIFAR-10"):
        load_data(tmp_path)
    for load in (load_data, load_inputs):
        for bad in (None, 3, "", b"digits", ["digits"]):
            with pytest.raises(SpecError, match="data must be 'digits' or a path; got"):
                load(bad)


def test_a_file_of_another_kind_is_told_what_data_come_as(tmp_path):
    np.save(tmp_path / "images.npy", np.ones(3))
    (tmp_path / "b.CSV").write_text("x,y\n1,2\n")
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "b.zip").write_bytes(b"PK\3\4" + bytes(400))
    (tmp_path / "empty").touch()
    for path in tmp_path.iterdir():
        for load in (load_data, load_inputs):
            with pytest.raises(DataError, match=rf"{path.name}: data come as an .npz file of x_t"):
                load(path)


def test_a_suffix_may_be_written_large(tmp_path):
    path = tmp_path / "T.NPZ"
    with open(path, "wb") as file:
        np.savez(file, x_train=np.zeros((3, 2)), y_train=[0, 1, 1], x_test=[[1, 1]], y_test=[0])
    assert load_data(path).X_train.shape == (3, 2)
    assert load_inputs(path)[2] == "T.NPZ"


@pytest.mark.parametrize("kind", ["gz", "xz", "bz2", ""])
def test_an_archive_is_known_by_its_first_bytes(tmp_path, kind):
    path = tmp_path / "archive"
    with tarfile.open(path, f"w:{kind}") as archive:
        archive.addfile(tarfile.TarInfo("readme"))
    with pytest.raises(DataError, match="the archive holds no CIFAR-10 batches"):
        load_data(path)
