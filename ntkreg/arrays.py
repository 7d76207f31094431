"""Arrays as users hand them in: masks, narrower dtypes, axes that stand where others belong."""

from typing import Any

import numpy as np

from ntkreg.errors import ShapeError, SpecError

__all__ = [
    "as_array",
    "as_dtype",
    "channels_first_hint",
    "refuse_dates",
    "refuse_infinite",
    "refuse_masked",
]

_CHANNELS = (1, 3, 4)
"""Channels of grey, colour and RGBA images."""

_DATES = ("date", "time", "duration", "period", "nat")
"""What names of such dtypes and types begin with, in Python, NumPy, pandas, polars and Arrow."""

_ANYTHING = ("object", "category")
"""What names of dtypes begin with whose values may be of any type."""


def as_array(name: str, X: Any) -> np.ndarray:
    """Return X as an array of real numbers, not yet of one dtype.

    Raises
    ------
    TypeError, ShapeError, SpecError
        Other things than real numbers; rows of several lengths; masked values.
    """
    refuse_masked(name, X)
    if hasattr(X, "columns"):
        refuse_dates(name, X)
    if hasattr(X, "toarray"):
        raise TypeError(
            f"{name} must be a dense array; got a sparse one. Use {name.split()[-1]}.toarray()."
        )
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise ShapeError(
            f"{name} must be an array of numbers, rows of one length; {error}"
        ) from None
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} must hold real numbers; got dtype {array.dtype}.")
    return array


def refuse_masked(name: str, X: Any) -> None:
    """Raise `SpecError` if X is, or lists, masked arrays in which something is masked.

    NumPy's conversions drop a mask without a word, and what lies under it would count as data:
    so this comes before them.
    """
    masked = _n_masked(X)
    if masked:
        raise SpecError(
            f"{name} is a masked array with {masked} masked value(s), which nothing here can leave "
            f"out. Fill them, e.g. numpy.ma.filled({name.split()[-1]}, 0), or drop their rows."
        )


def _n_masked(X: Any, nested: int = 0) -> int:
    if isinstance(X, np.ma.MaskedArray):
        return int(np.ma.count_masked(X))
    if not isinstance(X, list | tuple) or nested > 5:
        return 0
    return sum(
        _n_masked(part, nested + 1)
        for part in X
        if isinstance(part, list | tuple | np.ma.MaskedArray)
    )


def refuse_dates(name: str, X: Any) -> None:
    """Raise `TypeError` if X holds dates, times or spans of time, as a table maybe in one column.

    NumPy would take them for whole numbers, of nanoseconds or of days as it happens.
    """
    schema: Any = getattr(X, "schema", None)
    if hasattr(schema, "types"):  # a table of Arrow
        columns, dtypes = schema.names, schema.types
    elif hasattr(X, "columns") and hasattr(X, "dtypes"):  # of pandas or polars
        columns, dtypes = X.columns, X.dtypes
    else:
        array = X if hasattr(X, "dtype") else np.asarray(X)
        _refuse_dates(name, array.dtype, "", array, ...)
        return
    for i, (column, dtype) in enumerate(zip(columns, dtypes, strict=True)):
        _refuse_dates(name, dtype, f" in column {column!r}", X, (slice(None), i))


def _refuse_dates(name: str, dtype: Any, where: str, X: Any, part: Any) -> None:
    kind, found = str(dtype).lower(), f"dtype {dtype}"
    if kind.startswith(_ANYTHING):
        types = {type(value).__name__ for value in np.asarray(X)[part].flat}
        kind = next((each for each in sorted(types) if each.lower().startswith(_DATES)), "")
        found = f"values of type {kind}"
    if kind.lower().startswith(_DATES):
        raise TypeError(
            f"{name} must hold real numbers; got {found}{where}. Turn dates into numbers that mean "
            "something, such as days since a first one, or leave them out."
        )


def refuse_infinite(name: str, values: np.ndarray) -> np.ndarray:
    """Return values that were made of finite inputs; raise `SpecError` if one overflowed."""
    if not np.isfinite(values).all():
        raise SpecError(
            f"{name} overflow {values.dtype}. Inputs are too large, or far beyond those of fit: "
            "rescale them" + ("." if values.dtype == np.float64 else ", or use float64.")
        )
    return values


def as_dtype(name: str, X: np.ndarray, dtype: Any) -> np.ndarray:
    """Return finite X in a float dtype, C-contiguous; may be X itself.

    Raises
    ------
    SpecError
        If a value overflows in it, or a row that is not zero comes too near to it.
    """
    dtype = np.dtype(dtype)
    with np.errstate(over="ignore", under="ignore"):
        narrow = np.ascontiguousarray(X, dtype)
    if X.dtype.kind != "f" or X.dtype.itemsize <= dtype.itemsize:
        return narrow
    most = np.abs(X).reshape(len(X), -1).max(axis=1, initial=0)
    limits = np.finfo(dtype)
    bad = np.flatnonzero((most > limits.max) | ((most > 0) & (most < limits.tiny)))
    if len(bad):
        raise SpecError(
            f"{name} does not fit {dtype}: the largest value of row {bad[0]} is "
            f"{float(most[bad[0]]):.3g}, and {dtype} holds {float(limits.tiny):.2g} to "
            f"{float(limits.max):.2g}. Rescale it"
            + (', or use dtype="float64".' if dtype != np.float64 else ".")
        )
    return narrow


def channels_first_hint(shape: tuple[int, ...]) -> str:
    """Return what to add to an error about images of a shape if their channels come first.

    Parameters
    ----------
    shape : tuple of int
        Of one image, meant as (h, w, c).

    Examples
    --------
    >>> channels_first_hint((3, 32, 32))
    ' Channels seem to come first, (n, 3, 32, 32): X.transpose(0, 2, 3, 1) puts them last.'
    >>> channels_first_hint((32, 32, 3))
    ''
    """
    if len(shape) != 3 or shape[0] not in _CHANNELS or min(shape[1:]) <= max(_CHANNELS):
        return ""
    sizes = ", ".join(map(str, ("n", *shape)))
    return f" Channels seem to come first, ({sizes}): X.transpose(0, 2, 3, 1) puts them last."
