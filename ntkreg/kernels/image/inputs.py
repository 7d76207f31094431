"""Images with their tables, which are made when first wanted and kept while there is room."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import numpy as np

from ntkreg.kernels.compiled.lanes import n_lanes
from ntkreg.kernels.image.loops.tiles import Images, take_lanes_apart

__all__ = ["ImageInputs"]

_ROOM = 40 * 2**20
"""Bytes of tables kept for one Gram."""


class _Kept:
    """The tables of blocks used last, by name; shared by threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tables: OrderedDict[tuple[int, int, str], list[Images]] = OrderedDict()
        self._bytes = 0

    def get(self, name: tuple[int, int, str], make: Callable[[], list[Images]]) -> list[Images]:
        with self._lock:
            if name in self._tables:
                self._tables.move_to_end(name)
                return self._tables[name]
        tables = make()  # not under the lock: the others go on meanwhile
        with self._lock:
            if name not in self._tables:
                self._tables[name] = tables
                self._bytes += _size(tables)
            while self._bytes > _ROOM:
                self._bytes -= _size(self._tables.popitem(last=False)[1])
        return tables


def _size(tables: list[Images]) -> int:
    return sum(a.nbytes for images in tables for a in images)


class ImageInputs:
    """Images to be sliced into blocks; each block's tables are made once, if they find room."""

    def __init__(
        self,
        X: np.ndarray,
        make: Callable[[np.ndarray], list[Images]],
        start: int = 0,
        kept: _Kept | None = None,
    ) -> None:
        self._X, self._make, self._start = X, make, start
        self._kept = kept or _Kept()

    def __len__(self) -> int:
        return len(self._X)

    def __getitem__(self, part: slice) -> "ImageInputs":
        first, _, _ = part.indices(len(self._X))
        return ImageInputs(self._X[part], self._make, self._start + first, self._kept)

    @property
    def start(self) -> int:
        """Number of the first image among those that blocks are cut from."""
        return self._start

    @property
    def channels(self) -> int:
        """Of the images; tables of pixels have at least three."""
        return self._X.shape[-1]

    @property
    def as_z(self) -> list[Images]:
        """Every stage's tables, groups of images, lanes last."""
        name = (self._start, len(self._X), "z")
        return self._kept.get(name, lambda: self._make(self._X))

    @property
    def as_x(self) -> list[Images]:
        """Every stage's tables, an image a row, without the diagonals: only z's are used."""
        name = (self._start, len(self._X), "x")
        return self._kept.get(name, lambda: [_one_by_one(z, len(self._X)) for z in self.as_z])


def _one_by_one(z: Images, n: int) -> Images:
    apart = []
    for a in (z.pixels.reshape(len(z.pixels), -1), z.a, z.b):
        rows = np.empty((n, a.shape[1] // n_lanes(a.dtype)), a.dtype)
        take_lanes_apart(a, rows)
        apart.append(rows)
    return Images(
        apart[0].reshape(n, z.pixels.shape[1], z.pixels.shape[2] // n_lanes(z.pixels.dtype)),
        apart[1],
        apart[2],
        z.variance[:0],
        z.tangent[:0],
    )
