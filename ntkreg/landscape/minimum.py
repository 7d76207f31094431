"""From near a minimum to a point whose gradient is zero to many digits."""

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, minres

from ntkreg.errors import SpecError
from ntkreg.landscape.checks import check_number, check_surface
from ntkreg.landscape.hessian import Hessian
from ntkreg.landscape.operator import Operator
from ntkreg.landscape.surface import LossSurface

__all__ = ["Polished", "newton_step", "polish"]

_NEWTON = 20
"""Most pure Newton steps at the end."""

_PRODUCTS = 400
"""Of one of them, at most: what is solved to fewer digits is a shorter step."""


class Polished(NamedTuple):
    """Where a polish ended.

    Attributes
    ----------
    theta : ndarray (n_seeds, n_parameters)
    gradient_norms : ndarray (n_seeds,)
    converged : ndarray (n_seeds,) of bool
        Whether the gradient is below the tolerance.
    """

    theta: np.ndarray
    gradient_norms: np.ndarray
    converged: np.ndarray


def polish(
    surface: LossSurface,
    theta: Any = None,
    *,
    tol: float = 1e-9,
    max_iterations: int = 500,
) -> Polished:
    r"""Minimise from a point to a gradient below a tolerance.

    Newton steps in a trust region (conjugate gradients with Hessian products), which go down
    alone; then, since losses no longer differ where gradients are below sqrt(eps), pure Newton
    steps as long as the gradient shrinks. Flat directions are left as they are.

    Parameters
    ----------
    surface : LossSurface
        In float64.
    theta : array (n_seeds, n_parameters), default=None
        None for the surface's own.
    tol : float > 0, default=1e-9
    max_iterations : int, default=500
        Of the trust region.

    Returns
    -------
    Polished

    Raises
    ------
    SpecError
        If the surface is in float32, or a setting makes no sense.

    References
    ----------
    Nocedal and Wright 2006 (Numerical Optimization, 2nd ed.), algorithm 7.2 (Steihaug).

    Examples
    --------
    f(x) = u v x has every (u, 1 / u) as minimum for y = x.

    >>> import jax, numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import LossSurface, polish
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> params = ({"w": np.full((1, 1, 1), 3.0)}, {}, {"w": np.full((1, 1, 1), 5.0)})
    >>> found = polish(LossSurface(network, params, [[1.0]], [1.0]))
    >>> np.round(found.theta.prod(axis=1), 9), found.converged
    (array([1.]), array([ True]))
    """
    check_surface("polish", surface)
    if surface.dtype != np.float64:
        raise SpecError(
            f"polish: needs float64; the surface is in {surface.dtype}. Train with dtype='float64'."
        )
    tol = check_number("polish", "tol", tol)
    if not isinstance(max_iterations, int) or max_iterations < 1:
        raise SpecError(f"polish: max_iterations must be an integer >= 1; got {max_iterations!r}.")
    theta = surface.check_points(theta)
    ends = []
    for k in range(surface.n_seeds):
        one = surface.only(k) if surface.n_seeds > 1 else surface
        ends.append(_polish_one(one, theta[k], tol, max_iterations))
    found = np.array(ends)
    norms = np.linalg.norm(surface.gradients(found), axis=1)
    return Polished(found, norms, norms < tol)


def newton_step(hessian: Operator, gradient: np.ndarray) -> np.ndarray:
    """Return the shortest step s with H s = -g nearest to solved, for one network, (p,)."""
    n = gradient.size
    matrix = LinearOperator((n, n), matvec=lambda v: hessian(v.reshape(1, n))[0], dtype=float)
    return minres(matrix, -gradient, rtol=1e-12, maxiter=min(4 * n, _PRODUCTS))[0]


def _polish_one(
    surface: LossSurface, theta: np.ndarray, tol: float, max_iterations: int
) -> np.ndarray:
    hessian = Hessian(surface, theta[None])

    def value(t: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = surface.losses_and_gradients(t[None])
        return float(loss[0]), gradient[0]

    def product(t: np.ndarray, v: np.ndarray) -> np.ndarray:
        return hessian.at(t[None])(v[None])[0]

    def norm(t: np.ndarray) -> float:
        return float(np.linalg.norm(surface.gradients(t[None])))

    now = norm(theta)
    if now >= tol:
        found = minimize(
            value,
            theta,
            jac=True,
            hessp=product,
            method="trust-ncg",
            options={"gtol": tol / 2, "maxiter": max_iterations},
        )
        theta, now = found.x, norm(found.x)
    for _ in range(_NEWTON):
        if now < tol:
            break
        trial = theta + newton_step(hessian.at(theta[None]), surface.gradients(theta[None])[0])
        after = norm(trial)
        if not after < now:
            break
        theta, now = trial, after
    return theta
