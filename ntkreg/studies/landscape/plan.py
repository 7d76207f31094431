"""What the landscape study will cost, before any of it is run."""

from collections.abc import Iterator
from pathlib import Path

from ntkreg import finite, landscape
from ntkreg.studies.landscape.config import LandscapeConfig
from ntkreg.studies.landscape.extras import EXTRAS
from ntkreg.studies.landscape.study import specs_of
from ntkreg.studies.landscape.task import Task, load_task
from ntkreg.studies.shared.plan import COPIES, StudyPlan, seconds_of

__all__ = ["plan_landscape"]

_PRODUCTS = 1500
"""Of the Hessian, for each network of a cell: Lanczos, traces, polishing of ends and batches."""

_CURVE_GRADIENTS = 2 * 8
"""Of each step of the search for two curves, for each pair."""

_COMPILE_SECONDS = 25.0
"""Until the functions of one cell are compiled."""

_EXTRA_SECONDS = 60.0
"""Of a question beside the grid, with compilation."""

_TIMED_STEPS = 20


def plan_landscape(
    config: LandscapeConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[StudyPlan]:
    """Yield what `run_landscape` would do; computes a few steps and products a cell.

    Parameters
    ----------
    config : LandscapeConfig
    output, n_jobs
        As every study's plan takes them; networks take all CPUs, and the disk is small.

    Raises
    ------
    SpecError, DataError
        As of the study.
    """
    task = load_task(config)
    seconds: dict[str, float] = {"questions": _EXTRA_SECONDS * len(EXTRAS)}
    peak = 0
    for depth in config.depths:
        total = 0.0
        for width in config.widths:
            step, product = _times(task, depth, width)
            curves = config.curve_steps * _CURVE_GRADIENTS / 2
            total += step * (config.max_steps + config.sgd_steps + curves)
            total += product * _PRODUCTS + _COMPILE_SECONDS
            parameters = task.network(depth, width).n_parameters
            # Lanczos keeps a vector a product for each network.
            peak = max(peak, 8 * config.n_seeds * parameters * (COPIES + 48))
        seconds[f"depth {depth}"] = total
    pieces = specs_of(task)
    networks = config.n_seeds * len(config.depths) * len(config.widths)
    yield StudyPlan(
        {"pieces": len(pieces), "networks": networks},
        seconds,
        peak_bytes=peak,
        disk_bytes=60_000 * len(pieces),
        note="steps   all max_steps; those that reach the least level sooner take less",
    )


def _times(task: Task, depth: int, width: int) -> tuple[float, float]:
    """Return the time of a training step, and of a Hessian product, of all networks of a cell."""
    seeds = range(task.config.n_seeds)
    network = task.network(depth, width)
    params = network.init_seeds(seeds, "float64")

    def steps() -> None:
        finite.train(
            network,
            finite.Training(1e-9, _TIMED_STEPS),
            task.X,
            task.y,
            seeds=seeds,
            params=params,
            dtype="float64",
            observers={},
            progress=False,
        )

    hessian = landscape.Hessian(task.surface(network, params))
    steps()  # compiles
    return seconds_of(steps) / _TIMED_STEPS, seconds_of(lambda: hessian(hessian.theta))
