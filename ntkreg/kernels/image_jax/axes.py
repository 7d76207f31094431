"""Packed tiles: every offset of a stage in arrays of one shape, as XLA wants them.

Along an axis of n pixels take a modulus N >= n. The tile of offset d in 0..N-1 has N entries;
entry p pairs pixel p of x with pixel p' = (p + d) mod N of z. So offset d (n - d pairs) lies
beside offset d - N (the others), no tile is shorter than another, and where N = n no entry is
wasted. What must not count is masked: entries beyond the image, and pixels that are no neighbours
because p' went around the edge (but with CIRCULAR convolutions they are; there N = n). A mask is
a row of numbers for each offset and each pixel of a window, so a window sum is `window` products
with slices of the tile: no gathers.

A level further in, `stride` pixels apart, has N / stride entries at offset d / stride: for a
strided convolution N is a multiple of the stride. Rows and columns are independent of each other.
`ntkreg.kernels.image.geometry` holds the same for tiles of their own size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ntkreg.architecture import Layer
from ntkreg.kernels.image.program import ImageProgram, Op, Operation, Stage
from ntkreg.kernels.image.readout import read_weights

__all__ = ["PackedAxis", "packed_axes"]


class PackedBelow(NamedTuple):
    """One axis of a stage as the pooling before it sees it."""

    offsets: np.ndarray  # (n_e,), at the stage's first level
    size: int
    modulus: int


@dataclass(frozen=True, eq=False)
class PackedAxis:
    """One axis of all tiles of a stage; e numbers the offsets that something later reads.

    Attributes
    ----------
    sizes, moduli : tuple of int
        n and N of every level.
    offsets : ndarray of int64 (n_levels, n_e)
        d at every level.
    masks : tuple of ndarray (n_e, window, N) or None
        Of every operation; None where there is nothing to sum.
    weight : ndarray (n_readouts, n_e, N)
        Of the entries at a READ; zeros for read-outs that are not in this stage.
    pools : ndarray (n_e, targets, length)
        Which of the first `length` entries pooling takes to which of the targets.
    targets : ndarray of int64 (n_e, targets)
        The numbers of the next stage's offsets that they go to.
    """

    sizes: tuple[int, ...]
    moduli: tuple[int, ...]
    offsets: np.ndarray
    masks: tuple[np.ndarray | None, ...]
    weight: np.ndarray
    pools: np.ndarray
    targets: np.ndarray

    @property
    def n_offsets(self) -> int:
        """How many offsets run."""
        return self.offsets.shape[1]


def packed_axes(program: ImageProgram) -> list[tuple[PackedAxis, PackedAxis]]:
    """Return rows and columns of every stage; only offsets that something later reads are there."""
    done: list[tuple[PackedAxis, PackedAxis]] = []
    below: tuple[PackedBelow | None, PackedBelow | None] = (None, None)
    for stage in reversed(program.stages):
        rows, columns = (
            _axis(stage, side, program.readouts, b) for side, b in zip("hw", below, strict=True)
        )
        done.append((rows, columns))
        below = _seen_from_above(rows), _seen_from_above(columns)
    return done[::-1]


def _seen_from_above(axis: PackedAxis) -> PackedBelow:
    return PackedBelow(axis.offsets[0], axis.sizes[0], axis.moduli[0])


def _axis(
    stage: Stage, side: str, readouts: Sequence[Layer], after: PackedBelow | None
) -> PackedAxis:
    sizes = tuple(getattr(level, side) for level in stage.levels)
    ratios = [stage.end.stride // level.stride for level in stage.levels]
    end = stage.levels.index(stage.end)
    modulus = max(-(-n // ratio) for n, ratio in zip(sizes, ratios, strict=True))
    d = np.arange(modulus)
    p = np.arange(modulus)[None]
    q = (p + d[:, None]) % modulus
    p = np.broadcast_to(p, q.shape)
    weight = _at(read_weights(stage, readouts, sizes[end]), p, q)
    pools, targets = _pooling(p, q, stage.pool, after)
    used = weight.any(axis=(0, 2)) | pools.any(axis=(1, 2))
    d = d[used]
    offsets = np.array([d * ratio for ratio in ratios])
    moduli = tuple(modulus * ratio for ratio in ratios)
    masks = tuple(
        _masks(o, side, sizes, moduli, offsets) if o.op == Op.LAYER else None
        for o in stage.operations
    )
    return PackedAxis(sizes, moduli, offsets, masks, weight[:, used], pools[used], targets[used])


def _at(weights: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Weights (n_readouts, n, n) at the pairs, 0 beyond the image."""
    n = weights.shape[-1]
    return np.where((p < n) & (q < n), weights[:, np.minimum(p, n - 1), np.minimum(q, n - 1)], 0.0)


def _pooling(
    p: np.ndarray, q: np.ndarray, pool: int, after: PackedBelow | None
) -> tuple[np.ndarray, np.ndarray]:
    """Where entries go: one target for every offset that an entry of the tile belongs to."""
    n_e = len(p)
    if after is None:
        return np.zeros((n_e, 0, 0)), np.zeros((n_e, 0), np.int64)
    length = after.size * pool
    coarse_p, coarse_q = p[:, :length] // pool, q[:, :length] // pool
    number = np.full(after.modulus, -1)
    number[after.offsets] = np.arange(len(after.offsets))
    to = np.where(coarse_q < after.size, number[(coarse_q - coarse_p) % after.modulus], -1)
    each = [np.unique(row[row >= 0]) for row in to]
    targets = np.zeros((n_e, max(map(len, each))), np.int64)
    pools = np.zeros((*targets.shape, length))
    for e, found in enumerate(each):
        targets[e, : len(found)] = found
        pools[e, : len(found)] = to[e] == found[:, None]
    return pools, targets


def _masks(
    o: Operation, side: str, sizes: Sequence[int], moduli: Sequence[int], offsets: np.ndarray
) -> np.ndarray | None:
    """1 where a window's pixel is in both images, (n_e, window, N); None for 1 x 1 windows."""
    if o.window == 1 and o.stride == 1:
        return None
    n, n_in, modulus = sizes[o.level], sizes[o.level_in], moduli[o.level]
    p = np.arange(modulus)[None, None]
    q = (p + offsets[o.level][:, None, None]) % modulus
    j = np.arange(o.window)[None, :, None] - o.origin["hw".index(side)]
    within = (p < n) & (q < n)
    if o.circular:
        return np.broadcast_to(within, np.broadcast_shapes(q.shape, j.shape)).astype(float)
    first, second = o.stride * p + j, o.stride * q + j
    for pixel in (first, second):
        within = within & (pixel >= 0) & (pixel < n_in)
    return within.astype(float)
