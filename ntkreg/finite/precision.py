"""float64 for as long as a call lasts."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from ntkreg.errors import SpecError

__all__ = ["check_dtype", "precision"]


def check_dtype(who: str, dtype: Any) -> np.dtype:
    """Return float32 or float64 as a NumPy dtype.

    Raises
    ------
    SpecError
        If `dtype` is anything else.
    """
    try:
        checked = np.dtype(dtype)
    except TypeError:
        checked = None
    if checked not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise SpecError(f"{who}: dtype must be float32 or float64; got {dtype!r}.")
    return checked


@contextlib.contextmanager
def precision(dtype: Any) -> Iterator[None]:
    """Let JAX compute in float64 inside a ``with`` if `dtype` is float64, in this thread only.

    JAX's global switch stays as it is. float32 needs nothing and changes nothing.
    """
    if np.dtype(dtype) != np.float64:
        yield
        return
    with jax.enable_x64(True):
        yield
