"""The Gauss-Newton matrix of a loss by its products with vectors."""

from collections.abc import Callable

import jax

from ntkreg.finite.base import Network, Params
from ntkreg.finite.losses import LOSSES
from ntkreg.landscape.operator import Operator
from ntkreg.landscape.surface import pure

__all__ = ["GaussNewton"]


class GaussNewton(Operator):
    r"""The generalised Gauss-Newton matrix of a loss; see `Operator` for its parameters.

    .. math:: G = J^\top \, \nabla_f^2 \ell \, J, \qquad J = \partial f / \partial \theta,

    positive semi-definite; the Hessian less what the residuals hold. For the squared loss
    :math:`G = J^\top J / n`, whose eigenvalues other than zero are those of the empirical NTK
    over n (Schraudolph 2002, Neural Computation 14(7)).

    Examples
    --------
    f(x) = u v x at u = 3, v = 5, x = 1 has the gradient (5, 3) whatever y is.

    >>> import jax, numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import GaussNewton, LossSurface
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> params = ({"w": np.full((1, 1, 1), 3.0)}, {}, {"w": np.full((1, 1, 1), 5.0)})
    >>> GaussNewton(LossSurface(network, params, [[1.0]], [7.0])).dense()
    array([[[25., 15.],
            [15.,  9.]]])
    """

    @staticmethod
    def product(network: Network, loss: str) -> Callable[..., jax.Array]:
        """Return the pure product of one network: (v, theta, fixed, X, y) -> (n_parameters,)."""
        outputs, value = pure(network, loss).outputs, LOSSES[loss].value

        def product(
            v: jax.Array, theta: jax.Array, fixed: Params, X: jax.Array, y: jax.Array
        ) -> jax.Array:
            def at(t: jax.Array) -> jax.Array:
                return outputs(t, fixed, X)

            f, change = jax.jvp(at, (theta,), (v,))
            slope = jax.jvp(lambda f: jax.grad(value)(f, y), (f,), (change,))[1]
            return jax.vjp(at, theta)[1](slope)[0]

        return product
