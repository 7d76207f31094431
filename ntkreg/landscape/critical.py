"""How near a point is to a critical one: gradient norms, of the whole and of each layer."""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ntkreg.finite.base import Network, Params
from ntkreg.finite.observers import layer_norms
from ntkreg.finite.precision import precision
from ntkreg.landscape.checks import check_surface
from ntkreg.landscape.hessian import Hessian
from ntkreg.landscape.surface import LossSurface, pure

__all__ = ["Criticality", "criticality", "layer_gradient_norms"]


class Criticality(NamedTuple):
    r"""What tells a flat place from a critical point.

    Attributes
    ----------
    gradient_norm : ndarray (n_seeds,)
    curvature_ratio : masked array (n_seeds,)
        :math:`\|H g\| / \|g\|`: curvature along the gradient. Near a nondegenerate critical
        point it is at least the least curvature; where it is small too, the gradient vanishes
        over a region (gradient-flat). Masked where the gradient is zero.
    """

    gradient_norm: np.ndarray
    curvature_ratio: np.ma.MaskedArray


def criticality(surface: LossSurface, theta: Any = None) -> Criticality:
    r"""Return gradient norm and curvature along the gradient of each network.

    Parameters
    ----------
    surface : LossSurface
    theta : array (n_seeds, n_parameters), default=None
        None for the surface's own.

    Returns
    -------
    Criticality

    References
    ----------
    Frye et al. 2021 (arXiv 2003.10397), gradient-flat points.

    Examples
    --------
    f(x) = u v x at u = v = 1, x = 1, y = 2 has g = (-1, -1) and H = [[1, 0], [0, 1]].

    >>> import jax, numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import LossSurface, criticality
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> ones = jax.tree.map(np.ones_like, network.init_seeds([0], "float64"))
    >>> found = criticality(LossSurface(network, ones, [[1.0]], [2.0]))
    >>> np.round(found.gradient_norm**2, 12), found.curvature_ratio
    (array([2.]), masked_array(data=[1.0], mask=[False], ...))
    >>> criticality(LossSurface(network, ones, [[1.0]], [1.0])).curvature_ratio
    masked_array(data=[--], mask=[ True], ...)
    """
    check_surface("criticality", surface)
    theta = surface.check_points(theta)
    g = surface.gradients(theta)
    norm = np.linalg.norm(g, axis=1)
    bent = np.linalg.norm(Hessian(surface, theta)(g), axis=1)
    zero = norm == 0
    return Criticality(norm, np.ma.MaskedArray(bent / np.where(zero, 1, norm), mask=zero))


def layer_gradient_norms(surface: LossSurface, theta: Any = None) -> np.ndarray:
    """Return the gradient's norm in each layer with weights, (n_seeds, n_layers).

    Layers that are not trained have 0. Squares sum to that of the whole gradient's norm.
    """
    check_surface("layer_gradient_norms", surface)
    theta = surface.check_points(theta)
    with precision(surface.dtype):
        run = _layer_norms(surface.network, surface.loss)
        return np.asarray(run(theta, surface.fixed, surface.X, surface.y))


@lru_cache(maxsize=32)
def _layer_norms(network: Network, loss: str) -> Any:
    functions = pure(network, loss)

    def run(theta: jax.Array, fixed: Params, X: jax.Array, y: jax.Array) -> jax.Array:
        gradient = functions.unpack(jax.grad(functions.value)(theta, fixed, X, y))
        return layer_norms(network.join(gradient, jax.tree.map(jnp.zeros_like, fixed)))

    return jax.jit(jax.vmap(run, (0, 0, None, None)))
