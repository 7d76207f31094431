"""What the comparison on digits will cost, before any of its kernels is computed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ntkreg.cpus import one_blas_thread
from ntkreg.gram import plan_gram
from ntkreg.studies.quickstart.config import N_CLASSES, QuickstartConfig
from ntkreg.studies.quickstart.hardest import Hardest
from ntkreg.studies.quickstart.study import (
    FIELDS,
    digits,
    kernel_rows,
    networks_of,
    splits_of,
    svm_rows,
)
from ntkreg.studies.shared.plan import StudyPlan, seconds_of

__all__ = ["plan_quickstart"]


def plan_quickstart(
    config: QuickstartConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[StudyPlan]:
    """Yield what `run_quickstart` would compute, in sums.

    Parameters
    ----------
    config : QuickstartConfig
    output
        As every study's plan takes it; files are small.
    n_jobs : int or None
        Threads; None for one a core.

    Raises
    ------
    PlanError
        A kernel cannot fit into memory; says what would.

    Notes
    -----
    Of regressions and grid searches one split is done in full: a second or two with the
    default sizes.
    """
    X, y = digits(config)
    grams = [plan_gram(a, X, get=FIELDS, n_jobs=n_jobs) for a in networks_of(config).values()]
    n_kernels = len(FIELDS) * len(grams)
    pixels = X.reshape(len(X), -1).astype(float)
    one_split = [split for split in splits_of(config, y) if split[0] == 0]
    K = pixels @ pixels.T + np.eye(len(X))
    with one_blas_thread():
        hardest = Hardest(len(y), N_CLASSES)
        regressed = seconds_of(lambda: list(kernel_rows(config, "", "", K, y, one_split, hardest)))
        spectrum = seconds_of(lambda: np.linalg.eigvalsh(K))
    searched = seconds_of(lambda: list(svm_rows(config, pixels, y, one_split)))
    counts = {
        "kernels": n_kernels,
        "pairs": sum(plan.pairs for plan in grams),
        "regressions": n_kernels * config.n_splits * len(config.n_train),
        "grid searches": config.n_splits * len(config.n_train),
    }
    seconds = {
        "kernels": sum(plan.seconds or 0.0 for plan in grams),
        "regressions and spectra": n_kernels * (config.n_splits * regressed + spectrum),
        "grid searches": config.n_splits * searched,
    }
    kept = 8 * len(grams) * config.n_shown**2
    yield StudyPlan(counts, seconds, max(plan.peak_bytes for plan in grams), kept)
