"""How every compiled loop of the package is compiled."""

from typing import Any

import numba

__all__ = ["FASTMATH", "compiled", "inlined"]

FASTMATH = {"contract", "reassoc", "arcp", "nsz"}
"""LLVM may fuse, reorder and divide by reciprocals. It may *not* assume that NaN and
infinity never occur (nnan, ninf): that would drop the clamps of correlations to [-1, 1]."""


_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "fastmath": FASTMATH,
    "error_model": "numpy",
}


def compiled(function: Any) -> Any:
    """Compile on first call, release the GIL, keep the machine code on disk.

    Division by zero gives inf or NaN as in NumPy; indices are not checked, so loops index
    with unsigned integers (a signed index costs a wrap-around test and the vectorisation).
    """
    return numba.njit(**_OPTIONS)(function)


def inlined(function: Any) -> Any:
    """As `compiled`, and copied into its callers before they are optimised.

    For loops over a tile: as calls of their own, passing their arrays and checking them for
    overlap took 10 % of the image engine's time.
    """
    return numba.njit(**_OPTIONS, inline="always")(function)
