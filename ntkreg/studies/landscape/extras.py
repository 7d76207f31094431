"""Questions with a task of their own: skips, linear networks, conflicts, the wide layer, basins."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ntkreg import finite, landscape
from ntkreg.studies.landscape.task import Task, network_of

__all__ = ["EXTRAS"]

_NARROW = 4
_GROUP = 5
"""End points, at least, that have a subspace in common: the interval is over at most ten groups."""

_DIRECTIONS = 2
_TINY = 1e-9
"""Relative excess over the least squares value at which a linear network has reached it: the
bound on gradients of `landscape.polish`, and curvatures near 1, make it smaller by far."""

Values = list[list[Any]]
"""Lines of subject, seed or group, quantity, value."""


def skips(task: Task) -> Values:
    """Largest curvature of deep narrow networks as they are drawn, with and without skips."""
    config = task.config
    values: Values = []
    for kind in ("erf", "skip"):
        architecture = network_of(config.skip_depth, kind)
        network = finite.finite_network(architecture, task.X.shape[1:], width=config.skip_width)
        surface = task.surface(network, network.init_seeds(range(config.n_seeds), "float64"))
        hessian = landscape.Hessian(surface)
        found = landscape.extreme_eigenvalues(hessian, 48)
        values += _lines(kind, "lambda_max", found.largest)
        values += _lines(kind, "loss", surface.losses() / surface.null_loss)
        direction = landscape.filter_normalized_directions(surface)
        slices = landscape.line(surface, direction, np.linspace(-1, 1, 33)) / surface.null_loss
        values += _lines(kind, "slice_range", np.ptp(slices, axis=1))
    return values


def linear_networks(task: Task) -> Values:
    """Excess of linear networks over least squares, without and with a bottleneck, and from 0."""
    import jax

    X, Y = task.X, _vector_targets(task)
    best = 0.5 * np.square(Y - X @ np.linalg.lstsq(X, Y, rcond=None)[0]).sum(axis=1).mean()
    null = 0.5 * np.square(Y).sum(axis=1).mean()
    values: Values = []
    for name, width in (("no bottleneck", 8), ("bottleneck", 1)):
        network = finite.finite_network(
            network_of(2, "linear"), X.shape[1:], width=width, n_outputs=Y.shape[1]
        )
        params = network.init_seeds(range(task.config.n_seeds), "float64")
        surface = landscape.LossSurface(network, params, X, Y)
        end = landscape.polish(surface)
        values += _lines(name, "excess", (surface.losses(end.theta) - best) / null)
        values += _lines(name, "reached", surface.losses(end.theta) < best + _TINY * null)
        if name == "no bottleneck":
            zero = jax.tree.map(lambda p: 0 * np.asarray(p[:1]), params)
            still = landscape.LossSurface(network, zero, X, Y)
            values += _lines("start at zero", "excess", (still.losses() - best) / null)
            values += _lines("start at zero", "gradient_norm", still.gradients()[:, 0])
    return values


def conflicts(task: Task) -> Values:
    """Loss over its floor where an eighth of the inputs comes twice with opposite targets."""
    config = task.config
    n = config.n_train // 8 or 1
    X, y = np.vstack([task.X, task.X[:n]]), np.concatenate([task.y, -task.y[:n]])
    floor = landscape.loss_floor(X, y).loss
    values: Values = []
    for width in (2 * _NARROW, config.n_train):
        network = task.network(1, width)
        training = finite.Training(task.rate(1) / 2, config.max_steps)
        run = finite.train(
            network,
            training,
            X,
            y,
            seeds=range(config.n_seeds),
            dtype="float64",
            observers={},
            progress=False,
        )
        surface = landscape.LossSurface(network, run.params, X, y)
        values += _lines(f"width {width}", "loss_over_floor", surface.losses() / floor)
        rank = landscape.feature_rank(network, run.params, X)
        values += _lines(f"width {width}", "rank_share", rank.rank / rank.n_distinct)
    return values


def wide_layer(task: Task) -> Values:
    """Rank and least residual where one of two hidden layers is as wide as there are points."""
    n = len(task.X)
    values: Values = []
    for name, widths in (("the last", (_NARROW, n)), ("the first", (n, _NARROW))):
        network = task.network(2, widths)
        params = network.init_seeds(range(task.config.n_seeds), "float64")
        rank = landscape.feature_rank(network, params, task.X)
        values += _lines(name, "rank_share", rank.rank / n)
        residual = landscape.last_layer_residual(network, params, task.X, task.y)
        values += _lines(name, "last_layer_residual", residual)
    return values


def basins(task: Task) -> Values:
    """Minima that students of a teacher end in: hits, losses, curvature; the subspace of ends."""
    config = task.config
    network = finite.finite_network(network_of(1), (2,), width=config.basin_width)
    X = np.random.default_rng(config.seed).normal(size=(64, 2))
    teacher = network.init(config.seed + 10_000, "float64")
    y = network.predict(teacher, X)
    starts = network.init_seeds(range(config.n_basin_starts), "float64")
    surface = landscape.LossSurface(network, starts, X, y)
    begun = surface.theta
    low = landscape.polish(surface)
    ends = landscape.LossSurface(network, surface.params(low.theta), X, y)
    values = _lines("all", "converged", low.converged)
    found = landscape.find_basins(ends)
    null = surface.null_loss
    for quantity, per_basin in (
        ("hits", found.counts),
        ("basin_loss", found.losses / null),
        ("hessian_norm", found.hessian_norms),
    ):
        values += _lines("basins", quantity, per_basin)
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


EXTRAS: dict[str, Callable[[Task], Values]] = {
    "skips": skips,
    "linear networks": linear_networks,
    "conflicts": conflicts,
    "wide layer": wide_layer,
    "basins": basins,
}
"""By name."""


def _vector_targets(task: Task) -> np.ndarray:
    """Return three targets, so that one unit is a bottleneck: rank 1 of 3."""
    return np.stack([task.y, task.X[:, 0], np.roll(task.y, 1)], axis=1)


def _lines(subject: str, quantity: str, values: Any) -> Values:
    return [[subject, k, quantity, float(v)] for k, v in enumerate(values)]
