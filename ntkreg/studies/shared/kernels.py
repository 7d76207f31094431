"""Kernels of a study: from a store that studies share, its own folder, or just computed."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.gram import gram_in_store, gram_of
from ntkreg.kernels import KernelSpec

__all__ = ["kernel_values"]


def kernel_values(
    spec: KernelSpec,
    X: np.ndarray,
    Z: np.ndarray | None = None,
    *,
    store: str | os.PathLike[str] | None,
    folder: Path | None = None,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> dict[str, np.ndarray]:
    """Return the values of a Gram by what `get` names, computed only where none is kept.

    Parameters
    ----------
    spec : KernelSpec
    X, Z : ndarray
        As of `ntkreg.compute_gram`.
    store : path or None
        As of `ntkreg.gram.gram_in_store`: a folder of kernels, whoever put them there. Another
        process that works on the same one is waited for.
    folder : Path or None
        The study's own, of this kernel alone, where there is no store; None: in memory.
    n_jobs, progress
        As of `ntkreg.compute_gram`.
    """
    run: dict[str, Any] = {"n_jobs": n_jobs, "progress": progress}
    if store is not None:
        kept = gram_in_store(spec, X, Z, store=store, **run)
        return {name: values.read() for name, values in kept.items()}
    gram = gram_of(spec, X, Z, folder=folder, **run)
    return {name: np.asarray(values) for name, values in gram.values.items()}
