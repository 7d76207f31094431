"""Losses after random changes of the weights, of growing size."""

import math
from numbers import Real
from typing import Any, Literal

import numpy as np

from ntkreg.arrays import as_array
from ntkreg.errors import SpecError
from ntkreg.landscape.checks import check_seed, check_surface
from ntkreg.landscape.directions import filter_normalized_directions, unit_directions
from ntkreg.landscape.surface import LossSurface

__all__ = ["Kind", "check_radius", "perturbed_losses"]

Kind = Literal["sphere", "filter"]

_KINDS = {
    "sphere": lambda surface, seed: unit_directions(surface, seed),
    "filter": lambda surface, seed: filter_normalized_directions(surface, None, seed),
}


def perturbed_losses(
    surface: LossSurface, radii: Any, *, kind: Kind = "sphere", n_draws: int = 16, seed: int = 0
) -> np.ndarray:
    r"""Return :math:`L(\theta + \rho d)` for random directions d and every radius.

    On ``surface.on(X_test, y_test)`` it is the test loss under weight perturbation.

    Parameters
    ----------
    surface : LossSurface
    radii : array (n_radii,), >= 0
    kind : {"sphere", "filter"}, default="sphere"
        Directions of length 1, or filter-normalised ones, whose radius is relative to the
        norms of filters.
    n_draws : int, default=16
    seed : int, default=0

    Returns
    -------
    ndarray (n_seeds, n_draws, n_radii)

    Raises
    ------
    SpecError
        If radii, kind or the number of draws make no sense.
    DivergenceError
        If a loss overflows.
    """
    check_surface("perturbed_losses", surface)
    seed = check_seed("perturbed_losses", seed)
    radii = np.atleast_1d(as_array("perturbed_losses: radii", radii).astype(float))
    if radii.ndim != 1:
        raise SpecError(f"perturbed_losses: radii must be a list of numbers; got {radii.shape}.")
    for radius in radii.tolist():
        check_radius("perturbed_losses", radius)
    if kind not in _KINDS:
        raise SpecError(f"perturbed_losses: kind must be one of {', '.join(_KINDS)}; got {kind!r}.")
    if not isinstance(n_draws, int) or isinstance(n_draws, bool) or n_draws < 1:
        raise SpecError(f"perturbed_losses: n_draws must be an integer >= 1; got {n_draws!r}.")
    weights = np.stack([np.ones_like(radii), radii], axis=1)
    # One draw at a time: memory does not grow with their number.
    return np.stack(
        [
            surface.losses_along(
                np.stack([surface.theta, _KINDS[kind](surface, seed + k)], axis=1), weights
            )
            for k in range(n_draws)
        ],
        axis=1,
    )


def check_radius(who: str, radius: Any) -> float:
    """Return a radius as a float; raise unless it is finite and >= 0."""
    number = isinstance(radius, Real) and not isinstance(radius, bool)
    if not number or not 0 <= float(radius) < math.inf:
        raise SpecError(f"{who}: radius must be a finite number >= 0; got {radius!r}.")
    return float(radius)
