"""Checks of what a solver gets, before any factorisation starts."""

from typing import Any

import numpy as np

from ntkreg.arrays import refuse_masked
from ntkreg.errors import NotPSDError, ShapeError, SpecError

__all__ = [
    "check_alpha",
    "check_gram",
    "check_targets",
    "check_weights",
    "matmul_rows",
]

_CHUNK = 128
"""Rows looked at together, so that checks need no second matrix."""

_BLOCK = 1024
"""Columns compared with their mirror images together."""

_ASYMMETRY = 1e-4
"""Largest |K_ij - K_ji| over the largest |K_ij|: float32 kernels of other libraries pass."""


def check_gram(who: str, K: Any) -> np.ndarray:
    """Return K as an array after checking that it is square, real, finite and symmetric."""
    refuse_masked(f"{who}: K", K)
    K = np.asarray(K)
    if K.ndim != 2 or K.shape[0] != K.shape[1]:
        raise ShapeError(
            f"{who}: K must be a square matrix (n, n); got shape {K.shape}. "
            "Pass the kernel of the training inputs with themselves."
        )
    if K.shape[0] == 0:
        raise ShapeError(f"{who}: K must have at least one row; got shape (0, 0).")
    if K.dtype.kind not in "buif":
        raise TypeError(f"{who}: K must hold real numbers; got dtype {K.dtype}.")
    largest = asymmetry = 0.0
    for i in range(0, len(K), _CHUNK):
        rows = slice(i, i + _CHUNK)
        peak = float(np.abs(K[rows].astype(np.float64, copy=False)).max())
        if not np.isfinite(peak):
            bad = i + int(np.flatnonzero(~np.isfinite(K[rows]).all(axis=1))[0])
            raise ValueError(f"{who}: K contains NaN or infinity (first in row {bad}).")
        largest = max(largest, peak)
        # Block by block: of a mapped file a whole column would touch every page.
        for j in range(i, len(K), _BLOCK):
            columns = slice(j, j + _BLOCK)
            # In float64: differences of unsigned integers would wrap around.
            block = K[rows, columns].astype(np.float64, copy=False)
            off = np.abs(block - K[columns, rows].T).max()
            asymmetry = max(asymmetry, float(off))
    if 0 < largest < np.finfo(np.float64).tiny:
        raise SpecError(
            f"{who}: K is {largest:.2g} at most, where float64 has few digits. Rescale K."
        )
    if asymmetry > _ASYMMETRY * largest:
        raise ValueError(
            f"{who}: K must be symmetric; |K - K.T| reaches {asymmetry:.3g} where "
            f"K reaches {largest:.3g}. Pass the kernel of the training inputs with themselves."
        )
    return K


def check_targets(who: str, y: Any, n: int) -> np.ndarray:
    """Return y in float64, (n,) or (n, n_targets), after checking it."""
    refuse_masked(f"{who}: y", y)
    y = np.asarray(y)
    if y.dtype.kind not in "buif":
        raise TypeError(f"{who}: y must hold real numbers; got dtype {y.dtype}.")
    if y.ndim not in (1, 2) or len(y) != n or 0 in y.shape:
        raise ShapeError(
            f"{who}: y must be (n,) or (n, n_targets) with n = {n} rows as in K; "
            f"got shape {y.shape}."
        )
    if not np.isfinite(y).all():
        raise ValueError(f"{who}: y contains NaN or infinity.")
    return y.astype(np.float64)


def check_alpha(who: str, alpha: Any, n_targets: int) -> np.ndarray:
    """Return alpha as float64, () or (n_targets,), after checking that it is finite and >= 0."""
    refuse_masked(f"{who}: alpha", alpha)
    values = np.asarray(alpha)
    ok = values.dtype.kind in "uif" and values.shape in ((), (n_targets,))
    if not ok or not np.isfinite(values).all() or (values < 0).any():
        raise SpecError(
            f"{who}: alpha must be a finite float >= 0, or one for each of "
            f"{n_targets} target(s); got {alpha!r}."
        )
    return values.astype(np.float64)


def check_weights(who: str, sample_weight: Any, n: int) -> np.ndarray:
    """Return the sample weights in float64, (n,), after checking that they make sense."""
    refuse_masked(f"{who}: sample_weight", sample_weight)
    weights = np.asarray(sample_weight)
    ok = weights.dtype.kind in "buif" and weights.shape in ((), (n,))
    if not ok or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError(
            f"{who}: sample_weight must be {n} finite numbers >= 0, not all 0; "
            f"got {sample_weight!r}."
        )
    return np.broadcast_to(weights.astype(np.float64), (n,))


def alpha_unit(who: str, alpha_scale: str, K: Any, weights: np.ndarray | None) -> float:
    """Return what alpha = 1 means: 1, or the (weighted) mean of K's diagonal.

    K is an array, or what has `diagonal` as arrays do.
    """
    if alpha_scale == "absolute":
        return 1.0
    if alpha_scale != "mean_diagonal":
        raise SpecError(
            f'{who}: alpha_scale must be "absolute" or "mean_diagonal"; got {alpha_scale!r}.'
        )
    # Of weights over the largest: sums of huge ones overflow.
    shares = None if weights is None else weights / weights.max()
    mean = float(np.average(K.diagonal().astype(np.float64), weights=shares))
    if mean <= 0:
        raise NotPSDError(
            f"{who}: the mean of K's diagonal is {mean:.3g}, so alpha_scale="
            '"mean_diagonal" gives no ridge (all inputs zero?). Use alpha_scale="absolute".'
        )
    return mean


def matmul_rows(K: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return K @ b in float64 without a float64 copy of all of K."""
    chunks = (K[i : i + _CHUNK].astype(np.float64, copy=False) for i in range(0, len(K), _CHUNK))
    return np.concatenate([rows @ b for rows in chunks])
