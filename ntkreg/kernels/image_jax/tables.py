"""The image engine's tables as `program` reads them: packed, a group of layers an array."""

from collections.abc import Sequence

import numpy as np

from ntkreg.kernels.image.loops.tiles import Images
from ntkreg.kernels.image.stage import RunnableStage
from ntkreg.kernels.image_jax.axes import PackedAxis
from ntkreg.kernels.image_jax.program import PackedTables, groups_of

__all__ = ["as_x", "as_z", "filled_up"]

Axes = tuple[PackedAxis, PackedAxis]


def filled_up(images: Sequence[Images], start: int, size: int) -> list[Images]:
    """Return `size` images from `start` on, black ones where there are no more.

    Parameters
    ----------
    images : sequence of Images
        Of every stage, an image a row (`ImageInputs.as_x`).
    start, size : int
    """

    def rows(array: np.ndarray) -> np.ndarray:
        part = array[start : start + size]
        return np.pad(part, [(0, size - len(part)), *[(0, 0)] * (array.ndim - 1)])

    return [z._replace(pixels=rows(z.pixels), a=rows(z.a), b=rows(z.b)) for z in images]


def as_x(
    stages: Sequence[RunnableStage], axes: Sequence[Axes], images: Sequence[Images]
) -> list[PackedTables]:
    """Return every stage's tables, rows first; zeros where an axis is longer than the image."""
    return [_tables(k, *parts) for k, parts in enumerate(zip(stages, axes, images, strict=True))]


def as_z(
    stages: Sequence[RunnableStage], axes: Sequence[Axes], images: Sequence[Images]
) -> list[PackedTables]:
    """Return every stage's tables, lanes last, twice along both axes of pixels."""

    def turned(table: np.ndarray, axis: int) -> np.ndarray:
        twice = np.tile(table, (1, 1, 2, 2))
        return np.ascontiguousarray(np.moveaxis(twice, axis, -1))

    return [
        PackedTables(
            turned(t.pixels, 0),
            tuple(turned(a, 1) for a in t.a),
            tuple(turned(b, 1) for b in t.b),
        )
        for t in as_x(stages, axes, images)
    ]


def _tables(k: int, stage: RunnableStage, axes: Axes, images: Images) -> PackedTables:
    def group(table: np.ndarray, first: int, count: int) -> np.ndarray:
        """Of operations in a row: (count, n, N, N)."""
        level, width, _ = stage.table_place(first)
        size = axes[0].sizes[level] * width
        starts = [stage.table_place(k)[2] for k in range(first, first + count)]
        return np.stack([_packed(table[:, at : at + size], axes, level, width) for at in starts])

    groups = [g for g in groups_of(stage.stage) if g.has_tables]
    a, b = (
        tuple(group(table, g.first, len(g.operations)) for g in groups)
        for table in (images.a, images.b)
    )
    if k > 0:
        return PackedTables(np.zeros((len(images.a), 0, 1, 1), stage.dtype), a, b)
    h, width = axes[0].sizes[0], axes[1].sizes[0] * stage.columns_stored
    pixels = np.moveaxis(images.pixels, 2, 1)
    pixels = pixels.reshape(*pixels.shape[:2], h + 2, width + 2)
    pixels = pixels[..., 1:-1, 1:-1]  # without the zeros around them
    return PackedTables(_packed(pixels.reshape(*pixels.shape[:2], h * width), axes, 0, width), a, b)


def _packed(values: np.ndarray, axes: Axes, level: int, width: int) -> np.ndarray:
    """Pixels (..., h * width), of which the first w of a row count, to (..., N, N)."""
    h, w = (axis.sizes[level] for axis in axes)
    out = np.zeros((*values.shape[:-1], *(axis.moduli[level] for axis in axes)), values.dtype)
    out[..., :h, :w] = values.reshape(*values.shape[:-1], h, width)[..., :w]
    return out
