"""What a configuration's kernels will cost, before any of them is computed."""

from collections.abc import Iterator
from pathlib import Path

from ntkreg.gram import GramPlan, plan_of
from ntkreg.kernels import kernel_dtype
from ntkreg.studies.few_samples import study as few_samples
from ntkreg.studies.few_samples.config import FewSamplesConfig
from ntkreg.studies.fit import study as fit
from ntkreg.studies.fit.config import FitConfig

__all__ = ["plan_few_samples", "plan_fit"]


def plan_fit(
    config: FitConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[tuple[str, GramPlan]]:
    """Yield what `run_fit` would compute: a title and the plan of each kernel.

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
    data = fit.load_selected(config)
    spec = fit.spec_of(config, data)
    X = data.X_train.astype(kernel_dtype(data.X_train, config.dtype), copy=False)
    folder = Path(output) / "kernel" if config.store_kernel else None
    yield "training inputs x training inputs", plan_of(spec, X, folder=folder, n_jobs=n_jobs)
    if len(data.X_test):
        X_test = data.X_test.astype(X.dtype, copy=False)
        yield "test inputs x training inputs", plan_of(spec, X_test, X, n_jobs=n_jobs)


def plan_few_samples(
    config: FewSamplesConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[tuple[str, GramPlan]]:
    """Yield what `run_few_samples` would compute; parameters and errors of `plan_fit`."""
    data, folder = few_samples.load_classes(config), Path(output) / "kernels"
    spec = few_samples.spec_of(config, data.X_train)
    # Any images of that shape cost the same: the draw of the pool is left to the study.
    pool, test = data.X_train[: config.pool], data.X_test[: config.n_test]
    yield "pool x pool", plan_of(spec, pool, folder=folder / "pool", n_jobs=n_jobs)
    yield "test x pool", plan_of(spec, test, pool, folder=folder / "test", n_jobs=n_jobs)
