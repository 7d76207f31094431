"""What a worker of a cluster runs: the tiles of one task, of inputs that it has once."""

import contextlib
import ctypes
import math
import os
import platform
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ntkreg.cpus import one_blas_thread
from ntkreg.errors import DataError, StoreMismatchError
from ntkreg.gram.manifest import machine_hint, ways
from ntkreg.gram.meeting import Lying, Meeting
from ntkreg.gram.tile_write import SharedFolder
from ntkreg.gram.tiles import GramTile, compute_tile, diagonal_norms
from ntkreg.gram.work import GramWork, check_work
from ntkreg.kernels import KernelSpec
from ntkreg.storage import differences

__all__ = ["Done", "Inputs", "Job", "compute_tiles", "cut", "forget", "norms_of"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h

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
    shared : SharedFolder or None
        Where values belong; they go back where a worker does not see it.
    meeting : Meeting or None
        Where values are left for the client, by workers that see it.
    """

    name: str
    spec: KernelSpec
    engine: str
    ways: dict[str, Any]
    other_machine: bool
    shared: SharedFolder | None = None
    meeting: Meeting | None = None


class Done(NamedTuple):
    """What came of a task.

    Attributes
    ----------
    values : ndarray of shape (n,), or Lying
        Those of one tile after the other, (n_fields, n_variants, rows, columns) each: one array,
        since every one of a message costs its head. Empty where they were written.
    checksums : dict of (int, int) to str, or None
        Of each tile (i, j), where all were written into the shared folder.
    seconds : float
        That it took.
    machine : dict
        That the values come from.
    """

    values: np.ndarray | Lying
    checksums: dict[tuple[int, int], str] | None
    seconds: float
    machine: dict[str, str]


class Inputs:
    """An array that is sent to workers; there it is aligned to its numbers.

    A message puts arrays wherever its headers end. Of numbers that lie across words a product of
    two blocks took twice the time, and numba would compile other loops for them.
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array = array if array.flags.aligned else array.copy()

    def __reduce__(self) -> tuple[type["Inputs"], tuple[np.ndarray]]:
        return Inputs, (self.array,)

    def __sizeof__(self) -> int:
        """Return what a worker counts of its memory."""
        return self.array.nbytes


_lock = threading.Lock()
_works: dict[str, tuple[GramWork, dict[str, str]]] = {}
_ended: deque[str] = deque(maxlen=1000)
"""Names of jobs that have ended, of which a late task must keep nothing."""


def compute_tiles(
    job: Job,
    tiles: list[GramTile],
    norms: tuple[np.ndarray, np.ndarray] | None,
    X: Inputs | Lying,
    Z: Inputs | Lying | None = None,
) -> Done:
    """Compute tiles, and write them where they belong or are met, where this worker can."""
    work, machine = _work_of(job, X, Z)
    start, shapes = time.perf_counter(), [(*work.shape[:2], *tile.shape) for tile in tiles]
    found = np.empty(sum(map(math.prod, shapes)), work.engine.value_dtype)
    with one_blas_thread():
        for tile, values in zip(tiles, cut(found, shapes), strict=True):
            compute_tile(work, tile, values, norms, lambda pairs: None)
    checksums = _write(job, tiles, cut(found, shapes))
    done = _left(job, found) if checksums is None else np.empty(0, found.dtype)
    return Done(done, checksums, time.perf_counter() - start, machine)


def _left(job: Job, found: np.ndarray) -> np.ndarray | Lying:
    """Leave values for the client; return them where that cannot be done."""
    if job.meeting is None or job.name in _ended:
        return found
    try:
        return job.meeting.leave(found)
    except OSError:
        return found


def _write(
    job: Job, tiles: list[GramTile], parts: Iterable[np.ndarray]
) -> dict[tuple[int, int], str] | None:
    """Return the checksums of tiles that are written; None where one cannot be.

    Whoever holds the folder then gets the values, and says what is wrong if it cannot either.
    """
    if job.shared is None or job.name in _ended:
        return None
    try:
        pairs = zip(tiles, parts, strict=True)
        return {(tile.i, tile.j): job.shared.write(tile.i, tile.j, part) for tile, part in pairs}
    except (OSError, DataError, StoreMismatchError):
        return None


def cut(flat: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> Iterator[np.ndarray]:
    """Yield arrays of these shapes, one after the other, as views of a flat one."""
    start = 0
    for shape in shapes:
        stop = start + math.prod(shape)
        yield flat[start:stop].reshape(shape)
        start = stop


def _keep_freed_memory() -> None:
    """Have the allocator keep what a block has freed, for the next.

    Dask's nanny sets glibc's MALLOC_TRIM_THRESHOLD_ to 64 kB, so that memory goes back to the
    system early. But then each array of a block of a dense kernel, a few hundred kB, is mapped
    anew, page by page: a fifth of the time. With these it keeps 32 MB at most.
    """
    if "MALLOC_TRIM_THRESHOLD_" in os.environ:
        with contextlib.suppress(AttributeError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(_M_MMAP_THRESHOLD, 1 << 22)
            mallopt(_M_TRIM_THRESHOLD, 1 << 25)


def norms_of(
    job: Job, X: Inputs | Lying, Z: Inputs | Lying | None = None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return what `diagonal_norms` does, computed on one worker for all."""
    return diagonal_norms(_work_of(job, X, Z)[0], n_jobs=1, progress=False)


async def forget(name: str) -> None:
    """Let go of the inputs and tables of a job that has ended; nobody waits for a coroutine."""
    with _lock:
        _works.pop(name, None)
        _ended.append(name)


def _work_of(
    job: Job, X: Inputs | Lying, Z: Inputs | Lying | None
) -> tuple[GramWork, dict[str, str]]:
    """Return the work with its tables, made by a job's first task here, and this machine.

    Raises
    ------
    StoreMismatchError
        This worker's values would have other bits.
    NotSeenError
        Inputs lie where this worker does not see them.
    """
    with _lock:
        if job.name not in _works:
            work = check_work(job.spec, X.array, None if Z is None else Z.array)
            wanted = {"engine": job.engine, **job.ways}
            left_out = ("machine",) if job.other_machine else ()
            here = ways()
            found = differences(wanted, {"engine": work.engine.name, **here}, left_out=left_out)
            if found:
                raise StoreMismatchError(
                    f"compute_gram: the worker on {platform.node()} would mix bits: "
                    f"{'; '.join(found)}. Give the cluster workers of one kind, or NUMBA_CPU_NAME "
                    f"alike on all.{machine_hint(found)}"
                )
            _keep_freed_memory()
            _ = work.prepared
            if job.name in _ended:
                return work, here["machine"]
            while len(_works) >= _KEPT:
                del _works[next(iter(_works))]
            _works[job.name] = work, here["machine"]
        return _works[job.name]
