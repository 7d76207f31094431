"""The loss along lines and on planes through the parameters of networks."""

from typing import Any

import numpy as np

from ntkreg.arrays import as_array
from ntkreg.errors import ShapeError
from ntkreg.landscape.checks import check_surface
from ntkreg.landscape.surface import LossSurface

__all__ = ["line", "plane"]


def line(surface: LossSurface, direction: Any, at: Any) -> np.ndarray:
    r"""Return :math:`L(\theta + a d)` for every a.

    With `filter_normalized_directions` networks whose weights differ in scale alone have the
    same slices.

    Parameters
    ----------
    surface : LossSurface
    direction : array (n_seeds, n_parameters)
    at : array (n_points,)

    Returns
    -------
    ndarray (n_seeds, n_points)

    Raises
    ------
    ShapeError
        If the direction is none of this surface.
    DivergenceError
        If the loss overflows somewhere.
    """
    at = _numbers("line", "at", at)
    weights = np.stack([np.ones_like(at), at], axis=1)
    return surface.losses_along(_basis("line", surface, direction), weights)


def plane(
    surface: LossSurface, direction: Any, other: Any, at: Any, at_other: Any = None
) -> np.ndarray:
    r"""Return :math:`L(\theta + a d + b e)` for every a and b.

    Parameters
    ----------
    surface : LossSurface
    direction, other : array (n_seeds, n_parameters)
    at : array (n_points,)
    at_other : array (n_others,), default=None
        None for the same as `at`.

    Returns
    -------
    ndarray (n_seeds, n_points, n_others)

    Raises
    ------
    ShapeError
        If a direction is none of this surface.
    DivergenceError
        If the loss overflows somewhere.

    Examples
    --------
    f(x) = u v x around u = v = 0 with x = 1 and y = 0 has the loss (a b)^2 / 2.

    >>> import jax, numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import LossSurface, plane
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> zeros = jax.tree.map(np.zeros_like, network.init_seeds([0], "float64"))
    >>> surface = LossSurface(network, zeros, [[1.0]], [0.0])
    >>> plane(surface, [[1.0, 0.0]], [[0.0, 1.0]], [0, 1, 2])
    array([[[0. , 0. , 0. ],
            [0. , 0.5, 2. ],
            [0. , 2. , 8. ]]])
    """
    at = _numbers("plane", "at", at)
    at_other = at if at_other is None else _numbers("plane", "at_other", at_other)
    a, b = np.meshgrid(at, at_other, indexing="ij")
    weights = np.stack([np.ones(a.size), a.ravel(), b.ravel()], axis=1)
    found = surface.losses_along(_basis("plane", surface, direction, other), weights)
    return found.reshape(surface.n_seeds, *a.shape)


def _basis(who: str, surface: LossSurface, *directions: Any) -> np.ndarray:
    check_surface(who, surface)
    rows = [as_array(f"{who}: direction", d).astype(surface.dtype) for d in directions]
    for row in rows:
        if row.shape != surface.theta.shape:
            raise ShapeError(
                f"{who}: a direction must be {surface.theta.shape}, a vector for each network; "
                f"got {row.shape}."
            )
    return np.stack([surface.theta, *rows], axis=1)


def _numbers(who: str, name: str, values: Any) -> np.ndarray:
    found = as_array(f"{who}: {name}", values).astype(float)
    if found.ndim != 1 or not found.size or not np.isfinite(found).all():
        raise ShapeError(f"{who}: {name} must list one or more finite numbers; got {values!r}.")
    return found
