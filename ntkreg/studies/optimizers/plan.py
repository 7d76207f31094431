"""What the optimiser study will cost, before any of its tables is made."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ntkreg import finite
from ntkreg.errors import SpecError
from ntkreg.gram import kernel
from ntkreg.studies.optimizers.config import REFERENCE, OptimizersConfig
from ntkreg.studies.optimizers.kernels import KernelPath
from ntkreg.studies.optimizers.runs import observation_steps, train_run
from ntkreg.studies.optimizers.study import network_of, run_specs, spec_of
from ntkreg.studies.optimizers.task import (
    LABELS,
    Task,
    architecture_of,
    load_task,
    training_labels,
)
from ntkreg.studies.shared.plan import COPIES, StudyPlan, seconds_of

__all__ = ["plan_optimizers"]

_TRIED = 2000
"""Steps of a trial run, at most: an optimiser that is slower counts as going on to the end."""

_FILE_BYTES = 3000
"""Of a run's file beside its arrays."""

_TIMED = 200
"""Steps from which the time of a step is taken."""


@dataclass(frozen=True)
class _Trial:
    """What one optimiser takes at the narrowest width on correct labels."""

    rate: float
    steps: int
    compiling: float
    per_step: float
    other: float  # seconds of a run that are not its steps: its kernel at the end


def plan_optimizers(
    config: OptimizersConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[StudyPlan]:
    """Yield what `run_optimizers` would train.

    Parameters
    ----------
    config : OptimizersConfig
    output
        As every study's plan takes it; disk is a few arrays a run.
    n_jobs : int or None
        Threads of the analytic kernel; None for one a core.

    Raises
    ------
    SpecError, DataError
        If the data do not allow the study.

    Notes
    -----
    How many steps a run needs shows only when it is run. Each optimiser is tried once at the
    narrowest width: rates are in units that mean the same at every width. Other labels take
    longer by the ratio of the times at which the analytic kernel's flow gets to the last level,
    and sgd takes the inverse of its rate.
    """
    task = load_task(config)
    sizes = {w: network_of(config, task, w).n_parameters for w in config.widths}
    # What is compiled for all runs comes with the first, of another width than the trials'.
    begun = seconds_of(_run(config, task, REFERENCE, config.widths[-1], 2))
    trials = {name: _try(config, task, name) for name in config.optimizers}
    trials.setdefault("sgd", trials[REFERENCE])
    times = _relative_times(config, task, n_jobs)
    per_parameter = _seconds_per_parameter(config, task, sizes)
    seconds = {f"width {w}": 0.0 for w in config.widths}
    steps, disk, specs = 0.0, 0, list(run_specs(config))
    for spec in specs:
        trial = trials[spec.optimizer]
        slower = trial.rate / spec.rate * times[spec.labels]
        needed = min(trial.steps * slower, config.max_steps)
        share = (spec.batch_size or config.n_train) / config.n_train
        wider = share * per_parameter * (sizes[spec.width] - sizes[config.widths[0]])
        seconds[f"width {spec.width}"] += needed * (trial.per_step + wider) + trial.other
        steps += needed
        observed = len(observation_steps(round(needed))) * (config.n_test + 2)
        moved = sizes[spec.width] if spec.labels == "correct" else 0
        disk += _FILE_BYTES + 4 * (observed + moved + config.n_train**2)
    kinds = {(spec.width, spec.optimizer, spec.batch_size) for spec in specs}
    once = max(begun - trials[REFERENCE].compiling, 0.0)
    seconds["compiling"] = once + sum(trials[name].compiling for _, name, _ in kinds)
    counts = {"runs": len(specs), "kinds to compile": len(kinds), "steps": round(steps)}
    yield StudyPlan(
        counts,
        seconds,
        peak_bytes=4 * max(sizes.values()) * (COPIES + config.n_train),
        disk_bytes=disk,
        note="steps   those that the narrowest networks take to the last level",
    )


def _try(config: OptimizersConfig, task: Task, optimizer: str) -> _Trial:
    run = _run(config, task, optimizer, config.widths[0], min(config.max_steps, _TRIED))
    first = seconds_of(run)
    began = time.perf_counter()
    found = run()
    took = time.perf_counter() - began
    steps = int(found["steps"][-1])
    needed = config.max_steps if found["outcome"] == "not reached" else steps
    other = took - found["seconds"]
    rate = spec_of(config, "correct", optimizer, config.widths[0], config.seeds[0]).rate
    return _Trial(rate, needed, max(first - took, 0.0), found["seconds"] / steps, other)


def _run(
    config: OptimizersConfig, task: Task, optimizer: str, width: int, most: int
) -> Callable[[], dict[str, Any]]:
    """Return what trains on correct labels from the first start, for so many steps at most."""
    seed, network = config.seeds[0], network_of(config, task, width)
    spec = spec_of(config, "correct", optimizer, width, seed)
    y = training_labels(task.y, "correct", seed, config.noise)
    return partial(train_run, spec, network, task.X, y, task.X_test, config.levels[-1], most)


def _relative_times(config: OptimizersConfig, task: Task, n_jobs: int | None) -> dict[str, float]:
    """Return when the analytic kernel's flow comes to the last level, over correct labels' time."""
    K = kernel(architecture_of(config), task.X, dtype="float64", n_jobs=n_jobs)
    times = {}
    for kind in LABELS:
        y = training_labels(task.y, kind, config.seeds[0], config.noise)
        try:
            times[kind] = KernelPath(K, K, y).time_at_loss(config.levels[-1])
        except SpecError:  # it never does
            times[kind] = math.inf
    correct = times["correct"]
    return {kind: t / correct if correct < math.inf else 1.0 for kind, t in times.items()}


def _seconds_per_parameter(config: OptimizersConfig, task: Task, sizes: Mapping[int, int]) -> float:
    """Return what a further parameter adds to a full-batch step, from two widths."""
    narrow, wide = config.widths[0], config.widths[-1]
    if narrow == wide:
        return 0.0
    training = finite.Training(1e-6, _TIMED)

    def took(width: int) -> float:
        network = network_of(config, task, width)

        def run() -> None:
            finite.train(network, training, task.X, task.y, observers={}, progress=False)

        run()  # compiles
        return seconds_of(run)

    return max(took(wide) - took(narrow), 0.0) / _TIMED / (sizes[wide] - sizes[narrow])
