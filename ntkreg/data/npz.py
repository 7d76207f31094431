"""Training and test data out of ``.npz`` archives."""

from pathlib import Path

import numpy as np

from ntkreg.data.archive import read_arrays
from ntkreg.data.images import ImageData, make_image_data
from ntkreg.errors import DataError

__all__ = ["load_npz"]

_MOST_CLASSES = 100_000


def load_npz(
    path: str | Path,
    *,
    x_train: str = "x_train",
    y_train: str = "y_train",
    x_test: str = "x_test",
    y_test: str = "y_test",
    class_names: str = "class_names",
) -> ImageData:
    """Load training and test arrays from an ``.npz`` archive.

    Parameters
    ----------
    path : path of the archive
    x_train, y_train, x_test, y_test : str
        Names of the arrays in the archive. Images are (n, h, w, c), or (n, h, w) with one
        channel; rows of a table (n, d).
    class_names : str
        Name of the array of class names; it may be absent from the archive.

    Returns
    -------
    ImageData

    Raises
    ------
    FileNotFoundError
        No such file.
    DataError
        Not an npz archive, truncated, arrays missing, pickled objects, or arrays that do
        not fit each other.
    """
    path = Path(path)
    found = read_arrays(path, (x_train, y_train, x_test, y_test), optional=(class_names,))
    names = found.get(class_names)
    return make_image_data(
        found[x_train],
        found[y_train],
        found[x_test],
        found[y_test],
        None if names is None else _class_names(path, names),
        path.name,
    )


def _class_names(path: Path, names: np.ndarray) -> tuple[str, ...]:
    """Return the names as text."""
    if names.dtype.kind not in "USiu" or names.size > _MOST_CLASSES:
        raise DataError(
            f"{path.name}: class names must be at most {_MOST_CLASSES:,} strings; found shape "
            f"{names.shape}, dtype {names.dtype}."
        )
    if names.dtype.kind == "S":
        names = np.char.decode(names, "utf-8", "replace")
    return tuple(str(name) for name in names.ravel())
