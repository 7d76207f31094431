"""`LossSurface`: a network's loss as a function of vectors of its trained parameters."""

import math
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ntkreg.arrays import as_array
from ntkreg.errors import DivergenceError, ShapeError, SpecError
from ntkreg.finite.base import Network, Params, dtype_of
from ntkreg.finite.losses import LOSSES, check_inputs, check_targets
from ntkreg.finite.precision import precision

__all__ = ["LossSurface", "Pure", "check_stacked", "pure"]

_COPIES = 4
"""Vectors of parameters that one call holds: a point, a direction, a gradient, a product."""


class LossSurface:
    r"""The loss :math:`L(\theta)` of several networks on one set of examples.

    :math:`\theta` are the trained parameters in one vector, in the order of ``jax.tree.leaves``;
    layers with ``trainable=False`` stay as given. Every function takes a vector for each seed.

    Parameters
    ----------
    network : Network
        From `finite_network` or `linearize`.
    params : stacked parameters
        From ``network.init_seeds`` or a `TrainingRun`; their dtype is that of all arithmetic.
    X : array (n, *network.shape)
    y : array (n, n_outputs), or (n,)
        (n,) for one output, or for classes 0, 1, ... with cross-entropy.
    loss : {"squared", "cross_entropy"}, default="squared"
        A mean over examples (`ntkreg.finite.losses`).

    Attributes
    ----------
    theta : ndarray (n_seeds, n_parameters)
        The trained parameters given.
    null_loss : float
        Of outputs that are all zero.

    Raises
    ------
    SpecError, ShapeError
        If network, parameters or data are not as described, or no parameter is trained.
    DivergenceError
        If parameters, or the loss there, are not finite.
    PlanError
        If the parameters cannot be held a few times.

    Examples
    --------
    f(x) = u v x at u = v = 1, x = 2, y = 1 has the loss (2 - 1)^2 / 2 and the gradient (2, 2).

    >>> import jax, numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import LossSurface
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> ones = jax.tree.map(np.ones_like, network.init_seeds([0], "float64"))
    >>> surface = LossSurface(network, ones, [[2.0]], [1.0])
    >>> surface.losses(), surface.gradients()
    (array([0.5]), array([[2., 2.]]))
    """

    def __init__(
        self, network: Network, params: Params, X: Any, y: Any, *, loss: str = "squared"
    ) -> None:
        if not isinstance(network, Network):
            raise SpecError(
                f"LossSurface: network must come from finite_network or linearize; got {network!r}."
            )
        if not isinstance(loss, str) or loss not in LOSSES:
            raise SpecError(f"LossSurface: loss must be one of {', '.join(LOSSES)}; got {loss!r}.")
        if not any(jax.tree.leaves(network.trainable)):
            raise SpecError(
                "LossSurface: the network has no trained parameter, so that its loss has no "
                "surface. Give a layer trainable=True."
            )
        self.network, self.loss = network, loss
        n_seeds = check_stacked("LossSurface", network, params)
        self.dtype = dtype_of(params)
        network.check_memory("LossSurface", n_seeds, self.dtype, _COPIES)
        self.X = check_inputs("LossSurface", "X", network, X, self.dtype)
        self.y = check_targets("LossSurface", network, y, len(self.X), loss, self.dtype)
        self.fixed = network.split(params)[1]
        self.theta = self.vector(params)
        if not np.isfinite(self.theta).all():
            raise DivergenceError(
                "LossSurface: params hold NaN or infinite values: training diverged. Lower its "
                "learning rate."
            )
        self.losses()

    @property
    def n_seeds(self) -> int:
        """Networks."""
        return len(self.theta)

    @property
    def n_parameters(self) -> int:
        """Trained numbers of one network."""
        return self.theta.shape[1]

    @cached_property
    def null_loss(self) -> float:
        """Loss of outputs that are all zero: what barriers are measured in."""
        with precision(self.dtype):
            y = jnp.asarray(self.y)
            return float(LOSSES[self.loss].value(jnp.zeros_like(y), y))

    def only(self, seed: int) -> "LossSurface":
        """Return the surface of one of the networks, by its place."""
        if not isinstance(seed, int | np.integer) or not 0 <= seed < self.n_seeds:
            raise SpecError(
                f"LossSurface.only: seed must be an integer from 0 to "
                f"{self.n_seeds - 1}; got {seed!r}."
            )
        one = jax.tree.map(lambda leaf: leaf[seed : seed + 1], self.params(self.theta))
        return LossSurface(self.network, one, self.X, self.y, loss=self.loss)

    def on(self, X: Any, y: Any) -> "LossSurface":
        """Return the surface of the same networks on other examples."""
        return LossSurface(self.network, self.params(self.theta), X, y, loss=self.loss)

    def vector(self, params: Params) -> np.ndarray:
        """Return the trained ones of stacked parameters as vectors (n_seeds, n_parameters).

        Raises
        ------
        SpecError
            If their layers that are not trained differ from this surface's.
        """
        n_seeds = check_stacked("LossSurface", self.network, params)
        trained, fixed = self.network.split(params)
        own, given = jax.tree.leaves(self.fixed), jax.tree.leaves(fixed)
        if not all(map(np.array_equal, own, given)):
            raise SpecError(
                "LossSurface: layers that are not trained differ from those of this surface, so "
                "that no path of trained parameters leads there. Start from the same seeds."
            )
        leaves = [np.asarray(leaf).reshape(n_seeds, -1) for leaf in jax.tree.leaves(trained)]
        return np.concatenate(leaves, axis=1)

    def params(self, theta: Any) -> Params:
        """Return stacked parameters with the trained ones from vectors (n_seeds, n_parameters)."""
        theta = self.check_points(theta)
        with precision(self.dtype):
            unpack = pure(self.network, self.loss).unpack
            return jax.vmap(lambda t, f: self.network.join(unpack(t), f))(theta, self.fixed)

    def losses(self, theta: Any = None) -> np.ndarray:
        """Return the loss (n_seeds,) at vectors (n_seeds, n_parameters), by default `theta`."""
        return self.losses_along(self.check_points(theta)[:, None], np.ones((1, 1)))[:, 0]

    def losses_along(self, basis: Any, weights: Any) -> np.ndarray:
        r"""Return :math:`L(\sum_j w_{kj} b_j)`, the loss at combinations of vectors.

        Lines, planes, curves and perturbations are such combinations; they go through one by
        one, so that memory does not grow with their number.

        Parameters
        ----------
        basis : array (n_seeds, n_vectors, n_parameters)
        weights : array (n_points, n_vectors)

        Returns
        -------
        ndarray (n_seeds, n_points)

        Raises
        ------
        DivergenceError
            If a loss is not finite.
        """
        basis = as_array("LossSurface: basis", basis).astype(self.dtype)
        weights = as_array("LossSurface: weights", weights).astype(self.dtype)
        (n, p), m = self.theta.shape, weights.shape[-1] if weights.ndim else 0
        if weights.ndim != 2 or basis.shape != (n, m, p):
            raise ShapeError(
                f"LossSurface: basis must be ({n}, n_vectors, {p}) and weights (n_points, "
                f"n_vectors); got {basis.shape} and {weights.shape}."
            )
        with precision(self.dtype):
            run = _along(self.network, self.loss)
            found = np.asarray(run(basis, weights, self.fixed, self.X, self.y))
        if not np.isfinite(found).all():
            seed, point = np.argwhere(~np.isfinite(found))[0]
            raise DivergenceError(
                f"LossSurface: the loss overflows {self.dtype} (network {seed}, point {point} of "
                f"{found.shape[1]}). Stay nearer to the minimum, or use float64."
            )
        return found

    def gradients(self, theta: Any = None) -> np.ndarray:
        """Return the gradient at a vector for each seed, both (n_seeds, n_parameters)."""
        return self.losses_and_gradients(theta)[1]

    def losses_and_gradients(self, theta: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Return losses (n_seeds,) and gradients (n_seeds, n_parameters) in one pass."""
        theta = self.check_points(theta)
        with precision(self.dtype):
            run = _gradients(self.network, self.loss)
            losses, gradients = run(theta, self.fixed, self.X, self.y)
            return np.asarray(losses), np.asarray(gradients)

    def check_points(self, theta: Any) -> np.ndarray:
        """Return vectors (n_seeds, n_parameters) in the surface's dtype; None for `theta`."""
        if theta is None:
            return self.theta
        theta = as_array("LossSurface: theta", theta).astype(self.dtype)
        if theta.shape != self.theta.shape:
            raise ShapeError(
                f"LossSurface: theta must be {self.theta.shape}, a vector for each network; got "
                f"{theta.shape}."
            )
        if not np.isfinite(theta).all():
            raise DivergenceError(
                "LossSurface: theta holds NaN or infinite values: training diverged. Take "
                "smaller steps."
            )
        return theta


class Pure(NamedTuple):
    """Functions of one network that go through JAX's transformations.

    Attributes
    ----------
    unpack : callable
        theta (n_parameters,) -> trained parameters.
    outputs : callable
        (theta, fixed, X) -> (n, n_outputs).
    value : callable
        (theta, fixed, X, y) -> scalar.
    """

    unpack: Callable[..., Params]
    outputs: Callable[..., jax.Array]
    value: Callable[..., jax.Array]


@lru_cache(maxsize=64)
def pure(network: Network, loss: str) -> Pure:
    """Return the functions of a network and a loss."""
    drawn = jax.eval_shape(lambda: network.init(0))
    leaves, structure = jax.tree.flatten(network.split(drawn)[0])
    shapes = [leaf.shape for leaf in leaves]
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1].tolist()
    value_of = LOSSES[loss].value

    def unpack(theta: jax.Array) -> Params:
        parts = zip(jnp.split(theta, ends), shapes, strict=True)
        return jax.tree.unflatten(structure, [part.reshape(shape) for part, shape in parts])

    def outputs(theta: jax.Array, fixed: Params, X: jax.Array) -> jax.Array:
        return network.apply(network.join(unpack(theta), fixed), X)

    def value(theta: jax.Array, fixed: Params, X: jax.Array, y: jax.Array) -> jax.Array:
        return value_of(outputs(theta, fixed, X), y)

    return Pure(unpack, outputs, value)


@lru_cache(maxsize=64)
def _along(network: Network, loss: str) -> Any:
    value = pure(network, loss).value

    @jax.jit
    def run(basis: Any, weights: Any, fixed: Params, X: Any, y: Any) -> jax.Array:
        def at(w: jax.Array) -> jax.Array:
            theta = jnp.einsum("j,sjp->sp", w, basis, precision="highest")
            return jax.vmap(value, (0, 0, None, None))(theta, fixed, X, y)

        return jax.lax.map(at, weights).T

    return run


@lru_cache(maxsize=64)
def _gradients(network: Network, loss: str) -> Any:
    value = pure(network, loss).value
    return jax.jit(jax.vmap(jax.value_and_grad(value), (0, 0, None, None)))


def check_stacked(who: str, network: Network, params: Params, name: str = "params") -> int:
    """Return for how many seeds parameters are stacked; raise if they are not the network's."""
    wanted = jax.tree.map(lambda leaf: leaf.shape, jax.eval_shape(lambda: network.init(0)))
    try:
        found = jax.tree.map(lambda leaf: np.shape(leaf)[1:], params)
        counts = {np.shape(leaf)[0] for leaf in jax.tree.leaves(params)}
    except (IndexError, TypeError):
        found, counts = None, set()
    if found != wanted or len(counts) != 1 or counts == {0}:
        raise ShapeError(
            f"{who}: {name} must be stacked parameters of this network, seeds first, as "
            "from network.init_seeds([0, 1]) or train(...).params; got the shapes "
            f"{jax.tree.map(np.shape, params)}."
        )
    return counts.pop()
