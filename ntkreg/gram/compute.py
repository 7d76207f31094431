"""`kernel` and `compute_gram`: the Gram matrix of a network, on all cores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkreg.errors import SpecError
from ntkreg.gram.threads import check_n_jobs, run_tasks
from ntkreg.gram.tiles import Tile, compute_diagonal, compute_tile, iter_tiles, tile_size
from ntkreg.gram.work import GramWork, check_work

__all__ = ["Gram", "compute_gram", "kernel"]


@dataclass(frozen=True, eq=False)
class Gram:
    """Kernel matrices of a network and where they come from.

    Attributes
    ----------
    values : dict of str to array
        "nngp" and/or "ntk" to arrays of shape (n, m), or (n_depths, n, m) with `depths`.
    dtype : numpy.dtype
    fingerprint : str or None
        SHA-256 of the network's layers.
    engine : str
        Class of the engine that computed the values.
    symmetric : bool
        Whether rows and columns are the same inputs.
    """

    values: dict[str, Any]
    dtype: np.dtype
    fingerprint: str | None
    engine: str
    symmetric: bool


def kernel(
    network: Any,
    X: Any,
    Z: Any = None,
    *,
    get: str | Sequence[str] = "ntk",
    depths: Sequence[int] | None = None,
    dtype: Any = None,
    diag: bool = False,
    normalize: str | None = None,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> Any:
    """Return the NTK and/or NNGP kernel matrix of a network."""
    options = {"get": get, "depths": depths, "dtype": dtype, "normalize": normalize}
    if diag:
        if Z is not None:
            raise SpecError("kernel: diag=True gives K(x, x) of each row of X; Z must be None.")
        values = _diagonal_values(check_work(network, X, **options))
    else:
        gram = compute_gram(network, X, Z, **options, n_jobs=n_jobs, progress=progress)
        values = gram.values
    return values[get] if isinstance(get, str) else tuple(values[name] for name in get)


def compute_gram(
    network: Any,
    X: Any,
    Z: Any = None,
    *,
    get: str | Sequence[str] = "ntk",
    depths: Sequence[int] | None = None,
    dtype: Any = None,
    normalize: str | None = None,
    n_jobs: int | None = None,
    progress: bool | None = None,
    tile: int | None = None,
) -> Gram:
    """Compute a Gram matrix tile by tile over a pool of threads."""
    work = check_work(network, X, Z, get=get, depths=depths, dtype=dtype, normalize=normalize)
    values = _compute_in_memory(
        work, tile_size(work.engine.block, tile), check_n_jobs(n_jobs), progress
    )
    fingerprint = getattr(network, "fingerprint", None)
    return Gram(values, work.X.dtype, fingerprint, type(work.engine).__name__, work.symmetric)


def _compute_in_memory(
    work: GramWork, tile: int, n_jobs: int, progress: bool | None
) -> dict[str, np.ndarray]:
    _, n_depths, n, m = work.shape
    fields = work.engine.fields
    # One array a field, so that a caller who keeps one does not keep both.
    values = {f: np.empty((n_depths, n, m), dtype=work.X.dtype) for f in fields}
    norms = diagonal_norms(work)

    def fill(task: Tile, done: Callable[[int], None]) -> None:
        shape = (
            len(fields),
            n_depths,
            task.rows.stop - task.rows.start,
            task.columns.stop - task.columns.start,
        )
        block = np.empty(shape, dtype=work.X.dtype)
        compute_tile(work, task, block, norms, done)
        for field, part in zip(fields, block, strict=True):
            values[field][:, task.rows, task.columns] = part
            if work.symmetric and task.i != task.j:
                values[field][:, task.columns, task.rows] = part.swapaxes(1, 2)

    run_tasks(iter_tiles(work, tile), fill, pairs=work.pairs, n_jobs=n_jobs, progress=progress)
    return {f: K if work.depths is not None else K[0] for f, K in values.items()}


def diagonal_norms(work: GramWork) -> tuple[np.ndarray, np.ndarray] | None:
    """Return sqrt K(x, x) of all rows and columns in float64, or None if not asked for."""
    if work.normalize is None:
        return None
    rows = np.sqrt(compute_diagonal(work, work.X), dtype=np.float64)
    if work.Z is None:
        return rows, rows
    return rows, np.sqrt(compute_diagonal(work, work.Z), dtype=np.float64)


def _diagonal_values(work: GramWork) -> dict[str, np.ndarray]:
    values = compute_diagonal(work, work.X)
    if work.normalize is not None:
        values = (values > 0).astype(values.dtype)
    return {
        field: K if work.depths is not None else K[0]
        for field, K in zip(work.engine.fields, values, strict=True)
    }
