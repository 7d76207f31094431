"""The kernel that a `KernelSpec` says, of inputs: in memory or into a folder, tile by tile."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkreg.cpus import check_n_jobs
from ntkreg.errors import SpecError
from ntkreg.gram.client import connected, ways_of_workers
from ntkreg.gram.cluster import compute_on_cluster
from ntkreg.gram.filling import Filling
from ntkreg.gram.manifest import check_folder
from ntkreg.gram.plan import GramPlan, check_plan, make_plan
from ntkreg.gram.store import compute_in_folder
from ntkreg.gram.threads import run_tasks
from ntkreg.gram.tiles import (
    GramTile,
    compute_diagonal,
    compute_tile,
    diagonal_norms,
    iter_tiles,
)
from ntkreg.gram.work import GramWork, check_work
from ntkreg.kernels import KernelSpec

__all__ = ["Gram", "gram_of", "kernel_of"]


@dataclass(frozen=True, eq=False)
class Gram:
    """Kernel matrices of a network and where they come from.

    Attributes
    ----------
    values : dict of str to array
        "nngp" and/or "ntk" to arrays of shape (n, m), or (n_variants, n, m) with `variants`
        or `depths`.
    dtype : numpy.dtype
    fingerprint : str or None
        SHA-256 of the network's layers.
    engine : str
        Class of the engine that computed the values, as in ``FlipEngine(ImageEngine)``.
    symmetric : bool
        Whether rows and columns are the same inputs.
    """

    values: dict[str, Any]
    dtype: np.dtype
    fingerprint: str | None
    engine: str
    symmetric: bool


def kernel_of(
    spec: KernelSpec,
    X: Any,
    Z: Any = None,
    *,
    diag: bool = False,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> Any:
    """Return the values of a kernel; what `ntkreg.kernel` says of its parameters holds."""
    if not diag:
        values = gram_of(spec, X, Z, n_jobs=n_jobs, progress=progress).values
    elif Z is None:
        values = _diagonal_values(check_work(spec, X), check_n_jobs(n_jobs), progress)
    else:
        raise SpecError("kernel: diag=True gives K(x, x) of each row of X; Z must be None.")
    get = spec.get
    return values[get] if isinstance(get, str) else tuple(values[name] for name in get)


def gram_of(
    spec: KernelSpec,
    X: Any,
    Z: Any = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    progress: bool | None = None,
    tile: int | None = None,
    how: Filling | None = None,
) -> Gram:
    """Return a Gram matrix; what `ntkreg.compute_gram` says of its parameters holds."""
    work = check_work(spec, X, Z)
    how = how or Filling()
    how.check_folder(folder)
    path = None if folder is None else check_folder(folder)
    here = n_jobs if how.client is None else 1  # tiles come here one after the other
    plan = make_plan(work, folder=path, n_jobs=here, tile=tile, coarse=how.client is not None)
    values: dict[str, Any]
    if path is None:
        check_plan(plan, None)
        values = _compute_in_memory(work, plan, how, progress)
    else:
        values = compute_in_folder(work, path, plan, how, progress=progress)
    fingerprint = work.spec.network.fingerprint
    return Gram(values, work.engine.value_dtype, fingerprint, plan.engine, work.symmetric)


def _compute_in_memory(
    work: GramWork, plan: GramPlan, how: Filling, progress: bool | None
) -> dict[str, np.ndarray]:
    _, n_variants, n, m = work.shape
    fields = work.engine.fields
    # One array a field, so that a caller who keeps one does not keep both.
    values = {f: np.empty((n_variants, n, m), work.engine.value_dtype) for f in fields}
    if how.client is None:
        _fill(work, plan, values, progress)
    else:
        _receive(work, plan, how, values, progress)
    return {f: K if work.spec.variants is not None else K[0] for f, K in values.items()}


def _fill(
    work: GramWork, plan: GramPlan, values: dict[str, np.ndarray], progress: bool | None
) -> None:
    """Compute all values on threads."""
    n_jobs = plan.n_jobs
    _ = work.prepared  # once, before threads ask for it
    norms = diagonal_norms(work, n_jobs=n_jobs, progress=progress)

    def fill(task: GramTile, done: Callable[[int], None]) -> None:
        out = [K[:, task.rows, task.columns] for K in values.values()]
        mirror = [K[:, task.columns, task.rows] for K in values.values()]
        compute_tile(work, task, out, norms, done, mirror if work.symmetric else None)

    tiles = iter_tiles(work, plan.tile)
    run_tasks(tiles, fill, pairs=work.pairs, n_jobs=n_jobs, progress=progress)


def _receive(
    work: GramWork,
    plan: GramPlan,
    how: Filling,
    values: dict[str, np.ndarray],
    progress: bool | None,
) -> None:
    """Have all values computed by a cluster."""

    def take(tile: GramTile, found: np.ndarray) -> None:
        for K, part in zip(values.values(), found, strict=True):
            K[:, tile.rows, tile.columns] = part
            if work.symmetric and tile.i != tile.j:
                K[:, tile.columns, tile.rows] = part.swapaxes(1, 2)

    def meet(machine: dict[str, str]) -> None:
        """Take the values of any machine: nothing in memory says which."""

    with connected(how.client) as client:
        compute_on_cluster(
            client,
            work,
            list(iter_tiles(work, plan.tile)),
            take,
            ways=ways_of_workers(client),
            meet=meet if how.other_machine else None,
            progress=progress,
        )


def _diagonal_values(work: GramWork, n_jobs: int, progress: bool | None) -> dict[str, np.ndarray]:
    values = compute_diagonal(work, work.X, n_jobs=n_jobs, progress=progress)
    if work.spec.normalize is not None:
        values = (values > 0).astype(values.dtype)
    return {
        field: K if work.spec.variants is not None else K[0]
        for field, K in zip(work.engine.fields, values, strict=True)
    }
