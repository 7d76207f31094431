"""Arrays out of ``.npz`` archives, without unpickling anything."""

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ntkreg.data.images import ImageData, make_image_data
from ntkreg.errors import DataError

__all__ = ["load_npz", "read_arrays"]


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
        None if names is None else tuple(str(name) for name in names.ravel()),
        path.name,
    )


def read_arrays(
    path: str | Path, keys: Iterable[str], optional: Iterable[str] = ()
) -> dict[str, np.ndarray]:
    """Return arrays of an ``.npz`` archive by name; `optional` ones only if they are there.

    Raises
    ------
    FileNotFoundError
        No such file.
    DataError
        Not an npz archive, truncated, `keys` missing, or pickled objects.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file. Check the path of the data.")
    if not path.is_file():
        raise DataError(f"{path}: is a folder; expected an .npz file.")
    try:
        # Opened here: NumPy leaves its own handle open when the archive is damaged.
        with open(path, "rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: holds one bare array; expected an .npz archive.")
            keys = list(keys)
            missing = [key for key in keys if key not in archive.files]
            if missing:
                raise DataError(
                    f"{path}: no array named {', '.join(missing)}. "
                    f"The archive holds: {', '.join(archive.files) or 'nothing'}."
                )
            return {
                key: archive[key] for key in [*keys, *(k for k in optional if k in archive.files)]
            }
    except DataError:
        raise
    except MemoryError:
        raise DataError(
            f"{path}: an array does not fit in memory, or its header is damaged."
        ) from None
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path}: not a sound .npz archive ({error}). It is truncated, of another format, "
            "or holds pickled objects, which are not read. Download or write it again."
        ) from None
