"""What the landscape study will cost, before any of it is run."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ntkreg import finite, landscape
from ntkreg.cpus import check_n_jobs
from ntkreg.studies.landscape.cells import CellSpec, measure_cell
from ntkreg.studies.landscape.config import LandscapeConfig
from ntkreg.studies.landscape.study import do, specs_of
from ntkreg.studies.landscape.task import Task, load_task
from ntkreg.studies.shared.plan import COPIES, StudyPlan, seconds_of
from ntkreg.studies.shared.workers import seconds_of_the_last, seconds_to_start

__all__ = ["plan_landscape"]

_PRODUCTS = 1500
"""Of the Hessian, for each network of a cell: Lanczos, traces, polishing of ends and batches."""

_CURVE_GRADIENTS = 2 * 8
"""Of each step of the search for two curves, for each pair."""

_TRAININGS = 5
"""Of a cell: with all points, and without one of four."""

_QUESTIONS = 7.5
"""Of all questions beside the grid but skips, in times that a cell takes to compile: that is most
of what they take. Measured on two configurations, as are the next two."""

_SKIP_LAYER = 0.27
"""Of a hidden layer of the networks with and without skips, compiled layer by layer."""

_PLANE = 0.35

_FEW = 2
"""Steps of everything in a cell that is run for its compilation."""

_TIMED_STEPS = 100


def plan_landscape(
    config: LandscapeConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[StudyPlan]:
    """Yield what `run_landscape` would do; trains each cell once, and measures one of a depth.

    Parameters
    ----------
    config : LandscapeConfig
    output : path
        Not looked at: the disk is small.
    n_jobs : int or None
        Pieces at the same time; None for one a core.

    Raises
    ------
    SpecError, DataError
        As of the study.
    """
    task, jobs = load_task(config), check_n_jobs(n_jobs)
    # With the first cell comes what is compiled for all.
    begun = _short_cell(task, config.depths[0], config.widths[0])
    first, *_ = compiling = [_compiling(task, depth) for depth in config.depths]
    units = _QUESTIONS + _SKIP_LAYER * config.skip_depth + 2 * _PLANE
    pieces = specs_of(task)
    starting = seconds_to_start(do, jobs, len(pieces)) + max(begun - first, 0.0)  # in each process
    seconds = {"starting processes": starting, "questions": first * units / jobs}
    others = len(pieces) - len(config.depths) * len(config.widths)
    taken, peak = [first * units / others] * others, 0  # of pieces, the last one first
    for depth, beginning in zip(config.depths, compiling, strict=True):
        for width in config.widths:
            steps, step, product = _training(task, depth, width)
            # A batch of half the networks; both ends of a curve are half of them.
            batches = 2 * config.sgd_steps / (2 * config.n_batches)
            curves = config.curve_steps * _CURVE_GRADIENTS / 2
            took = step * (_TRAININGS * steps + batches + curves)
            took += product * _PRODUCTS + beginning
            taken.append(took)
            parameters = task.network(depth, width).n_parameters
            # Lanczos keeps a vector a product for each network.
            peak = max(peak, 8 * config.n_seeds * parameters * (COPIES + 48))
        seconds[f"depth {depth}"] = sum(taken[-len(config.widths) :]) / jobs
    seconds["waiting for the last"] = seconds_of_the_last(taken[::-1], jobs)
    networks = config.n_seeds * len(config.depths) * len(config.widths)
    yield StudyPlan(
        {"pieces": len(pieces), "networks": networks},
        seconds,
        peak_bytes=peak * jobs,
        disk_bytes=100_000 * len(pieces),
        note="steps   those after which a first training of each cell is at the least level",
    )


def _compiling(task: Task, depth: int) -> float:
    """Return what a cell takes without its products and steps: until its functions are compiled."""
    width = task.config.widths[1]
    took = _short_cell(task, depth, width)
    hessian = _hessian(task, task.network(depth, width))
    return max(took - _PRODUCTS * seconds_of(lambda: hessian(hessian.theta)), 0.0)


def _short_cell(task: Task, depth: int, width: int) -> float:
    """Return the seconds of a cell that takes next to no steps."""
    few = replace(task.config, max_steps=_FEW, sgd_steps=_FEW, curve_steps=_FEW)
    short, spec = replace(task, config=few), CellSpec(depth, width)
    return seconds_of(lambda: measure_cell(short, spec))


def _training(task: Task, depth: int, width: int) -> tuple[int, float, float]:
    """Return a cell's steps, and the times of a step and of a Hessian product of all networks."""
    seeds, network = range(task.config.n_seeds), task.network(depth, width)
    _, levels = task.descend(network, task.rate(depth))
    last = levels[-1]
    steps = int(last.steps.max()) if last.reached.all() else task.config.max_steps

    def train() -> None:
        finite.train(
            network,
            finite.Training(1e-9, _TIMED_STEPS),
            task.X,
            task.y,
            seeds=seeds,
            dtype="float64",
            observers={},
            progress=False,
        )

    train()  # compiles
    hessian = _hessian(task, network)
    return steps, seconds_of(train) / _TIMED_STEPS, seconds_of(lambda: hessian(hessian.theta))


def _hessian(task: Task, network: Any) -> Any:
    """Return the Hessian where networks start, compiled."""
    params = network.init_seeds(range(task.config.n_seeds), "float64")
    hessian = landscape.Hessian(task.surface(network, params))
    hessian(hessian.theta)
    return hessian
