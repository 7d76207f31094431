"""Work spread over processes that end with the one that started them, one thread each."""

import heapq
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

__all__ = ["run_all", "seconds_of_the_last", "seconds_to_start"]

J = TypeVar("J", bound=tuple[Any, ...])


def run_all(
    work: Callable[..., Any], jobs: Sequence[J], n_jobs: int
) -> Generator[tuple[J, Any], None, None]:
    """Yield each job with what `work(*job)` returns, as they end.

    Parameters
    ----------
    work : callable of a module
    jobs : sequence of tuples
    n_jobs : int
        Processes; 1: this one. Libraries have one thread in each.

    Notes
    -----
    Workers end by themselves once their parent is gone, even killed. Ctrl-C is for the parent
    alone, which ends them, whatever they are in the midst of.

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
        pool.shutdown()  # unhurried, so that they give back what they hold of the system
    except BrokenProcessPool:
        raise MemoryError(
            "a worker was killed, most likely for want of memory. What is finished is kept: run "
            "it again with fewer n_jobs, or of smaller data."
        ) from None
    finally:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def seconds_to_start(work: Callable[..., Any], n_jobs: int, n_pieces: int) -> float:
    """Return the seconds until processes have imported what `work` needs, by starting them."""
    began = time.perf_counter()
    for _ in run_all(_arrive, [(work,)] * min(n_jobs, n_pieces), n_jobs):
        pass
    return time.perf_counter() - began


def seconds_of_the_last(pieces: Iterable[float], n_jobs: int) -> float:
    """Return how much later than on average processes end, where pieces are not all alike.

    Parameters
    ----------
    pieces : iterable of float
        Seconds of each, in the order of `run_all`: begun by the first process that is free.
    n_jobs : int
    """
    busy, total = [0.0] * n_jobs, 0.0
    for seconds in pieces:
        heapq.heapreplace(busy, busy[0] + seconds)
        total += seconds
    return max(busy) - total / n_jobs


def _arrive(work: Callable[..., Any]) -> None:
    """Do nothing: to be sent here, `work` has been imported."""


def _limited(work: Callable[..., Any], job: tuple[Any, ...]) -> Any:
    with threadpool_limits(1):  # of all libraries that `work` has brought along by now
        return work(*job)


def _begin(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all of them
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
