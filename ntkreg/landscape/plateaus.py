"""How long training lingers: plateaus, escapes from saddles, and where late iterates wander."""

from typing import Any

import numpy as np

from ntkreg.arrays import as_array
from ntkreg.errors import DivergenceError, ShapeError, SpecError
from ntkreg.landscape.checks import check_number

__all__ = ["escape_steps", "iterate_diameter", "plateau_lengths"]


def plateau_lengths(steps: Any, losses: Any, fall: float = 0.01) -> np.ndarray:
    """Return the longest stretch of steps over which each loss falls by less than a share.

    Parameters
    ----------
    steps : array (n_observed,)
        Increasing; a stretch begins and ends at one of them.
    losses : array (n_observed, n_seeds)
        Of a `TrainingRun`, say.
    fall : float, default=0.01
        Share of the loss at the beginning of the stretch. The loss stays within it throughout.

    Returns
    -------
    ndarray (n_seeds,)
        In steps.

    Raises
    ------
    ShapeError, SpecError
        If the arrays do not fit, or `fall` is not between 0 and 1.

    Examples
    --------
    >>> from ntkreg.landscape import plateau_lengths
    >>> plateau_lengths([0, 10, 20, 30, 40], [[4.0], [1.0], [0.995], [0.993], [0.1]])
    array([20])
    """
    steps, losses = _history("plateau_lengths", steps, losses)
    if not 0 < check_number("plateau_lengths", "fall", fall, zero=True) < 1:
        raise SpecError(f"plateau_lengths: fall must be between 0 and 1; got {fall!r}.")
    longest = np.zeros(losses.shape[1], steps.dtype)
    for i in range(len(steps)):
        near = np.abs(losses[i:] - losses[i]) < fall * losses[i]
        last = np.argmin(np.concatenate([near, np.zeros((1, near.shape[1]), bool)]), axis=0) - 1
        longest = np.maximum(longest, steps[np.maximum(i + last, i)] - steps[i])
    return longest


def escape_steps(steps: Any, losses: Any, level: float) -> np.ma.MaskedArray:
    """Return the first observed step at which each loss is below a level.

    Near a saddle, with the saddle's loss as level less some share, it is when it was escaped.

    Parameters
    ----------
    steps : array (n_observed,)
    losses : array (n_observed, n_seeds)
    level : float

    Returns
    -------
    masked array (n_seeds,)
        Masked where the loss never was.

    Raises
    ------
    ShapeError
        If the arrays do not fit.

    Examples
    --------
    >>> from ntkreg.landscape import escape_steps
    >>> escape_steps([0, 10, 20], [[1.0, 1.0], [0.6, 1.0], [0.1, 1.0]], 0.5)
    masked_array(data=[20, --], mask=[False,  True], ...)
    """
    steps, losses = _history("escape_steps", steps, losses)
    below = losses < check_number("escape_steps", "level", level, zero=True)
    return np.ma.MaskedArray(steps[np.argmax(below, axis=0)], mask=~below.any(axis=0))


def iterate_diameter(iterates: Any) -> np.ndarray:
    """Return the largest distance between two iterates of each network.

    Parameters
    ----------
    iterates : array (n_observed, n_seeds, n_parameters)
        Vectors of `LossSurface.vector` at late steps.

    Returns
    -------
    ndarray (n_seeds,)
    """
    points = as_array("iterate_diameter: iterates", iterates).astype(float)
    if points.ndim != 3 or not len(points):
        raise ShapeError(
            "iterate_diameter: iterates must be (n_observed, n_seeds, n_parameters); got "
            f"{points.shape}."
        )
    if not np.isfinite(points).all():
        raise DivergenceError(
            "iterate_diameter: iterates hold NaN or infinite values: training diverged. Lower its "
            "learning rate."
        )
    return np.max([np.linalg.norm(points - one, axis=2).max(axis=0) for one in points], axis=0)


def _history(who: str, steps: Any, losses: Any) -> tuple[np.ndarray, np.ndarray]:
    steps = as_array(f"{who}: steps", steps)
    losses = as_array(f"{who}: losses", losses).astype(float)
    if losses.ndim != 2 or not len(losses) or steps.shape != losses.shape[:1]:
        raise ShapeError(
            f"{who}: steps must be (n_observed,) and losses (n_observed, n_seeds); got "
            f"{steps.shape} and {losses.shape}."
        )
    if not np.all(np.diff(steps) > 0):
        raise ShapeError(f"{who}: steps must increase; got {steps}.")
    return steps, losses
