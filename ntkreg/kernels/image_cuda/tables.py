"""An image's tables as a card's program reads them: pixels, then a number a pixel and layer."""

from collections.abc import Sequence

import numpy as np

from ntkreg.architecture import Gelu, LeakyRelu, NormalizedGaussian, Relu
from ntkreg.errors import SpecError
from ntkreg.kernels.image.loops.tiles import Images
from ntkreg.kernels.image.stage import RunnableStage
from ntkreg.kernels.image_cuda.lowering import Step
from ntkreg.kernels.image_cuda.program import CardProgram, Item

__all__ = ["as_x", "as_z"]

_RANGE = (2.0**-60, 2.0**60)
"""Of tables whose products, and the inverses of these, are float32 numbers."""

_INVERTED = Relu | LeakyRelu | NormalizedGaussian
"""Activations of which tables hold a number over the root of a variance."""


def as_x(
    card: CardProgram, stages: Sequence[RunnableStage], images: Sequence[Images]
) -> np.ndarray:
    """Return the numbers of images (`ImageInputs.as_x`), an image a row, float32."""
    rows = _tables(card, stages, images)
    out = np.zeros((len(images[0].pixels), card.image_sizes[0]), np.float32)
    for item, (table, _) in zip(card.items, rows, strict=True):
        flat = table.reshape(len(table), -1)
        out[:, item.x_start : item.x_start + flat.shape[1]] = flat
    return out


def as_z(
    card: CardProgram, stages: Sequence[RunnableStage], images: Sequence[Images]
) -> np.ndarray:
    """Return the same with every table's rows, filled up to its modulus, in all their copies."""
    rows = _tables(card, stages, images)
    out = np.zeros((len(images[0].pixels), card.image_sizes[1]), np.float32)
    for item, (table, nothing) in zip(card.items, rows, strict=True):
        tables, h, columns = item.shape
        shape = len(table), tables, card.copies, item.z_rows // card.copies, columns
        filled = np.full(shape, nothing, np.float32)
        filled[:, :, :, :h] = table[:, :, None]
        flat = filled.reshape(len(table), -1)
        out[:, item.z_start : item.z_start + flat.shape[1]] = flat
    return out


def _tables(
    card: CardProgram, stages: Sequence[RunnableStage], images: Sequence[Images]
) -> list[tuple[np.ndarray, float]]:
    """Every item (n, tables, rows, N columns), and what stands where there is no pixel."""
    h, width = card.axes[0][0].sizes[0], card.axes[0][1].sizes[0] * stages[0].columns_stored
    pixels = np.moveaxis(images[0].pixels, 2, 1)[:, : card.channels]
    pixels = pixels.reshape(len(pixels), card.channels, h + 2, width + 2)[:, :, 1:-1, 1:-1]
    tables = [(_filled(pixels, card.items[0], card.axes[0][1].sizes[0], 0.0), 0.0)]
    for k, (stage, steps) in enumerate(zip(stages, card.steps, strict=True)):
        for step in (s for s in steps if s.has_tables):
            item = card.items[len(tables)]
            level, width, at = stage.table_place(step.number)
            size = item.shape[1] * width
            a, b = (v[:, at : at + size].astype(np.float64) for v in (images[k].a, images[k].b))
            values, nothing = _numbers(step, a, b)
            values = values.reshape(len(values), 1, item.shape[1], width)
            columns = card.axes[k][1].sizes[level]
            tables.append((_filled(values, item, columns, nothing), nothing))
    return tables


def _numbers(step: Step, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
    """One number of each pixel, from the two of the compiled loops."""
    activation = step.operation.activation
    if not isinstance(activation, _INVERTED):
        return (b / a if isinstance(activation, Gelu) else a), 0.0
    numbers = a * np.sqrt(step.unit)
    least, most = _RANGE
    there = numbers[numbers > 0]
    if np.any((there < least) | (there > most)):
        raise SpecError(
            f'backend="cuda": variances before {activation!r} are beyond {least**2:.0e} to '
            f'{most**2:.0e} of their units. Rescale X, or use backend="jax".'
        )
    # No variance: the value is exactly zero, over infinity.
    return np.where(a > 0, numbers, np.inf), np.inf


def _filled(values: np.ndarray, item: Item, columns: int, nothing: float) -> np.ndarray:
    """Pixels (n, tables, rows, width), of which the first `columns` count, in N columns."""
    out = np.full((*values.shape[:2], *item.shape[1:]), nothing, np.float32)
    out[..., :columns] = values[..., :columns]
    return out
