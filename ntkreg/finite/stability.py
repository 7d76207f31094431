"""The learning rate above which gradient descent cannot converge."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntkreg.finite.base import Network, Params, dtype_of
from ntkreg.finite.losses import LOSSES
from ntkreg.finite.optimizers import Training
from ntkreg.finite.precision import precision

__all__ = ["largest_eigenvalue", "stable_learning_rate"]

_ROUNDS = 200
"""Products of the power iteration, at most."""

_SETTLED = 1e-4
"""Relative change of the eigenvalue at which it stops."""


def stable_learning_rate(
    network: Network,
    params: Params,
    X: np.ndarray,
    training: Training,
    sample_weight: np.ndarray | None = None,
) -> float:
    r"""Return the largest learning rate at which linearised full-batch training is stable.

    For :math:`\frac{1}{2n}\sum_i \|f(x_i) - y_i\|^2` a step of gradient descent multiplies
    the residual along an eigenvector of the empirical NTK by :math:`1 - \eta\lambda/n`, so

    .. math:: \eta < \frac{2 n}{c\, \lambda_\max(\Theta)}\, s

    with c = 1 for the squared loss and c = 1/2, its largest curvature, for cross-entropy
    (below the bound it is stable; above, only while predictions are undecided). s is 1 for
    gradient descent, 1 + m for heavy-ball momentum m and (1 + m) / (1 + 2 m) for Nesterov's.
    Optimisers that normalise gradients have no such bound; theirs is that of gradient descent.

    Parameters
    ----------
    network : Network
    params : from ``network.init``, one draw
    X : array (n, *shape)
    training : Training
        Whose loss and optimiser count.
    sample_weight : array (n,) or None
        Weights > 0 of a loss that is a weighted mean: those of the kernel's rows and columns.

    Returns
    -------
    float
        Infinity if no trained parameter acts on the outputs.

    Notes
    -----
    The power iteration approaches the eigenvalue from below: the bound is right to about
    1e-3. Costs up to 200 forward and backward passes over X; the kernel is never formed.

    References
    ----------
    Lee et al. 2019 (arXiv 1902.06720), section 2.4; Lessard et al. 2016 (arXiv 1408.3595)
    for momentum.
    """
    network.check_params("stable_learning_rate", params)
    shares = None if sample_weight is None else sample_weight / np.mean(sample_weight)
    top = largest_eigenvalue(network, params, X, shares)
    m = dict(training.options).get("momentum", 0.0)
    gain = {"momentum": 1 + m, "nesterov": (1 + m) / (1 + 2 * m)}.get(training.optimizer, 1.0)
    slope = LOSSES[training.loss].curvature * top
    return float(2 * len(X) * gain / slope) if slope > 0 else float("inf")


def largest_eigenvalue(network: Network, params: Params, X: Any, weights: Any = None) -> float:
    """Return the largest eigenvalue of the full empirical NTK, (n n_outputs) squared.

    With weights (n,) of the kernel times their roots, along rows and columns.
    """
    dtype = dtype_of(params)
    scale = None if weights is None else np.sqrt(weights).astype(dtype)[:, None]
    with precision(dtype):
        return float(_power_iteration(network)(params, np.asarray(X, dtype), scale))


@lru_cache(maxsize=32)
def _power_iteration(network: Network) -> Callable[..., jax.Array]:
    def run(params: Params, X: jax.Array, scale: jax.Array | None) -> jax.Array:
        trained, fixed = network.split(params)

        def outputs(trained: Params) -> jax.Array:
            found = network.apply(network.join(trained, fixed), X)
            return found if scale is None else scale * found

        f, pull = jax.vjp(outputs, trained)

        def product(v: jax.Array) -> jax.Array:
            return jax.jvp(outputs, (trained,), pull(v))[1]

        def go_on(state: tuple[Any, ...]) -> jax.Array:
            _, last, now, count = state
            return (count == 0) | (count < _ROUNDS) & (abs(now - last) > _SETTLED * now)

        def body(state: tuple[Any, ...]) -> tuple[Any, ...]:
            v, _, now, count = state
            w = product(v)
            norm = jnp.linalg.norm(w)
            return w / jnp.where(norm > 0, norm, 1), now, norm, count + 1

        v = jax.random.normal(jax.random.key(0), f.shape, f.dtype)
        zero = jnp.zeros((), f.dtype)
        # No round before the loop: the product would be compiled twice.
        state = (v / jnp.linalg.norm(v), zero, zero, 0)
        return jax.lax.while_loop(go_on, body, state)[2]

    return jax.jit(run)
