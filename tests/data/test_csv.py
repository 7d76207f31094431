"""CSV tables with targets."""

import numpy as np
import pytest

from ntkreg.data import load_csv, load_data, load_tables
from ntkreg.errors import DataError


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_the_last_column_or_the_named_one_is_the_target(tmp_path):
    path = write(tmp_path / "a.csv", "a,b,c\n1,2.5,7\n3,4,8\n")
    X, y = load_csv(path)
    assert np.array_equal(X, [[1, 2.5], [3, 4]])
    assert X.dtype == np.float64
    assert np.array_equal(y, [7, 8])
    assert y.dtype == np.int64
    X, y = load_csv(path, target="b")
    assert np.array_equal(X, [[1, 7], [3, 8]])
    assert np.array_equal(y, [2.5, 4])


def test_targets_may_be_text(tmp_path):
    y = load_csv(write(tmp_path / "a.csv", "a,kind\n1,cat\n2,dog\n"))[1]
    assert y.dtype.kind == "U"
    assert y.tolist() == ["cat", "dog"]


def test_a_folder_of_two_tables_is_training_and_test_data(tmp_path):
    write(tmp_path / "train.csv", "a,b,y\n1,2,0\n3,4,1\n5,6,0\n")
    write(tmp_path / "test.csv", "a,b,y\n7,8,1\n")
    for data in (load_tables(tmp_path), load_data(tmp_path)):
        assert data.X_train.shape == (3, 2)
        assert np.array_equal(data.X_test, [[7, 8]])
        assert np.array_equal(data.y_test, [1])
    write(tmp_path / "test.csv", "b,a,y\n7,8,1\n")
    with pytest.raises(DataError, match="same columns"):
        load_tables(tmp_path)
    (tmp_path / "test.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"test\.csv"):
        load_tables(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "a row or more"),
        ("a\n1\n", "a feature beside the target"),
        ("a,b\nred,1\nblue,2\n", "column 'a' must hold numbers"),
        ("a,b\n1,1\n,2\n", "column 'a' misses a value, first in row 1"),
        ("a,b\n1,\n2,2\n", "column 'b' misses a value"),
        ("a,b\ninf,1\n2,2\n", "column 'a', row 0, is infinite"),
        ("a,b\n1,2,3\n1,2\n3,4,5,6\n", "cannot be read as CSV"),
        ("", "cannot be read as CSV"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        load_csv(write(tmp_path / "a.csv", text))


def test_a_target_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no column 'z' for target\. It has: a, b"):
        load_csv(write(tmp_path / "a.csv", "a,b\n1,2\n"), target="z")
