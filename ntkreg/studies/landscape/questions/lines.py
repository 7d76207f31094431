"""What every question gives back: lines of subject, seed, quantity, value."""

from typing import Any

import numpy as np

__all__ = ["Values", "lines"]

Values = list[list[Any]]
"""Lines of subject, number of the seed, draw or group, quantity, value."""


def lines(subject: str, quantity: str, values: Any) -> Values:
    """Return a line for each value, by its place; those that are masked have none."""
    defined = ~np.ma.getmaskarray(values)
    found = np.ma.getdata(values)
    return [[subject, int(k), quantity, float(found[k])] for k in np.flatnonzero(defined)]
