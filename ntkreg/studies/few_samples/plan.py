"""What a few-samples study will cost, before any of its kernels is computed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ntkreg.gram import plan_gram
from ntkreg.kernels import solve_dtype
from ntkreg.studies.few_samples.config import FewSamplesConfig, network_of
from ntkreg.studies.few_samples.study import FIELDS, load_classes
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
    data = load_classes(config)
    network, folder = network_of(config), Path(output) / "kernels"
    options: dict[str, Any] = {
        "get": FIELDS,
        "depths": config.depths,
        "dtype": solve_dtype(network, data.X_train, config.dtype),
        "symmetry": config.symmetry,
        "backend": config.backend,
        "n_jobs": n_jobs,
    }
    # Any images of that shape cost the same: the draw of the pool is left to the study.
    pool, test = data.X_train[: config.pool], data.X_test[: config.n_test]
    square = plan_gram(network, pool, folder=folder / "pool", **options)
    yield KernelPlan("pool x pool", square)
    cross = plan_gram(network, test, pool, folder=folder / "test", **options)
    yield KernelPlan("test x pool", cross)
