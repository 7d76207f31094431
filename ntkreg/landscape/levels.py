"""Networks on the way, each at the same loss: to be compared there, not after the same steps."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntkreg.errors import SpecError
from ntkreg.finite.base import Params
from ntkreg.finite.losses import LOSSES, losses_of
from ntkreg.finite.observers import Observer, Snapshot

__all__ = ["Level", "ObserveLevels"]


@dataclass(frozen=True, eq=False)
class Level:
    """Networks at one level of the loss.

    Attributes
    ----------
    params : stacked parameters
        Where a network never got there, those at the last observed step.
    steps : ndarray (n_seeds,)
        First observed steps below the level; -1 where a network never got there.
    """

    params: Params
    steps: np.ndarray

    @property
    def reached(self) -> np.ndarray:
        """Which networks got there, (n_seeds,) of bool."""
        return self.steps >= 0


class ObserveLevels(Observer):
    """Training loss (n_seeds,), and every network as it first falls below each level.

    Training ends when all have fallen below the least. What is kept is not part of a
    checkpoint: use it without.

    Parameters
    ----------
    levels : sequence of float > 0
        In units of the loss of zero outputs.

    Attributes
    ----------
    found : list of Level
        In the order of `levels`, once observed.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        fit = np.iterable(levels) and all(isinstance(v, Real) and 0 < v < math.inf for v in levels)
        if not fit or not len(levels):
            raise SpecError(
                f"ObserveLevels: levels must be one or more finite numbers > 0; got {levels!r}."
            )
        self.levels = tuple(float(v) for v in levels)
        self.found: list[Level] = []

    def __call__(self, snapshot: Snapshot) -> Any:
        """Return the losses of this step, and keep who has just reached a level."""
        network, params, y = snapshot.network, snapshot.params, snapshot.y
        losses = losses_of(network, params, snapshot.X, y, snapshot.loss)
        null = float(LOSSES[snapshot.loss].value(jnp.zeros(y.shape), jnp.asarray(y)))
        now = jax.tree.map(np.asarray, snapshot.params)
        before = self.found or [Level(now, np.full(len(losses), -1)) for _ in self.levels]
        self.found = [
            _later(level, losses < bound * null, now, snapshot.step)
            for level, bound in zip(before, self.levels, strict=True)
        ]
        return losses

    def is_last(self, value: np.ndarray, snapshot: Snapshot) -> bool:
        """Whether every network is below the least level."""
        return bool(self.found[int(np.argmin(self.levels))].reached.all())

    @property
    def fingerprint(self) -> str:
        """What tells it from another one: its levels."""
        return hashlib.sha256(repr(("ObserveLevels", self.levels)).encode()).hexdigest()


def _later(level: Level, below: np.ndarray, now: Params, step: int) -> Level:
    """Return a level with the networks of this step where it was not reached before."""
    open_ = ~level.reached

    def moved(old: np.ndarray, new: np.ndarray) -> np.ndarray:
        return np.where(open_.reshape(-1, *[1] * (old.ndim - 1)), new, old)

    params = jax.tree.map(moved, level.params, now)
    return Level(params, np.where(open_ & below, step, level.steps))
