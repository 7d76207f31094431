"""Targets of a regression as numbers."""

from typing import Any

import numpy as np
from sklearn.utils import assert_all_finite

from ntkreg.arrays import refuse_masked
from ntkreg.errors import ShapeError

__all__ = ["read_targets"]


def read_targets(who: str, y: Any) -> np.ndarray:
    """Return y in float64, (n,) or (n, n_targets).

    Raises
    ------
    ValueError
        Anything but finite real numbers (text that reads as numbers is taken for them);
        more than two dimensions (`ShapeError`).
    """
    refuse_masked(f"{who}: y", y)
    given = np.asarray(y)
    sort = given.dtype
    if sort.kind not in "biufOSU":
        complex_ = " Complex data not supported." if sort.kind == "c" else ""
        raise ValueError(f"{who}: y must hold real numbers; got dtype {sort}.{complex_}")
    try:
        values = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{who}: y must hold real numbers; {error}.") from None
    if values.ndim not in (1, 2):
        raise ShapeError(
            f"{who}: y must have shape (n_samples,) or (n_samples, n_targets); got {values.shape}."
        )
    assert_all_finite(values, estimator_name=who, input_name="y")
    return values
