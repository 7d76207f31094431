"""Which network: skips, linear layers, which layer is the wide one."""

import numpy as np

from ntkreg import finite, landscape
from ntkreg.studies.landscape.questions.lines import Values, lines
from ntkreg.studies.landscape.task import Task, network_of

__all__ = ["linear_networks", "narrowing", "skips", "wide_layer"]

_NARROW = 4
_TINY = 1e-9
"""Relative excess over the least squares value at which a linear network has reached it: the
bound on gradients of `landscape.polish`, and curvatures near 1, make it smaller by far."""


def skips(task: Task) -> Values:
    """Largest curvature of deep narrow networks as they are drawn, with and without skips."""
    config = task.config
    values: Values = []
    for kind in ("erf", "skip", "scaled skip"):
        architecture = network_of(config.skip_depth, kind)
        network = finite.finite_network(architecture, task.X.shape[1:], width=config.skip_width)
        surface = task.surface(network, network.init_seeds(range(config.n_seeds), "float64"))
        hessian = landscape.Hessian(surface)
        found = landscape.extreme_eigenvalues(hessian, 48)
        values += lines(kind, "lambda_max", found.largest)
        values += lines(kind, "loss", surface.losses() / surface.null_loss)
        direction = landscape.filter_normalized_directions(surface)
        slices = landscape.line(surface, direction, np.linspace(-1, 1, 33)) / surface.null_loss
        values += lines(kind, "slice_range", np.ptp(slices, axis=1))
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
        values += lines(name, "excess", (surface.losses(end.theta) - best) / null)
        values += lines(name, "reached", surface.losses(end.theta) < best + _TINY * null)
        if name == "no bottleneck":
            zero = jax.tree.map(lambda p: 0 * np.asarray(p[:1]), params)
            still = landscape.LossSurface(network, zero, X, Y)
            values += lines("start at zero", "excess", (still.losses() - best) / null)
            values += lines("start at zero", "gradient_norm", still.gradients()[:, 0])
    return values


def wide_layer(task: Task) -> Values:
    """Rank and least residual where one of two hidden layers is as wide as there are points."""
    n = len(task.X)
    values: Values = []
    for name, widths in (("the last", (_NARROW, n)), ("the first", (n, _NARROW))):
        network = task.network(2, widths)
        params = network.init_seeds(range(task.config.n_seeds), "float64")
        rank = landscape.feature_rank(network, params, task.X)
        values += lines(name, "rank_share", rank.rank / n)
        residual = landscape.last_layer_residual(network, params, task.X, task.y)
        values += lines(name, "last_layer_residual", residual)
    return values


def narrowing(task: Task) -> Values:
    """Share of starts that descent leads to the least level, one hidden layer of three wide.

    References
    ----------
    Nguyen and Mondelli 2020 (arXiv 2002.07867): a wide layer, then narrowing ones.
    """
    n = len(task.X)
    shapes = {
        "wide middle layer, narrowing after it": (_NARROW, n, n // 4 or 1),
        "all narrow": (_NARROW,) * 3,
    }
    values: Values = []
    for name, widths in shapes.items():
        network = task.network(3, widths)
        run, levels = task.descend(network, task.rate(3) / 2)
        surface = task.surface(network, run.params)
        values += lines(name, "reached", levels[-1].reached)
        values += lines(name, "loss", surface.losses() / surface.null_loss)
    return values


def _vector_targets(task: Task) -> np.ndarray:
    """Return three targets, so that one unit is a bottleneck: rank 1 of 3."""
    return np.stack([task.y, task.X[:, 0], np.roll(task.y, 1)], axis=1)
