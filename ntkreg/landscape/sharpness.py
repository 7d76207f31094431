"""Measures of how sharp a minimum is; none is known to go with test error.

Others stand elsewhere: Keskar's box (`box_sharpness`), the largest eigenvalue and the trace of
the Hessian (`extreme_eigenvalues`, `trace`).
"""

from typing import Any, NamedTuple

import numpy as np

from ntkreg.landscape.checks import check_surface
from ntkreg.landscape.perturbation import Kind, check_radius, perturbed_losses
from ntkreg.landscape.surface import LossSurface

__all__ = ["Sharpness", "average_sharpness", "filter_sharpness", "sam_sharpness"]


class Sharpness(NamedTuple):
    """Mean rise of the loss (n_seeds,), and its standard error over draws (n_seeds,).

    The error is infinite for one draw.
    """

    value: np.ndarray
    error: np.ndarray


def average_sharpness(
    surface: LossSurface, radius: float, *, n_draws: int = 16, seed: int = 0
) -> Sharpness:
    r"""Return the mean rise of the loss in random directions of one length.

    .. math:: \mathrm{E}_{\|d\| = 1} L(\theta + \rho d) - L(\theta) \approx
              \tfrac{\rho^2}{2 p} \operatorname{tr} H

    near a critical point with p parameters.

    Parameters
    ----------
    surface : LossSurface
    radius : float >= 0
    n_draws : int, default=16
    seed : int, default=0

    Returns
    -------
    Sharpness

    References
    ----------
    Wen et al. 2023 (arXiv 2211.05729), average-direction sharpness.

    Examples
    --------
    f(x) = w x at its minimum, x = 1: every direction raises the loss by radius^2 / 2.

    >>> import numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import LossSurface, average_sharpness
    >>> network = finite_network(fully_connected(0), (1,))
    >>> surface = LossSurface(network, ({"w": np.full((1, 1, 1), 3.0)},), [[1.0]], [3.0])
    >>> average_sharpness(surface, 2.0)
    Sharpness(value=array([2.]), error=array([0.]))
    """
    return _mean_rise("average_sharpness", surface, radius, "sphere", n_draws, seed)


def filter_sharpness(
    surface: LossSurface, radius: float, *, n_draws: int = 16, seed: int = 0
) -> Sharpness:
    """Return the mean rise of the loss along filter-normalised directions times the radius.

    Scale-invariant: the same for networks whose layers differ by factors that cancel.

    Parameters
    ----------
    surface : LossSurface
    radius : float >= 0
        Relative to the norm of each filter.
    n_draws : int, default=16
    seed : int, default=0

    Returns
    -------
    Sharpness

    References
    ----------
    Li et al. 2018 (arXiv 1712.09913).

    Examples
    --------
    f(x) = w x at its minimum w = 3, x = 1: a radius of 2 goes 6 far.

    >>> import numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import LossSurface, filter_sharpness
    >>> network = finite_network(fully_connected(0), (1,))
    >>> surface = LossSurface(network, ({"w": np.full((1, 1, 1), 3.0)},), [[1.0]], [3.0])
    >>> filter_sharpness(surface, 2.0)
    Sharpness(value=array([18.]), error=array([0.]))
    """
    return _mean_rise("filter_sharpness", surface, radius, "filter", n_draws, seed)


def sam_sharpness(surface: LossSurface, radius: float) -> np.ma.MaskedArray:
    r"""Return the rise of the loss along the gradient.

    .. math:: L\Big(\theta + \rho \frac{\nabla L}{\|\nabla L\|}\Big) - L(\theta)

    Parameters
    ----------
    surface : LossSurface
    radius : float >= 0

    Returns
    -------
    masked array (n_seeds,)
        Masked where the gradient is zero: it has no direction.

    References
    ----------
    Foret et al. 2021 (arXiv 2010.01412), eq. 2.

    Examples
    --------
    f(x) = u v x at u = v = 1, x = 1, y = 0: the loss (u v)^2 / 2 at u = v = 2 is 8.

    >>> import jax, numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import LossSurface, sam_sharpness
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> ones = jax.tree.map(np.ones_like, network.init_seeds([0], "float64"))
    >>> sam_sharpness(LossSurface(network, ones, [[1.0]], [0.0]), 2**0.5).round(12)
    masked_array(data=[7.5], mask=[False], ...)
    >>> sam_sharpness(LossSurface(network, ones, [[1.0]], [1.0]), 2**0.5)
    masked_array(data=[--], mask=[ True], ...)
    """
    check_surface("sam_sharpness", surface)
    radius = check_radius("sam_sharpness", radius)
    losses, g = surface.losses_and_gradients()
    norm = np.linalg.norm(g, axis=1)
    zero = norm == 0
    up = surface.theta + radius * g / np.where(zero, 1, norm)[:, None]
    return np.ma.MaskedArray(surface.losses(up) - losses, mask=zero)


def _mean_rise(
    who: str, surface: LossSurface, radius: Any, kind: Kind, n_draws: int, seed: int
) -> Sharpness:
    check_surface(who, surface)
    radius = check_radius(who, radius)
    found = perturbed_losses(surface, [radius], kind=kind, n_draws=n_draws, seed=seed)[:, :, 0]
    rise = found - surface.losses()[:, None]
    spread = rise.std(axis=1, ddof=1) if n_draws > 1 else np.full(len(rise), np.inf)
    return Sharpness(rise.mean(axis=1), spread / np.sqrt(n_draws))
