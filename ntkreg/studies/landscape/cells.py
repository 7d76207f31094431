"""One depth and width: networks at levels of their loss and at the end, and paths between them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from ntkreg import finite, landscape
from ntkreg.studies.landscape.task import Task

__all__ = ["CellSpec", "cell_specs", "measure_cell"]

PER_DECADE = 32
"""Observations of a decade of steps: losses at a level scatter by the distance of two."""

_PRODUCTS = 48
_LEFT_OUT = 2
_POLISH = 60
"""Trust-region iterations that polish an end point, or a batch's minimum, at most."""

Row = dict[str, Any]


@dataclass(frozen=True)
class CellSpec:
    """Which networks."""

    kind: ClassVar[str] = "cell"

    depth: int
    width: int


def cell_specs(task: Task) -> list[CellSpec]:
    """Return every cell of the base grid."""
    return [CellSpec(d, w) for d in task.config.depths for w in task.config.widths]


def measure_cell(task: Task, spec: CellSpec) -> dict[str, Any]:
    """Train the networks of a cell and return what was seen.

    Returns
    -------
    dict
        Of the spec; values: list of [level, seed, quantity, value]. Level 0 is the end, at which
        a pair of networks is named by its first seed. What is undefined or was not reached has no
        line.
    """
    config = task.config
    network = task.network(spec.depth, spec.width)
    training = finite.Training(task.rate(spec.depth), config.max_steps)
    watch = landscape.ObserveLevels(config.levels)
    run = finite.train(
        network,
        training,
        task.X,
        task.y,
        seeds=range(config.n_seeds),
        dtype="float64",
        observers={"loss": watch},
        observe_at=finite.log_steps(config.max_steps, PER_DECADE),
        progress=False,
    )
    values: list[list[Any]] = []
    for level, found in zip(config.levels, watch.found, strict=True):
        edge = level in (config.levels[0], config.levels[-1])
        for quantity, per_seed in _at_level(task, network, found, edge):
            values += _lines(level, quantity, np.ma.MaskedArray(per_seed, mask=~found.reached))
        values += _lines(level, "reached", found.reached.astype(float))
    for quantity, per_seed in _at_end(task, network, run):
        values += _lines(0.0, quantity, per_seed)
    for quantity, per_pair in _between(task, network, run):
        values += _lines(0.0, quantity, per_pair, step=2)
    return {**asdict(spec), "values": values}


def _lines(level: float, quantity: str, values: Any, step: int = 1) -> list[list[Any]]:
    defined = ~np.ma.getmaskarray(values)
    found = np.ma.getdata(values)
    return [[level, step * int(k), quantity, float(found[k])] for k in np.flatnonzero(defined)]


def _at_level(task: Task, network: Any, found: Any, edge: bool) -> Iterator[tuple[str, Any]]:
    surface = task.surface(network, found.params)
    yield "steps", found.steps
    yield "loss", surface.losses() / surface.null_loss
    seen = landscape.criticality(surface)
    yield "gradient_norm", seen.gradient_norm
    yield "curvature_ratio", seen.curvature_ratio
    hessian = landscape.Hessian(surface)
    ends = landscape.extreme_eigenvalues(hessian, _PRODUCTS)
    yield "lambda_max", ends.largest
    yield "negative_share", np.maximum(-ends.smallest, 0) / ends.largest
    yield "trace", landscape.trace(hessian, _PRODUCTS).value
    layers = landscape.layer_gradient_norms(surface)
    yield "last_layer_share", _share(layers)
    if edge:
        size = task.config.n_train // task.config.n_batches
        batches = landscape.batch_landscape(surface, size, max_iterations=_POLISH)
        yield "batch_gap", batches.gap.mean(axis=1) / surface.null_loss
        yield "batch_distance", batches.distance.mean(axis=1)
        yield "batch_noise", batches.noise
        yield "batch_cosine", batches.least_cosine


def _share(layers: np.ndarray) -> np.ma.MaskedArray:
    """Return the last layer's share of the gradient's square over that of an equal split."""
    squares = np.square(layers)
    total = squares.sum(axis=1)
    zero = total == 0
    return np.ma.MaskedArray(squares[:, -1] * layers.shape[1] / np.where(zero, 1, total), mask=zero)


def _at_end(task: Task, network: Any, run: Any) -> Iterator[tuple[str, Any]]:
    surface = task.surface(network, run.params)
    tests = surface.on(task.X_test, task.y_test)
    yield "loss", surface.losses() / surface.null_loss
    yield "test_loss", tests.losses() / tests.null_loss
    rank = landscape.feature_rank(network, run.params, task.X)
    yield "rank_share", rank.rank / rank.n_distinct
    yield "feature_least", rank.least
    yield "last_layer_residual", landscape.last_layer_residual(network, run.params, task.X, task.y)
    start = surface.vector(run.start)
    moved = np.linalg.norm(surface.theta - start, axis=1)
    yield "weight_change", moved / np.linalg.norm(start, axis=1)
    hessian = landscape.Hessian(surface)
    yield "sharpness_lambda", landscape.extreme_eigenvalues(hessian, _PRODUCTS).largest
    yield "sharpness_trace", landscape.trace(hessian, _PRODUCTS).value
    yield "sharpness_average", landscape.average_sharpness(surface, 0.5).value
    yield "sharpness_filter", landscape.filter_sharpness(surface, 0.1).value
    yield "sharpness_sam", landscape.sam_sharpness(surface, 0.1)
    yield "sharpness_box", landscape.box_sharpness(surface, 1e-2)
    perturbed = landscape.perturbed_losses(tests, [0.05, 0.2], kind="filter", n_draws=8)
    for k, radius in enumerate((0.05, 0.2)):
        yield f"test_loss_perturbed_{radius:g}", perturbed[:, :, k].mean(axis=1) / tests.null_loss
    low = landscape.polish(surface, max_iterations=_POLISH)
    yield "gradient_norm", np.linalg.norm(surface.gradients(), axis=1)
    yield "polished_gradient_norm", low.gradient_norms
    yield "polished_loss", surface.losses(low.theta) / surface.null_loss
    bottom = task.surface(network, surface.params(low.theta))
    left = landscape.leave_one_out(bottom, range(_LEFT_OUT), max_iterations=_POLISH)
    yield "left_out_shift", left.shift.mean(axis=1) / np.linalg.norm(low.theta, axis=1)


def _between(task: Task, network: Any, run: Any) -> Iterator[tuple[str, Any]]:
    import jax

    one, other = (jax.tree.map(lambda p, k=k: np.asarray(p)[k::2], run.params) for k in (0, 1))
    surface = task.surface(network, one)
    a, b = surface.theta, surface.vector(other)
    yield "barrier_straight", landscape.barrier(surface, landscape.straight(a, b)).relative
    near = surface.vector(landscape.match(network, other, one))
    yield "barrier_matched", landscape.barrier(surface, landscape.straight(a, near)).relative
    for kind in ("bezier", "polygon"):
        curve = landscape.find_curve(surface, a, b, kind=kind, n_steps=task.config.curve_steps)
        yield f"barrier_{kind}", landscape.barrier(surface, curve).relative
    yield "barrier_same_start", _same_start(task, network, run)


def _same_start(task: Task, network: Any, run: Any) -> Any:
    """Return barriers between ends of SGD from one start with batches in two orders."""
    import jax

    config = task.config
    start = jax.tree.map(lambda p: np.asarray(p)[::2], run.start)
    batch = config.n_train // config.n_batches
    training = finite.Training(
        run.training.learning_rate, config.sgd_steps, "sgd", batch_size=batch
    )
    n = config.n_seeds // 2
    ends = [
        finite.train(
            network,
            training,
            task.X,
            task.y,
            seeds=range(first, first + n),
            params=start,
            dtype="float64",
            observers={},
            progress=False,
        ).params
        for first in (1000, 2000)
    ]
    surface = task.surface(network, ends[0])
    path = landscape.straight(surface.theta, surface.vector(ends[1]))
    return landscape.barrier(surface, path).relative
