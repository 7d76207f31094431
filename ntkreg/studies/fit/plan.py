"""What a fit will cost, before any of its kernels is computed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ntkreg.gram import plan_of
from ntkreg.kernels import kernel_dtype
from ntkreg.solvers.cholesky import CholeskySolver
from ntkreg.solvers.memory import cholesky_bytes, fits
from ntkreg.studies.fit import study
from ntkreg.studies.fit.config import FitConfig
from ntkreg.studies.shared.plan import KernelPlan, StudyPlan, seconds_of

__all__ = ["plan_fit"]

_TIMED = 1000
"""Rows of a system that is solved for its time, at most: a tenth of a second."""


def plan_fit(
    config: FitConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[KernelPlan | StudyPlan]:
    """Yield the plan of each kernel that `run_fit` would compute, and of the solve if it fits.

    Parameters
    ----------
    config : FitConfig
    output : path
        The folder that the fit would write into; with `store_kernel` its disk must do.
    n_jobs : int or None
        Threads; None for one a core.

    Raises
    ------
    PlanError
        A kernel cannot fit into memory or onto the disk; says what would.
    """
    data = study.load_selected(config)
    spec = study.spec_of(config, data)
    X = data.X_train.astype(kernel_dtype(data.X_train, config.dtype), copy=False)
    folder = Path(output) / "kernel" if config.store_kernel else None
    square = plan_of(spec, X, folder=folder, n_jobs=n_jobs)
    yield KernelPlan("training inputs x training inputs", square)
    if len(data.X_test):
        X_test = data.X_test.astype(X.dtype, copy=False)
        cross = plan_of(spec, X_test, X, n_jobs=n_jobs)
        yield KernelPlan("test inputs x training inputs", cross)
    if fits(needed := cholesky_bytes(n := len(X))):
        n_targets = len(np.unique(data.y_train)) if config.task == "classify" else 1
        few = min(n, _TIMED)
        solve = _seconds_of_solve(few, n_targets, n_jobs) * (n / few) ** 3
        yield StudyPlan({"solve": 1}, {"Cholesky": solve}, needed, 0)


def _seconds_of_solve(n: int, n_targets: int, n_jobs: int | None) -> float:
    """Time the solve of a kernel of random features."""
    features = np.random.default_rng(0).normal(size=(n, n))
    K, targets = features @ features.T, features[:, :n_targets]

    def solve() -> None:
        solver = CholeskySolver(K, n_jobs=n_jobs)
        solver.solve(targets, alpha=1e-3, alpha_scale="mean_diagonal")

    solve()
    return seconds_of(solve)
