"""The Hessian of a loss by its products with vectors."""

from collections.abc import Callable
from typing import Any

import jax

from ntkreg.finite.base import Network
from ntkreg.landscape.operator import Operator
from ntkreg.landscape.surface import pure

__all__ = ["Hessian"]


class Hessian(Operator):
    r"""The Hessian :math:`H = \nabla^2 L(\theta)`; see `Operator` for its parameters.

    .. math:: H v = \tfrac{d}{d\epsilon} \nabla L(\theta + \epsilon v) \big|_{\epsilon = 0},

    forward over reverse (Pearlmutter 1994, Neural Computation 6(1)). At kinks of ReLU it is the
    Hessian of the piece on which JAX's derivative lies.

    Examples
    --------
    f(x) = u v x has, at u = v = 0 with x = 1 and y = -2, the eigenvalues -2 and 2: a saddle.

    >>> import jax, numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import Hessian, LossSurface
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> zeros = jax.tree.map(np.zeros_like, network.init_seeds([0], "float64"))
    >>> hessian = Hessian(LossSurface(network, zeros, [[1.0]], [-2.0]))
    >>> hessian([[3.0, 5.0]]), np.linalg.eigvalsh(hessian.dense()[0])
    (array([[10.,  6.]]), array([-2.,  2.]))
    """

    @staticmethod
    def product(network: Network, loss: str) -> Callable[..., jax.Array]:
        """Return the pure product of one network: (v, theta, fixed, X, y) -> (n_parameters,)."""
        gradient = jax.grad(pure(network, loss).value)

        def product(v: jax.Array, theta: jax.Array, *rest: Any) -> jax.Array:
            return jax.jvp(lambda t: gradient(t, *rest), (theta,), (v,))[1]

        return product
