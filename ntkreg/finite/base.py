"""What training, kernels and linearisation ask of a network, whatever its kind."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence, Sized
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from ntkreg.arrays import refuse_infinite, refuse_masked
from ntkreg.errors import ShapeError, SpecError
from ntkreg.finite.memory import check_memory
from ntkreg.finite.precision import check_dtype, precision

__all__ = ["COPIES_DRAWN", "Network", "Params", "check_seeds", "dtype_of"]

Params = Any
"""Nested tuples and dictionaries of arrays. *Stacked*: every array has seeds as first axis."""

COPIES_DRAWN = 2
"""Times that parameters are held while they are drawn: in one piece, and cut into arrays."""

_ROWS = 1024
"""Inputs that `predict` takes at once, at most."""


class Network(ABC):
    """A network with parameters to draw, apply and train; hashable.

    Attributes
    ----------
    shape : tuple of int
        Of one input.
    """

    shape: tuple[int, ...]

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Numbers that the network gives for one input."""

    @property
    @abstractmethod
    def trainable(self) -> Params:
        """True and False in the structure of the parameters: which ones training moves."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of everything that makes the network what it is."""

    @abstractmethod
    def init(self, key: Any, dtype: Any = np.float32) -> Params:
        """Draw parameters with a JAX random key or an integer."""

    @abstractmethod
    def apply(self, params: Params, x: Any) -> jax.Array:
        """Return the outputs, (n, n_outputs), of inputs (n, *shape). Pure."""

    @abstractmethod
    def rates(self, normalized: bool) -> Params:
        """Return what multiplies the learning rate of each parameter array."""

    @property
    def layout(self) -> Params:
        """Things with a `shape`, one for each array of one draw, in the parameters' structure."""
        return jax.eval_shape(lambda: self.init(0))

    @property
    def n_parameters(self) -> int:
        """Numbers of one draw of parameters, counted in integers that know no overflow."""
        return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(self.layout))

    def check_params(self, who: str, params: Params, n_seeds: int | None = None) -> None:
        """Raise `ShapeError` unless these are parameters of the network, stacked if seeds are."""
        first: tuple[int, ...] = ()
        kind = "parameters of one draw, not stacked, as network.init gives them"
        if n_seeds is not None:
            first = (n_seeds,)
            kind = f"stacked, the first axis of every array one for each of the {n_seeds} seeds"
        wanted = jax.tree.map(lambda leaf: (*first, *leaf.shape), self.layout)
        found = jax.tree.map(np.shape, params)
        if found != wanted:
            raise ShapeError(
                f"{who}: params must be {kind}; got arrays of the shapes {found}, not {wanted}."
            )
        if strange := [p for p in jax.tree.leaves(params) if not hasattr(p, "dtype")]:
            raise ShapeError(
                f"{who}: params must be arrays, {kind}; got a {type(strange[0]).__name__} in place "
                "of one. Convert it with numpy.asarray."
            )

    def check_memory(self, who: str, n_networks: int, dtype: Any, copies: int) -> None:
        """Raise `PlanError` if so many copies of so many draws of parameters cannot be held."""
        check_memory(
            who,
            f"{n_networks:,} network(s) of {self.n_parameters:,} parameters ({np.dtype(dtype)}, "
            f"{copies} copies at work)",
            copies * n_networks * self.n_parameters * np.dtype(dtype).itemsize,
            "Use a smaller width, or fewer networks at once.",
        )

    def same_gradients(self, params: Params) -> tuple["Network", Params]:
        """Return a network without wrapping, and its parameters, that has the same gradients."""
        return self, params

    def init_seeds(self, seeds: Sequence[int], dtype: Any = np.float32) -> Params:
        """Draw stacked parameters, one draw a seed, each the one that `init` gives.

        Parameters
        ----------
        seeds : sequence of int, 0 <= seed < 2**31, all different
        dtype : float32 or float64, default=float32

        Raises
        ------
        SpecError
            If there are no seeds, or they are no such integers.
        PlanError
            If parameters of so many networks cannot be held.
        """
        dtype = check_dtype("init_seeds", dtype)
        if isinstance(seeds, Sized):  # not listed yet, perhaps
            self.check_memory("init_seeds", len(seeds), dtype, COPIES_DRAWN)
        with precision(dtype):
            return _draw(self, dtype.name)(check_seeds("init_seeds", seeds))

    def predict(self, params: Params, X: Any) -> np.ndarray:
        """Return `apply` of parameters as a NumPy array (n, n_outputs), in their dtype.

        Compiled; inputs go through in blocks.

        Parameters
        ----------
        params : from `init`
        X : array (n, *shape)

        Raises
        ------
        SpecError
            If outputs overflow.
        """
        return refuse_infinite("predict: outputs", self._in_blocks(params, X, stacked=False))

    def predict_seeds(self, params: Params, X: Any) -> np.ndarray:
        """Return the outputs (n_seeds, n, n_outputs) of stacked parameters, see `predict`."""
        return self._in_blocks(params, X, stacked=True)

    def _in_blocks(self, params: Params, X: Any, stacked: bool) -> np.ndarray:
        leaves = jax.tree.leaves(params)
        n_seeds = np.shape(leaves[0])[:1] if stacked and leaves else ()
        self.check_params("predict", params, *n_seeds)
        dtype = dtype_of(params)
        refuse_masked("predict: X", X)
        X = np.asarray(X, dtype)
        run = _outputs(self, stacked)
        with precision(dtype):
            rows = self._rows_at_once(*(n_seeds or (1,)))
            blocks = [run(params, X[i : i + rows]) for i in range(0, max(len(X), 1), rows)]
            return np.concatenate([np.asarray(b) for b in blocks], axis=-2)

    def _rows_at_once(self, n_seeds: int) -> int:
        """Return how many inputs `predict` takes at once."""
        return _ROWS

    def split(self, params: Params) -> tuple[Params, Params]:
        """Return (trained, fixed): the parameters with None where the other one has arrays.

        None has no leaves: ``jax.grad`` over `trained` sees nothing else.
        """
        trained = jax.tree.map(lambda on, p: p if on else None, self.trainable, params)
        fixed = jax.tree.map(lambda on, p: None if on else p, self.trainable, params)
        return trained, fixed

    def join(self, trained: Params, fixed: Params) -> Params:
        """Return the parameters that `split` parted."""
        return jax.tree.map(
            lambda on, t, f: t if on else f,
            self.trainable,
            trained,
            fixed,
            is_leaf=lambda node: node is None,
        )


def dtype_of(params: Params) -> np.dtype:
    """Return the dtype of parameters."""
    return np.dtype(jax.tree.leaves(params)[0].dtype)


def check_seeds(who: str, seeds: Any) -> np.ndarray:
    """Return seeds as a uint32 array; raise unless they are different integers in range."""
    try:
        found = np.asarray(seeds)
    except ValueError:
        found = np.empty(0)
    fit = found.ndim == 1 and found.size > 0 and found.dtype.kind in "iu"
    if not fit or found.min() < 0 or found.max() >= 2**31 or len(set(found.tolist())) < len(found):
        raise SpecError(
            f"{who}: seeds must be one or more different integers, 0 <= seed < 2**31; "
            f"got {seeds!r}."
        )
    return found.astype(np.uint32)


@lru_cache(maxsize=32)
def _draw(network: Network, dtype: str) -> Any:
    return jax.jit(jax.vmap(lambda seed: network.init(jax.random.key(seed), dtype)))


@lru_cache(maxsize=32)
def _outputs(network: Network, stacked: bool) -> Any:
    return jax.jit(jax.vmap(network.apply, (0, None)) if stacked else network.apply)
