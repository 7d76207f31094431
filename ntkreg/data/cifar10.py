"""CIFAR-10 from its official files (Krizhevsky 2009): binary or python version.

A binary record is one label byte and 3072 pixel bytes, channel by channel, row by row.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ntkreg.data.images import ImageData, make_image_data
from ntkreg.data.tar import read_members
from ntkreg.data.unpickle import load_plain_pickle
from ntkreg.errors import DataError
from ntkreg.storage import read_bytes

__all__ = ["CLASS_NAMES", "load_cifar10"]

CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
PIXELS = 3 * 32 * 32
BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
# Official batches hold 10,000 images in 31 MB; more is something else.
MAX_BATCH_BYTES = 64_000_000

Batch = tuple[np.ndarray, np.ndarray]


def load_cifar10(path: str | Path) -> ImageData:
    """Load CIFAR-10 from the official files.

    Parameters
    ----------
    path : path
        The folder ``cifar-10-batches-bin`` or ``cifar-10-batches-py``, a folder that holds
        one of them (binary first), or ``cifar-10-binary.tar.gz`` / ``cifar-10-python.tar.gz``.

    Returns
    -------
    ImageData
        X uint8 (50000, 32, 32, 3) and (10000, 32, 32, 3), channels last, official order.

    Raises
    ------
    FileNotFoundError
        No such path, or a batch is missing.
    DataError
        A batch that is truncated or of another format, labels out of range, or a pickle
        that asks for anything but plain data.

    Notes
    -----
    Nothing is unpacked to disk. The python version is read by a restricted unpickler.

    References
    ----------
    Krizhevsky 2009, *Learning Multiple Layers of Features from Tiny Images*.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: there is no such file or folder. Give the folder of CIFAR-10's official "
            "files, cifar-10-batches-bin or cifar-10-batches-py, or the .tar.gz archive."
        )
    contents = _read_folder(path) if path.is_dir() else _read_archive(path)
    parts = [parse(content, name) for name, (content, parse) in contents.items()]
    sizes = {name: len(part[1]) for name, part in zip(contents, parts, strict=True)}
    if len(set(sizes.values())) > 1:
        raise DataError(
            f"{path}: the batches should hold equally many images; found {sizes}. "
            "One of them is truncated. Download CIFAR-10 again."
        )
    X, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    n_test = len(parts[-1][1])
    return make_image_data(
        X[:-n_test], y[:-n_test], X[-n_test:], y[-n_test:], CLASS_NAMES, path.name
    )


def _parse_binary(content: bytes, name: str) -> Batch:
    record = 1 + PIXELS
    if not content or len(content) % record:
        raise DataError(
            f"{name}: expected records of {record} bytes; found {len(content)} bytes, "
            f"{len(content) // record} records and {len(content) % record} bytes over. "
            "The file is truncated or of another format. Download CIFAR-10 again."
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, record)
    return _channels_last(records[:, 1:]), records[:, 0].astype(np.int64)


def _parse_python(content: bytes, name: str) -> Batch:
    batch = load_plain_pickle(content, name)
    if not isinstance(batch, dict):
        raise DataError(f"{name}: expected a pickled dict; found a {type(batch).__name__}.")
    batch = {k.decode("latin1") if isinstance(k, bytes) else k: v for k, v in batch.items()}
    pixels, labels = batch.get("data"), batch.get("labels")
    pixels = pixels if isinstance(pixels, np.ndarray) else np.empty(0)
    if pixels.dtype != np.uint8 or pixels.shape != (max(len(pixels), 1), PIXELS):
        raise DataError(
            f"{name}: 'data' must be a uint8 array of shape (n, {PIXELS}); "
            f"found {pixels.dtype} {pixels.shape}."
        )
    if not isinstance(labels, list) or not all(type(v) is int and 0 <= v < 256 for v in labels):
        raise DataError(f"{name}: 'labels' must be a list of integers from 0 to 9.")
    if len(labels) != len(pixels):
        raise DataError(f"{name}: {len(pixels)} images but {len(labels)} labels.")
    return _channels_last(pixels), np.array(labels, dtype=np.int64)


def _channels_last(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


Contents = dict[str, tuple[bytes, Callable[[bytes, str], Batch]]]
FORMATS = {".bin": _parse_binary, "": _parse_python}
"""Suffix of the batch files and how they are read, in order of preference."""


def _read_folder(path: Path) -> Contents:
    candidates = (path, path / "cifar-10-batches-bin", path / "cifar-10-batches-py")
    for folder in candidates:
        for suffix, parse in FORMATS.items():
            files = [folder / f"{name}{suffix}" for name in BATCHES]
            if any(f.is_file() for f in files):
                _check_complete(path, [f.name for f in files if not f.is_file()])
                return {str(f): (read_bytes(f, MAX_BATCH_BYTES), parse) for f in files}
    raise FileNotFoundError(
        f"{path}: no CIFAR-10 batches here (data_batch_1.bin or data_batch_1, ...). Give the "
        "folder cifar-10-batches-bin or cifar-10-batches-py."
    )


def _read_archive(path: Path) -> Contents:
    wanted = {f"{name}{suffix}" for name in BATCHES for suffix in FORMATS}
    found = read_members(path, wanted, MAX_BATCH_BYTES)
    if not found:
        raise DataError(f"{path}: the archive holds no CIFAR-10 batches (data_batch_1, ...).")
    suffix = ".bin" if any(name.endswith(".bin") for name in found) else ""
    names = [f"{name}{suffix}" for name in BATCHES]
    _check_complete(path, [name for name in names if name not in found])
    return {f"{path}, {name}": (found[name], FORMATS[suffix]) for name in names}


def _check_complete(path: Path, missing: list[str]) -> None:
    if missing:
        raise FileNotFoundError(
            f"{path}: CIFAR-10 is incomplete, {', '.join(missing)} missing. Download it again."
        )
