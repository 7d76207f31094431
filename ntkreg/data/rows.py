"""What transformers of images share: images in and out as checked float rows."""

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from ntkreg.arrays import refuse_dates, refuse_masked

__all__ = ["batches", "images_stay_arrays", "in_shape_of", "read_rows"]

BATCH = 1024
"""Rows at a time, so that float64 copies of them stay small beside X."""


def read_rows(
    estimator: Any, X: Any, *, reset: bool, min_samples: int = 1, min_features: int = 1
) -> tuple[np.ndarray, tuple[int, ...] | None]:
    """Check X for a scikit-learn transformer and return it as float rows.

    Images pass scikit-learn's checks as flat rows, so that ``n_features_in_`` is h * w * c
    however they come.

    Parameters
    ----------
    estimator : scikit-learn estimator
    X : array-like of shape (n, d) or (n, h, w, c)
    reset : bool
        True in `fit`; False afterwards, where X must have the features of `fit`.
    min_samples, min_features : int
        What `fit` needs at least.

    Returns
    -------
    rows : ndarray of shape (n, d)
        float32 of uint8, float16 and float32; float64 of everything else. May be X itself.
    shape : tuple of int or None
        (h, w, c) of images; None of flat rows.

    Raises
    ------
    NotFittedError
        Before `fit`, if not `reset`.
    ValueError
        NaN, infinity, too few samples or features, or others than in `fit`.
    """
    if not reset:
        check_is_fitted(estimator)
    refuse_masked(f"{type(estimator).__name__}: X", X)
    refuse_dates(f"{type(estimator).__name__}: X", X)
    shape = None
    if _ndim(X) == 4:
        X = np.asarray(X)
        shape = X.shape[1:]
        X = X.reshape(len(X), math.prod(shape))
    X = validate_data(
        estimator,
        X,
        reset=reset,
        dtype="numeric",
        ensure_min_samples=min_samples,
        ensure_min_features=min_features,
    )
    narrow = X.dtype in (np.uint8, np.float16, np.float32)
    return X.astype(np.float32 if narrow else np.float64, copy=False), shape


def in_shape_of(X: Any, Z: np.ndarray) -> np.ndarray:
    """Return Z as images if X came as images, else as rows."""
    return Z.reshape(np.shape(X)) if _ndim(X) == 4 else Z.reshape(len(Z), -1)


def images_stay_arrays(cls: type) -> type:
    """Let a transformer's images be arrays whatever `set_output` says: tables have no images."""

    def spare(method: Any) -> Any:
        plain = method.__wrapped__  # scikit-learn's wrapper makes tables of what it returns

        @functools.wraps(plain)
        def transform(self: Any, X: Any, *args: Any, **settings: Any) -> Any:
            return (plain if _ndim(X) == 4 else method)(self, X, *args, **settings)

        return transform

    for name in ("transform", "fit_transform"):
        setattr(cls, name, spare(getattr(cls, name)))
    return cls


def batches(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield views of `BATCH` rows at a time."""
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _ndim(X: Any) -> int:
    return X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
