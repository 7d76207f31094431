"""What a few-samples study will cost, before any of its kernels is computed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ntkreg.cpus import one_blas_thread
from ntkreg.gram import plan_of
from ntkreg.studies.few_samples import study
from ntkreg.studies.few_samples.config import FewSamplesConfig
from ntkreg.studies.shared.plan import KernelPlan, StudyPlan, seconds_of
from ntkreg.studies.shared.regression import regress_classes

__all__ = ["plan_few_samples"]

_TIMED = 1000
"""Images of a regression that is done for its time, at most."""


def plan_few_samples(
    config: FewSamplesConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[KernelPlan | StudyPlan]:
    """Yield the plan of each kernel that `run_few_samples` would compute, and of its regressions.

    Parameters
    ----------
    config : FewSamplesConfig
    output : path
        The folder that the study would write into, whose disk must do.
    n_jobs : int or None
        Threads; None for one a core.

    Raises
    ------
    PlanError
        A kernel cannot fit into memory or onto the disk; says what would.
    """
    data, folder = study.load_classes(config), Path(output) / "kernels"
    spec = study.spec_of(config, data.X_train)
    # Any images of that shape cost the same: the draw of the pool is left to the study.
    pool, test = data.X_train[: config.pool], data.X_test[: config.n_test]
    square = plan_of(spec, pool, folder=folder / "pool", n_jobs=n_jobs)
    yield KernelPlan("pool x pool", square)
    cross = plan_of(spec, test, pool, folder=folder / "test", n_jobs=n_jobs)
    yield KernelPlan("test x pool", cross)
    kernels = len(study.FIELDS) * len(config.depths or (0,))
    classes = np.unique(data.y_train)
    times = [_seconds_of_regression(n, len(test), classes) for n in config.n_samples]
    count = kernels * config.n_draws
    yield StudyPlan(
        {"regressions": count * len(times)},
        {"regressions": count * sum(times)},
        peak_bytes=square.result_bytes + cross.result_bytes,
        disk_bytes=count * len(times) * len(test) * data.y_test.itemsize,
    )


def _seconds_of_regression(n: int, n_test: int, classes: np.ndarray) -> float:
    """Time what is done for one draw of n images, on a kernel of random features."""
    few = min(n, _TIMED)
    features, rows = np.random.default_rng(0).normal(size=(few, few)), np.arange(few)
    K, K_cross, y = features @ features.T, np.ones((n_test, few)), np.resize(classes, few)

    def regress() -> None:
        regress_classes(K, K_cross, rows, y, classes, alpha=1e-3, alpha_scale="mean_diagonal")

    with one_blas_thread():
        regress()
        return seconds_of(regress) * (n / few) ** 3
