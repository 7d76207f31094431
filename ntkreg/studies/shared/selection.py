"""The part of a data set that a configuration asks for."""

from dataclasses import replace
from typing import Any

from ntkreg.data import ImageData, load_data
from ntkreg.errors import SpecError

__all__ = ["load_selected"]


def load_selected(config: Any) -> ImageData:
    """Load a configuration's `data` and return its first `n_train` and `n_test` inputs.

    Raises
    ------
    SpecError, DataError
        There are not as many; the data are none.
    """
    data = load_data(config.data)
    for key, there in (("n_train", data.X_train), ("n_test", data.X_test)):
        asked = getattr(config, key)
        if asked is not None and asked > len(there):
            raise SpecError(f"{key} must be at most {len(there)} for {config.data}; got {asked}.")
    return replace(
        data,
        X_train=data.X_train[: config.n_train],
        y_train=data.y_train[: config.n_train],
        X_test=data.X_test[: config.n_test],
        y_test=data.y_test[: config.n_test],
    )
