"""What a worker of a cluster runs: the tiles of one task, of inputs that it has once."""

import platform
import threading
import time
from collections import deque
from typing import Any, NamedTuple

import numpy as np

from ntkreg.cpus import one_blas_thread
from ntkreg.errors import StoreMismatchError
from ntkreg.gram.manifest import machine_hint, ways
from ntkreg.gram.tiles import GramTile, compute_tile, diagonal_norms
from ntkreg.gram.work import GramWork, check_work
from ntkreg.kernels import KernelSpec
from ntkreg.storage import differences

__all__ = ["Job", "compute_tiles", "forget", "norms_of"]

_KEPT = 2
"""Jobs whose inputs and tables a worker keeps: two that share it would make them in turns."""


class Job(NamedTuple):
    """What all tasks of one Gram carry: a few hundred bytes.

    Attributes
    ----------
    name : str
        Of this run alone.
    spec : KernelSpec
    engine : str
        What `Engine.name` must be on the worker.
    ways : dict
        Versions and machine that the values are to come from (`ntkreg.gram.manifest.ways`).
    other_machine : bool
        Any machine will do.
    """

    name: str
    spec: KernelSpec
    engine: str
    ways: dict[str, Any]
    other_machine: bool


_lock = threading.Lock()
_works: dict[str, GramWork] = {}
_ended: deque[str] = deque(maxlen=1000)
"""Names of jobs that have ended, of which a late task must keep nothing."""


def compute_tiles(
    job: Job,
    tiles: list[GramTile],
    norms: tuple[np.ndarray, np.ndarray] | None,
    X: np.ndarray,
    Z: np.ndarray | None = None,
) -> tuple[list[np.ndarray], float, dict[str, str]]:
    """Return the values of each tile, the seconds they took, and the machine they come from."""
    work = _work_of(job, X, Z)
    start, found = time.perf_counter(), []
    with one_blas_thread():
        for tile in tiles:
            values = np.empty((*work.shape[:2], *tile.shape), work.engine.value_dtype)
            compute_tile(work, tile, values, norms, lambda pairs: None)
            found.append(values)
    return found, time.perf_counter() - start, ways()["machine"]


def norms_of(
    job: Job, X: np.ndarray, Z: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return what `diagonal_norms` does, computed on one worker for all."""
    return diagonal_norms(_work_of(job, X, Z), n_jobs=1, progress=False)


async def forget(name: str) -> None:
    """Let go of the inputs and tables of a job that has ended; nobody waits for a coroutine."""
    with _lock:
        _works.pop(name, None)
        _ended.append(name)


def _work_of(job: Job, X: np.ndarray, Z: np.ndarray | None) -> GramWork:
    """Return the work with its tables, made by the first task of a job that comes here.

    Raises
    ------
    StoreMismatchError
        This worker's values would have other bits.
    """
    with _lock:
        if job.name not in _works:
            work = check_work(job.spec, X, Z)
            wanted = {"engine": job.engine, **job.ways}
            left_out = ("machine",) if job.other_machine else ()
            found = differences(wanted, {"engine": work.engine.name, **ways()}, left_out=left_out)
            if found:
                raise StoreMismatchError(
                    f"compute_gram: the worker on {platform.node()} would mix bits: "
                    f"{'; '.join(found)}. Give the cluster workers of one kind, or NUMBA_CPU_NAME "
                    f"alike on all.{machine_hint(found)}"
                )
            _ = work.prepared
            if job.name in _ended:
                return work
            while len(_works) >= _KEPT:
                del _works[next(iter(_works))]
            _works[job.name] = work
        return _works[job.name]
