"""What to look at while networks train: called at log-spaced steps, one array each time."""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntkreg.data import fingerprint_arrays
from ntkreg.errors import SpecError
from ntkreg.finite.base import Network, Params
from ntkreg.finite.empirical import empirical_kernels
from ntkreg.finite.losses import LOSSES, losses_of

__all__ = [
    "LayerDrifts",
    "LayerNorms",
    "ObserveKernel",
    "ObserveLoss",
    "ObserveLossUntil",
    "ObserveOutputs",
    "Observer",
    "Snapshot",
    "layer_norms",
    "log_steps",
]


@dataclass(frozen=True)
class Snapshot:
    """Networks in training, as an observer gets to see them.

    Attributes
    ----------
    network : Network
    step : int
        Steps done.
    params, start : stacked parameters
        Now and before the first step, seeds as the first axis of every array.
    X, y : array (n, *shape), (n, n_outputs)
        The training set, classes as one-hot rows.
    loss : str
        Name of the loss.
    sample_weight : array (n,) or None
        Of mean 1; None where all examples count the same.
    """

    network: Network
    step: int
    params: Params
    start: Params
    X: np.ndarray
    y: np.ndarray
    loss: str
    sample_weight: np.ndarray | None = None


class Observer(ABC):
    """Something to observe. Any callable from `Snapshot` to an array will do as well."""

    @abstractmethod
    def __call__(self, snapshot: Snapshot) -> Any:
        """Return an array whose shape is the same at every step."""

    def is_last(self, value: np.ndarray, snapshot: Snapshot) -> bool:
        """Whether training ends at this step, of which `value` has just been observed."""
        return False

    @property
    def fingerprint(self) -> str:
        """What tells it from another one in a checkpoint: its class and its arrays."""
        digest = hashlib.sha256(type(self).__qualname__.encode())
        for name, value in vars(self).items():
            given = "-" if value is None else fingerprint_arrays(np.asarray(value))
            digest.update(f"{name} {given}".encode())
        return digest.hexdigest()


class ObserveLoss(Observer):
    """Training loss over all examples, (n_seeds,)."""

    def __call__(self, snapshot: Snapshot) -> Any:
        """Return the array of this step."""
        at = snapshot
        return losses_of(at.network, at.params, at.X, at.y, at.loss, at.sample_weight)


@dataclass(frozen=True, eq=False)
class ObserveLossUntil(ObserveLoss):
    """Training loss over all examples, (n_seeds,), until it is small.

    Parameters
    ----------
    fraction : float >= 0
        Training ends at the first observed step at which the loss of every seed is below this
        fraction of that of outputs that are all 0; 0 for never.
    """

    fraction: float

    def __post_init__(self) -> None:
        if not isinstance(self.fraction, Real) or not 0 <= self.fraction < math.inf:
            raise SpecError(
                f"ObserveLossUntil: fraction must be a finite number >= 0; got {self.fraction!r}."
            )

    def is_last(self, value: np.ndarray, snapshot: Snapshot) -> bool:
        """Whether every network has fitted the training set."""
        weights = snapshot.sample_weight
        given = jnp.asarray(snapshot.y), None if weights is None else jnp.asarray(weights)
        silent = LOSSES[snapshot.loss].value(jnp.zeros(snapshot.y.shape), *given)
        return bool(np.all(value < self.fraction * float(silent)))


@dataclass(frozen=True, eq=False)
class ObserveOutputs(Observer):
    """Outputs, (n_seeds, n, n_outputs).

    Parameters
    ----------
    X : array (n, *shape), default=None
        None for the training inputs.
    """

    X: Any = None

    def __call__(self, snapshot: Snapshot) -> np.ndarray:
        """Return the array of this step."""
        X = snapshot.X if self.X is None else self.X
        return snapshot.network.predict_seeds(snapshot.params, X)


@dataclass(frozen=True, eq=False)
class ObserveKernel(Observer):
    """Empirical NTK, mean over outputs, (n_seeds, n, m); see `empirical_kernels` for its cost.

    Parameters
    ----------
    X : array (n, *shape), default=None
        None for the training inputs.
    Z : array (m, *shape), default=None
        None for those of X.
    """

    X: Any = None
    Z: Any = None

    def __call__(self, snapshot: Snapshot) -> Any:
        """Return the array of this step."""
        X = snapshot.X if self.X is None else self.X
        return np.stack(
            [
                empirical_kernels(snapshot.network, one, X, self.Z).ntk
                for one in _each_seed(snapshot.params)
            ]
        )


class LayerNorms(Observer):
    """Euclidean norm of the parameters of each layer with weights, (n_seeds, n_layers)."""

    def __call__(self, snapshot: Snapshot) -> Any:
        """Return the array of this step."""
        return _norms(snapshot.params)


class LayerDrifts(Observer):
    """Euclidean distance of each layer's parameters from their start, (n_seeds, n_layers)."""

    def __call__(self, snapshot: Snapshot) -> Any:
        """Return the array of this step."""
        return _drifts(snapshot.params, snapshot.start)


def layer_norms(params: Params) -> jax.Array:
    """Return the norm of each layer's weights and biases together, (n_layers,). Pure."""
    return jnp.stack(
        [
            jnp.sqrt(sum(jnp.square(p).sum() for p in layer.values()))
            for layer in jax.tree.leaves(params, is_leaf=_has_weights)
        ]
    )


def log_steps(n_steps: int, per_decade: int = 8) -> tuple[int, ...]:
    """Return whole steps from 0 to `n_steps`, evenly spaced on a log axis after step 1.

    Examples
    --------
    >>> from ntkreg.finite import log_steps
    >>> log_steps(100, per_decade=3)
    (0, 1, 2, 5, 10, 22, 46, 100)
    """
    for name, value, least in (("n_steps", n_steps, 0), ("per_decade", per_decade, 1)):
        if not isinstance(value, int) or value < least:
            raise SpecError(f"log_steps: {name} must be an integer >= {least}; got {value!r}.")
    found = {0, n_steps}
    k = 0
    while (step := round(10 ** (k / per_decade))) < n_steps:
        found.add(step)
        k += 1
    return tuple(sorted(found))


def _has_weights(node: Any) -> bool:
    return isinstance(node, dict) and "w" in node


def _each_seed(params: Params) -> Iterator[Params]:
    """Yield the parameters of each seed."""
    for seed in range(len(jax.tree.leaves(params)[0])):
        yield jax.tree.map(lambda leaf, seed=seed: leaf[seed], params)


@jax.jit
@jax.vmap
def _norms(params: Params) -> jax.Array:
    return layer_norms(params)


@jax.jit
@jax.vmap
def _drifts(params: Params, start: Params) -> jax.Array:
    return layer_norms(jax.tree.map(jnp.subtract, params, start))
