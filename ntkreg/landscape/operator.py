"""What all curvature operators share: a product with a vector, for several networks at once."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import copy
from functools import lru_cache
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from ntkreg.arrays import as_array
from ntkreg.errors import PlanError, ShapeError, SpecError
from ntkreg.finite.base import Network
from ntkreg.finite.precision import precision
from ntkreg.landscape.surface import LossSurface

__all__ = ["Operator"]

DENSE = 4096
"""Parameters up to which an operator is written out as a matrix (128 MiB in float64)."""


class Operator(ABC):
    r"""A symmetric matrix at a point of a `LossSurface`, known by its products with vectors.

    Parameters
    ----------
    surface : LossSurface
    theta : array (n_seeds, n_parameters), default=None
        The points; None for the surface's own.

    Raises
    ------
    ShapeError
        If there is not one point for each network.
    SpecError
        If one product, taken twice, differs (a network that draws numbers, for example).

    Notes
    -----
    A product costs about three gradients. Memory is linear in parameters, and in the
    activations of all examples.
    """

    def __init__(self, surface: LossSurface, theta: Any = None) -> None:
        if not isinstance(surface, LossSurface):
            raise SpecError(
                f"{type(self).__name__}: surface must be a LossSurface; got "
                f"{type(surface).__name__}."
            )
        self.surface = surface
        self.theta = surface.check_points(theta)
        probe = np.ones(self.theta.shape, surface.dtype)
        if not np.array_equal(self(probe), self(probe), equal_nan=True):
            raise SpecError(
                f"{type(self).__name__}: the same product gave two results. The network's apply "
                "must be a pure function of parameters and inputs."
            )

    @staticmethod
    @abstractmethod
    def product(network: Network, loss: str) -> Callable[..., jax.Array]:
        """Return the pure product of one network: (v, theta, fixed, X, y) -> (n_parameters,)."""

    def __call__(self, v: Any) -> np.ndarray:
        """Return the products with a vector for each network, both (n_seeds, n_parameters)."""
        v = as_array(f"{type(self).__name__}: v", v).astype(self.surface.dtype)
        if v.shape != self.theta.shape:
            raise ShapeError(f"{type(self).__name__}: v must be {self.theta.shape}; got {v.shape}.")
        with precision(self.surface.dtype):
            run = _products(type(self), self.surface.network, self.surface.loss)
            return np.asarray(run(v, *self.operands))

    def at(self, theta: Any) -> Self:
        """Return the same operator at other points of the surface."""
        other = copy(self)
        other.theta = self.surface.check_points(theta)
        return other

    @property
    def operands(self) -> tuple[Any, ...]:
        """What a product takes beside its vector; the first two are stacked."""
        return self.theta, self.surface.fixed, self.surface.X, self.surface.y

    def dense(self) -> np.ndarray:
        """Return the matrices (n_seeds, n_parameters, n_parameters), for small networks.

        Raises
        ------
        PlanError
            If there are more than 4,096 parameters.
        """
        if self.surface.n_parameters > DENSE:
            raise PlanError(
                f"{type(self).__name__}: {self.surface.n_parameters:,} parameters are too many "
                f"for a matrix (at most {DENSE:,}). Use spectrum, density or trace."
            )
        with precision(self.surface.dtype):
            run = _matrices(type(self), self.surface.network, self.surface.loss)
            columns = np.asarray(run(*self.operands))
        return (columns + columns.transpose(0, 2, 1)) / 2


@lru_cache(maxsize=64)
def _products(kind: type[Operator], network: Network, loss: str) -> Any:
    return jax.jit(jax.vmap(kind.product(network, loss), (0, 0, 0, None, None)))


@lru_cache(maxsize=64)
def _matrices(kind: type[Operator], network: Network, loss: str) -> Any:
    product = kind.product(network, loss)

    def columns(theta: jax.Array, *rest: Any) -> jax.Array:
        return jax.lax.map(
            lambda v: product(v, theta, *rest), jnp.eye(theta.size, dtype=theta.dtype)
        )

    return jax.jit(jax.vmap(columns, (0, 0, None, None)))
