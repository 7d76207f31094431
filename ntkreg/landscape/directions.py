"""Random directions in parameter space, of unit length or scaled filter by filter."""

import math
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from ntkreg.finite.base import Network
from ntkreg.landscape.checks import check_seed, check_surface
from ntkreg.landscape.surface import LossSurface

__all__ = ["filter_normalized_directions", "unit_directions"]


def unit_directions(surface: LossSurface, seed: int = 0) -> np.ndarray:
    """Return a random direction (n_seeds, n_parameters) of length 1 for each network."""
    check_surface("unit_directions", surface)
    d = _normal("unit_directions", surface, seed)
    return d / np.linalg.norm(d, axis=1, keepdims=True)


def filter_normalized_directions(
    surface: LossSurface, theta: Any = None, seed: int = 0
) -> np.ndarray:
    r"""Return a random direction for each network with the norms of its filters.

    .. math:: d_j \leftarrow \frac{d_j}{\|d_j\|} \|\theta_j\|

    for every filter j: the weights into one unit or channel. Every bias, and every other number
    that stands alone, is a filter of its own: where a layer of a ReLU network is multiplied by c
    and the next divided by it, weights and biases of the next layer scale differently. Where a
    filter is zero, so is the direction.

    Parameters
    ----------
    surface : LossSurface
    theta : array (n_seeds, n_parameters), default=None
        The points; None for the surface's own.
    seed : int, default=0
        The same draw for any points.

    Returns
    -------
    ndarray (n_seeds, n_parameters)

    References
    ----------
    Li et al. 2018 (arXiv 1712.09913), section 4, which leaves biases out.

    Examples
    --------
    Where every filter is one number, a direction changes signs alone.

    >>> import numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import LossSurface, filter_normalized_directions
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> params = ({"w": np.full((1, 1, 1), 3.0)}, {}, {"w": np.full((1, 1, 1), 5.0)})
    >>> surface = LossSurface(network, params, [[1.0]], [7.0])
    >>> abs(filter_normalized_directions(surface))
    array([[3., 5.]])
    """
    check_surface("filter_normalized_directions", surface)
    theta = surface.check_points(theta)
    filters = _filters(surface.network)
    d = _normal("filter_normalized_directions", surface, seed)
    lengths, wanted = (_norms(filters, values) for values in (d, theta))
    return (d * (wanted / lengths)[:, filters]).astype(surface.dtype)


def _normal(who: str, surface: LossSurface, seed: int) -> np.ndarray:
    rng = np.random.default_rng(check_seed(who, seed))
    return rng.standard_normal(surface.theta.shape).astype(surface.dtype)


def _norms(filters: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the norm of each filter, (n_seeds, n_filters)."""
    return np.sqrt([np.bincount(filters, row) for row in np.square(values, dtype=float)])


@lru_cache(maxsize=64)
def _filters(network: Network) -> np.ndarray:
    """Return the number of the filter of each trained parameter, (n_parameters,)."""
    trained = network.split(jax.eval_shape(lambda: network.init(0)))[0]
    found, first = [], 0
    for leaf in jax.tree.leaves(trained):
        size = math.prod(leaf.shape)
        count = leaf.shape[-1] if len(leaf.shape) > 1 else size
        found.append(first + np.arange(size) % count)
        first += count
    return np.concatenate(found)
