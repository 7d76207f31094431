"""What a fit will cost, before any of its kernels is computed."""

from collections.abc import Iterator
from pathlib import Path

from ntkreg.gram import plan_of
from ntkreg.kernels import kernel_dtype
from ntkreg.studies.fit import study
from ntkreg.studies.fit.config import FitConfig
from ntkreg.studies.shared.plan import KernelPlan

__all__ = ["plan_fit"]


def plan_fit(
    config: FitConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[KernelPlan]:
    """Yield the plan of each kernel that `run_fit` would compute.

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
