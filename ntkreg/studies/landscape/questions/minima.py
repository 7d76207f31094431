"""Which minimum, which saddle: where many starts end, and what is true of these points."""

from typing import Any

import numpy as np

from ntkreg import finite, landscape
from ntkreg.studies.landscape.questions.lines import Values, lines
from ntkreg.studies.landscape.task import Task, network_of

__all__ = ["basins", "critical_points", "global_minima"]

_GROUP = 5
"""End points, at least, that have a subspace in common: the interval is over at most ten groups."""

_DIRECTIONS = 2
_CRITICAL = 1e-9
_ITERATIONS = 300

_DRAWS, _STARTS, _STUDENT, _STEPS = 10, 20, 2, 4000
_NOISE = 0.5
"""Standard deviation over that of the targets."""


def basins(task: Task) -> Values:
    """Minima that students of a teacher end in: hits, losses, curvature; the subspace of ends."""
    config = task.config
    network, X, y = _teacher(task)
    starts = network.init_seeds(range(config.n_basin_starts), "float64")
    surface = landscape.LossSurface(network, starts, X, y)
    begun = surface.theta
    low = landscape.polish(surface)
    ends = landscape.LossSurface(network, surface.params(low.theta), X, y)
    values = lines("all", "converged", low.converged)
    found = landscape.find_basins(ends)
    null = surface.null_loss
    for quantity, per_basin in (
        ("hits", found.counts),
        ("basin_loss", found.losses / null),
        ("hessian_norm", found.hessian_norms),
    ):
        values += lines("basins", quantity, per_basin)
    # Ends differ by symmetries, too: once as they are, once all matched to the first.
    first = np.repeat(low.theta[:1], len(low.theta), axis=0)
    params = landscape.match(network, surface.params(low.theta), surface.params(first))
    matched = ends.vector(params)
    n_groups = min(10, len(begun) // _GROUP)
    for k in range(n_groups):
        rows = slice(k, None, n_groups)
        for name, points in (("ends", low.theta), ("ends, matched", matched)):
            shares = landscape.spread_shares(begun[rows], points[rows], _DIRECTIONS)
            values.append([name, k, "share", shares.ends])
            values.append([name, k, "share_of_starts", shares.starts])
    return values


def critical_points(task: Task) -> Values:
    """Losses and indices of the distinct critical points that searches from many starts end in.

    Points are found by least squares of the gradient from random starts, so that saddles are as
    good as minima; that of a point whose gradient stays is none. The index is the share of
    negative curvatures.

    References
    ----------
    Dauphin et al. 2014 (arXiv 1406.2572); Frye et al. 2021 (arXiv 2003.10397), of gradient-flat
    points, where this search may end, too.
    """
    config = task.config
    network, X, y = _teacher(task)
    starts = network.init_seeds(range(config.n_basin_starts), "float64")
    drawn = landscape.LossSurface(network, starts, X, y)
    # Twice as far from zero as usual: searches from near it end in the saddle at zero.
    surface = landscape.LossSurface(network, drawn.params(2 * drawn.theta), X, y)
    theta, norms = _level(surface)
    losses = surface.losses(theta) / surface.null_loss
    curvature = np.linalg.eigvalsh(landscape.Hessian(surface, theta).dense())
    index = (curvature < -1e-7 * np.abs(curvature).max(axis=1, keepdims=True)).mean(axis=1)
    critical = norms < _CRITICAL
    values = lines("all", "converged", critical)
    # Of one saddle or minimum, and of those that units which change places make of it, one counts.
    _, first = np.unique(np.round(losses[critical], 6), return_index=True)
    values += lines("distinct", "loss", losses[critical][first])
    values += lines("distinct", "index", index[critical][first])
    return values


def global_minima(task: Task) -> Values:
    """Test loss of the lowest of many ends over that of the typical one, clean and noisy targets.

    Of students too small to fit every point: a wide one has no other ends than global ones.

    References
    ----------
    Choromanska et al. 2015 (arXiv 1412.0233).
    """
    config = task.config
    network = task.network(1, _STUDENT)
    n = len(task.X)
    values: Values = []
    for name, noise in (("clean", 0.0), ("noisy", _NOISE)):
        ratios, spreads = [], []
        for draw in range(_DRAWS):
            rng = np.random.default_rng((config.seed, draw))
            rows = rng.choice(n, 3 * n // 4, replace=False)
            y = task.y + noise * np.sqrt(np.square(task.y).mean()) * rng.normal(size=n)
            run = finite.train(
                network,
                finite.Training(task.rate(1) / 2, _STEPS),
                task.X[rows],
                y[rows],
                seeds=range(draw * _STARTS, (draw + 1) * _STARTS),
                dtype="float64",
                observers={},
                progress=False,
            )
            surface = landscape.LossSurface(network, run.params, task.X[rows], y[rows])
            losses, tests = surface.losses(), surface.on(task.X_test, task.y_test).losses()
            ratios.append(tests[np.argmin(losses)] / np.median(tests))
            spreads.append(losses.min() / np.median(losses))
        values += lines(name, "test_ratio", ratios) + lines(name, "loss_ratio", spreads)
    return values


def _teacher(task: Task) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return a student, and inputs and targets of a teacher of its size."""
    config = task.config
    network = finite.finite_network(network_of(1), (2,), width=config.basin_width)
    X = np.random.default_rng(config.seed).normal(size=(64, 2))
    return network, X, network.predict(network.init(config.seed + 10_000, "float64"), X)


def _level(surface: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return points of least gradient near a surface's own, and its norms (Levenberg-Marquardt)."""
    theta = surface.theta.copy()
    hessian, eye = landscape.Hessian(surface), np.eye(surface.n_parameters)
    gradient = np.array(surface.gradients(theta))
    norms, damping = np.linalg.norm(gradient, axis=1), np.full(len(theta), 1e-2)
    for _ in range(_ITERATIONS):
        H = hessian.at(theta).dense()
        scale = damping[:, None, None] * np.square(H).sum(axis=(1, 2), keepdims=True)
        pulled = np.einsum("sij,sj->si", H, gradient)
        step = np.linalg.solve(H @ H + (scale + 1e-300) * eye, pulled[..., None])[..., 0]
        trial = theta - step
        after = surface.gradients(trial)
        found = np.linalg.norm(after, axis=1)
        better = found < norms
        for now, new in ((theta, trial), (gradient, after), (norms, found)):
            now[better] = new[better]
        damping = np.clip(np.where(better, damping / 4, damping * 3), 1e-16, 1e4)
        if (norms < _CRITICAL).all():
            break
    return theta, norms
