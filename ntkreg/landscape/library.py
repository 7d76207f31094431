"""matfree, the library of matrix-free linear algebra, looked up when it is first needed."""

import importlib
from typing import Any

from ntkreg.errors import BackendError

__all__ = ["matfree"]


def matfree(who: str, module: str) -> Any:
    """Return a module of matfree.

    Raises
    ------
    BackendError
        If it is not installed.
    """
    try:
        return importlib.import_module(f"matfree.{module}")
    except ImportError as error:
        raise BackendError(
            f"{who}: needs matfree, which does not load here ({error}). Install ntkreg[landscape]."
        ) from None
