"""Ways down that are written out: to zero, from one zero to another, and below any bound."""

from typing import Any

import numpy as np

from ntkreg import finite, landscape
from ntkreg.studies.landscape.questions.lines import Values, lines
from ntkreg.studies.landscape.task import Task

__all__ = ["cross_entropy", "sublevel"]

_SCALES = 2.0 ** np.arange(12)
"""Of a read-out, walking away from zero."""


def sublevel(task: Task) -> Values:
    r"""Walk from two starts to zero loss and from there to each other, as the proofs do.

    With 2 n units: the read-outs move to an interpolating one (convex, so that the loss falls all
    the way), then to one that needs the first n units alone; the others, which nothing reads,
    take the places of the other network's; and so on with the halves exchanged.

    References
    ----------
    Nguyen 2019 (arXiv 1901.07417); Kuditipudi et al. 2019 (arXiv 1906.06247).
    """
    import jax

    n = len(task.X)
    network = task.network(1, 2 * n)
    params = network.init_seeds(range(task.config.n_seeds), "float64")
    one, other = (jax.tree.map(lambda p, k=k: np.asarray(p)[k::2], params) for k in (0, 1))
    surface = task.surface(network, one)
    rank = landscape.feature_rank(network, one, task.X).rank
    every, first, last = np.arange(2 * n), np.arange(n), np.arange(n, 2 * n)
    stops = [one, _fitted(task, network, one, every), _fitted(task, network, one, first)]
    stops.append(_with_units(stops[-1], other, last))
    stops.append(_fitted(task, network, stops[-1], last))
    stops.append(_with_units(stops[-1], other, first))
    stops.append(_fitted(task, network, other, every))
    points = np.stack([surface.vector(stop) for stop in stops], axis=1)
    t = np.linspace(0, 1, 32 * (len(stops) - 1) + 1)
    losses = (
        surface.losses_along(points, landscape.Path(points, "polygon").weights(t))
        / surface.null_loss
    )
    down = surface.vector(other), points[:, -1]
    back = landscape.barrier(surface, landscape.straight(*down)).losses / surface.null_loss
    rises = [np.maximum(np.diff(way, axis=1), 0).max(axis=1) for way in (losses[:, :33], back)]
    return [
        *lines("a start", "rank_share", rank / n),
        *lines("to zero", "rise", np.maximum(*rises)),
        *lines("to zero", "end", losses[:, 32]),
        *lines("between zeros", "greatest", losses[:, 32:].max(axis=1)),
    ]


def cross_entropy(task: Task) -> Values:
    """Losses on the ray of growing read-outs, from networks that tell the classes apart.

    References
    ----------
    Soudry et al. 2018 (arXiv 1710.10345): the infimum 0 is approached, never attained.
    """
    network = task.network(1, task.middle, n_outputs=2)
    classes = (task.y > 0).astype(int)
    run, _ = task.descend(network, 2 * task.rate(1), y=classes, loss="cross_entropy")
    surface = landscape.LossSurface(network, run.params, task.X, classes, loss="cross_entropy")
    outputs = network.predict_seeds(run.params, task.X)
    right = (outputs.argmax(axis=2) == classes).all(axis=1)
    basis = np.stack([surface.vector(_scaled(run.params, c)) for c in (0.0, 1.0)], axis=1)
    weights = np.stack([1 - _SCALES, _SCALES], axis=1)
    losses = surface.losses_along(basis, weights) / surface.null_loss
    return [
        *lines("all", "classified", right),
        *lines("all", "rise", np.maximum(np.diff(losses, axis=1), 0).max(axis=1)),
        *lines("all", "end", losses[:, -1]),
        *lines("all", "begin", losses[:, 0]),
    ]


def _fitted(task: Task, network: Any, params: Any, units: np.ndarray) -> Any:
    """Return the networks with the least read-out of some units that fits every point."""
    import jax

    w = np.zeros_like(np.asarray(params[-1]["w"]))
    scale = 1 / np.sqrt(w.shape[1])  # of the read-out's sum over units
    for k in range(len(w)):
        one = jax.tree.map(lambda p, k=k: np.asarray(p)[k], params)
        features = finite.readout_features(network, one, task.X)[:, units] * scale
        w[k, units, 0] = np.linalg.lstsq(features, task.y, rcond=None)[0]
    return (*params[:-1], {**params[-1], "w": w})


def _with_units(params: Any, other: Any, units: np.ndarray) -> Any:
    """Return the networks with some hidden units of others, which no read-out may look at."""
    assert not np.asarray(params[-1]["w"])[:, units].any()
    hidden = {name: np.array(leaf) for name, leaf in params[0].items()}
    for name, leaf in hidden.items():
        leaf[..., units] = np.asarray(other[0][name])[..., units]
    return (hidden, *params[1:])


def _scaled(params: Any, factor: float) -> Any:
    return (*params[:-1], {name: factor * np.asarray(p) for name, p in params[-1].items()})
