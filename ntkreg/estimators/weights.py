"""Sample weights as numbers."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from ntkreg.arrays import refuse_masked
from ntkreg.errors import ShapeError

__all__ = ["read_weights"]


def read_weights(who: str, sample_weight: Any, n_samples: int) -> np.ndarray | None:
    """Return the weights as float64 (n,), None for none.

    Raises
    ------
    ValueError
        Negative ones, none above zero, no numbers; another number of them (`ShapeError`).
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, sample_weight)
    refuse_masked(f"{who}: sample_weight", sample_weight)
    try:
        weights = check_array(
            sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
        )
    except ValueError as error:
        if "could not convert" not in str(error):  # scikit-learn's words on NaN and infinity
            raise
        raise ValueError(
            f"{who}: sample_weight must be numbers, one a sample; got text ({error})."
        ) from None
    if weights.shape != (n_samples,):
        raise ShapeError(
            f"{who}: sample_weight must have shape ({n_samples},); got {weights.shape}."
        )
    if weights.min() < 0 or not weights.any():
        raise ValueError(
            f"{who}: sample_weight must be >= 0 and not zero everywhere; "
            f"got a least value of {weights.min()} and a greatest of {weights.max()}."
        )
    return weights
