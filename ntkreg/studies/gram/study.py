"""Kernel matrices of training inputs, and of test inputs with these, tile by tile in folders."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.architecture import from_dict
from ntkreg.data import ImageData
from ntkreg.errors import SpecError
from ntkreg.gram import Filling, GramStatus, gram_of, gram_status
from ntkreg.gram.manifest import MANIFEST
from ntkreg.kernels import KernelSpec, kernel_dtype, solve_dtype
from ntkreg.studies.gram.config import GramConfig
from ntkreg.studies.shared.preprocessing import make_preprocessing
from ntkreg.studies.shared.record import write_record
from ntkreg.studies.shared.selection import load_selected

__all__ = ["KERNEL", "TEST_KERNEL", "GramConfig", "inputs_of", "run_gram", "spec_of"]

KERNEL, TEST_KERNEL = "kernel", "test_kernel"
"""Names of the kernel folders: training inputs with themselves, test with training inputs."""


def run_gram(
    config: GramConfig,
    output: str | Path,
    *,
    n_jobs: int | None = None,
    progress: bool | None = None,
    resume: bool = False,
    shard: str | None = None,
    extend: bool = False,
    scheduler: str | None = None,
) -> dict[str, GramStatus]:
    """Compute kernel matrices into folders; what is there already is not computed again.

    Parameters
    ----------
    config : GramConfig
    output : path of a folder
        Made if absent.
    n_jobs : int or None
        Threads; None for one a core.
    progress : bool or None
        Progress bar; None for one where the work takes more than two seconds.
    resume : bool
        Only go on with what is there: where nothing is, as in a folder mistyped, nothing begins.
    shard, extend
        As in `ntkreg.compute_gram`.
    scheduler : str or None
        `client` there: the address of a cluster whose workers compute.

    Returns
    -------
    dict
        What there is now, by the name of the folder in `output`, ``kernel`` and, with test
        inputs, ``test_kernel``. Beside them ``config.yaml`` and ``record.json``.

    Raises
    ------
    SpecError, DataError, PlanError, StoreMismatchError, OSError
        Settings or data that do not go together; a kernel too big; a folder with another kernel,
        or that cannot be written.
    """
    output = Path(output)
    if resume and not (output / KERNEL / MANIFEST).exists():
        raise SpecError(
            f"gram: --resume goes on with a kernel that is there, and {output / KERNEL} holds "
            "none. Correct --output, or leave out --resume to begin one."
        )
    data = load_selected(config)
    spec = spec_of(config, data)
    X, X_test = inputs_of(config, data, spec)
    how = Filling(shard=shard, extend=extend, client=scheduler)
    run: dict[str, Any] = {"n_jobs": n_jobs, "progress": progress, "tile": config.tile, "how": how}
    start = time.perf_counter()
    gram_of(spec, X, folder=output / KERNEL, **run)
    if len(X_test):
        gram_of(spec, X_test, X, folder=output / TEST_KERNEL, **run)
    names = [KERNEL, *([TEST_KERNEL] if len(X_test) else [])]
    found = {name: gram_status(output / name) for name in names}
    if shard is None:
        seconds = time.perf_counter() - start
        provenance = asdict(data.provenance)
        write_record(output, config, kernel_seconds_of_this_run=seconds, data=provenance)
    return found


def inputs_of(
    config: GramConfig, data: ImageData, spec: KernelSpec
) -> tuple[np.ndarray, np.ndarray]:
    """Return training and test inputs as `ntkreg fit` with the same settings reads them."""
    X, X_test = data.X_train, data.X_test
    step = make_preprocessing(config.preprocessing, config.zca_regularization)
    if step is not None:
        X = step.fit_transform(X)
        X_test = step.transform(X_test) if len(X_test) else X_test
    dtype = kernel_dtype(X, spec.dtype)
    return np.asarray(X, dtype), np.asarray(X_test, dtype)


def spec_of(config: GramConfig, data: ImageData) -> KernelSpec:
    """Return the kernel that is kept."""
    network = from_dict(config.architecture)
    dtype = solve_dtype(network, data.X_train, config.dtype)
    return KernelSpec(network, get=config.get, depths=config.depths, dtype=dtype, **config.options)
