"""What an optimiser makes of a gradient: each a rule on one vector of all parameters."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["OPTIMIZERS", "Optimizer"]

Step = Callable[[np.ndarray, float], None]
"""Takes a gradient, which it may overwrite, and a rate; moves the parameters."""


@dataclass(frozen=True)
class Optimizer:
    """One rule.

    Attributes
    ----------
    begin : callable
        From the vector of parameters, which it moves in place, to a `Step`.
    rate : float or None
        Learning rate where the user gives none; None: from the curvature.
    decay : float
        Steps after which a default rate has fallen to 1/sqrt(2) of itself, as 1/sqrt(1 + t/decay);
        infinite: it stays.
    share : float
        By which a rate from the curvature is multiplied.
    by_batches : bool
        Whether a step takes the gradient of a batch.
    on_plateau : float
        Of a rate from the curvature, until the loss has halved. There all singular values grow by
        factors, and longer steps would let large ones run less far ahead of small ones than
        gradient flow does: a higher rank.
    most_way : float
        Of the norm of all factors, that one step goes at a rate from the curvature. Where factors
        are small the curvature rises with their growth: a step of any share of it that was long
        could end far beyond the entries.
    """

    begin: Callable[[np.ndarray], Step]
    rate: float | None = None
    decay: float = np.inf
    share: float = 1.0
    by_batches: bool = False
    on_plateau: float = 0.2
    most_way: float = 0.05

    def default_rate(self, step: int) -> float | None:
        """Return the rate of a step, counted from 0; None: from the curvature."""
        return None if self.rate is None else self.rate / (1 + step / self.decay) ** 0.5


def _descent(theta: np.ndarray) -> Step:
    def step(gradient: np.ndarray, rate: float) -> None:
        gradient *= rate
        np.subtract(theta, gradient, out=theta)

    return step


def _momentum(theta: np.ndarray) -> Step:
    """Polyak's heavy ball, 0.9."""
    velocity = np.zeros_like(theta)  # without rates, so that a step shortens at once

    def step(gradient: np.ndarray, rate: float) -> None:
        np.multiply(velocity, 0.9, out=velocity)
        np.add(velocity, gradient, out=velocity)
        np.subtract(theta, np.multiply(velocity, rate, out=gradient), out=theta)

    return step


def _adam(theta: np.ndarray) -> Step:
    """Kingma and Ba 2015 (arXiv 1412.6980): 0.9, 0.999, 1e-8."""
    mean, square, done = np.zeros_like(theta), np.zeros_like(theta), 0
    work = np.empty_like(theta)

    def step(gradient: np.ndarray, rate: float) -> None:
        nonlocal done
        done += 1
        np.multiply(mean, 0.9, out=mean)
        np.add(mean, np.multiply(gradient, 0.1, out=work), out=mean)
        np.multiply(square, 0.999, out=square)
        np.multiply(gradient, gradient, out=gradient)
        np.add(square, np.multiply(gradient, 0.001, out=gradient), out=square)
        root = np.sqrt(square, out=work)
        root /= (1 - 0.999**done) ** 0.5
        root += 1e-8
        np.divide(mean, root, out=root)
        root *= rate / (1 - 0.9**done)
        np.subtract(theta, root, out=theta)

    return step


def _adagrad(theta: np.ndarray) -> Step:
    """Duchi, Hazan and Singer 2011."""
    total, work = np.zeros_like(theta), np.empty_like(theta)

    def step(gradient: np.ndarray, rate: float) -> None:
        np.add(total, np.multiply(gradient, gradient, out=work), out=total)
        root = np.sqrt(total, out=work)
        root += 1e-10
        gradient /= root
        gradient *= rate
        np.subtract(theta, gradient, out=theta)

    return step


def _group_rmsprop(theta: np.ndarray) -> Step:
    """One moving average of the squared norm of the whole gradient (arXiv 1905.13655, app. C)."""
    average, done = 0.0, 0

    def step(gradient: np.ndarray, rate: float) -> None:
        nonlocal average, done
        done += 1
        average = 0.99 * average + 0.01 * float(gradient @ gradient)
        gradient *= rate / ((average / (1 - 0.99**done)) ** 0.5 + 1e-4)
        np.subtract(theta, gradient, out=theta)

    return step


OPTIMIZERS = {
    "gd": Optimizer(_descent),
    "sgd": Optimizer(_descent, by_batches=True),
    # Velocities add up to ten gradients: at ten times the rate it would leave plateaus elsewhere.
    "momentum": Optimizer(_momentum, share=0.1),
    "adam": Optimizer(_adam, rate=1e-3),
    "adagrad": Optimizer(_adagrad, rate=0.1),
    # At a fixed rate its steps have one length, and the loss stalls near 2e-6.
    "group_rmsprop": Optimizer(_group_rmsprop, rate=1e-3, decay=10_000),
    # Whole steps of one over the curvature: what the others' care is for shows beside it.
    "gd_long": Optimizer(_descent, share=2.0, on_plateau=1.0, most_way=1.0),
}
"""By name."""
