"""Curves of low loss between two minima, found by descent on their control points."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ntkreg.errors import SpecError
from ntkreg.finite.base import Network, Params
from ntkreg.finite.precision import precision
from ntkreg.landscape.checks import check_number, check_seed, check_surface
from ntkreg.landscape.paths import Path, PathKind, straight
from ntkreg.landscape.surface import LossSurface, pure

__all__ = ["find_curve"]

_LEFT = 0.01
"""Way off the straight line, over its length, at which control points begin at random: where ends
lie symmetrically about a saddle no gradient would leave the line."""

_TIMES = 8
"""Times of one step: one from each eighth of the path."""


def find_curve(
    surface: LossSurface,
    start: Any,
    end: Any,
    *,
    kind: PathKind = "bezier",
    n_bends: int = 1,
    n_steps: int = 500,
    learning_rate: float = 0.02,
    seed: int = 0,
) -> Path:
    r"""Return a curve with fixed ends along which the mean loss is small.

    Minimises :math:`\int_0^1 L(\gamma(t))\, dt` over the control points between the ends, from
    near those of the straight line, by Adam on stratified random t.

    Parameters
    ----------
    surface : LossSurface
    start, end : array (n_seeds, n_parameters)
    kind : {"bezier", "polygon"}, default="bezier"
    n_bends : int >= 1, default=1
        Control points between the ends.
    n_steps : int >= 0, default=500
    learning_rate : float > 0, default=0.02
        Of Adam; falls to a hundredth along a cosine.
    seed : int, default=0

    Returns
    -------
    Path
        Its `barrier` says what was reached.

    Raises
    ------
    SpecError, ShapeError
        If a setting makes no sense.

    Notes
    -----
    A step costs 8 gradients. Holds 3 (n_bends + 2) vectors of parameters for each network.

    References
    ----------
    Garipov et al. 2018 (arXiv 1802.10026), section 3; Draxler et al. 2018 (arXiv 1803.00885).
    """
    check_surface("find_curve", surface)
    for name, value, least in (("n_bends", n_bends, 1), ("n_steps", n_steps, 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise SpecError(f"find_curve: {name} must be an integer >= {least}; got {value!r}.")
    learning_rate = check_number("find_curve", "learning_rate", learning_rate)
    line = straight(surface.check_points(start), surface.check_points(end))
    share = np.linspace(0, 1, n_bends + 2)[None, :, None]
    points = (1 - share) * line.points[:, :1] + share * line.points[:, 1:]
    rng = np.random.default_rng(check_seed("find_curve", seed))
    aside = rng.normal(size=points[:, 1:-1].shape)
    length = np.linalg.norm(points[:, -1:] - points[:, :1], axis=2, keepdims=True)
    points[:, 1:-1] += _LEFT * length * aside / np.linalg.norm(aside, axis=2, keepdims=True)
    path = Path(points.astype(surface.dtype), kind)
    t = (np.arange(_TIMES) + rng.random((n_steps, _TIMES))) / _TIMES
    weights = path.weights(t.ravel()).reshape(n_steps, _TIMES, -1).astype(surface.dtype)
    with precision(surface.dtype):
        run = _descend(surface.network, surface.loss)
        rates = np.asarray(
            learning_rate * (0.505 + 0.495 * np.cos(np.pi * np.arange(n_steps) / max(n_steps, 1))),
            surface.dtype,
        )
        found = run(path.points, weights, rates, surface.fixed, surface.X, surface.y)
        return Path(np.asarray(found), kind)


@lru_cache(maxsize=32)
def _descend(network: Network, loss: str) -> Any:
    value = pure(network, loss).value
    adam = optax.adam(1.0)

    def run(
        points: jax.Array, weights: jax.Array, rates: jax.Array, fixed: Params, X: Any, y: Any
    ) -> jax.Array:
        def mean_loss(bends: jax.Array, w: jax.Array) -> jax.Array:
            control = jnp.concatenate([points[:1], bends, points[-1:]])
            return jax.lax.map(lambda one: value(one @ control, fixed, X, y), w).mean()

        def step(state: tuple[Any, ...], now: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
            bends, memory = state
            w, rate = now
            update, memory = adam.update(jax.grad(mean_loss)(bends, w), memory)
            return (bends + rate * update, memory), None

        bends = points[1:-1]
        (bends, _), _ = jax.lax.scan(step, (bends, adam.init(bends)), (weights, rates))
        return jnp.concatenate([points[:1], bends, points[-1:]])

    return jax.jit(jax.vmap(run, (0, None, None, 0, None, None)))
