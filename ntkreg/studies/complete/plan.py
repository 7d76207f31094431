"""What the completion study will cost, before any of it is run."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ntkreg.cpus import check_n_jobs, one_blas_thread
from ntkreg.factorization.descent import Training, descend
from ntkreg.factorization.entries import read_entries
from ntkreg.factorization.nuclear_norm import minimize_nuclear_norm
from ntkreg.factorization.product import ProductLoss
from ntkreg.factorization.starts import start
from ntkreg.studies.complete.config import CompleteConfig
from ntkreg.studies.complete.paths import path_specs
from ntkreg.studies.complete.runs import run_specs
from ntkreg.studies.complete.task import Task, load_task
from ntkreg.studies.shared.plan import StudyPlan, seconds_of

__all__ = ["plan_complete"]

_STEPS = {0: 250, 1: 100, 2: 6000, 3: 12_000, 4: 25_000}
"""Of a run by depth, as those of 100 x 100 took on average; deeper ones as the last."""

_PATH_STEPS = 6000
_TIMED = 100


def plan_complete(
    config: CompleteConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[StudyPlan]:
    """Yield what `run_complete` would do; computes nothing but a hundred steps a depth.

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
    depths = Counter(spec.depth for spec in runs)
    with one_blas_thread():
        per_step = {depth: _seconds_per_step(task, depth) for depth in depths}
        a_path = seconds_of(lambda: np.linalg.svd(np.ones(task.shape))) + max(per_step.values())
    seconds = {
        (f"depth {depth}" if depth else "nuclear norm"): n
        * min(_STEPS.get(depth, _STEPS[4]), config.max_steps)
        * per_step[depth]
        / jobs
        for depth, n in sorted(depths.items())
    }
    seconds["paths"] = len(paths) * _PATH_STEPS * a_path / jobs
    bytes_of_all = 8 * int(np.prod(task.shape)) * (4 * max(depths) + 12) * jobs
    yield StudyPlan(
        {"completions": len(runs), "paths": len(paths)},
        seconds,
        peak_bytes=bytes_of_all,
        disk_bytes=1000 * len(runs) + 80_000 * len(paths),
        note="steps   as runs on 100 x 100 took on average; single ones take ten times as many",
    )


def _seconds_per_step(task: Task, depth: int) -> float:
    """Return the time of a step of training, or of an iteration towards the nuclear norm."""
    rank, n_seen = task.config.reference_rank or 0, max(task.n_seen)
    given = task.instance(rank, n_seen, 0)
    entries = read_entries("complete", given.rows, given.cols, given.values, given.shape)
    if not depth:
        took = seconds_of(lambda: minimize_nuclear_norm(entries, tol=1e-12, max_iter=20))
        return took / 20
    objective, rng = ProductLoss(entries, depth), np.random.default_rng(0)
    theta = start("gaussian", given.shape, depth, None, task.config.init_scales[0], rng)
    training = Training(tol=1e-300, max_iter=_TIMED)
    return seconds_of(lambda: descend(objective, theta, training, rng)) / _TIMED
