"""Members of tar archives, compressed or not, without unpacking and within bounds."""

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ntkreg.errors import DataError
from ntkreg.storage import open_regular

__all__ = ["is_archive", "read_members"]

_DECOMPRESSORS = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\0": lzma.open, b"BZh": bz2.open}
"""By the first bytes of a file."""

_MOST_BYTES = 2_000_000_000
"""Of what an archive unpacks to; CIFAR-10 has 180 MB."""

_LONGEST_HEADER = 4096
"""tarfile searches extended headers in quadratic time."""

_MOST_HEADERS = 512_000
"""Bytes of headers: 1,000 members. tarfile keeps nested ones until the last is read."""


def is_archive(path: Path) -> bool:
    """Return whether a file begins as a tar archive does, or a compressed file.

    Raises
    ------
    FileNotFoundError
    DataError
        A pipe or a device.
    """
    with open_regular(path, links=True) as file:
        start = file.read(262)
    return start.startswith(tuple(_DECOMPRESSORS)) or start[257:] == b"ustar"


def read_members(path: Path, wanted: AbstractSet[str], limit: int) -> dict[str, bytes]:
    """Return what the plain files of these names hold, in whatever folder of the archive.

    Parameters
    ----------
    path : Path
    wanted : set of str
        Names without folders.
    limit : int
        Bytes that none of them exceeds.

    Raises
    ------
    FileNotFoundError
    DataError
        Damaged, of another format, larger than any sound one, or a name in two folders.
    """
    found: dict[str, bytes] = {}
    with open_regular(path, links=True) as file:
        start = file.read(6)
        file.seek(0)
        # tarfile would read whatever a header declares into memory at once.
        opener: Any = next(
            (o for magic, o in _DECOMPRESSORS.items() if start[: len(magic)] == magic), None
        )
        try:
            stream = _Bounded(file if opener is None else opener(file))
            with tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]
                for member in archive:
                    name = PurePosixPath(member.name).name
                    if name not in wanted or not member.isfile():
                        continue
                    if name in found:
                        raise DataError(
                            f"{path}: holds {name} in two folders. Give an archive of one version."
                        )
                    if member.size > limit or member.issparse():
                        raise DataError(
                            f"{path}, {name}: {member.size} bytes is too much for a batch of "
                            f"CIFAR-10 (31 MB). It is of another format."
                        )
                    stream.seek(member.offset_data)
                    found[name] = stream.content(member.size)
        except DataError:
            raise
        except Exception as error:
            # Each decompressor and tarfile itself have errors of their own; all mean that.
            raise DataError(
                f"{path}: not a sound .tar.gz archive ({error}). It is truncated or of another "
                "format. Download CIFAR-10 again."
            ) from None
    return found


class _Bounded:
    """A stream of up to `_MOST_BYTES`, of which tarfile reads headers alone."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, _MOST_HEADERS

    def read(self, size: int) -> bytes:
        self._left -= size
        if size > _LONGEST_HEADER:
            raise ValueError(f"a header of {size:,} bytes")
        if self._left < 0:
            raise ValueError(f"over {_MOST_HEADERS:,} bytes of headers")
        return self._stream.read(size)

    def content(self, size: int) -> bytes:
        content = self._stream.read(size)
        if len(content) < size:
            raise ValueError("unexpected end of data")
        return content

    def seek(self, position: int) -> int:
        if position > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES:,} bytes")
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()
