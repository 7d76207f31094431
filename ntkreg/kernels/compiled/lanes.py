"""Lanes: 64 bytes of one number for as many pairs of images, side by side.

The loops work on one image x and a group of images z at a time, a pair a lane: window sums,
products and duals then are whole vectors whatever the tile's shape, with no seams, masks or
remainders, and neighbouring pixels are vectors apart.
"""

from typing import Any

import numpy as np
from numba.extending import overload

__all__ = ["ONE", "TWO", "ZERO", "aligned", "group", "lanes", "n_lanes", "n_lanes_of"]

_BYTES = 64

ZERO, ONE, TWO = np.uint64(0), np.uint64(1), np.uint64(2)
"""Unsigned, as indices of loops are: with a signed number they would become floats."""


def n_lanes(dtype: np.dtype) -> int:
    """Pairs that the loops work on at once: 16 in float32, 8 in float64."""
    return _BYTES // dtype.itemsize


def lanes(array: Any) -> Any:
    """Inside a compiled loop: the number of lanes of an array's dtype, as a constant."""
    raise NotImplementedError("lanes: for compiled loops only.")


def n_lanes_of(number: Any) -> int:
    """As `n_lanes`, of a type of numba's."""
    return _BYTES // (number.bitwidth // 8)


@overload(lanes)
def _lanes(array):
    number = np.uint64(n_lanes_of(array.dtype))
    return lambda array: number


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return zeros that begin at a cache line, so that no vector lies across two."""
    size = int(np.prod(shape)) * dtype.itemsize
    buffer = np.zeros(size + _BYTES, np.uint8)
    first = -buffer.ctypes.data % _BYTES
    return buffer[first : first + size].view(dtype).reshape(shape)


def group(array: np.ndarray, dtype: np.dtype, kind: np.dtype | None = None) -> np.ndarray:
    """(n, ..., k) to (groups, ..., k * lanes) for loops in `dtype`; numbers of type `kind`.

    The last group is filled up with zeros.
    """
    size = n_lanes(dtype)
    groups = -(-len(array) // size)
    out = aligned((groups, *array.shape[1:], size), kind or dtype)
    for k in range(groups):
        part = array[k * size : (k + 1) * size]
        out[k, ..., : len(part)] = np.moveaxis(part, 0, -1)
    return out.reshape(*out.shape[:-2], -1)
