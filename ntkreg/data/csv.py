"""Tables of numbers with a target column, out of CSV files that may be a stranger's."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ntkreg.data.images import ImageData, make_image_data
from ntkreg.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["holds_tables", "load_csv", "load_tables"]

_FILES = "train.csv", "test.csv"


def load_csv(path: str | Path, target: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Load rows and their targets from a CSV file with a line of column names.

    Parameters
    ----------
    path : path
        Up to 256 MB and 1000 columns.
    target : str or None, default=None
        Name of the column of targets, numbers or text; None for the last.

    Returns
    -------
    X : ndarray of shape (n, d), float64
        All other columns, in their order.
    y : ndarray of shape (n,)
        int64, float64 or text.

    Raises
    ------
    FileNotFoundError
    DataError
        Too large, no CSV, no rows, no such column, a feature that is no number, a missing value.
    """
    table = _read(path)
    name = table.columns[-1] if target is None else target
    if name not in table.columns:
        shown = ", ".join(map(str, table.columns[:20]))
        raise DataError(f"{path}: has no column {name!r} for target. It has: {shown}.")
    return _split(path, table, name)


def load_tables(folder: str | Path) -> ImageData:
    """Load ``train.csv`` and ``test.csv`` of a folder; their last column is the target.

    Returns
    -------
    ImageData
        Of rows (n, d), float64.

    Raises
    ------
    FileNotFoundError, DataError
        As `load_csv`; columns that differ.
    """
    folder = Path(folder)
    train, test = (_read(folder / name) for name in _FILES)
    if list(train.columns) != list(test.columns):
        raise DataError(
            f"{folder}: {' and '.join(_FILES)} must have the same columns in the same order; they "
            f"have {len(train.columns)} and {len(test.columns)}."
        )
    name = train.columns[-1]
    (X, y), (X_test, y_test) = (
        _split(folder / file, table, name)
        for file, table in zip(_FILES, (train, test), strict=True)
    )
    return make_image_data(X, y, X_test, y_test, None, folder.name)


def holds_tables(path: Path) -> bool:
    """Return whether a folder has a table of training rows."""
    return path.is_dir() and (path / _FILES[0]).is_file()


def _read(path: str | Path) -> "pd.DataFrame":
    from ntkreg.data.tables import read_table  # with it comes pandas

    path = Path(path)
    table = read_table(path)
    if not len(table) or len(table.columns) < 2:
        raise DataError(
            f"{path}: must have a line of names, a row or more, and a feature beside the target; "
            f"found {len(table)} rows of {len(table.columns)} columns."
        )
    return table


def _split(path: str | Path, table: "pd.DataFrame", name: str) -> tuple[np.ndarray, np.ndarray]:
    missing = table.columns[table.isna().any()]
    if len(missing):
        row = int(np.flatnonzero(table[missing[0]].isna())[0])
        raise DataError(
            f"{path}: column {missing[0]!r} misses a value, first in row {row}. Fill or drop it."
        )
    features, target = table.drop(columns=name), table[name]
    for column, dtype in features.dtypes.items():
        if dtype.kind not in "biuf":
            raise DataError(
                f"{path}: column {column!r} must hold numbers; found {dtype}. Encode it, e.g. one "
                "column of 0 and 1 a value."
            )
    X = features.to_numpy(np.float64)
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise DataError(f"{path}: column {features.columns[column]!r}, row {row}, is infinite.")
    kind = target.dtype.kind
    if kind in "biu":
        return X, target.to_numpy(np.int64)
    return X, target.to_numpy(np.float64) if kind == "f" else target.astype(str).to_numpy(str)
