"""Folders of data sets, good ones and a stranger's."""

import numpy as np
import pytest

from ntkreg.data.folders import list_data_sets, load_data_set
from ntkreg.errors import DataError, SpecError


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return {"X": rng.normal(size=(8, 3)).astype(np.float32), "y": np.array([3, 7] * 4)}


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_npz_with_its_splits(tmp_path, rows):
    splits = {"tune_train": [0, 1], "tune_val": [2, 3], "fold0_train": [0, 1, 2], "fold0_test": [3],
              "fold7_train": [4], "fold7_test": [5, 6]}  # fmt: skip
    found = load_data_set(saved(tmp_path / "a b.npz", **rows, **splits, n_classes=2))
    assert (found.name, found.X.dtype, found.is_images) == ("a b", np.float64, False)
    assert found.y.tolist() == [0, 1] * 4
    assert [part.tolist() for part in found.tune] == [[0, 1], [2, 3]]
    assert [[p.tolist() for p in fold] for fold in found.folds] == [[[0, 1, 2], [3]], [[4], [5, 6]]]
    plain = load_data_set(saved(tmp_path / "plain.npz", **rows))
    assert plain.tune is None
    assert plain.folds == ()
    assert plain.sha256 != found.sha256


def test_official_parts_become_one(tmp_path):
    x, y = np.arange(32, dtype=np.uint8).reshape(8, 2, 2), np.arange(8) % 2
    parts = {"x_train": x[:5], "y_train": y[:5], "x_test": x[5:], "y_test": y[5:, None]}
    found = load_data_set(saved(tmp_path / "images.npz", **parts))
    assert (found.X.shape, found.X.dtype, found.n_train) == ((8, 2, 2, 1), np.uint8, 5)
    assert found.is_images
    assert (found.y == y).all()


@pytest.mark.parametrize("place", ["first", "last", "named"])
def test_csv_labels_are_a_named_column_or_the_last(tmp_path, place):
    lines = {"first": "Class,a,b\nno,1,2\nyes,3,4.5\n", "last": "a,b,kind\n1,2,no\n3,4.5,yes\n",
             "named": "a,y,b\n1,no,2\n3,yes,4.5\n"}  # fmt: skip
    (tmp_path / "t.csv").write_text(lines[place])
    found = load_data_set(tmp_path / "t.csv")
    assert found.X.tolist() == [[1, 2], [3, 4.5]]
    assert found.y.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,y\n1,0\n,1\n", "NaN or infinity, first in row 1"),
        ("a,y\n1,0\n2,\n", "'y' of labels has empty cells"),
        ("a,y\nred,0\n2,1\n", "column 'a' must hold numbers"),
        ("a,y\n1,0.5\n2,1\n", "must be classes, integers or strings; found fractions"),
        ("y\n1\n", "found one column"),
        ("y,a,label\n1,2,3\n", "several columns of labels, y, label"),
        ("a,y\n", "at least one row; found no row"),
        ('a,y\n"1,0\n', "a quote that does not enclose a field"),
    ],
)
def test_bad_csv_is_told(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        load_data_set(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"X": np.full((8, 3), np.nan)}, "NaN or infinity, first in row 0"),
        ({"X": np.ones(8)}, r"must hold numbers, rows \(n, d\) or images"),
        ({"X": np.ones((8, 0))}, "must hold numbers, rows"),
        ({"X": np.array([["a"]] * 8)}, "must hold numbers, rows"),
        ({"y": np.arange(7)}, "labels must be 8 integers or strings"),
        ({"y": np.linspace(0, 1, 8)}, "found fractions"),
        ({"tune_train": np.array([0])}, "has no array tune_val beside its other half"),
        ({"fold0_train": np.array([0]), "fold0_test": np.array([8])}, "row numbers from 0 to 7"),
        ({"fold0_train": np.array([-1]), "fold0_test": np.array([1])}, "row numbers from 0 to 7"),
        ({"fold0_train": np.array([0]), "fold0_test": np.array([0])}, "share rows"),
        ({"fold0_train": np.array([0.0]), "fold0_test": np.array([1])}, "must hold row numbers"),
    ],
)
def test_bad_npz_is_told(tmp_path, rows, change, said):
    with pytest.raises(DataError, match=said):
        load_data_set(saved(tmp_path / "bad.npz", **{**rows, **change}))


def test_other_arrays_and_pickles_are_refused(tmp_path, rows):
    with pytest.raises(DataError, match=r"expected arrays X and y, or x_train, .* it has none"):
        load_data_set(saved(tmp_path / "other.npz", data=rows["X"]))
    with pytest.raises(DataError, match="pickled objects, which are not read"):
        load_data_set(saved(tmp_path / "objects.npz", **{**rows, "y": np.array([{}] * 8)}))


def test_a_folder_is_listed_by_name(tmp_path, rows):
    (tmp_path / "below").mkdir()
    saved(tmp_path / "below" / "c.npz", **rows)
    (tmp_path / "b.CSV").write_text("a,y\n1,0\n")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.npz").write_text("x")
    saved(tmp_path / "a.npz", **rows)
    assert list(list_data_sets(tmp_path)) == ["a", "b"]
    (tmp_path / "a.csv").write_text("a,y\n1,0\n")
    with pytest.raises(DataError, match=r"a.csv and a.npz have one name"):
        list_data_sets(tmp_path)


def test_folders_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        list_data_sets(tmp_path / "missing")
    with pytest.raises(DataError, match=r"holds no .npz and no .csv"):
        list_data_sets(tmp_path)
    (tmp_path / "f").write_text("x")
    with pytest.raises(DataError, match="is a file; expected a folder"):
        list_data_sets(tmp_path / "f")
    (tmp_path / "a|b.csv").write_text("a,y\n1,0\n")
    with pytest.raises(SpecError, match="file name must be a name of letters"):
        list_data_sets(tmp_path)
