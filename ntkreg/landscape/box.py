"""Keskar's sharpness: the highest loss in a box around the parameters."""

import numpy as np
from scipy.optimize import minimize

from ntkreg.errors import SpecError
from ntkreg.landscape.checks import check_seed, check_surface
from ntkreg.landscape.perturbation import check_radius
from ntkreg.landscape.surface import LossSurface

__all__ = ["box_sharpness"]

_ITERATIONS = 10
"""Of L-BFGS-B, as in the paper."""


def box_sharpness(
    surface: LossSurface, radius: float = 1e-3, *, n_starts: int = 2, seed: int = 0
) -> np.ndarray:
    r"""Return how far the loss rises in a box around each network, in per cent.

    .. math:: \phi = 100 \cdot \frac{\max_{z \in C} L(\theta + z) - L(\theta)}{1 + L(\theta)},
              \qquad C = \{z : |z_i| \le \epsilon (|\theta_i| + 1)\}

    by ten iterations of L-BFGS-B from each of some random corners of the box: from the middle it
    would not move where the gradient is zero.

    Parameters
    ----------
    surface : LossSurface
    radius : float >= 0, default=1e-3
        The paper's epsilon.
    n_starts : int, default=2
    seed : int, default=0

    Returns
    -------
    ndarray (n_seeds,)
        A lower bound of the maximum, >= 0.

    Raises
    ------
    SpecError
        If radius or number of starts make no sense.

    References
    ----------
    Keskar et al. 2017 (arXiv 1609.04836), metric 2.1 with the full space.

    Examples
    --------
    f(x) = u v x at u = v = 1, x = 1, y = 0: the highest corner is u = v = 1 + 2 radius.

    >>> import jax, numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import LossSurface, box_sharpness
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> ones = jax.tree.map(np.ones_like, network.init_seeds([0], "float64"))
    >>> found = box_sharpness(LossSurface(network, ones, [[1.0]], [0.0]), 0.25)
    >>> bool(np.isclose(found[0], 100 * (1.5**4 / 2 - 0.5) / 1.5))
    True
    """
    check_surface("box_sharpness", surface)
    radius = check_radius("box_sharpness", radius)
    if not isinstance(n_starts, int) or isinstance(n_starts, bool) or n_starts < 1:
        raise SpecError(f"box_sharpness: n_starts must be an integer >= 1; got {n_starts!r}.")
    rng = np.random.default_rng(check_seed("box_sharpness", seed))
    losses = surface.losses()
    highest = losses.astype(float)
    for k in range(surface.n_seeds):
        one = surface.only(k)
        half = radius * (np.abs(one.theta[0], dtype=float) + 1)
        low, high = one.theta[0] - half, one.theta[0] + half

        def fall(theta: np.ndarray, one: LossSurface = one) -> tuple[float, np.ndarray]:
            loss, gradient = one.losses_and_gradients(theta[None])
            return -float(loss[0]), -gradient[0].astype(float)

        for _ in range(n_starts):
            corner = np.where(rng.random(len(half)) < 0.5, low, high)
            bounds = np.stack([low, high], axis=1)
            found = minimize(
                fall,
                corner,
                jac=True,
                method="L-BFGS-B",
                bounds=bounds,
                options={"maxiter": _ITERATIONS},
            )
            highest[k] = max(highest[k], -found.fun)
    return 100 * (highest - losses) / (1 + losses)
