"""Empirical kernels: what a network of finite width has in place of its NNGP and NTK."""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ntkreg.finite.base import Network, Params, dtype_of
from ntkreg.finite.precision import precision

__all__ = ["EmpiricalKernels", "empirical_kernels", "nngp_of", "ntk_of"]


class EmpiricalKernels(NamedTuple):
    """Kernels of one draw of parameters.

    Attributes
    ----------
    nngp : array (n, m)
        Mean over outputs o of f_o(x) f_o(z).
    ntk : array (n, m), or (n, m, n_outputs, n_outputs) if full
        Gradients' products, mean over outputs or for every pair of outputs.
    """

    nngp: np.ndarray
    ntk: np.ndarray


def empirical_kernels(
    network: Network, params: Params, x: Any, z: Any = None, *, full: bool = False
) -> EmpiricalKernels:
    r"""Return the empirical kernels of one draw of parameters, by contracting Jacobians.

    :math:`\Theta_{oo'}(x, z) = \sum_\theta \partial_\theta f_o(x)\, \partial_\theta f_{o'}(z)`
    over trained parameters.

    Parameters
    ----------
    network : Network
    params : from ``network.init``
    x : array (n, *shape)
    z : array (m, *shape), default=None
        None for x.
    full : bool, default=False
        Every pair of outputs, or the mean over equal outputs.

    Returns
    -------
    EmpiricalKernels
        NumPy arrays in the dtype of the parameters.

    Notes
    -----
    n m n_outputs P flops (n_outputs^2 if full) for P parameters, and (n + m) n_outputs P
    numbers held.

    References
    ----------
    Jacot et al. 2018 (arXiv 1806.07572), eq. 6; Novak et al. 2022 (arXiv 2206.08720).
    """
    dtype = dtype_of(params)
    x = np.asarray(x, dtype)
    z = None if z is None else np.asarray(z, dtype)
    with precision(dtype):
        nngp, ntk = _compiled(network, full)(params, x, z)
        return EmpiricalKernels(np.asarray(nngp), np.asarray(ntk))


def nngp_of(network: Network, params: Params, x: jax.Array, z: jax.Array | None) -> jax.Array:
    """Return the mean over outputs of f(x) f(z), (n, m). Pure."""
    f = network.apply(params, x)
    g = f if z is None else network.apply(params, z)
    return f @ g.T / network.n_outputs


def ntk_of(
    network: Network, params: Params, x: jax.Array, z: jax.Array | None, full: bool
) -> jax.Array:
    """Return the empirical NTK, see `empirical_kernels`. Pure."""
    trained, fixed = network.split(params)

    def outputs(trained: Params, one: jax.Array) -> jax.Array:
        return network.apply(network.join(trained, fixed), one[None])[0]

    def jacobian(inputs: jax.Array) -> list[jax.Array]:
        found = jax.vmap(jax.jacrev(outputs), (None, 0))(trained, inputs)
        # (n, n_outputs, entries of one parameter array)
        return [j.reshape(len(inputs), network.n_outputs, -1) for j in jax.tree.leaves(found)]

    left = jacobian(x)
    right = left if z is None else jacobian(z)
    rule = "nop,mqp->nmoq" if full else "nop,mop->nm"
    shape = (len(x), len(x if z is None else z)) + (network.n_outputs,) * (2 * full)
    total = jnp.zeros(shape, x.dtype)
    for a, b in zip(left, right, strict=True):
        total += jnp.einsum(rule, a, b)
    return total if full else total / network.n_outputs


@lru_cache(maxsize=32)
def _compiled(network: Network, full: bool) -> Any:
    def both(params: Params, x: jax.Array, z: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        return nngp_of(network, params, x, z), ntk_of(network, params, x, z, full)

    return jax.jit(both)
