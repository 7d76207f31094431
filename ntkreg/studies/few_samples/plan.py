"""What a few-samples study will cost, before any of its kernels is computed."""

from collections.abc import Iterator
from pathlib import Path

from ntkreg.gram import plan_of
from ntkreg.studies.few_samples import study
from ntkreg.studies.few_samples.config import FewSamplesConfig
from ntkreg.studies.shared.plan import KernelPlan

__all__ = ["plan_few_samples"]


def plan_few_samples(
    config: FewSamplesConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[KernelPlan]:
    """Yield the plan of each kernel that `run_few_samples` would compute.

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
