"""The compiled loop: many steps of many seeds in one call."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from ntkreg.finite.base import Network, Params
from ntkreg.finite.losses import LOSSES
from ntkreg.finite.optimizers import Training

__all__ = ["Steps", "make_steps"]

Data = tuple[jax.Array, jax.Array, jax.Array | None]
"""Inputs, targets, weights of mean 1 if there are any."""

_SHUFFLES = 1
"""Folded into a seed's key, whose own stream draws the parameters."""


@dataclass(frozen=True)
class Steps:
    """Compiled functions of a run; every pytree is stacked, seeds first.

    Attributes
    ----------
    start : callable
        trained -> what the optimiser keeps.
    run : callable
        (trained, optimizer, fixed, (X, y, weights), seeds, learning_rate, limits, first, last)
        -> (trained, optimizer, bad): steps first to last - 1. `bad` has for each seed the first
        step whose loss was above its limit or no number, or -1. A batch takes the mean of its
        weighted losses: over batches that is the weighted mean of all.
    """

    start: Callable[..., Any]
    run: Callable[..., Any]


def make_steps(network: Network, training: Training) -> Steps:
    """Return the compiled functions; cached for runs that differ in rate and length only."""
    return _make_steps(network, replace(training, learning_rate=1.0, n_steps=0))


@contextmanager
def _as_optax_computes() -> Iterator[None]:
    """Let numbers of several dtypes and ranks meet, as optax does, whatever the user has set."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@lru_cache(maxsize=16)
def _make_steps(network: Network, training: Training) -> Steps:
    transformation = training.transformation
    value = LOSSES[training.loss].value
    rates = network.split(network.rates(training.normalized))[0]

    def loss_of(trained: Params, fixed: Params, data: Data) -> jax.Array:
        X, y, weights = data
        return value(network.apply(network.join(trained, fixed), X), y, weights)

    def update(
        trained: Params,
        optimizer: Any,
        fixed: Params,
        data: Data,
        learning_rate: jax.Array,
    ) -> tuple[Params, Any, jax.Array]:
        loss, gradient = jax.value_and_grad(loss_of)(trained, fixed, data)
        with _as_optax_computes():
            step, optimizer = transformation.update(gradient, optimizer, trained)
        moved = jax.tree.map(lambda p, u, rate: p + learning_rate * rate * u, trained, step, rates)
        return moved, optimizer, loss

    whole = jax.vmap(update, (0, 0, 0, None, None))
    batched = jax.vmap(update, (0, 0, 0, 0, None))
    size = training.batch_size

    def run(
        trained: Params,
        optimizer: Any,
        fixed: Params,
        data: Data,
        seeds: jax.Array,
        learning_rate: jax.Array,
        limits: jax.Array,
        first: jax.Array,
        last: jax.Array,
    ) -> tuple[Params, Any, jax.Array]:
        n = len(data[0])
        per_epoch = 1 if size is None else n // size

        def shuffle(epoch: jax.Array) -> jax.Array:
            def one(seed: jax.Array) -> jax.Array:
                key = jax.random.fold_in(jax.random.key(seed), _SHUFFLES)
                return jax.random.permutation(jax.random.fold_in(key, epoch), n)

            return jax.vmap(one)(seeds)

        def body(step: jax.Array, state: tuple[Any, ...]) -> tuple[Any, ...]:
            trained, optimizer, order, bad = state
            if size is None:
                moved = whole(trained, optimizer, fixed, data, learning_rate)
            else:
                # A function of the step alone, so that a resumed run sees the same batches.
                epoch, place = step // per_epoch, step % per_epoch
                order = jax.lax.cond(place == 0, shuffle, lambda _: order, epoch)
                rows = jax.lax.dynamic_slice_in_dim(order, place * size, size, axis=1)
                batch = jax.tree.map(lambda part: part[rows], data)
                moved = batched(trained, optimizer, fixed, batch, learning_rate)
            trained, optimizer, loss = moved
            wrong = (bad < 0) & ~(loss <= limits)
            return trained, optimizer, order, jnp.where(wrong, step, bad)

        order = jnp.zeros((), jnp.int32) if size is None else shuffle(first // per_epoch)
        bad = jnp.full(len(seeds), -1, jnp.int32)
        state = (trained, optimizer, order, bad)
        trained, optimizer, _, bad = jax.lax.fori_loop(first, last, body, state)
        return trained, optimizer, bad

    def start(trained: Params) -> Any:
        with _as_optax_computes():
            return transformation.init(trained)

    return Steps(
        jax.jit(jax.vmap(start)),
        jax.jit(run),
    )
