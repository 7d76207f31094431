"""When training of an infinitely wide network stops: after a time, after steps, or never."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval

from ntkreg.solvers import Solution, SpectralSolver
from ntkreg.solvers.target_map import TargetMap

__all__ = ["STOP", "STOP_CONSTRAINTS", "Stop"]

STOP = ("train_time", "train_steps", "learning_rate")
"""Parameters of an estimator that say it; None, and absent from old pickles, is never."""

STOP_CONSTRAINTS: dict[str, Any] = {
    "train_time": [Interval(Real, 0, None, closed="left"), None],
    "train_steps": [Interval(Integral, 0, None, closed="left"), None],
    "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
}


@dataclass(frozen=True)
class Stop:
    """A time of gradient flow, or steps at a learning rate, at a ridge.

    Attributes
    ----------
    train_time : float or None
    train_steps : int or None
    learning_rate : float or None
    ridge : dict
        "alpha" and "alpha_scale".
    """

    train_time: float | None
    train_steps: int | None
    learning_rate: float | None
    ridge: dict[str, Any]

    @classmethod
    def of(cls, estimator: Any) -> "Stop | None":
        """Return when an estimator's training stops; None for never.

        Raises
        ------
        ValueError
            Parameters that do not go together.
        """
        time, steps, rate = (getattr(estimator, name) for name in STOP)
        name = type(estimator).__name__
        if time is not None and steps is not None:
            raise ValueError(
                f"{name}: train_time and train_steps say the same thing twice; got {time!r} and "
                f"{steps!r}. Leave one at None."
            )
        if (steps is None) != (rate is None):
            raise ValueError(
                f"{name}: train_steps and learning_rate go together; got {steps!r} and {rate!r}."
            )
        if time is None and steps is None:
            return None
        solver = getattr(estimator, "solver", "auto")
        if solver != "auto":
            raise ValueError(
                f"{name}: solver has no effect where training stops at {STOP[0]} or {STOP[1]}, "
                f'which needs all eigenvectors; got solver={solver!r}. Leave it at "auto".'
            )
        ridge = {"alpha": estimator.alpha, "alpha_scale": estimator.alpha_scale}
        return cls(time, steps, rate, ridge)

    def solution(self, solver: SpectralSolver, y: np.ndarray) -> Solution:
        """Return what is learnt of y until then."""
        if self.train_time is not None:
            return solver.stopped(y, time=self.train_time, **self.ridge)
        return solver.stopped(
            y, steps=self.train_steps, learning_rate=self.learning_rate, **self.ridge
        )

    def target_map(self, solver: SpectralSolver, n_targets: int, alpha: float) -> TargetMap:
        """Return the map from targets to what is learnt until then, at a ridge in units of K."""
        if self.train_time is not None:
            return solver.flow_map(self.train_time, n_targets, alpha=alpha)
        assert self.train_steps is not None
        return solver.descent_map(self.train_steps, self.learning_rate, n_targets, alpha=alpha)
