"""MNIST and what comes as it does: idx files, plain or gzipped, that may be a stranger's.

A file is two zero bytes, a code of a dtype, the number of axes, each length as four bytes, and
the values; all big-endian.
"""

import gzip
import io
import math
from pathlib import Path
from typing import IO

import numpy as np

from ntkreg.data.images import ImageData, make_image_data
from ntkreg.errors import DataError
from ntkreg.machine import free_memory, readable
from ntkreg.storage import open_regular

__all__ = ["holds_mnist", "load_mnist", "read_idx"]

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_AXES = 4
_GZIP = b"\x1f\x8b"

# Deflate makes at best one byte of 1032; whoever declares more is lying.
_MAX_RATIO = 1100

_PARTS = {"train": "train", "test": "t10k"}
_AXES = {"images": 3, "labels": 1}


def load_mnist(path: str | Path) -> ImageData:
    """Load MNIST, Fashion-MNIST or another set in their form from a folder of idx files.

    Parameters
    ----------
    path : path
        The folder of ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the two
        ``t10k-...``, each as it is or with ``.gz``; ``.idx3-ubyte`` for ``-idx3-ubyte`` will do.

    Returns
    -------
    ImageData
        X uint8 (n, 28, 28, 1), or whatever size the files say; y int64.

    Raises
    ------
    FileNotFoundError
        No such folder, or a file is missing.
    DataError
        A file that is truncated, too large or of another format; files that do not fit each other.

    References
    ----------
    LeCun, Cortes and Burges, *The MNIST database of handwritten digits*.
    """
    path = Path(path)
    arrays = {}
    for part, prefix in _PARTS.items():
        for what, axes in _AXES.items():
            file = _find(path, prefix, what)
            if file is None:
                raise FileNotFoundError(
                    f"{path}: has no {prefix}-{what}-idx{axes}-ubyte, plain or .gz. Give the "
                    "folder of the four idx files of MNIST."
                )
            array = read_idx(file)
            if array.ndim != axes or array.dtype != np.uint8:
                raise DataError(
                    f"{file}: must hold uint8 {what} of {axes} axes; found {array.dtype} of shape "
                    f"{array.shape}. It is another file."
                )
            arrays[part, what] = array
    (X, y), (X_test, y_test) = (
        (arrays[part, "images"], arrays[part, "labels"].astype(np.int64)) for part in _PARTS
    )
    return make_image_data(X, y, X_test, y_test, None, path.name)


def holds_mnist(path: Path) -> bool:
    """Return whether a folder has idx files of training images."""
    return path.is_dir() and _find(path, "train", "images") is not None


def _find(folder: Path, prefix: str, what: str) -> Path | None:
    names = [f"{prefix}-{what}{dot}idx{_AXES[what]}-ubyte" for dot in "-."]
    files = (folder / f"{name}{end}" for end in ("", ".gz") for name in names)
    return next((file for file in files if file.is_file()), None)


def read_idx(path: str | Path) -> np.ndarray:
    """Return the array of an idx file, plain or gzipped, in this machine's byte order.

    Raises
    ------
    FileNotFoundError
    DataError
        Another format, cut short, longer than it says, or more than fits in the free memory; told
        from its header before anything is allocated.
    """
    path = Path(path)
    with open_regular(path, links=True) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        packed = file.read(2) == _GZIP
        file.seek(0)
        stream: IO[bytes] = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]
        try:
            return _read(path, stream, _MAX_RATIO * size if packed else size)
        except DataError:
            raise
        except MemoryError:
            raise DataError(f"{path}: its array does not fit in memory.") from None
        except Exception as error:
            # gzip and zlib have errors of their own; all mean that.
            raise _unsound(path, f"{type(error).__name__}: {error}") from None


def _read(path: Path, stream: IO[bytes], most: int) -> np.ndarray:
    start = stream.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _DTYPES:
        raise _unsound(path, f"begins with {start.hex()}, where idx files have 0000 and a dtype")
    dtype, axes = np.dtype(_DTYPES[start[2]]), start[3]
    lengths = stream.read(4 * axes) if 1 <= axes <= _MOST_AXES else b""
    if not lengths or len(lengths) < 4 * axes:
        raise _unsound(path, f"says it has {axes} axes and ends, or has over {_MOST_AXES}")
    shape = tuple(int(v) for v in np.frombuffer(lengths, ">u4"))
    n_bytes, free = math.prod(shape) * dtype.itemsize, free_memory()
    if n_bytes > most:
        raise _unsound(path, f"says it has shape {shape}, {n_bytes:,} bytes, which it cannot hold")
    if free is not None and 2 * n_bytes > free:
        raise DataError(
            f"{path}: its array takes {readable(2 * n_bytes)} to read, and {readable(free)} of "
            "memory are free. Use a machine with more memory."
        )
    content = stream.read(n_bytes)
    if len(content) < n_bytes:
        raise _unsound(path, f"ends after {len(content):,} of {n_bytes:,} bytes")
    if stream.read(1):
        raise _unsound(path, f"is longer than shape {shape} says")
    # A copy: one can write into it.
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _unsound(path: Path, why: str) -> DataError:
    return DataError(
        f"{path}: not a sound idx file: {why}. It is damaged or of another format. Download it "
        "again."
    )
