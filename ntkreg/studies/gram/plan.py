"""What kernels to keep will cost, before any of them is computed."""

from collections.abc import Iterator
from pathlib import Path

from ntkreg.gram import plan_of
from ntkreg.studies.gram.config import GramConfig
from ntkreg.studies.gram.study import KERNEL, TEST_KERNEL, inputs_of, spec_of
from ntkreg.studies.shared.plan import KernelPlan
from ntkreg.studies.shared.selection import load_selected

__all__ = ["plan_gram"]


def plan_gram(
    config: GramConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[KernelPlan]:
    """Yield the plan of each kernel that `run_gram` would compute.

    Parameters
    ----------
    config : GramConfig
    output : path
        The folder that it would be kept in, whose disk must do.
    n_jobs : int or None
        Threads; None for one a core.

    Raises
    ------
    PlanError
        A kernel cannot fit into memory or onto the disk; says what would.
    """
    data, output = load_selected(config), Path(output)
    spec = spec_of(config, data)
    X, X_test = inputs_of(config, data, spec)
    square = plan_of(spec, X, folder=output / KERNEL, n_jobs=n_jobs, tile=config.tile)
    yield KernelPlan("training inputs x training inputs", square)
    if len(X_test):
        cross = plan_of(
            spec, X_test, X, folder=output / TEST_KERNEL, n_jobs=n_jobs, tile=config.tile
        )
        yield KernelPlan("test inputs x training inputs", cross)
