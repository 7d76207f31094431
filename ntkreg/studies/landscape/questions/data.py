"""Which data: repeated inputs with other targets, inputs in clusters."""

from typing import NamedTuple

import numpy as np

from ntkreg import finite, landscape
from ntkreg.studies.landscape.questions.lines import Values, lines
from ntkreg.studies.landscape.task import Task

__all__ = ["clusters", "conflicts", "draw_clusters"]

_CLUSTERS = 8
_RADII = {"clustered": 0.1, "spread": 2.0}
"""Of a cluster, over the distance of a centre from zero."""

_STEPS = 4000


def conflicts(task: Task) -> Values:
    """Loss over its floor where an eighth of the inputs comes twice with opposite targets."""
    config = task.config
    n = config.n_train // 8 or 1
    X, y = np.vstack([task.X, task.X[:n]]), np.concatenate([task.y, -task.y[:n]])
    floor = landscape.loss_floor(X, y).loss
    values: Values = []
    for width in (min(config.widths), config.n_train):
        network = task.network(1, width)
        run, _ = task.descend(network, task.rate(1) / 2, X=X, y=y)
        surface = landscape.LossSurface(network, run.params, X, y)
        values += lines(f"width {width}", "loss_over_floor", surface.losses() / floor)
        rank = landscape.feature_rank(network, run.params, X)
        values += lines(f"width {width}", "rank_share", rank.rank / rank.n_distinct)
    return values


def clusters(task: Task) -> Values:
    """Loss of narrow networks after as many steps, labels by cluster, tight ones and wide ones.

    References
    ----------
    Li and Liang 2018 (arXiv 1808.01204).
    """
    draws = range(task.config.n_seeds)
    drawn = {name: [draw_clusters(task, r, draw) for draw in draws] for name, r in _RADII.items()}
    values: Values = []
    for width in (1, 2, 4):
        network = task.network(1, width)
        for name, each in drawn.items():
            ends = []
            for draw, (X, y, rate) in enumerate(each):
                run = finite.train(
                    network,
                    finite.Training(rate, _STEPS),
                    X,
                    y,
                    seeds=range(draw * 4, draw * 4 + 4),
                    dtype="float64",
                    observers={},
                    progress=False,
                )
                surface = landscape.LossSurface(network, run.params, X, y)
                ends.append(surface.losses().mean() / surface.null_loss)
            values += lines(f"width {width}, {name}", "loss", ends)
    return values


class Clusters(NamedTuple):
    """Inputs in clusters, labels by cluster, and the rate at which networks learn them."""

    X: np.ndarray
    y: np.ndarray
    rate: float


def draw_clusters(task: Task, radius: float, draw: int) -> Clusters:
    """Draw as many inputs as the task has, in clusters of a radius."""
    config = task.config
    n, d = task.X.shape
    rng = np.random.default_rng((config.seed, draw))
    centres = rng.normal(size=(_CLUSTERS, d))
    labels = rng.permutation(np.arange(_CLUSTERS) % 2 * 2.0 - 1)
    which = np.arange(n) % _CLUSTERS
    X = centres[which] + radius * rng.normal(size=(n, d))
    X /= np.sqrt(np.square(X).mean())
    top = np.linalg.eigvalsh(task.kernel(1, X))[-1] / n
    # A quarter of the kernel's rate: such narrow networks have larger curvatures.
    return Clusters(X, labels[which], config.rate / top / 4)
