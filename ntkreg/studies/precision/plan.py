"""What a precision study will cost, before any of its kernels is computed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.cpus import one_blas_thread
from ntkreg.data import load_npz
from ntkreg.gram import GramPlan, plan_gram
from ntkreg.studies.precision.config import PrecisionConfig
from ntkreg.studies.precision.study import CASES, FIELDS, compare_grams, dtypes_of
from ntkreg.studies.shared.plan import StudyPlan, seconds_of

__all__ = ["plan_precision"]


def plan_precision(
    config: PrecisionConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[StudyPlan]:
    """Yield what `run_precision` would compute, in sums.

    Parameters
    ----------
    config : PrecisionConfig
    output : path
        The folder that the study would write into, whose disk must do.
    n_jobs : int or None
        Threads; None for one a core.

    Raises
    ------
    PlanError
        A kernel cannot fit into memory or onto the disk; says what would.
    """
    data = load_npz(config.data)
    # Any images of that shape cost the same: draw and copies are left to the study.
    places = np.resize(np.arange(len(data.X_train)), config.n_train + 2 * config.n_copies)
    X, X_test = (a.astype(float) for a in (data.X_train[places], data.X_test[: config.n_test]))
    grams: dict[str, list[GramPlan]] = {}
    n_compared = 0
    for name in config.networks:
        network, depths = config.network(name)
        options: dict[str, Any] = {"get": FIELDS, "depths": depths, "n_jobs": n_jobs}
        for dtype in dtypes_of(network):
            options |= {"dtype": dtype}
            folder = Path(output) / "kernels" / name
            grams.setdefault(name, []).extend([
                plan_gram(network, X, folder=folder / f"{dtype}_train", **options),
                plan_gram(network, X_test, X, folder=folder / f"{dtype}_test", **options),
            ])  # fmt: skip
            n_compared += len(depths or (0,)) * len(FIELDS) * len(CASES)
    every = [plan for plans in grams.values() for plan in plans]
    seconds = {name: sum(p.seconds or 0.0 for p in plans) for name, plans in grams.items()}
    seconds["comparisons"] = n_compared * _seconds_of_comparison(config, data.y_train)
    counts = {"kernels": len(every), "pairs": sum(p.pairs for p in every)}
    yield StudyPlan(
        counts | {"comparisons": n_compared},
        seconds,
        max(p.peak_bytes for p in every),
        sum(p.disk_bytes for p in every),
    )


def _seconds_of_comparison(config: PrecisionConfig, labels: np.ndarray) -> float:
    """Time what is done with one kernel of images and copies, on one of random features."""
    n, m, classes = config.n_train + config.n_copies, config.n_test, np.unique(labels)
    features = np.random.default_rng(0).normal(size=(n + m, n))
    K = features @ features[:n].T
    kernels = K[:n], K[n:]
    y = np.resize(classes, n + m)

    def compare() -> None:
        list(compare_grams(kernels, kernels, y[:n], y[n:], classes, config.alphas))

    with one_blas_thread():
        compare()
        return seconds_of(compare)
