"""What a configuration's kernels will cost, before any of them is computed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ntkreg.architecture import from_dict
from ntkreg.gram import GramPlan, plan_gram
from ntkreg.kernels import kernel_dtype, solve_dtype
from ntkreg.studies.few_samples.study import FIELDS, FewSamplesConfig, load_classes, network_of
from ntkreg.studies.fit.study import FitConfig, load_selected

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
    data = load_selected(config)
    network = from_dict(config.architecture)
    X = data.X_train.astype(kernel_dtype(data.X_train, config.dtype), copy=False)
    options: dict[str, Any] = {
        "get": config.get,
        "dtype": solve_dtype(network, data.X_train, config.dtype),
        "normalize": config.normalize,
        "symmetry": config.symmetry,
        "backend": config.backend,
        "n_jobs": n_jobs,
    }
    folder = Path(output) / "kernel" if config.store_kernel else None
    yield "training inputs x training inputs", plan_gram(network, X, folder=folder, **options)
    if len(data.X_test):
        X_test = data.X_test.astype(X.dtype, copy=False)
        yield "test inputs x training inputs", plan_gram(network, X_test, X, **options)


def plan_few_samples(
    config: FewSamplesConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[tuple[str, GramPlan]]:
    """Yield what `run_few_samples` would compute; parameters and errors of `plan_fit`."""
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
    yield "pool x pool", plan_gram(network, pool, folder=folder / "pool", **options)
    yield "test x pool", plan_gram(network, test, pool, folder=folder / "test", **options)
