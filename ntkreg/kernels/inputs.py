"""Checks of the arrays a user hands in, once, before any work starts."""

from typing import Any

import numpy as np

from ntkreg.architecture import Architecture
from ntkreg.arrays import as_array, as_dtype
from ntkreg.errors import ShapeError
from ntkreg.kernels.stax.bridge import KernelFn, StaxNetwork, as_network

__all__ = ["MIXED", "check_inputs", "is_mixed", "kernel_dtype", "precision_name", "solve_dtype"]

MIXED = "mixed"
"""A dtype of kernels: float32 arithmetic on images, read-outs and values in float64."""


def is_mixed(dtype: Any) -> bool:
    """Return whether `dtype` asks for float32 arithmetic with float64 values."""
    return isinstance(dtype, str) and dtype == MIXED


def precision_name(dtype: Any) -> str:
    """Return "float32", "float64" or "mixed", whichever a dtype of kernels is.

    Raises
    ------
    ValueError
        It is none.
    """
    if is_mixed(dtype):
        return MIXED
    try:
        asked = np.dtype(dtype)
    except TypeError:
        asked = np.dtype(object)
    if asked not in (np.float32, np.float64):
        raise ValueError(f'dtype must be float32 or float64, or "mixed"; got {dtype!r}.')
    return asked.name


def kernel_dtype(X: np.ndarray, dtype: Any = None) -> np.dtype:
    """Return the dtype of inputs and arithmetic: `dtype` if given, else X's if narrow.

    uint8, float16 and float32 give float32; float64 and wide integers give float64; "mixed"
    is float32 here, and float64 in the values.
    """
    if dtype is not None:
        name = precision_name(dtype)
        return np.dtype(np.float32 if name == MIXED else name)
    return np.dtype(np.float32 if X.dtype in (np.uint8, np.float16, np.float32) else np.float64)


def solve_dtype(
    network: Architecture | StaxNetwork | KernelFn, X: np.ndarray, dtype: Any = None
) -> str:
    """Return the precision of a kernel that is only solved with: `dtype`, or the default.

    The default is X's (`kernel_dtype`), with "mixed" in place of float32 for networks that read
    images: it takes no longer and its errors are several times smaller where they count
    (`ntkreg.studies.precision.study`).
    """
    inputs = kernel_dtype(X, dtype)
    image = isinstance(network, Architecture) and network.reads == "image"
    if is_mixed(dtype) or (dtype is None and image and inputs == np.float32):
        return MIXED
    return inputs.name


def check_inputs(
    architecture: Architecture | StaxNetwork | KernelFn,
    X: Any,
    name: str = "X",
    dtype: Any = None,
) -> np.ndarray:
    """Return `X` as a C-contiguous finite float array the architecture can read.

    Parameters
    ----------
    architecture : Architecture, StaxNetwork or stax kernel_fn
        Image networks need (n, h, w, c); dense ones take (n, d), or images, which they
        read as one vector each. A stax network gets X in the shape it came in.
    X : array-like
        Of numbers, at least one row.
    name : str
        What to call it in errors.
    dtype : dtype or None
        float32, float64, "mixed" or None for `kernel_dtype`'s rule.

    Raises
    ------
    ShapeError, TypeError, ValueError
        Wrong rank, empty, too small for the network's windows, not numbers, NaN or inf, masked
        values, values that the dtype cannot hold.
    """
    network = as_network(architecture)
    reads = network.reads
    X = as_array(name, X)
    if reads == "image" and X.ndim != 4:
        raise ShapeError(
            f"{name} must be images (n, h, w, c) for this network; got shape {X.shape}. "
            "Reshape it, e.g. X.reshape(n, h, w, c), or pass image_shape to the estimator."
        )
    if X.ndim not in (2, 4):
        raise ShapeError(f"{name} must be (n, d) or images (n, h, w, c); got shape {X.shape}.")
    if 0 in X.shape:
        raise ShapeError(f"{name} must have at least one sample and feature; got shape {X.shape}.")
    if isinstance(network, Architecture):
        network.check_shape(X.shape[1:])
    if X.dtype.kind == "f" and not np.isfinite(X).all():
        bad = int(np.flatnonzero(~np.isfinite(X.reshape(len(X), -1)).all(axis=1))[0])
        raise ValueError(f"{name} contains NaN or infinity (first in row {bad}). Remove or impute.")
    X = as_dtype(name, X, kernel_dtype(X, dtype))
    return X.reshape(len(X), -1) if reads == "vector" else X
