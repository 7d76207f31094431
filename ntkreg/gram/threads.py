"""Tiles over a pool of threads: the engines release the GIL."""

import itertools
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from tqdm.auto import tqdm

from ntkreg.cpus import one_blas_thread
from ntkreg.kernels.compiled.flags import checked_while_compiling

__all__ = ["Stopped", "progress_bar", "run_tasks"]

T = TypeVar("T")

_BAR_AFTER = 2.0
"""Seconds of work from which a progress bar is worth a line on the terminal."""

_REFRESH = 0.2
"""Seconds between two looks at what the workers have done."""


class Stopped(Exception):
    """Raised inside a worker whose result is no longer wanted."""


def run_tasks(
    tasks: Iterable[T],
    work: Callable[[T, Callable[[int], None]], None],
    *,
    pairs: int,
    n_jobs: int,
    progress: bool | None,
) -> None:
    """Run ``work(task, done)`` for each task on `n_jobs` threads.

    `done(k)` counts k more pairs for the progress bar; it raises `Stopped` once another
    task has failed or the user has pressed Ctrl-C, so that workers end at their next
    block, or before the compiler's next pass. The first exception of a worker, or
    KeyboardInterrupt, is raised here after all workers have ended. BLAS runs on one thread
    inside: more would change the order of sums with the number of workers, and fight over
    the same CPUs.
    """
    stop, lock, count = threading.Event(), threading.Lock(), 0

    def end_if_stopped() -> None:
        if stop.is_set():
            raise Stopped

    def done(k: int) -> None:
        nonlocal count
        end_if_stopped()
        with lock:
            count += k

    tell = _say_compiling if _shown(progress) else None

    def run(task: T) -> None:
        with checked_while_compiling(end_if_stopped, tell):
            work(task, done)

    queue = iter(tasks)
    with (
        progress_bar(pairs, progress) as bar,
        one_blas_thread(),
        ThreadPoolExecutor(n_jobs, thread_name_prefix="ntkreg") as pool,
    ):
        try:
            # Two tasks a thread are in flight, never all: a million would fill the memory.
            running: set[Future[None]] = {
                pool.submit(run, task) for task in itertools.islice(queue, 2 * n_jobs)
            }
            while running:
                ended, running = wait(running, timeout=_REFRESH, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()
                running |= {pool.submit(run, t) for t in itertools.islice(queue, len(ended))}
                bar.update(count - bar.n)
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_said = threading.Lock()
"""Held for good once it is said that loops are compiled."""


def _say_compiling(folder: str | None) -> None:
    """Say once in a process what the user waits for."""
    if _said.acquire(blocking=False):
        kept = f"kept in {folder}" if folder else "kept nowhere: no folder for it can be written"
        tqdm.write(f"compiling loops for this machine, some seconds; {kept}", file=sys.stderr)


def _shown(progress: bool | None) -> bool:
    """Whether progress is wanted: yes, no, or (None) where somebody sees it."""
    # A notebook's stderr is no terminal, yet shows bars; a log file would fill with them.
    somebody = "ipykernel" in sys.modules or bool(sys.stderr and sys.stderr.isatty())
    return somebody if progress is None else progress


def progress_bar(pairs: int, progress: bool | None) -> Any:
    """Return a bar: at once (True), never (False), or where it is seen after a while (None)."""
    return tqdm(
        total=pairs,
        unit="pair",
        unit_scale=True,
        disable=not _shown(progress),
        delay=0.0 if progress else _BAR_AFTER,
        leave=bool(progress),
        desc="kernel",
    )
