"""What the completion study will cost, before any of it is run."""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ntkreg.cpus import check_n_jobs, one_blas_thread
from ntkreg.factorization.optimizers import OPTIMIZERS
from ntkreg.studies.complete.config import REFERENCE, CompleteConfig
from ntkreg.studies.complete.finished import Spec
from ntkreg.studies.complete.paths import (
    DEPTHS,
    MOST_STEPS,
    SHARES,
    PathSpec,
    count_steps,
    path_specs,
)
from ntkreg.studies.complete.runs import RunSpec, run_specs
from ntkreg.studies.complete.steps import expected_path_steps, expected_steps
from ntkreg.studies.complete.study import do, specs_of
from ntkreg.studies.complete.task import Task, load_task
from ntkreg.studies.shared.plan import StudyPlan, seconds_of
from ntkreg.studies.shared.workers import seconds_of_the_last, seconds_to_start

__all__ = ["plan_complete"]

_TIMED = (100, 400, 1600)
"""Steps after which runs of a kind are ended: the first steps look at curvature most often."""

_SOON = 1.0
"""Seconds of the second of these runs beyond which there is no third."""

_TRIED = 5.0
"""Seconds of the first instance, as expected, up to which all of its runs are made."""

_AS_KEPT = "steps   as runs on 100 x 100 took on average; single ones take three times as many"

_COUNTING = 3.0
"""Seconds of a path of whose steps no more than the number is asked."""

_NEVER = 1e-24
"""Loss that no such run comes to."""


@dataclass(frozen=True)
class _Cost:
    """Seconds of the first `_TIMED` steps and of each later one."""

    first: float
    later: float

    def of(self, steps: float) -> float:
        """Return the seconds of a run of so many steps."""
        few = _TIMED[0]
        return self.first * min(steps / few, 1) + self.later * max(steps - few, 0)


def plan_complete(
    config: CompleteConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[StudyPlan]:
    """Yield what `run_complete` would do; computes some hundred steps a depth, or an instance.

    Parameters
    ----------
    config : CompleteConfig
    output
        As every study's plan takes it; the disk is small.
    n_jobs : int or None
        Runs at the same time; None for one a core.

    Raises
    ------
    SpecError, DataError, FileNotFoundError
        As of the study.
    """
    task, jobs = load_task(config), check_n_jobs(n_jobs)
    runs, paths = list(run_specs(task)), path_specs(task)
    names = {0: "nuclear norm"} | {depth: f"depth {depth}" for depth in config.depths}
    seconds = dict.fromkeys(names.values(), 0.0)
    with one_blas_thread():
        costs, note = _costs(task, runs)
        for spec in runs:
            seconds[names[spec.depth]] += costs[spec] / jobs
        followed = {d: _cost(task, PathSpec(0, d, 1.0)) for d in DEPTHS} if paths else {}
        steps = _path_steps(task, paths)
    pieces: dict[Spec, float] = {spec: costs[spec] for spec in runs}
    for path, n in zip(paths, steps, strict=True):
        pieces[path] = followed[path.depth].of(n)
    seconds["paths"] = sum(pieces[path] for path in paths) / jobs
    if jobs > 1:
        in_turn = [pieces[spec] for spec in specs_of(task)]
        seconds["waiting for the last"] = seconds_of_the_last(in_turn, jobs)
        seconds["starting processes"] = seconds_to_start(do, jobs, len(runs) + len(paths))
    bytes_of_all = 8 * int(np.prod(task.shape)) * (4 * max(config.depths) + 12) * jobs
    yield StudyPlan(
        {"completions": len(runs), "paths": len(paths)},
        seconds,
        peak_bytes=bytes_of_all,
        disk_bytes=1000 * len(runs) + 80_000 * len(paths),
        note=note,
    )


def _costs(task: Task, runs: Sequence[RunSpec]) -> tuple[dict[RunSpec, float], str]:
    """Return the seconds of each run, and what they rest on.

    Those of the first instance are made where that is soon done: how many steps a run takes varies
    with the size and rank of matrices, and the table is of others.
    """
    kinds: dict[tuple[int, str], _Cost] = {}
    costs = {}
    for spec in runs:
        kind = _kind(spec)
        if kind not in kinds:
            kinds[kind] = _cost(task, dataclasses.replace(spec, optimizer=kind[1]))
        costs[spec] = kinds[kind].of(expected_steps(task, spec))
    first = [spec for spec in runs if spec.instance == 0]
    if sum(costs[spec] for spec in first) > _TRIED:
        return costs, _AS_KEPT
    tried = {spec: seconds_of(partial(do, task, spec)) for spec in first}
    costs = {spec: tried[dataclasses.replace(spec, instance=0)] for spec in runs}
    return costs, "steps   as those of the first instance, which was tried"


def _path_steps(task: Task, paths: Sequence[PathSpec]) -> list[float]:
    """Return the steps of paths: counted on one of a depth where that is soon done."""
    counted = {d: count_steps(task, PathSpec(0, d, SHARES[0]), _COUNTING) for d in DEPTHS if paths}
    most, found = min(MOST_STEPS, task.config.max_steps), []
    for path in paths:
        known = counted[path.depth]
        if known is None:
            found.append(expected_path_steps(task, path))
        else:
            found.append(min(known * SHARES[0] / path.share, most))
    return found


def _kind(spec: RunSpec) -> tuple[int, str]:
    """Return what decides the cost of a step: the depth, and a rule whose rate is given."""
    if not spec.depth:
        return 0, ""
    given = OPTIMIZERS[spec.optimizer].rate is not None
    return spec.depth, spec.optimizer if given else REFERENCE


def _cost(task: Task, spec: Spec) -> _Cost:
    """Time runs that are ended early; the nuclear norm's is run once."""
    times, steps = [], []
    for most in _TIMED:
        config = dataclasses.replace(task.config, max_steps=most, tol=_NEVER)
        began = time.perf_counter()
        done = do(dataclasses.replace(task, config=config), spec)
        times.append(time.perf_counter() - began)
        steps.append(max(done["steps"], 1))
        if len(times) == 2 and times[-1] > _SOON:
            break
    later = times[-1] / steps[-1]
    if steps[-1] > steps[-2]:
        later = max(times[-1] - times[-2], 0.0) / (steps[-1] - steps[-2])
    return _Cost(times[0] * _TIMED[0] / steps[0], later)
