"""Images with their tables, which are made when first wanted and kept while there is room."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np

from ntkreg.kernels.image_loops import Images, take_lanes_apart
from ntkreg.kernels.lanes import n_lanes

__all__ = ["ImageInputs", "Tables"]

_ROOM = 64 * 2**20
"""Bytes of tables kept for one Gram."""


@dataclass(frozen=True)
class Tables:
    """Tables of n images for every stage, in both layouts.

    Attributes
    ----------
    as_z : list of Images
        Groups of images, lanes last.
    """

    as_z: list[Images]
    n: int

    @cached_property
    def as_x(self) -> list[Images]:
        """An image a row. The diagonals, which x needs not, stay as they are."""
        return [_one_by_one(z, self.n) for z in self.as_z]

    @property
    def nbytes(self) -> int:
        """Memory of both layouts."""
        return 2 * sum(a.nbytes for z in self.as_z for a in z)


def _one_by_one(z: Images, n: int) -> Images:
    apart = []
    for a in (z.pixels.reshape(len(z.pixels), -1), z.a, z.b):
        rows = np.empty((n, a.shape[1] // n_lanes(a.dtype)), a.dtype)
        take_lanes_apart(a, rows)
        apart.append(rows)
    return Images(apart[0].reshape(n, z.pixels.shape[1], -1), *apart[1:], z.variance, z.tangent)


class _Kept:
    """The tables used last, by the place of their images; shared by threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tables: OrderedDict[tuple[int, int], Tables] = OrderedDict()

    def get(self, place: tuple[int, int], make: Callable[[], Tables]) -> Tables:
        with self._lock:
            if place in self._tables:
                self._tables.move_to_end(place)
                return self._tables[place]
        tables = make()
        with self._lock:
            self._tables[place] = tables
            while sum(t.nbytes for t in self._tables.values()) > _ROOM:
                self._tables.popitem(last=False)
        return tables


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
    def tables(self) -> Tables:
        """The tables of all of these images."""
        make = lambda: Tables(self._make(self._X), len(self._X))  # noqa: E731
        return self._kept.get((self._start, len(self._X)), make)
