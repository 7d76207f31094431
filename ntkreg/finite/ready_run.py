"""A training run that is ready to go: everything about it that does not change, checked."""

from collections.abc import Sized
from typing import Any

import jax
import numpy as np

from ntkreg.errors import DivergenceError, SpecError
from ntkreg.finite.base import Network, Params, check_seeds
from ntkreg.finite.checkpoint import State
from ntkreg.finite.losses import check_inputs, check_targets, check_weights, losses_of
from ntkreg.finite.optimizers import Training
from ntkreg.finite.precision import check_dtype, precision
from ntkreg.finite.stability import stable_learning_rate
from ntkreg.finite.steps import Steps, make_steps

__all__ = ["ReadyRun"]

_COPIES_TRAINED = 3
"""Times that parameters are held at least: at the start, now, and their gradients."""

_GROWTH = 1e6
"""A loss that many times its start (and that of zero outputs) has diverged. Large rates may
raise it by orders of magnitude and still come down again (Lewkowycz et al. 2020, 2003.02218)."""


class ReadyRun:
    """What does not change while a run goes on, checked."""

    def __init__(
        self,
        network: Network,
        training: Training,
        data: tuple[Any, Any, Any],
        seeds: Any,
        params: Params | None,
        dtype: Any,
    ) -> None:
        if not isinstance(network, Network):
            raise SpecError(
                f"train: network must come from finite_network or linearize; got {network!r}."
            )
        if not isinstance(training, Training):
            raise SpecError(
                f"train: training must be a Training(learning_rate, n_steps); got {training!r}."
            )
        self.network, self.training = network, training
        self.dtype = check_dtype("train", dtype)
        X, y, weights = data
        self.X = check_inputs("train", "X", network, X, self.dtype)
        self.y = check_targets("train", network, y, len(self.X), training.loss, self.dtype)
        self.weights = check_weights("train", weights, len(self.X), self.dtype)
        if training.batch_size is not None and training.batch_size > len(self.X):
            raise SpecError(
                f"train: batch_size is {training.batch_size}, but there are {len(self.X)} samples."
            )
        if isinstance(seeds, Sized):
            network.check_memory("train", len(seeds), self.dtype, _COPIES_TRAINED)
        self.seeds = check_seeds("train", seeds)
        if params is None:
            self.start = network.init_seeds(seeds, self.dtype)
        else:
            network.check_params("train", params, len(self.seeds))
            with precision(self.dtype):
                self.start = jax.tree.map(lambda p: jax.numpy.asarray(p, self.dtype), params)
        with precision(self.dtype):
            self.trained, self.fixed = network.split(self.start)
            if not jax.tree.leaves(self.trained):
                raise SpecError("train: no layer of the network is trainable.")
            self.steps: Steps = make_steps(network, training)
        losses = self.losses(self.start)
        if not np.isfinite(losses).all():
            raise SpecError(
                f"train: the loss at the start overflows {self.dtype}. X or y are too large, or "
                "weight_std, bias_std and slopes over many layers make outputs so: rescale them."
            )
        silent = 0.5 * float(np.square(self.y).sum(axis=1).mean())
        self.limits = np.asarray(_GROWTH * (losses + silent), self.dtype)

    @property
    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Inputs, targets and weights."""
        return self.X, self.y, self.weights

    def losses(self, params: Params) -> np.ndarray:
        """Return the loss of each seed over all examples."""
        return losses_of(self.network, params, self.X, self.y, self.training.loss, self.weights)

    def advance(self, state: State, last: int) -> None:
        """Do the steps up to `last`; raise if a seed's loss is above its limit."""
        trained, optimizer, bad = self.steps.run(
            state.trained,
            state.optimizer,
            self.fixed,
            self.data,
            self.seeds,
            np.asarray(self.training.learning_rate, self.dtype),
            self.limits,
            np.int32(state.step),
            np.int32(last),
        )
        self._check(np.asarray(bad))
        state.trained, state.optimizer, state.step = trained, optimizer, last

    def finish(self, state: State) -> None:
        """Raise if the last step made a loss that no further step has looked at."""
        params = self.network.join(state.trained, self.fixed)
        losses = self.losses(params)
        self._check(np.where(losses <= self.limits, -1, state.step))

    def _check(self, bad: np.ndarray) -> None:
        if np.all(bad < 0):
            return
        lost = np.flatnonzero(bad >= 0)
        first = lost[np.argmin(bad[lost])]
        start = jax.tree.map(lambda leaf: leaf[first], self.start)
        bound = stable_learning_rate(self.network, start, self.X, self.training, self.weights)
        rate, name = self.training.learning_rate, self.training.optimizer
        whose = "gradient descent's" if self.training.normalized else "the"
        batches = " for full batches" if self.training.batch_size is not None else ""
        raise DivergenceError(
            f"train: {name} diverged at step {bad[first]} (seed {self.seeds[first]}; "
            f"{len(lost)} of {len(bad)} seeds) with learning rate {rate:g}; {whose} stable bound "
            f"from the empirical NTK at the start is {bound:.3g}{batches}. Lower the learning rate."
        )
