"""Write the file of a tile: by the process that holds the folder, or by a worker that sees it."""

import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ntkreg.gram.layout import Layout
from ntkreg.gram.meeting import Mark, NotSeenError
from ntkreg.gram.paths import inside, tile_path
from ntkreg.storage import replacing

__all__ = ["SharedFolder", "checksum_of", "write_tile"]

_STRIP = 1 << 18
"""Bytes of a tile at the edge that are filled up at once: a copy of it all would count in peaks."""


def write_tile(folder: Path, layout: Layout, i: int, j: int, values: np.ndarray) -> str:
    """Write a tile's values (n_fields, n_variants, rows, columns); return their checksum."""
    path = tile_path(folder, i, j)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        for rows in _file_rows(layout, values):
            file.write(rows.data)
    return checksum_of(values)


def checksum_of(values: np.ndarray) -> str:
    """Return the SHA-256 of a tile's values, as journals have it."""
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def _file_rows(layout: Layout, values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield what a tile's file holds: its values, NaN beyond the edge, some rows at a time."""
    dtype, side = layout.dtype.newbyteorder("<"), layout.tile
    if values.shape == layout.file_shape:
        yield np.ascontiguousarray(values, dtype)
        return
    rows, columns = values.shape[2:]
    at_once = max(1, _STRIP // (side * dtype.itemsize))
    for plane in values.reshape(-1, rows, columns):
        for top in range(0, side, at_once):
            strip = np.full((min(at_once, side - top), side), np.nan, dtype)
            strip[: max(0, rows - top), :columns] = plane[top : top + at_once]
            yield strip


@dataclass(frozen=True)
class SharedFolder:
    """A kernel folder that another process holds, for workers that see it under the same path.

    Attributes
    ----------
    folder : str
        Absolute; no Path, which a worker of another system could not unpickle.
    layout : Layout
    mark : Mark
        Its lock, as its holder sees it.
    """

    folder: str
    layout: Layout
    mark: Mark

    def write(self, i: int, j: int, values: np.ndarray) -> str:
        """Write a tile; return its checksum, for the journal of who holds the folder.

        Raises
        ------
        OSError
            This is not the folder, or it cannot be written from here.
        """
        inside(Path(self.folder), os.path.basename(self.mark.path))  # no link leads elsewhere
        if not self.mark.is_seen():
            raise NotSeenError(errno.ESTALE, "another folder of the same name", self.folder)
        return write_tile(Path(self.folder), self.layout, i, j, values)
