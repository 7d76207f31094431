"""`StoredValues`: a Gram in a folder, read from there when used."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ntkreg.errors import PlanError
from ntkreg.gram.tile_files import TileFiles
from ntkreg.machine import free_memory, readable

__all__ = ["StoredValues", "stored_values"]

_Region = tuple[slice, slice]

_LARGE = 1 << 26
"""Bytes up to which nobody asks whether they are free: solvers read tile after tile."""


class StoredValues:
    """One field of a Gram in a folder: read when asked, tile by tile.

    ``np.asarray(values)`` loads everything, `read` a part; both mirror the triangle that
    symmetric Grams leave out. A tile that is missing or damaged is a `DataError`. shape, dtype,
    ndim and len are those of the array; `tile` is the side of a tile: reading whole ones costs
    least.
    """

    def __init__(self, files: TileFiles, field: int, *, partial: bool = False) -> None:
        self._files, self._field, self._partial = files, field, partial
        layout = files.layout
        self.dtype: np.dtype = layout.dtype
        self.shape: tuple[int, ...] = layout.shape[2 if layout.n_variants is None else 1 :]
        self.ndim = len(self.shape)

    @property
    def tile(self) -> int:
        """Side of a tile."""
        return self._files.layout.tile

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"StoredValues(shape={self.shape}, dtype={self.dtype}, in {self._files.folder})"

    def read(self, rows: slice = slice(None), columns: slice = slice(None)) -> np.ndarray:
        """Return the values of some rows and columns (slices of step 1), all variants.

        Raises
        ------
        DataError
            A tile is missing or damaged; says which, and what to do. Of a Gram that was opened
            with ``partial=True`` those not yet computed are NaN instead.
        PlanError
            They do not fit into memory.
        """
        layout, missing = self._files.layout, np.array(np.nan, self.dtype)
        shape = (layout.shape[1], *_shape(self._region(rows, columns)))
        self.check_memory(math.prod(shape) * self.dtype.itemsize)
        out = np.empty(shape, self.dtype)
        for i, j, mirrored, into, part in self._pieces(rows, columns):
            values = missing
            if not self._partial or (i, j) in self._files.checksums:
                tile = self._files.read(i, j)[self._field]
                values = (tile.swapaxes(1, 2) if mirrored else tile)[:, *part]
            out[:, *into] = values
        return out[0] if layout.n_variants is None else out

    def mask(self, rows: slice = slice(None), columns: slice = slice(None)) -> np.ndarray:
        """Return a boolean array (n, m): where values have been computed."""
        out = np.empty(_shape(self._region(rows, columns)), bool)
        for i, j, _, into, _ in self._pieces(rows, columns):
            out[into] = (i, j) in self._files.checksums
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("the values are in a folder: reading them always makes a copy.")
        values = self.read()
        return values if dtype is None else values.astype(dtype, copy=False)

    def check_memory(self, needed: int) -> None:
        """Raise where so many bytes are not free: who fills them all the same may be killed."""
        free = free_memory() if needed > _LARGE else None
        if free is not None and needed > free:
            raise PlanError(
                f"{self._files.folder}: the values asked for take {readable(needed)} of memory; "
                f"{readable(free)} are free. Read a part, values.read(rows, columns), or solve by "
                'solver="conjugate_gradient", which reads tile by tile.'
            )

    def _region(self, rows: slice, columns: slice) -> _Region:
        """Return both slices from start to stop within the matrix."""
        n, m = self.shape[-2:]
        (top, bottom, down), (left, right, across) = rows.indices(n), columns.indices(m)
        if (down, across) != (1, 1):
            raise ValueError(f"read: slices must have the step 1; got {rows} and {columns}.")
        return slice(top, max(top, bottom)), slice(left, max(left, right))

    def _pieces(
        self, rows: slice, columns: slice
    ) -> Iterator[tuple[int, int, bool, _Region, _Region]]:
        """Yield what each tile has of a region.

        That is the numbers of the stored tile, whether it is to be mirrored, where its part
        goes, and which part of it (once mirrored) that is.
        """
        layout, (down, across) = self._files.layout, self._region(rows, columns)
        for i, r in _cut(down, layout.tile):
            for j, c in _cut(across, layout.tile):
                mirrored = layout.symmetric and i > j
                into = _moved(r, down.start), _moved(c, across.start)
                part = _moved(r, i * layout.tile), _moved(c, j * layout.tile)
                yield (*((j, i) if mirrored else (i, j)), mirrored, into, part)


def stored_values(files: TileFiles, *, partial: bool = False) -> dict[str, Any]:
    """Return the fields of a folder by name, to be read later."""
    names = enumerate(files.layout.fields)
    return {name: StoredValues(files, field, partial=partial) for field, name in names}


def _cut(span: slice, tile: int) -> Iterator[tuple[int, slice]]:
    """Yield the numbers of tiles along one axis, and what each has of a span."""
    for k in range(span.start // tile, -(-span.stop // tile) if span.stop > span.start else 0):
        yield k, slice(max(span.start, k * tile), min(span.stop, (k + 1) * tile))


def _moved(span: slice, origin: int) -> slice:
    return slice(span.start - origin, span.stop - origin)


def _shape(region: _Region) -> tuple[int, int]:
    rows, columns = region
    return rows.stop - rows.start, columns.stop - columns.start
