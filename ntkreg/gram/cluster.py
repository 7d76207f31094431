"""A Gram on the workers of a dask.distributed cluster: what goes there, and what comes back.

Inputs are sent once and stay with the workers; a task carries a `KernelSpec` and the numbers of
some tiles, and takes about a second, longer on a large cluster. Values come back, or, where a
worker sees the kernel's folder, go straight into their files; where workers are on the client's
machine, inputs and values lie in files there (`Meeting`). Workers may come, go and die: what
they had in work is asked for again. Only so many tasks are under way that neither scheduler nor
workers fill up.
"""

import contextlib
import math
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkreg.gram.client import PATIENCE, gone_is_said, say_none, say_others
from ntkreg.gram.meeting import Lying, Meeting, NotSeenError
from ntkreg.gram.on_worker import Done, Inputs, Job, compute_tiles, cut, forget, norms_of
from ntkreg.gram.threads import progress_bar
from ntkreg.gram.tile_write import SharedFolder
from ntkreg.gram.tiles import GramTile
from ntkreg.gram.work import GramWork

__all__ = ["compute_on_cluster", "task_seconds"]

_TASK_SECONDS, _TASK_BYTES = 1.0, 1 << 25
"""What a task should take, and the most that its values may: what is lost with a worker is its
tasks, and what waits there for us is their values."""

_TASKS_A_SECOND = 100
"""Most that a scheduler is to see: on more threads than these each task takes longer. It needs some
milliseconds for one, beside whatever else it does."""

_LEAST = 0.1
"""Part of a task that is worth one, near the end of a run."""

_EACH = 2
"""Tasks under way for each thread of the cluster: one at work, one that waits for it."""

_DEATHS = 5
"""Times that a task is asked for again after Dask gave it up, with the four workers that died of it
or beside it."""

_REFRESH = 0.02
"""Seconds between two looks at what has come back."""


def compute_on_cluster(
    client: Any,
    work: GramWork,
    tiles: Sequence[GramTile],
    take: Callable[[GramTile, np.ndarray], None],
    *,
    ways: dict[str, Any],
    shared: SharedFolder | None = None,
    enter: Callable[[dict[tuple[int, int], str]], None] | None = None,
    meet: Callable[[dict[str, str]], None] | None = None,
    progress: bool | None,
) -> None:
    """Have tiles computed by the workers, and take each here as it comes.

    Parameters
    ----------
    client : distributed.Client
    work : GramWork
    tiles : sequence of GramTile
    take : callable
        Gets each tile with its values (n_fields, n_variants, rows, columns), in this thread.
    ways : dict
        Versions and machine, of which workers must be.
    shared : SharedFolder or None
        Where tiles go in the end; workers that see it write there themselves.
    enter : callable or None
        With a shared folder: gets checksums of tiles (i, j) that a worker has written.
    meet : callable or None
        Workers may be of another machine; gets each that is met. None: they may not.
    progress : bool or None
        As in `ntkreg.kernel`.

    Raises
    ------
    StoreMismatchError
        A worker's values would have other bits.
    RuntimeError
        Workers keep dying of the same tiles.
    ConnectionError
        The scheduler is gone.
    KeyboardInterrupt
        On Ctrl-C, at once; workers end the tasks at work, a second each, for nothing.
    """
    name = f"ntkreg-{uuid.uuid4().hex}"
    job = Job(name, work.spec, work.engine.name, ways, meet is not None, shared)
    pairs = sum(tile.pairs(work.symmetric) for tile in tiles)
    met: list[dict[str, str]] = []
    with contextlib.ExitStack() as stack:
        job = job._replace(meeting=stack.enter_context(Meeting.begin()))
        bar = stack.enter_context(progress_bar(pairs, progress))
        run = stack.enter_context(contextlib.closing(_Run(client, work, job)))
        for task, done in run.compute(tiles):
            if meet is not None and done.machine not in met:
                meet(done.machine)
                met.append(done.machine)
            if done.checksums is not None and enter is not None:
                enter(done.checksums)
            else:
                shapes = [(*work.shape[:2], *tile.shape) for tile in task]
                for tile, values in zip(task, cut(run.values(done), shapes), strict=True):
                    take(tile, values)
            bar.update(sum(tile.pairs(work.symmetric) for tile in task))


def task_seconds(threads: int) -> float:
    """Return what a task should take where so many threads ask for another after each."""
    return max(_TASK_SECONDS, threads / _TASKS_A_SECOND)


@dataclass
class _Task:
    """Tiles under way, how often Dask gave them up, and whether their inputs lie somewhere."""

    tiles: list[GramTile]
    future: Any
    deaths: int
    lies: bool


class _Run:
    """One Gram on a cluster: what is under way, and what is to be asked for again."""

    def __init__(self, client: Any, work: GramWork, job: Job) -> None:
        self.client, self.work, self.job = client, work, job
        self.under_way: list[_Task] = []
        self.pairs_a_second: float | None = None
        self.threads, self.counted = 0, -np.inf
        self.workers: set[str] = set()
        self.lying: list[Lying] | None = None  # inputs where all workers see them
        self.inputs: list[Any] = []
        self.norms: Any = None

    def compute(self, tiles: Sequence[GramTile]) -> Iterator[tuple[list[GramTile], Done]]:
        """Yield the tiles of each task, and what came of it."""
        with gone_is_said(self.client):
            yield from self._compute(deque(tiles))

    def _compute(self, waiting: deque[GramTile]) -> Iterator[tuple[list[GramTile], Done]]:
        self._leave_inputs()
        self._send_inputs()
        while waiting or self.under_way:
            self._wait_connected()
            self._count_threads()
            while waiting and len(self.under_way) < max(1, _EACH * self.threads):
                size = self._tiles_a_task(waiting)
                self._submit([waiting.popleft() for _ in range(size)])
            ended = [task for task in self.under_way if task.future.status != "pending"]
            if not ended:
                time.sleep(_REFRESH)
            for task in ended:
                done = self._result(task)
                self.under_way.remove(task)
                if done is not None:
                    pairs = sum(tile.pairs(self.work.symmetric) for tile in task.tiles)
                    self.pairs_a_second = pairs / max(done.seconds, 1e-6)
                    task.future.release()  # the worker's memory, before the next is asked for
                    yield task.tiles, done

    def close(self) -> None:
        """Leave nothing behind on the cluster, however the run ends."""
        with contextlib.suppress(Exception):  # a cluster that is gone holds nothing
            left = [*(task.future for task in self.under_way), *self.inputs, self.norms]
            self.client.cancel([future for future in left if future is not None])
            self.client.run(forget, self.job.name, wait=False, on_error="ignore")
        self.under_way, self.inputs, self.norms = [], [], None

    def values(self, done: Done) -> np.ndarray:
        """Return the values of a task, wherever they are."""
        if isinstance(done.values, Lying):
            assert self.job.meeting is not None
            return self.job.meeting.take(done.values)
        return done.values

    def _leave_inputs(self) -> None:
        """Leave the inputs in the meeting place, if all workers see it."""
        meeting = self.job.meeting
        if meeting is None:
            return
        with contextlib.suppress(OSError):  # also a worker that is lost meanwhile
            seen = self.client.run(meeting.is_seen, on_error="return").values()
            if all(each is True for each in seen):
                self.lying = [meeting.leave(A) for A in self._arrays]

    @property
    def _arrays(self) -> list[np.ndarray]:
        return [A for A in (self.work.X, self.work.Z) if A is not None]

    def _send_inputs(self) -> None:
        """Send the inputs to all workers that are there, or say where they lie."""
        arrays: list[Any] = [*(self.lying or map(Inputs, self._arrays))]
        while True:
            try:
                # Names of their own: what another run has lost is not taken for these.
                self.inputs = self.client.scatter(arrays, broadcast=True, hash=False)
                break
            # No worker just now, or it died meanwhile: then the scheduler may know no such key, or
            # nobody to copy it to.
            except (OSError, TimeoutError, KeyError, ValueError):
                self._wait_connected()
                self._count_threads()
                time.sleep(_REFRESH)
        if self.work.spec.normalize is not None:
            self.norms = self.client.submit(norms_of, self.job, *self.inputs, pure=False)

    def _submit(self, tiles: list[GramTile], deaths: int = 0) -> None:
        arguments = (self.job, tiles, self.norms, *self.inputs)
        future = self.client.submit(compute_tiles, *arguments, pure=False)
        self.under_way.append(_Task(tiles, future, deaths, self.lying is not None))

    def _result(self, task: _Task) -> Done | None:
        """Return what came of a task; None where its tiles were asked for again."""
        from distributed import CancelledError, KilledWorker

        try:
            return task.future.result(timeout=PATIENCE)
        except KilledWorker as error:
            if task.deaths == _DEATHS:
                numbers = ", ".join(f"({tile.i}, {tile.j})" for tile in task.tiles[:3])
                raise RuntimeError(
                    f"compute_gram: workers keep dying while they compute tiles {numbers}: {error} "
                    "Give them more memory, or a smaller tile."
                ) from error
            self._submit(task.tiles, task.deaths + 1)
        except (CancelledError, TimeoutError, OSError) as error:
            if isinstance(error, NotSeenError) and task.lies:  # to a worker that has joined
                if self.lying:
                    self.lying = None
                    self._send_inputs()
                self._submit(task.tiles, task.deaths)
                return None
            if task.future.status == "error":
                raise  # the task's own
            if isinstance(error, TimeoutError):  # a worker that cannot be reached from here
                self.client.direct_to_workers = None
            # Lost with the inputs that it needed, or on its way here.
            self._wait_connected()
            if any(each.status in ("cancelled", "lost") for each in self.inputs):
                self._send_inputs()
            self._submit(task.tiles, task.deaths)
        return None

    def _tiles_a_task(self, waiting: Sequence[GramTile]) -> int:
        """Return how many of the tiles the next task gets; fewer near the end, for all to end."""
        if self.pairs_a_second is None:
            return 1
        first = waiting[0]
        n_fields, n_variants = self.work.shape[:2]
        bytes_ = (
            n_fields * n_variants * self.work.engine.value_dtype.itemsize * math.prod(first.shape)
        )
        seconds = first.pairs(self.work.symmetric) / self.pairs_a_second
        most = task_seconds(self.threads) / seconds
        share = len(waiting) / max(1, _EACH * self.threads)
        found = min(most, _TASK_BYTES / bytes_, max(_LEAST * most, share), len(waiting))
        return max(1, int(found))

    def _count_threads(self) -> None:
        """Ask once a second how many threads the cluster has; say where that cannot go well."""
        if time.monotonic() - self.counted < 1:
            return
        threads = self.client.nthreads()
        joined, self.workers = threads.keys() - self.workers, self.workers | threads.keys()
        before, self.threads = self.threads, sum(threads.values())
        self.counted = time.monotonic()
        if before and not self.threads:
            say_none(self.client)
        if before and joined:
            say_others(self.client)

    def _wait_connected(self) -> None:
        """Wait while the client looks for a scheduler that it has lost."""
        while self.client.status == "connecting":
            time.sleep(_REFRESH)
        if self.client.status != "running":
            raise ConnectionError("no connection")
