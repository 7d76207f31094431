"""Data sets of a folder: an npz or a CSV file each, classes to predict, perhaps with their splits.

Files may be a stranger's: nothing in them is executed, and sizes are known before memory is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ntkreg.data.archive import read_arrays
from ntkreg.data.images import fingerprint_arrays
from ntkreg.data.tables import read_table
from ntkreg.errors import DataError
from ntkreg.storage import check_name

__all__ = ["DataSet", "list_data_sets", "load_data_set"]

_LABELS = ("y", "label", "class", "target")
"""Columns of a CSV file that are taken for the labels; else the last."""

_OFFICIAL = ("x_train", "y_train", "x_test", "y_test")
_TUNE = ("tune_train", "tune_val")
_FOLDS = tuple((f"fold{i}_train", f"fold{i}_test") for i in range(100))


@dataclass(frozen=True, eq=False)
class DataSet:
    """Inputs and labels, and which rows are for what where the file says so.

    Attributes
    ----------
    name : str
        Of the file, without its ending.
    X : ndarray of shape (n, d) or (n, h, w, c)
        Images uint8 or float; rows of tables float64.
    y : ndarray of shape (n,), int64
        Classes 0, 1, ... in the order of their sorted labels.
    tune : tuple of two ndarrays of int, or None
        Rows to train on and to choose settings on.
    folds : tuple of pairs of ndarrays of int
        Rows to train and to test on; empty where the file gives none.
    n_train : int or None
        The first so many rows may be trained on and the others tested on; None where the file
        does not part them.
    sha256 : str
        `fingerprint_arrays` of all of this.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    tune: tuple[np.ndarray, np.ndarray] | None = None
    folds: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    n_train: int | None = None
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        parts = [*(self.tune or ()), *(rows for fold in self.folds for rows in fold)]
        split = np.array(-1 if self.n_train is None else self.n_train)
        sha256 = fingerprint_arrays(self.X, self.y, split, *parts)
        object.__setattr__(self, "sha256", sha256)

    @property
    def is_images(self) -> bool:
        """Whether inputs are images."""
        return self.X.ndim == 4


def list_data_sets(folder: str | Path) -> dict[str, Path]:
    """Return the npz and CSV files of a folder by name, sorted; subfolders are left alone.

    Raises
    ------
    FileNotFoundError
        No such folder.
    DataError
        A file in its place, no data set in it, or two of one name.
    SpecError
        A name that could not stand in a table (`ntkreg.storage.check_name`).
    """
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(f"{folder}: there is no such folder. Check the path of the data.")
    if not folder.is_dir():
        raise DataError(f"{folder}: is a file; expected a folder of .npz or .csv files.")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in (".npz", ".csv") or path.name.startswith("."):
            continue
        check_name(f"{folder}: a data set's file name", path.stem)
        if path.stem in found:
            raise DataError(
                f"{folder}: {found[path.stem].name} and {path.name} have one name. Rename one."
            )
        found[path.stem] = path
    if not found:
        raise DataError(f"{folder}: holds no .npz and no .csv file, one a data set.")
    return found


def load_data_set(path: str | Path) -> DataSet:
    """Load one data set of classes.

    Parameters
    ----------
    path : path
        Of an npz file with X and y, and perhaps tune_train, tune_val, fold0_train, fold0_test,
        ... (row numbers); or with x_train, y_train, x_test, y_test; or of a CSV file with a
        line of names, whose labels are the column y, label, class or target, else the last.

    Raises
    ------
    FileNotFoundError, DataError
        No such file, a damaged one, other arrays, values that are no finite numbers, labels that
        do not fit, row numbers out of range.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        return _from_csv(path)
    rows = (name for pair in (_TUNE, *_FOLDS) for name in pair)
    arrays = read_arrays(path, (), optional=("X", "y", *_OFFICIAL, *rows))
    if {"X", "y"} <= set(arrays):
        X = _inputs(path, "X", arrays["X"])
        tune, *folds = (_pair(path, arrays, keys, len(X)) for keys in (_TUNE, *_FOLDS))
        y = _codes(path, arrays["y"], len(X))
        return DataSet(path.stem, X, y, tune, tuple(fold for fold in folds if fold))
    if set(_OFFICIAL) <= set(arrays):
        parts = {key: arrays[key] for key in _OFFICIAL}
        for key in ("x_train", "x_test"):
            parts[key] = _inputs(path, key, parts[key])
        if parts["x_train"].shape[1:] != parts["x_test"].shape[1:]:
            raise DataError(f"{path}: x_train and x_test differ in the shape of an input.")
        X = np.concatenate([parts["x_train"], parts["x_test"]])
        y = np.concatenate([np.ravel(parts["y_train"]), np.ravel(parts["y_test"])])
        return DataSet(path.stem, X, _codes(path, y, len(X)), n_train=len(parts["x_train"]))
    raise DataError(
        f"{path}: expected arrays X and y, or {', '.join(_OFFICIAL)}; it has "
        f"{', '.join(arrays) or 'none of them'}."
    )


def _from_csv(path: Path) -> DataSet:
    table = read_table(path)
    if table.shape[1] < 2:
        raise DataError(f"{path}: expected columns of numbers and one of labels; found one column.")
    if not len(table):
        raise DataError(f"{path}: expected a line of names and at least one row; found no row.")
    named = [name for name in table if str(name).strip().lower() in _LABELS]
    if len(named) > 1:
        raise DataError(
            f"{path}: several columns of labels, {', '.join(named)}. Rename all but one."
        )
    label = named[0] if named else table.columns[-1]
    inputs = table.drop(columns=label)
    other = [str(n) for n in inputs if inputs[n].dtype.kind not in "buif"]
    if other:
        raise DataError(
            f"{path}: column {other[0]!r} must hold numbers; found {inputs[other[0]].dtype}. "
            "Encode categories first, e.g. one column a category."
        )
    if table[label].isna().any():
        raise DataError(f"{path}: column {label!r} of labels has empty cells. Drop their rows.")
    X = _inputs(path, "the columns of inputs", inputs.to_numpy(float))
    y = table[label].to_numpy()
    return DataSet(path.stem, X, _codes(path, y.astype(str) if y.dtype == object else y, len(X)))


def _pair(
    path: Path, found: Mapping[str, np.ndarray], keys: tuple[str, str], n: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return two disjoint lists of row numbers; None where the file has neither."""
    if not set(keys) & set(found):
        return None
    pair = []
    for key in keys:
        if key not in found:
            raise DataError(f"{path}: has no array {key} beside its other half.")
        rows = found[key]
        if rows.ndim != 1 or not len(rows) or rows.dtype.kind not in "iu":
            raise DataError(
                f"{path}: {key} must hold row numbers; found {rows.dtype} of {rows.shape}."
            )
        if int(rows.min()) < 0 or int(rows.max()) >= n:
            raise DataError(f"{path}: {key} must hold row numbers from 0 to {n - 1}.")
        pair.append(rows.astype(np.int64))
    if np.intersect1d(pair[0], pair[1]).size:
        raise DataError(f"{path}: {keys[0]} and {keys[1]} share rows.")
    return pair[0], pair[1]


def _inputs(path: Path, name: str, X: np.ndarray) -> np.ndarray:
    """Return inputs checked: images keep their dtype, tables are float64."""
    if X.dtype.kind not in "buif" or X.ndim not in (2, 3, 4) or 0 in X.shape:
        raise DataError(
            f"{path}: {name} must hold numbers, rows (n, d) or images (n, h, w, c) or (n, h, w), "
            f"at least one; found {X.dtype} of shape {X.shape}."
        )
    if not np.isfinite(X).all():
        bad = int(np.flatnonzero(~np.isfinite(X.reshape(len(X), -1)).all(axis=1))[0])
        raise DataError(
            f"{path}: {name} hold NaN or infinity, first in row {bad}. Impute or drop it."
        )
    if X.ndim == 2:
        return X.astype(np.float64)
    return X[..., None] if X.ndim == 3 else X


def _codes(path: Path, y: np.ndarray, n: int) -> np.ndarray:
    """Return labels as 0, 1, ... in their sorted order."""
    if y.shape != (n,) or y.dtype.kind not in "buifU":
        raise DataError(
            f"{path}: labels must be {n} integers or strings, one a row; found {y.dtype} of shape "
            f"{y.shape}."
        )
    if y.dtype.kind == "f" and not (np.isfinite(y) & (y == np.floor(y))).all():
        raise DataError(f"{path}: labels must be classes, integers or strings; found fractions.")
    return np.unique(y, return_inverse=True)[1].astype(np.int64)
