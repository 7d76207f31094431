import numpy as np
import pytest

from ntkreg.data import load_ratings, most_rated
from ntkreg.errors import DataError

LINES = [("7", "20", "4", "88"), ("3", "20", "1.5", "89"), ("7", "5", "5", "90")]


@pytest.fixture
def write(tmp_path):
    def write(text, name="u.data"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize("separator", ["\t", "::", ","])
@pytest.mark.parametrize("heading", ["", "userId{0}movieId{0}rating{0}timestamp\n"])
def test_every_format_of_movielens_is_read(write, separator, heading):
    text = heading.format(separator) + "\n".join(map(separator.join, LINES)) + "\n\n"
    ratings = load_ratings(write(text))
    assert ratings.shape == (2, 2)
    assert list(zip(ratings.rows, ratings.cols, ratings.values, strict=True)) == [
        (1, 1, 4.0), (0, 1, 1.5), (1, 0, 5.0)
    ]  # fmt: skip
    assert ratings.source == "u.data"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no ratings"),
        ("user,item,rating\n", "holds no ratings"),
        ("1\t2\t3\n1\t2\n", "line 2 is no rating"),
        ("1\t2\t3\n1\tx\t3\n", "line 2 is no rating"),
        ("1\t2\t3\n2\t2\tnan\n", "line 2 is no rating"),
        ("1\t2\t3\n2\t2\t1e999\n", "line 2 is no rating"),
        ("1\t2\t3\n-2\t2\t3\n", "line 2 is no rating"),
        ("1\t2\t3\n" + "9" * 5000 + "\t2\t3\n", "line 2 is no rating"),
        ("1\t2\t3\n2\t2\t3\t" + "x" * 10**6 + "\n", "line 2 is no rating"),
        ("1\t2\t3\n2\t3\t4\n1\t2\t4\n", "user 1 rates item 2 in line 1 and in line 3"),
        ("1\t2\t3\n1\t3\t4\n", r"1 user\(s\) and 2 item\(s\)"),
        (b"\xff\xfe\x00", "is no text"),
    ],
)
def test_what_is_no_file_of_ratings_is_told(write, text, message):
    with pytest.raises(DataError, match=message):
        load_ratings(write(text))


def test_ratings_outside_bounds_are_told_with_their_line(write):
    path = write("1\t2\t3\n2\t3\t6\n")
    assert load_ratings(path).values.tolist() == [3, 6]
    with pytest.raises(DataError, match="line 2: the rating 6 lies outside bounds 1 to 5"):
        load_ratings(path, (1, 5))
    with pytest.raises(FileNotFoundError, match="no such file of ratings"):
        load_ratings(path.with_name("none"))


def test_files_beyond_all_measure_are_not_read(write, monkeypatch):
    monkeypatch.setattr("ntkreg.data.ratings._MOST_BYTES", 10)
    with pytest.raises(DataError, match="larger than 10 bytes"):
        load_ratings(write("1\t2\t3\n2\t3\t4\n"))


def test_the_most_rated_are_kept(write):
    pairs = [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 1), (9, 9)]
    ratings = load_ratings(write("".join(f"{u}\t{i}\t{u + i / 10}\n" for u, i in pairs)))
    kept = most_rated(ratings, 2)
    assert kept.shape == (2, 2)
    np.testing.assert_array_equal(kept.rows, [0, 0, 1, 1])
    np.testing.assert_array_equal(kept.values, [1.1, 1.2, 2.1, 2.2])
    assert most_rated(ratings, 100).sha256 == ratings.sha256
