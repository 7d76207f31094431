"""Training a deep linear product until it has the seen entries."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ntkreg.errors import DivergenceError
from ntkreg.factorization.curvature import CurvatureStep
from ntkreg.factorization.optimizers import OPTIMIZERS
from ntkreg.factorization.product import ProductLoss

__all__ = ["SHARE", "Point", "Training", "descend"]

SHARE = 0.5
"""Of 1/curvature, a quarter of what is stable."""


@dataclass(frozen=True)
class Training:
    """How to train.

    Attributes
    ----------
    optimizer : str
        A key of `ntkreg.factorization.optimizers.OPTIMIZERS`.
    learning_rate : float or None
        None: the optimiser's own, from the curvature or falling.
    batch_size : int
        Entries of a step of "sgd".
    tol : float
        Loss at which training ends.
    max_iter : int
        Steps after which it ends in any case.
    share : float
        Of 1/curvature, where the step comes from the curvature.
    """

    optimizer: str = "gd"
    learning_rate: float | None = None
    batch_size: int = 500
    tol: float = 1e-6
    max_iter: int = 1_000_000
    share: float = SHARE


@dataclass(frozen=True)
class Point:
    """Where training is: before step `step`, after the sum of all rates `time`."""

    step: int
    time: float
    loss: float
    last: bool


def descend(
    objective: ProductLoss,
    theta: np.ndarray,
    training: Training,
    rng: np.random.Generator,
    observe: Callable[[Point], None] = lambda point: None,
) -> Point:
    """Move `theta` in place until the loss is at most `tol`; return the last point.

    Parameters
    ----------
    objective : ProductLoss
    theta : ndarray of shape (objective.size,)
    training : Training
    rng : Generator
        Of batches and of the first direction of the curvature.
    observe : callable
        Called at every point, before its step: `objective.product` and `objective.error` are
        those of the point.

    Raises
    ------
    DivergenceError
        The loss is no number any more.
    """
    rule = OPTIMIZERS[training.optimizer]
    factors, move = objective.factors(theta), rule.begin(theta)
    gradient = np.empty(objective.size)
    parts = objective.factors(gradient)
    batches = _batches(objective, training, rng) if rule.by_batches else None
    m = len(objective.entries.values)
    # A batch's curvature is at most m / batch_size times that of all entries.
    share = training.share * rule.share
    share *= min(training.batch_size, m) / m if rule.by_batches else 1
    curvature = CurvatureStep(objective, share, rng)
    time, before, first, on_plateau = 0.0, np.inf, np.inf, True
    for step in range(training.max_iter + 1):
        given = training.learning_rate or rule.default_rate(step)
        with np.errstate(over="ignore", invalid="ignore"):
            if given is None:
                rate = curvature.rate(theta) * (rule.on_plateau if on_plateau else 1)
            else:
                rate = given
            # After the curvature, whose differences pass through the same arrays.
            loss = objective.gradient(factors, parts, None if batches is None else next(batches))
        if not np.isfinite(loss):
            raise DivergenceError(
                "float64 does not hold the loss of the start. Take a smaller init_scale."
                if step == 0
                else f"training diverged after {step} steps of {training.optimizer} at rate "
                f"{rate:.3g}. Take a smaller learning_rate, or leave it at None."
            )
        last = loss <= training.tol or step == training.max_iter
        observe(Point(step, time, loss, last))
        if last:
            break
        if given is None:
            if loss > before and training.optimizer in ("gd", "gd_long"):
                curvature.look_again()
            way = rate * float(np.linalg.norm(gradient))
            most = rule.most_way * float(np.linalg.norm(theta))
            if way > most and len(factors) > 1:  # of one factor the loss has one curvature
                rate, way = rate * most / way, most
            curvature.moved(way)
        first = loss if step == 0 else first
        on_plateau = on_plateau and loss > first / 2
        before = loss
        move(gradient, rate)
        time += rate
    return Point(step, time, loss, last)


def _batches(
    objective: ProductLoss, training: Training, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield batches of seen entries, every entry once an epoch."""
    m = len(objective.entries.values)
    size = min(training.batch_size, m)
    while True:
        order = rng.permutation(m)
        for start in range(0, m - size + 1, size):
            yield order[start : start + size]
