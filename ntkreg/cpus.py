"""How many threads share the work: ours, and those of BLAS, which change bits."""

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from numbers import Integral
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from ntkreg.errors import SpecError

__all__ = ["check_n_jobs", "in_threads", "one_blas_thread"]

T = TypeVar("T")

_LIMITS = ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
"""Whoever runs several processes side by side gives each its share here: joblib (scikit-learn's
`n_jobs`) sets the first in its workers, batch systems do too, and joblib obeys the second."""


class _Limit:
    """One thread for every BLAS of the process, while anybody asks for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.callers: list[int] = []  # a thread each, as often as it asks
        self.before: list[tuple[Any, int]] = []
        self.n_modules = 0
        self.libraries: list[Any] = []

    def set(self) -> None:
        # A BLAS comes with a module that is imported. To look for them is to read the map of the
        # process's memory, several milliseconds where JAX and pandas are loaded.
        n_modules = len(sys.modules)
        if n_modules != self.n_modules:
            self.libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            self.n_modules = n_modules
        self.before = [(library, library.num_threads) for library in self.libraries]
        for library, _ in self.before:
            _set_threads(library, 1)

    def restore(self) -> None:
        for library, number in self.before:
            # What others have set meanwhile is theirs.
            if library.num_threads == 1 != number:
                _set_threads(library, number)


_limit = _Limit()


def check_n_jobs(n_jobs: int | None) -> int:
    """Return the number of threads.

    Parameters
    ----------
    n_jobs : int or None
        -1: the CPUs this process may use. None: no more of them than the variables
        OMP_NUM_THREADS and LOKY_MAX_CPU_COUNT allow, so that the processes of a grid search
        share the machine; and an equal part of these where other threads of the process are at
        work here too, such as those of a search with joblib's threads.
    """
    if n_jobs is None:
        limits = [_limit_in(name) for name in _LIMITS if _limit_in(name)]
        at_work = {threading.get_ident(), *_limit.callers}
        return max(1, min([_usable_cpus(), *limits]) // len(at_work))
    if n_jobs == -1 and not isinstance(n_jobs, float):
        return _usable_cpus()
    if not isinstance(n_jobs, Integral) or isinstance(n_jobs, bool) or n_jobs < 1:
        raise SpecError(
            "n_jobs must be a positive integer, -1 for all CPUs, or None for this process's "
            f"share of them; got {n_jobs!r}."
        )
    return int(n_jobs)


def _usable_cpus() -> int:
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _limit_in(variable: str) -> int:
    """Return the number in an environment variable, 0 if there is none, as OpenMP reads it."""
    first = os.environ.get(variable, "").split(",")[0].strip()  # "4,2": 2 are for nested loops
    return int(first) if first.isascii() and first.isdigit() else 0


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread in the whole process; also a decorator.

    A BLAS has one number of threads for the process. So callers that overlap in time share one
    limit: the first sets it, the last puts back what was there before, however each ends.
    If every caller kept "what was there before" for itself, late ones would leave one thread
    behind, and those that end early would let BLAS loose under the others.

    Builds on OpenMP (``openmp`` in what threadpoolctl calls their threading layer) keep a number
    for each thread: there threads of a pool are not held, and bits may depend on their number.
    """
    limit, caller = _limit, threading.get_ident()
    entered = False
    try:
        with limit.lock:
            # Counted first: a Ctrl-C at any moment from here on ends below.
            limit.callers.append(caller)
            entered = True
            if len(limit.callers) == 1:
                limit.set()
        yield
    finally:
        if entered:
            with limit.lock:
                limit.callers.remove(caller)
                if not limit.callers:
                    limit.restore()


def in_threads(work: Callable[[T], None], items: Iterable[T], n_jobs: int) -> None:
    """Call ``work(item)`` for each item on threads of ours, BLAS being held to one.

    The first exception of a call is raised here; those not yet begun are left out.
    """
    with one_blas_thread(), ThreadPoolExecutor(n_jobs, thread_name_prefix="ntkreg") as pool:
        for _ in pool.map(work, items):
            pass


def _after_fork() -> None:
    """Forget, in a child, the callers of its parent: their threads are not there."""
    global _limit
    held, _limit = _limit, _Limit()
    if held.callers:
        held.restore()
    held.lock = threading.Lock()  # for the forking thread, if it holds the limit itself


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _set_threads(library: Any, number: int) -> None:
    # threadpoolctl 3.8 lets one thread set limits, the first that ever did, and silently
    # ignores all others. Here any thread may be the first to come and another the last to go.
    free = getattr(library, "clear_controlling_thread", lambda force: None)
    free(force=True)
    library.set_num_threads(number)
    free(force=True)
