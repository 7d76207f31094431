"""Arrays of an npz archive: looked at by what they declare before anything is allocated.

NumPy's own loader takes sizes and dtypes on trust, and its errors advise to unpickle.
"""

import io
import math
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ntkreg.errors import DataError
from ntkreg.machine import free_memory, readable
from ntkreg.storage import open_regular

__all__ = ["read_arrays"]

_MAGIC = b"\x93NUMPY"
_MAX_HEADER = 10_000
_MAX_DIMENSIONS = 32

# Deflate makes at best one byte of 1032; whoever declares more is lying.
_MAX_RATIO = 1100

_KINDS = "biufcSUmM"
"""Kinds of dtypes that are read; objects would be pickles, records are no arrays of numbers."""


def read_arrays(
    path: str | Path,
    keys: Iterable[str] | None,
    optional: Iterable[str] = (),
    *,
    links: bool = True,
) -> dict[str, np.ndarray]:
    """Return arrays of an ``.npz`` archive by name, in this machine's byte order.

    Parameters
    ----------
    path : path of the archive
    keys : iterable of str or None
        Arrays that must be there; None for all there are.
    optional : iterable of str
        Arrays that are returned if they are there.
    links : bool
        False inside folders that we write alone: there a link is somebody else's.

    Raises
    ------
    FileNotFoundError
        No such file.
    DataError
        Not an npz archive, truncated, `keys` missing, pickled objects, or more than fits in
        the memory that is free.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file. Check the path of the data.")
    if path.is_dir():
        raise DataError(f"{path}: is a folder; expected an .npz file.")
    with open_regular(path, links=links) as stream:
        if stream.read(len(_MAGIC)) == _MAGIC:
            raise DataError(f"{path}: holds one bare array; expected an .npz archive.")
        try:
            return _read(path, stream, keys, tuple(optional))
        except DataError:
            raise
        except MemoryError:
            raise DataError(f"{path}: its arrays do not fit in memory.") from None
        except Exception as error:
            # zipfile and NumPy raise nearly any exception on damaged input; all mean that.
            raise DataError(
                f"{path}: not a sound .npz archive ({type(error).__name__}: {error}). It is "
                "truncated or of another format. Download or write it again."
            ) from None


@dataclass(frozen=True)
class _Member:
    name: str
    info: zipfile.ZipInfo
    n_bytes: int


def _read(
    path: Path, stream: IO[bytes], keys: Iterable[str] | None, optional: tuple[str, ...]
) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(stream) as archive:
        there: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name in there:
                raise _unsound(path, f"holds {name!r} twice")
            there[name] = info
        wanted = list(there) if keys is None else list(keys)
        missing = [key for key in wanted if key not in there]
        if missing:
            raise DataError(
                f"{path}: no array named {', '.join(missing)}. The archive holds: "
                f"{', '.join(there) or 'nothing'}."
            )
        wanted += [key for key in optional if key in there and key not in wanted]
        size = stream.seek(0, io.SEEK_END)
        members = [_inspect(path, archive, key, there[key], size) for key in wanted]
        _check_memory(path, members)
        return {member.name: _load(path, archive, member) for member in members}


def _inspect(
    path: Path, archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo, size: int
) -> _Member:
    """Read a member's header, and refuse what cannot be true or cannot be read."""
    stored = info.compress_type == zipfile.ZIP_STORED
    if info.flag_bits & 1 or not (stored or info.compress_type == zipfile.ZIP_DEFLATED):
        raise _unsound(path, f"{name} is encrypted or compressed as NumPy never does")
    if info.compress_size > size or info.file_size > _MAX_RATIO * (info.compress_size + 10):
        raise _unsound(path, f"{name} declares {info.file_size:,} bytes, which it cannot hold")
    with archive.open(info) as stream:
        shape, dtype, start = _header(path, name, stream)
    if dtype.hasobject:
        raise _unsound(path, f"{name} holds pickled objects, which are not read")
    if dtype.kind not in _KINDS or dtype.subdtype is not None:
        raise _unsound(path, f"{name} holds records ({dtype}), not numbers or text")
    sizes_are_sound = all(type(side) is int and side >= 0 for side in shape)
    if not sizes_are_sound or len(shape) > _MAX_DIMENSIONS or not dtype.itemsize:
        raise _unsound(path, f"{name} has no sensible shape or dtype")
    count = math.prod(shape)
    if count * dtype.itemsize != info.file_size - start:
        raise _unsound(
            path,
            f"{name}, {dtype} of shape {shape}, must have {count * dtype.itemsize:,} bytes; it "
            f"has {info.file_size - start:,}",
        )
    return _Member(name, info, count * dtype.itemsize)


def _header(path: Path, name: str, stream: IO[bytes]) -> tuple[tuple[Any, ...], np.dtype, int]:
    """Return shape, dtype and where the data begin."""
    start = stream.read(len(_MAGIC) + 2)
    if start[: len(_MAGIC)] != _MAGIC:
        raise _unsound(path, f"{name} is no array")
    narrow = start[-2] == 1
    length = stream.read(2 if narrow else 4)
    n = int.from_bytes(length, "little")
    if start[-2:] not in (b"\1\0", b"\2\0", b"\3\0") or n > _MAX_HEADER:
        raise _unsound(path, f"{name} has a header that NumPy never writes")
    text = io.BytesIO(length + stream.read(n))
    read: Any = (
        np.lib.format.read_array_header_1_0 if narrow else np.lib.format.read_array_header_2_0
    )
    try:
        shape, _, dtype = read(text, max_header_size=_MAX_HEADER)
    except Exception:  # what it says would advise to trust the file
        raise _unsound(path, f"{name} has a damaged header") from None
    return shape, dtype, len(start) + len(length) + n


def _check_memory(path: Path, members: list[_Member]) -> None:
    needed, free = sum(member.n_bytes for member in members), free_memory()
    if free is not None and needed > free:
        largest = max(members, key=lambda member: member.n_bytes)
        raise DataError(
            f"{path}: its arrays take {readable(needed)} ({largest.name} alone "
            f"{readable(largest.n_bytes)}), and {readable(free)} of memory are free. Store fewer "
            "samples, or use a machine with more memory."
        )


def _load(path: Path, archive: zipfile.ZipFile, member: _Member) -> np.ndarray:
    with archive.open(member.info) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False, max_header_size=_MAX_HEADER)
        stream.read(1)  # behind the last byte the checksum is compared
    # Neither copies: the memory for one array is what was checked.
    if not array.dtype.isnative:
        array = array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))
    bits = {"b": (np.uint8, 1), "U": (np.uint32, 0x10FFFF)}.get(array.dtype.kind)
    if bits is not None and array.size:
        dtype, most = bits
        if array.ravel(order="K").view(dtype).max() > most:
            raise _unsound(path, f"{member.name} holds values that its dtype does not have")
    return array


def _unsound(path: Path, why: str) -> DataError:
    return DataError(
        f"{path}: not a sound .npz archive: {why}. It is damaged or of another format. Download "
        "or write it again."
    )
