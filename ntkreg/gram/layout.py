"""`Layout`: which values a kernel folder holds, and how they are cut into the files of tiles."""

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["MOST_TILES", "Layout"]

MOST_TILES = 1 << 21
"""Tiles of one folder; by default there are some ten thousand."""


@dataclass(frozen=True)
class Layout:
    """A Gram in a folder, as an array (n_fields, n_variants, n, m) cut into square tiles.

    Attributes
    ----------
    fields : tuple of str
    n_variants : int or None
        None: one network, whose values have no axis for it.
    n, m : int
    symmetric : bool
        Only tiles (i, j) with i <= j are stored.
    dtype : numpy.dtype
    tile : int
        Side of a tile; those at the edges hold fewer values, in files of the same length.
    """

    fields: tuple[str, ...]
    n_variants: int | None
    n: int
    m: int
    symmetric: bool
    dtype: np.dtype
    tile: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(n_fields, n_variants, n, m) of all values together."""
        return len(self.fields), self.n_variants or 1, self.n, self.m

    @property
    def file_shape(self) -> tuple[int, int, int, int]:
        """What the file of any tile holds, (n_fields, n_variants, tile, tile)."""
        return (*self.shape[:2], self.tile, self.tile)

    @property
    def file_bytes(self) -> int:
        """Length of the file of any tile."""
        n_fields, n_variants, height, width = self.file_shape
        return n_fields * n_variants * height * width * self.dtype.itemsize

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        return -(-self.n // self.tile), -(-self.m // self.tile)

    @property
    def tiles(self) -> int:
        """Tiles that are stored when all are there."""
        down, across = self.grid
        return down * (down + 1) // 2 if self.symmetric else down * across

    def extent(self, i: int, j: int) -> tuple[int, int]:
        """Return rows and columns of the values in a tile: fewer at the edges."""
        return min(self.tile, self.n - i * self.tile), min(self.tile, self.m - j * self.tile)

    def has(self, i: int, j: int) -> bool:
        """Return whether there is a tile (i, j) to store."""
        down, across = self.grid
        return 0 <= i < down and 0 <= j < across and (not self.symmetric or i <= j)

    def zarr_metadata(self) -> dict[str, Any]:
        """Return zarr.json of an uncompressed array of format 3, one chunk a tile."""
        return {
            "shape": list(self.shape),
            "data_type": str(self.dtype),
            "chunk_grid": {
                "name": "regular",
                "configuration": {"chunk_shape": list(self.file_shape)},
            },
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": "NaN",
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "attributes": {},
            "zarr_format": 3,
            "node_type": "array",
            "storage_transformers": [],
        }
