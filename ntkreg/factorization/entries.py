"""Entries of a matrix that are seen: checked, in one order, each once."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from ntkreg.arrays import as_array
from ntkreg.errors import PlanError, ShapeError, SpecError
from ntkreg.machine import free_memory, readable

__all__ = [
    "Entries",
    "check_bounds",
    "check_indices",
    "read_entries",
    "read_values",
    "refuse_too_large",
]

_COPIES = 12
"""Matrices of the whole shape that live at once while one is completed."""

_LARGEST = 1e304
"""Of values: a nuclear norm sums up some of them."""

_NAMED = 10
"""Rows or columns that a warning names, at most."""


@dataclass(frozen=True, eq=False)
class Entries:
    """Seen entries of a matrix, in the order of rows and then columns.

    Attributes
    ----------
    flat : ndarray of shape (m,), int64
        Their places in the matrix read row by row, rising.
    values : ndarray of shape (m,), float64
    shape : tuple of int
        Of the matrix.
    """

    flat: np.ndarray
    values: np.ndarray
    shape: tuple[int, int]


def read_entries(
    name: str,
    rows: Any,
    cols: Any,
    values: Any,
    shape: Any = None,
    bounds: tuple[float, float] | None = None,
) -> Entries:
    """Check entries as a user gives them.

    Parameters
    ----------
    name : str
        Who says it in errors.
    rows, cols : array-like of int, shape (m,)
        Counted from 0.
    values : array-like of shape (m,)
    shape : (int, int) or None
        Of the matrix, at least 2 x 2; None for the largest row and column that are seen.
    bounds : (float, float) or None
        What no value lies outside of.

    Returns
    -------
    Entries
        Entries given more than once with the same value count once.

    Raises
    ------
    TypeError, ShapeError, SpecError
        Not three arrays of one length; places that are no whole numbers or outside the shape;
        more values than the matrix has entries; NaN, infinity; values outside `bounds`; an
        entry given twice with different values; a matrix of one row or column.
    PlanError
        A matrix that cannot be held in memory.

    Warns
    -----
    UserWarning
        Names rows and columns without a seen entry.
    """
    seen = read_values(f"{name}: values", values)
    if np.abs(seen).max() > _LARGEST:
        raise SpecError(
            f"{name}: values reach {np.abs(seen).max():.2g}, whose sums float64 does not hold. "
            "Rescale values to about 1."
        )
    whole = _shape(name, shape)
    i, j = check_indices(name, rows, cols, whole)
    if len(i) != len(seen):
        raise ShapeError(
            f"{name}: rows, cols and values must be of one length; got {len(i)}, {len(j)} and "
            f"{len(seen)}."
        )
    if whole is None:
        whole = _at_least_two(name, (int(i.max()) + 1, int(j.max()) + 1))
    if len(seen) > math.prod(whole):
        raise ShapeError(
            f"{name}: {len(seen)} values were given, more than the {math.prod(whole)} entries of a "
            f"matrix of shape {whole}. Give each entry once."
        )
    if bounds is not None and (outside := (seen < bounds[0]) | (seen > bounds[1])).any():
        bad = int(np.flatnonzero(outside)[0])
        raise SpecError(
            f"{name}: values must lie within bounds={bounds}; got {seen[bad]:g} at place {bad} "
            f"(row {i[bad]}, column {j[bad]}). Correct it, or widen bounds."
        )
    refuse_too_large(
        f"{name}: {_COPIES} matrices of shape {whole}, which live at once,",
        _COPIES * math.prod(whole),
        "Number rows and columns without gaps, or leave some out.",
    )
    entries = _once(name, i, j, seen, whole)
    _warn_of_unseen(name, entries)
    return entries


def read_values(name: str, values: Any) -> np.ndarray:
    """Return values as a user gives them, one or more finite numbers, as float64.

    Raises
    ------
    TypeError, ShapeError, SpecError
    """
    found = as_array(name, values)
    if found.ndim != 1 or not len(found):
        raise ShapeError(f"{name} must be a list of at least one number; got shape {found.shape}.")
    with np.errstate(over="ignore"):
        found = found.astype(np.float64)
    if not np.isfinite(found).all():
        bad = int(np.flatnonzero(~np.isfinite(found))[0])
        raise SpecError(
            f"{name} holds NaN or infinity, first at place {bad}. Leave out entries that are not "
            "known."
        )
    return found


def check_indices(
    name: str, rows: Any, cols: Any, shape: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns as int64 arrays of one length, within `shape` where it is given.

    Raises
    ------
    TypeError, ShapeError, SpecError
    """
    found = []
    for axis, (key, given) in enumerate((("rows", rows), ("cols", cols))):
        places = as_array(f"{name}: {key}", given)
        if places.ndim != 1:
            raise ShapeError(f"{name}: {key} must be a list of integers; got shape {places.shape}.")
        if places.dtype.kind not in "ui" and len(places):
            raise TypeError(
                f"{name}: {key} must be integers, counted from 0; got dtype {places.dtype}."
            )
        most = np.iinfo(np.int64).max if shape is None else shape[axis] - 1
        if len(places) and (int(places.min()) < 0 or int(places.max()) > most):
            bad = int(places.min()) if int(places.min()) < 0 else int(places.max())
            raise SpecError(
                f"{name}: {key} must be from 0 "
                + ("on" if shape is None and bad < 0 else f"to {most}")
                + ("" if shape is None else f", since the matrix has shape {shape}")
                + f"; got {bad}."
            )
        found.append(places.astype(np.int64))
    if len(found[0]) != len(found[1]):
        raise ShapeError(
            f"{name}: rows and cols must be of one length; got {len(found[0])} and {len(found[1])}."
        )
    return found[0], found[1]


def check_bounds(name: str, bounds: Any) -> tuple[float, float] | None:
    """Return bounds as two rising finite numbers, None for none.

    Raises
    ------
    SpecError
    """
    if bounds is None:
        return None
    pair = list(bounds) if isinstance(bounds, Sequence | np.ndarray) else []
    numbers = all(isinstance(b, Real) and not isinstance(b, bool | np.bool_) for b in pair)
    if len(pair) != 2 or not numbers or not np.isfinite(pair).all() or not pair[0] < pair[1]:
        raise SpecError(
            f"{name}: bounds must be None or two numbers, the lower first, such as (1, 5); "
            f"got {bounds!r}."
        )
    return float(pair[0]), float(pair[1])


def _shape(name: str, shape: Any) -> tuple[int, int] | None:
    if shape is None:
        return None
    sides = list(shape) if isinstance(shape, Sequence | np.ndarray) else []
    whole = all(isinstance(s, Integral) and not isinstance(s, bool) for s in sides)
    if isinstance(shape, str) or len(sides) != 2 or not whole:
        raise SpecError(
            f"{name}: shape must be two integers, the rows and columns of the matrix; "
            f"got {shape!r}."
        )
    return _at_least_two(name, (int(sides[0]), int(sides[1])))


def _at_least_two(name: str, shape: tuple[int, int]) -> tuple[int, int]:
    if min(shape) < 2:
        raise ShapeError(
            f"{name}: a matrix must have at least 2 rows and 2 columns to be completed; got shape "
            f"{shape}. Of one row nothing is learnt about its other entries."
        )
    return shape


def refuse_too_large(who: str, numbers: int, remedy: str) -> None:
    """Raise `PlanError` if the memory does not hold so many float64 numbers."""
    needed, free = 8 * numbers, free_memory()
    if free is not None and needed > free:
        raise PlanError(f"{who} take about {readable(needed)}; {readable(free)} are free. {remedy}")


def _once(name: str, i: np.ndarray, j: np.ndarray, values: np.ndarray, shape) -> Entries:
    """Return entries in their order, those that are given twice once."""
    flat = i * shape[1] + j
    order = np.argsort(flat, kind="stable")
    flat, values = flat[order], values[order]
    again = np.flatnonzero(flat[1:] == flat[:-1])
    different = again[values[again] != values[again + 1]]
    if len(different):
        first = different[0]
        row, col = divmod(int(flat[first]), shape[1])
        raise SpecError(
            f"{name}: entry (row {row}, column {col}) is given twice with different values, "
            f"{float(values[first])!r} and {float(values[first + 1])!r}. Give each entry once, "
            "such as their mean."
        )
    kept = np.ones(len(flat), bool)
    kept[again + 1] = False
    return Entries(flat[kept], values[kept], shape)


def _warn_of_unseen(name: str, entries: Entries) -> None:
    seen = np.divmod(entries.flat, entries.shape[1])
    for what, side, places in zip(("row", "column"), entries.shape, seen, strict=True):
        missing = np.flatnonzero(np.bincount(places, minlength=side) == 0)
        if len(missing):
            more = ", ..." if len(missing) > _NAMED else ""
            listed = ", ".join(map(str, missing[:_NAMED])) + more
            warnings.warn(
                f"{name}: {len(missing)} {what}(s) of {side} without a seen entry: {listed}. "
                "Nothing is known of them; their predictions mean nothing.",
                stacklevel=6,
            )
