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

__all__ = ["read_members"]

_DECOMPRESSORS = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\0": lzma.open, b"BZh": bz2.open}
"""By the first bytes of a file."""

_MOST_BYTES = 2_000_000_000
"""Of what an archive unpacks to; CIFAR-10 has 180 MB."""


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
            stream = _Bounded(file if opener is None else opener(file), limit)
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
                    content: Any = archive.extractfile(member)
                    found[name] = content.read()
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
    """A stream that is read up to `_MOST_BYTES`, at most `limit` bytes at a time."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream, self._limit = stream, limit

    def read(self, size: int) -> bytes:
        if size > self._limit:
            raise ValueError(f"a part of {size:,} bytes")
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        if position > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES:,} bytes")
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()
