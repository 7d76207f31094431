"""A kernel of a dense network with its derivatives by standard deviations, tile by tile."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ntkreg.architecture import Architecture, Dense, Relu
from ntkreg.errors import SpecError
from ntkreg.gram.gram import kernel_of
from ntkreg.gram.plan import check_plan, make_plan
from ntkreg.gram.threads import run_tasks
from ntkreg.gram.tiles import GramTile, compute_tile, iter_tiles
from ntkreg.gram.work import check_work
from ntkreg.kernels import Engine, KernelSpec
from ntkreg.kernels.gradient.plain import HYPERPARAMETERS, PlainGradientEngine, check_layers
from ntkreg.kernels.gradient.relu import ReluGradientEngine
from ntkreg.kernels.ranges import is_homogeneous

__all__ = ["kernel_gradient"]


def kernel_gradient(
    spec: KernelSpec, X: Any, names: Sequence[str] = HYPERPARAMETERS, *, n_jobs: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel of X with itself, and its derivatives by logarithms of hyperparameters.

    Parameters
    ----------
    spec : KernelSpec
        One of the two kernels of one network of dense layers and activations, in float64.
    X : array-like of shape (n, d)
    names : sequence of {"weight_std", "bias_std"}
        Standard deviations of all dense layers but the last, the read-out. Along "bias_std"
        layers whose bias_std is 0 keep it.
    n_jobs : int or None
        Threads, as in `ntkreg.kernel`; changes no bit.

    Returns
    -------
    K : ndarray of shape (n, n)
        As `kernel_of`, to rounding.
    gradient : ndarray of shape (n, n, n_names)
        dK / d log(weight_std) and so on; a view of an array (n_names, n, n). Symmetric, finite,
        0 along whatever K does not depend on.

    Raises
    ------
    ShapeError, TypeError, ValueError, SpecError, PlanError
        As `ntkreg.kernel`; another network.

    Notes
    -----
    Exact derivatives of the recursion. Time: about twice that of K. Where two inputs are the same
    up to rounding, errors are of the square root of it, as those of K are.
    """
    network = spec.network
    if not isinstance(network, Architecture) or spec.variants is not None or len(spec.fields) > 1:
        raise SpecError(
            f"kernel_gradient: spec must be of one kernel of one network of ours; got {spec!r}."
        )
    check_layers(network)
    if any(name not in HYPERPARAMETERS for name in names):
        raise SpecError(
            f"kernel_gradient: names must be among {', '.join(HYPERPARAMETERS)}; got {names!r}."
        )
    if not names or is_homogeneous(network.layers):
        return _of_a_power(spec, network, X, names, n_jobs)
    work = check_work(replace(spec, dtype="float64"), X)
    fields = (*spec.fields, *names)
    work = replace(work, engine=_engine(network, work.engine.shape, fields))
    plan = make_plan(work, folder=None, n_jobs=n_jobs, tile=None)
    check_plan(plan, None)
    n = len(work.X)
    values, gradient = np.empty((n, n)), np.empty((len(names), n, n))
    parts = [K[None] for K in (values, *gradient)]
    _ = work.prepared  # once, before threads ask for it

    def fill(task: GramTile, done: Callable[[int], None]) -> None:
        out = [K[:, task.rows, task.columns] for K in parts]
        mirror = [K[:, task.columns, task.rows] for K in parts]
        compute_tile(work, task, out, None, done, mirror)

    tiles = iter_tiles(work, plan.tile)
    run_tasks(tiles, fill, pairs=work.pairs, n_jobs=plan.n_jobs, progress=None)
    return values, np.moveaxis(gradient, 0, -1)


def _engine(network: Architecture, shape: tuple[int, ...], fields: tuple[str, ...]) -> Engine:
    layers = network.layers[:-1]
    # The loops' steps know rates of biases that are there, in every hidden layer.
    if all(isinstance(v, Relu) or (isinstance(v, Dense) and v.bias_std > 0) for v in layers):
        return ReluGradientEngine(shape, np.dtype(float), fields, 1, network, fields[1:])
    return PlainGradientEngine(shape, np.dtype(float), fields, 1, (network,), fields[1:])


def _of_a_power(
    spec: KernelSpec, network: Architecture, X: Any, names: Sequence[str], n_jobs: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Of a homogeneous network: K is weight_std to the power 2 depth times what it is at 1."""
    values = kernel_of(replace(spec, get=spec.fields[0], dtype="float64"), X, n_jobs=n_jobs)
    depth = sum(isinstance(layer, Dense) for layer in network.layers[:-1])
    powers = [2.0 * depth if name == "weight_std" else 0.0 for name in names]
    gradient = np.empty((len(names), *values.shape))
    for out, power in zip(gradient, powers, strict=True):
        np.multiply(values, power, out=out)
    return values, np.moveaxis(gradient, 0, -1)
