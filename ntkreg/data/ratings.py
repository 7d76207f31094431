"""Ratings of items by users, as MovieLens' files have them: u.data, ratings.dat, ratings.csv."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ntkreg.data.images import fingerprint_arrays
from ntkreg.errors import DataError
from ntkreg.storage import read_bytes

__all__ = ["Ratings", "load_ratings", "most_rated"]

_MOST_BYTES = 64_000_000
"""Some two million ratings: more than a matrix that is held whole can use."""

_LONGEST_LINE = 200
_SEPARATORS = ("\t", "::", ",")
_ID = re.compile(r"\d{1,18}")


@dataclass(frozen=True, eq=False)
class Ratings:
    """Entries of a matrix of users (rows) by items (columns).

    Attributes
    ----------
    rows, cols : ndarray of shape (m,), int64
        Counted from 0 in the order of the file's numbers.
    values : ndarray of shape (m,), float64
    shape : tuple of int
    source : str
        Name of the file, without the folders above it.
    sha256 : str
        Of rows, columns and values.
    """

    rows: np.ndarray
    cols: np.ndarray
    values: np.ndarray
    shape: tuple[int, int]
    source: str
    sha256: str


def load_ratings(path: str | Path, bounds: tuple[float, float] | None = None) -> Ratings:
    """Read a file of ratings.

    Parameters
    ----------
    path : path
        Lines of user, item, rating and, if need be, more, between tabs, ``::`` or commas; a first
        line without numbers is a heading. Users and items are whole numbers, not necessarily
        without gaps.
    bounds : (float, float) or None
        What no rating lies outside of.

    Raises
    ------
    FileNotFoundError
    DataError
        Too large, no text, a line that is no rating (named), a rating outside `bounds`, an item
        that a user has rated twice, fewer than two users or items.
    """
    path = Path(path)
    try:
        text = read_bytes(path, _MOST_BYTES).decode()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file of ratings.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: is no text, and so no file of ratings.") from None
    users, items, values = [], [], []
    seen: dict[tuple[int, int], int] = {}
    separator = None
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not line.strip():
            continue
        if separator is None:
            separator = next((s for s in _SEPARATORS if s in line), ",")
        if number == 1 and not _ID.fullmatch(line.split(separator)[0].strip()):
            continue  # a heading
        user, item, value = _rating(path, number, line, separator)
        if bounds is not None and not bounds[0] <= value <= bounds[1]:
            raise DataError(
                f"{path}: line {number}: the rating {value:g} lies outside bounds "
                f"{bounds[0]:g} to {bounds[1]:g}. Correct it, or widen bounds."
            )
        before = seen.setdefault((user, item), number)
        if before != number:
            raise DataError(
                f"{path}: user {user} rates item {item} in line {before} and in line {number}. "
                "Leave one of them out."
            )
        users.append(user)
        items.append(item)
        values.append(value)
    if not values:
        raise DataError(f"{path}: holds no ratings.")
    names_of_rows, rows = np.unique(users, return_inverse=True)
    names_of_cols, cols = np.unique(items, return_inverse=True)
    shape = (len(names_of_rows), len(names_of_cols))
    if min(shape) < 2:
        raise DataError(
            f"{path}: {shape[0]} user(s) and {shape[1]} item(s); there must be two of each, or "
            "nothing is learnt of one from another."
        )
    return _ratings(rows, cols, np.array(values), shape, path.name)


def most_rated(ratings: Ratings, size: int) -> Ratings:
    """Return the ratings of the `size` items that have most by the `size` users with most of them.

    Of equals the first in the file's numbering; rows and columns keep their order.
    """
    cols = _most(ratings.cols, ratings.shape[1], size)
    kept = np.isin(ratings.cols, cols)
    rows = _most(ratings.rows[kept], ratings.shape[0], size)
    kept &= np.isin(ratings.rows, rows)
    return _ratings(
        np.searchsorted(rows, ratings.rows[kept]),
        np.searchsorted(cols, ratings.cols[kept]),
        ratings.values[kept],
        (len(rows), len(cols)),
        ratings.source,
    )


def _most(places: np.ndarray, side: int, size: int) -> np.ndarray:
    counts = np.bincount(places, minlength=side)
    first = np.argsort(-counts, kind="stable")[:size]
    return np.sort(first[counts[first] > 0])


def _ratings(
    rows: np.ndarray, cols: np.ndarray, values: np.ndarray, shape: tuple[int, int], source: str
) -> Ratings:
    rows, cols = rows.astype(np.int64), cols.astype(np.int64)
    return Ratings(rows, cols, values, shape, source, fingerprint_arrays(rows, cols, values))


def _rating(path: Path, number: int, line: str, separator: str) -> tuple[int, int, float]:
    parts = [part.strip() for part in line[:_LONGEST_LINE].split(separator)]
    try:
        if len(parts) < 3 or not all(map(_ID.fullmatch, parts[:2])) or len(line) > _LONGEST_LINE:
            raise ValueError
        value = float(parts[2])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"{path}: line {number} is no rating: user, item (whole numbers) and rating between "
            f"tabs, '::' or commas; found {line[:60]!r}."
        )
    return int(parts[0]), int(parts[1]), value
