"""A plane through two trained networks and a curve that joins them, to be looked at."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ntkreg import finite, landscape
from ntkreg.studies.landscape.task import Task

__all__ = ["POINTS", "PlaneSpec", "look"]

POINTS = 41
"""Along each side of the plane."""

_CURVE = 61


@dataclass(frozen=True)
class PlaneSpec:
    """Of which networks, of one hidden layer."""

    kind: ClassVar[str] = "plane"

    width: int


def look(task: Task, spec: PlaneSpec) -> dict[str, Any]:
    """Return the loss on the plane of two minima and the bend of their Bezier curve.

    Returns
    -------
    dict
        width; at, at_other: coordinates along the way from one minimum to the other (0 and 1) and
        at right angles to it, in units of their distance; losses: over that of zero outputs, a
        row a place of `at`; curve: coordinates of the Bezier curve; bend: its control point.
    """
    config = task.config
    network = task.network(1, spec.width)
    run = finite.train(
        network,
        finite.Training(task.rate(1), config.max_steps),
        task.X,
        task.y,
        seeds=(0, 1),
        dtype="float64",
        observers={"loss": landscape.ObserveLevels(config.levels[-1:])},
        progress=False,
    )
    both = task.surface(network, run.params)
    surface = both.only(0)
    a, b = both.theta[:1], both.theta[1:]
    curve = landscape.find_curve(surface, a, b, n_steps=config.curve_steps)
    way, bend = b - a, curve.points[:, 1] - a
    length = float(np.linalg.norm(way))
    across = bend - (bend @ way.T) / length**2 * way
    height = float(np.linalg.norm(across)) or 1.0
    across *= length / height
    top = height / length
    at = np.linspace(-0.3, 1.3, POINTS)
    at_other = np.linspace(-0.6, max(1.0, 1.3 * top / 2 + 0.3), POINTS)
    losses = landscape.plane(surface, way, across, at, at_other)[0] / surface.null_loss
    t = np.linspace(0, 1, _CURVE)
    weights = curve.weights(t)
    places = np.array([[0.0, 0.0], [float((bend @ way.T)[0, 0]) / length**2, top], [1.0, 0.0]])
    return {
        "width": spec.width,
        "at": at.tolist(),
        "at_other": at_other.tolist(),
        "losses": losses.tolist(),
        "curve": (weights @ places).tolist(),
        "barrier": float(landscape.barrier(surface, curve).relative[0]),
        "straight": float(landscape.barrier(surface, landscape.straight(a, b)).relative[0]),
    }
