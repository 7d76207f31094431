"""How every compiled loop of the package is compiled."""

from typing import Any

import numba
from numba.core import types
from numba.extending import intrinsic

__all__ = ["FASTMATH", "compiled", "inlined", "wide_vectors"]

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


def _wide_vectors(typing_context: Any) -> Any:
    """Ask LLVM for 512-bit vectors in the function that calls this, where there are any.

    For AVX-512 it prefers 256 bits, which suits mixed code; a loop that does nothing but
    vector arithmetic gains about 10 % from the wide ones.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # llvmlite's own `add` knows no attributes with values.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), generate


wide_vectors: Any = intrinsic(_wide_vectors)
