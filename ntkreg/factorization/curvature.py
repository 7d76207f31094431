"""The step that the curvature of the loss allows, all along a path."""

import numpy as np

from ntkreg.factorization.product import ProductLoss

__all__ = ["CurvatureStep"]

_FIRST = 30
"""Power iterations at the start, or where a step went too far."""

_LATER = 3
"""Power iterations of every later estimate."""

_STEPS = 50
"""Most steps that share one estimate."""

_MOVED = 0.02
"""Way since the last estimate, over the norm of all parameters, from which a new one is made."""


class CurvatureStep:
    """Learning rates as a share of one over the Hessian's spectral norm.

    The norm is followed by power iteration on differences of gradients. Near a small start it is
    tiny, and steps are as long as the plateau allows; where singular values grow it rises, and
    steps shorten: a share of the time in which anything changes at all, everywhere on the path.

    Parameters
    ----------
    objective : ProductLoss
    share : float
        Of 1/norm: below 2 a step is stable, and the smaller, the nearer to gradient flow.
    rng : Generator
        Of the first direction.
    """

    def __init__(self, objective: ProductLoss, share: float, rng: np.random.Generator) -> None:
        self.objective, self.share = objective, share
        self._direction = rng.normal(size=objective.size)
        self._gradients = np.empty((2, objective.size))
        self._norm, self._left, self._way = 0.0, 0, np.inf

    def rate(self, theta: np.ndarray) -> float:
        """Return the learning rate at a point."""
        if self._left == 0 or self._way > _MOVED * np.linalg.norm(theta):
            for _ in range(_LATER if self._norm else _FIRST):
                self._iterate(theta)
            self._left, self._way = _STEPS, 0.0
        self._left -= 1
        return self.share / self._norm if self._norm else 1.0

    def moved(self, way: float) -> None:
        """Count the length of a step."""
        self._way += way

    def look_again(self) -> None:
        """Forget the norm: a step went too far."""
        self._norm = self._left = 0

    def _iterate(self, theta: np.ndarray) -> None:
        """Multiply the direction by the Hessian, by central differences."""
        length = float(np.linalg.norm(self._direction))
        if not length:
            return
        size = 1e-5 * max(float(np.linalg.norm(theta)), 1e-150)
        shift = self._direction * (size / length)
        for sign, gradient in zip((1, -1), self._gradients, strict=True):
            point = self.objective.factors(theta + sign * shift)
            self.objective.gradient(point, self.objective.factors(gradient))
        self._direction = (self._gradients[0] - self._gradients[1]) / (2 * size)
        self._norm = float(np.linalg.norm(self._direction))
