"""The trace of an operator: exact for small networks, estimated for others."""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from ntkreg.errors import SpecError
from ntkreg.finite.base import Network
from ntkreg.finite.precision import precision
from ntkreg.landscape.checks import check_operator, check_seed
from ntkreg.landscape.library import matfree
from ntkreg.landscape.operator import Operator

__all__ = ["Trace", "trace"]


class Trace(NamedTuple):
    """Traces (n_seeds,) and their standard errors (n_seeds,), zero where they are exact."""

    value: np.ndarray
    error: np.ndarray


def trace(operator: Operator, n_products: int = 256, seed: int = 0) -> Trace:
    r"""Return the trace of each network's operator.

    Exact, :math:`\sum_i e_i^\top A e_i`, where there are no more than `n_products` parameters;
    otherwise the mean of :math:`v^\top A v` over random signs v (Hutchinson 1990, Commun. Stat.
    Simul. Comput. 19(2)).

    Parameters
    ----------
    operator : Operator
    n_products : int, default=256
    seed : int, default=0
        Below 2^32.

    Returns
    -------
    Trace

    Raises
    ------
    SpecError
        If `n_products` is no integer >= 2: one has no standard error.
    BackendError
        If matfree is missing.

    Examples
    --------
    f(x) = u v x has the Gauss-Newton trace (u^2 + v^2) x^2.

    >>> import numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import GaussNewton, LossSurface, trace
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> params = ({"w": np.full((1, 1, 1), 3.0)}, {}, {"w": np.full((1, 1, 1), 5.0)})
    >>> trace(GaussNewton(LossSurface(network, params, [[1.0]], [7.0])))
    Trace(value=array([34.]), error=array([0.]))
    """
    if not isinstance(n_products, int) or isinstance(n_products, bool) or n_products < 2:
        raise SpecError(f"trace: n_products must be an integer >= 2; got {n_products!r}.")
    check_operator("trace", operator)
    seed = check_seed("trace", seed, 2**32 - 1)
    surface = operator.surface
    if surface.n_parameters <= n_products:
        value = np.trace(operator.dense(), axis1=1, axis2=2)
        return Trace(value, np.zeros_like(value))
    with precision(surface.dtype):
        keys = jax.vmap(jax.random.key)(np.arange(surface.n_seeds, dtype=np.uint32))
        keys = jax.vmap(jax.random.fold_in, (0, None))(keys, seed)
        run = _estimate(type(operator), surface.network, surface.loss, n_products)
        value, error = run(keys, *operator.operands)
        return Trace(np.asarray(value), np.asarray(error))


@lru_cache(maxsize=32)
def _estimate(kind: type[Operator], network: Network, loss: str, n_products: int) -> Any:
    product = kind.product(network, loss)
    sampling = matfree("trace", "stochtrace")

    def run(key: jax.Array, theta: jax.Array, *rest: Any) -> tuple[jax.Array, jax.Array]:
        # One product at a time: matfree's own estimator takes all at once.
        signs = sampling.sampler_signs(theta, num=1)
        integrand = sampling.monte_carlo_trace()
        found = jax.lax.map(
            lambda k: integrand(product, signs(k)[0], theta, *rest),
            jax.random.split(key, n_products),
        )
        return found.mean(), found.std(ddof=1) / n_products**0.5

    return jax.jit(jax.vmap(run, (0, 0, 0, None, None)))
