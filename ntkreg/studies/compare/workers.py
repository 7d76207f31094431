"""Work spread over processes that end with the one that started them, one thread each."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

__all__ = ["peak_memory", "run_all"]

J = TypeVar("J", bound=tuple[Any, ...])

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def run_all(work: Callable[..., Any], jobs: Sequence[J], n_jobs: int) -> Iterator[tuple[J, Any]]:
    """Yield each job with what `work(*job)` returns, as they end.

    Parameters
    ----------
    work : callable of a module
    jobs : sequence of tuples
    n_jobs : int
        Processes; 1: this one. Libraries have one thread in each.

    Notes
    -----
    Workers end by themselves once their parent is gone, even killed. On Ctrl-C what is running
    is ended too.

    Raises
    ------
    MemoryError
        A worker was killed.
    """
    if n_jobs == 1 or len(jobs) < 2:
        for job in jobs:
            yield job, _limited(work, job)
        return
    context = multiprocessing.get_context("spawn")  # forks of a process with threads may hang
    pool = ProcessPoolExecutor(
        min(n_jobs, len(jobs)), mp_context=context, initializer=_begin, initargs=(os.getpid(),)
    )
    try:
        futures = {pool.submit(_limited, work, job): job for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        raise MemoryError(
            "a worker was killed, most likely for want of memory. What is finished is kept: run "
            "it again with fewer n_jobs, or set most_rows."
        ) from None
    finally:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def peak_memory(work: Callable[[], Any]) -> tuple[Any, int | None]:
    """Return what a call returns, and by how many bytes it made this process grow at most.

    None where the system does not say; on Linux the kernel counts, at no cost.
    """
    try:
        _CLEAR.write_text("5")  # the peak becomes what is resident now
        before = _resident("VmRSS")
    except OSError:
        return work(), None
    found = work()
    return found, max(_resident("VmHWM") - before, 0)


def _resident(name: str) -> int:
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _limited(work: Callable[..., Any], job: tuple[Any, ...]) -> Any:
    with threadpool_limits(1):  # of all libraries that `work` has brought along by now
        return work(*job)


def _begin(parent: int) -> None:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
