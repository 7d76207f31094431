"""How few directions hold the spread of many end points, against that of their starts."""

from typing import Any, NamedTuple

import numpy as np

from ntkreg.arrays import as_array
from ntkreg.errors import DivergenceError, ShapeError, SpecError

__all__ = ["SpreadShares", "spread_shares"]


class SpreadShares(NamedTuple):
    """Share of the variance over seeds that leading directions hold.

    Attributes
    ----------
    ends, starts : float
        Of the end points, and of the starts: without the second the first says nothing, since
        few seeds always lie in few directions.
    moves : float
        Of the ways from start to end.
    isotropic : float
        Share that as many directions hold of equal variances, n_directions over the rank.
    """

    ends: float
    starts: float
    moves: float
    isotropic: float


def spread_shares(starts: Any, ends: Any, n_directions: int = 5) -> SpreadShares:
    """Return how much of the spread over seeds a few directions hold.

    Parameters
    ----------
    starts, ends : array (n_seeds, n_parameters)
    n_directions : int, default=5
        At most n_seeds - 1.

    Returns
    -------
    SpreadShares

    Raises
    ------
    SpecError, ShapeError
        If there are too few seeds, all of them are the same, or the arrays do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkreg.landscape import spread_shares
    >>> starts = np.vstack([np.eye(3), -np.eye(3)])
    >>> spread_shares(starts, starts * [4.0, 1.0, 1.0], 1)
    SpreadShares(ends=0.88..., starts=0.33..., moves=1.0, isotropic=0.33...)
    """
    starts = as_array("spread_shares: starts", starts).astype(float)
    ends = as_array("spread_shares: ends", ends).astype(float)
    if starts.ndim != 2 or starts.shape != ends.shape:
        raise ShapeError(
            "spread_shares: starts and ends must be (n_seeds, n_parameters) both; got "
            f"{starts.shape} and {ends.shape}."
        )
    if not np.isfinite(starts).all() or not np.isfinite(ends).all():
        raise DivergenceError(
            "spread_shares: starts or ends hold NaN or infinite values: training diverged. Lower "
            "its learning rate."
        )
    whole = isinstance(n_directions, int) and not isinstance(n_directions, bool)
    if not whole or not 1 <= n_directions < len(starts):
        raise SpecError(
            f"spread_shares: n_directions must be an integer from 1 to {len(starts) - 1}, one less "
            f"than the seeds; got {n_directions!r}."
        )
    rank = min(len(starts) - 1, starts.shape[1])
    return SpreadShares(
        _share("ends", ends, n_directions),
        _share("starts", starts, n_directions),
        _share("ends - starts", ends - starts, n_directions),
        min(1.0, n_directions / rank),
    )


def _share(name: str, points: np.ndarray, k: int) -> float:
    sizes = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if not sizes.max() > 0:
        raise SpecError(f"spread_shares: all rows of {name} are the same. Use different seeds.")
    # Over the largest: squares of very small or large ones leave the range of floats.
    values = np.square(sizes / sizes.max())
    return float(values[:k].sum() / values.sum())
