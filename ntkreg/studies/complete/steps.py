"""How many steps a completion takes, as runs that were kept took (`benchmarks/completion.csv`).

They depend on how many entries are seen for each number that decides a matrix of that rank,
r (m + n - r): near one and a half of them training is longest, for a deep product has much to
choose from and little to choose by. On 100 x 100 matrices of rank 5 and of rank 10 that ratio and
the depth tell the mean number of steps within a factor of two, and so they do on 60 x 60 of rank 3.
"""

import math

import numpy as np

from ntkreg.studies.complete.config import REFERENCE
from ntkreg.studies.complete.paths import MOST_STEPS, PathSpec
from ntkreg.studies.complete.runs import RunSpec
from ntkreg.studies.complete.task import Task

__all__ = ["expected_path_steps", "expected_steps"]

_RATIOS = (1.0, 1.5, 2.0, 2.5, 3.0, 5.0)
"""Seen entries for each number that decides the matrix."""

_WINDOW = {
    0: (140, 140, 180, 380, 260, 60),
    2: (400, 600, 1000, 1700, 2100, 1150),
    3: (6200, 14_000, 4600, 830, 580, 440),
    4: (98_000, 49_000, 4400, 2200, 1900, 1800),
}
"""Mean steps of gradient descent from 1e-3 to a loss of 1e-6 at these ratios, by depth; of the
nuclear norm, which has depth 0. A depth of one takes as long as that; deeper ones as the last."""

_SHARES = {
    "sgd": 4.0,
    "momentum": 0.7,
    "adam": 0.5,
    "adagrad": 0.17,
    "group_rmsprop": 53.0,
    "gd_long": 0.36,
}
"""Steps of another optimiser at depth 2, for each of gradient descent's."""

_DEEPER = {
    "sgd": 16_000,
    "momentum": 11_000,
    "adam": 2300,
    "adagrad": 220,
    "group_rmsprop": 52_000,
    "gd_long": 4000,
}
"""Steps of another optimiser at other depths, whatever gradient descent's are."""

_PATHS = {1: 6, 2: 95, 3: 250, 4: 540}
"""Steps of a path by depth, times its share of one over the curvature."""


def expected_steps(task: Task, spec: RunSpec) -> float:
    """Return about how many steps a run takes, `max_steps` at most."""
    depth = min(spec.depth, max(_WINDOW)) if spec.depth != 1 else 0
    m, n = task.shape
    rank = spec.rank or 10  # ratings: as matrices of this rank
    ratio = spec.n_seen / (rank * (m + n - rank))
    steps = math.exp(np.interp(ratio, _RATIOS, np.log(_WINDOW[depth])))
    smaller = math.log10(1e-3 / spec.init_scale) if spec.depth else 0.0
    if depth == 2:  # the plateau of two small factors is left exponentially
        steps *= max(1 + 0.4 * smaller, 0.1)
    elif depth == 4:
        steps *= 3.0**smaller
    if spec.depth and spec.optimizer != REFERENCE:
        steps = steps * _SHARES[spec.optimizer] if depth == 2 else _DEEPER[spec.optimizer]
    return min(steps, task.config.max_steps)


def expected_path_steps(task: Task, spec: PathSpec) -> float:
    """Return about how many steps a path takes."""
    return min(_PATHS[spec.depth] / spec.share, MOST_STEPS, task.config.max_steps)
