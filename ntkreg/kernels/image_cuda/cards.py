"""The cards of this machine through CuPy, each used by one thread of one process at a time."""

import fcntl
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.errors import BackendError, PlanError
from ntkreg.kernels.image_cuda.program import CardProgram
from ntkreg.kernels.image_cuda.source import front, source_of
from ntkreg.machine import readable

__all__ = ["OPTIONS", "Card", "cards"]

OPTIONS = ("-std=c++17", "-fmad=false", "-ftz=true")
"""Products and sums are fused where the source says so, and nowhere else."""

_SHARE = 0.8
"""Part of a card's free memory that one block of pairs may take."""


@dataclass(eq=False)
class Card:
    """One card.

    Attributes
    ----------
    number : int
        As CUDA counts.
    name : str
    capacity : int
        Bytes of shared memory that a block may have.
    identity : str
        Of the card in the whole machine.
    """

    number: int
    name: str
    capacity: int
    identity: str
    _kernels: dict[str, Any] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    def run(self, program: CardProgram, xs: np.ndarray, zs: np.ndarray,
            pairs: np.ndarray) -> np.ndarray:  # fmt: skip
        """Return the sums of pairs, float64 (results, n pairs).

        Parameters
        ----------
        program : CardProgram
        xs, zs : ndarray of float32 (n, numbers), (m, numbers)
        pairs : ndarray of int32 (n pairs, 2)
            Rows of xs and zs.

        Raises
        ------
        PlanError
            If they do not find room on the card.
        BackendError
            If the card or its compiler refuses.
        """
        cupy = import_module("cupy")
        size = xs.nbytes + zs.nbytes + pairs.nbytes + 8 * program.results * len(pairs)
        with self._alone(), cupy.cuda.Device(self.number), self._explained(cupy, size):
            free, _ = cupy.cuda.runtime.memGetInfo()
            pool = cupy.get_default_memory_pool()
            free += pool.free_bytes()
            if size > _SHARE * free:
                raise self._no_room(size, int(_SHARE * free))
            out = cupy.empty((program.results, len(pairs)), np.float64)
            try:
                x, z, chosen, tiles = map(
                    cupy.asarray, (xs, zs, np.ascontiguousarray(pairs), program.schedule.tiles)
                )
                kernel, program = self._kernel(cupy, program)
                arguments = (x, z, chosen, np.int32(len(pairs)), tiles, out)
                size_of_block, memory = (32 * program.warps,), program.shared_bytes
                kernel((len(pairs),), size_of_block, arguments, shared_mem=memory)
                return cupy.asnumpy(out)
            finally:
                # Also after Ctrl-C: no work is left on the card when it is another's turn.
                cupy.cuda.Device(self.number).synchronize()

    def _kernel(self, cupy: Any, program: CardProgram) -> tuple[Any, CardProgram]:
        """Return what was compiled, for fewer warps where it would spill registers."""
        source = source_of(program, front())
        if source not in self._kernels:
            kernel = cupy.RawModule(code=source, options=OPTIONS).get_function("image_pairs")
            fewer = program.with_more_registers() if kernel.local_size_bytes else None
            if fewer:
                self._kernels[source] = self._kernel(cupy, fewer)
            else:
                kernel.max_dynamic_shared_size_bytes = program.shared_bytes
                self._kernels[source] = kernel, program
        return self._kernels[source]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the card against other threads, and against other processes of this user."""
        with self._lock:
            path = Path(tempfile.gettempdir()) / f"ntkreg-{os.getuid()}-{self.identity}.lock"
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
            descriptor = os.open(path, flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    @contextmanager
    def _explained(self, cupy: Any, size: int) -> Iterator[None]:
        try:
            yield
        except cupy.cuda.memory.OutOfMemoryError as error:
            raise self._no_room(size, None) from error
        # CUDA's errors are RuntimeErrors, as is a compiler's library that is not there.
        except (cupy.cuda.compiler.CompileException, RuntimeError) as error:
            raise BackendError(
                f'backend="cuda": {self.name} (card {self.number}) says: {error}. Try again in a '
                'new process, or use backend="jax" or None.'
            ) from error

    def _no_room(self, size: int, free: int | None) -> PlanError:
        left = "" if free is None else f", {readable(free)} can be used"
        return PlanError(
            f'backend="cuda": a block of pairs needs {readable(size)} of memory on {self.name} '
            f"(card {self.number}){left}. End what else is on the card, or use backend=None."
        )


def cards() -> list[Card]:
    """Return the cards that are used: all of the first one's kind, as others give other bits.

    Raises
    ------
    BackendError
        No CuPy, no card, or a process that was forked from one that has used the card.
    """
    return _cards(os.getpid()) if not _used or os.getpid() in _used else _forked()


_used: set[int] = set()


def _forked() -> list[Card]:
    raise BackendError(
        'backend="cuda": this process was forked from one that has used the card, which CUDA does '
        'not allow. Start workers with multiprocessing\'s "spawn", or use threads (n_jobs).'
    )


@cache
def _cards(process: int) -> list[Card]:
    try:
        cupy = import_module("cupy")
    except ImportError as error:
        raise BackendError(
            f'backend="cuda" needs the package cupy, which cannot be imported ({error}). Install '
            'it with: pip install "ntkreg[cuda]".'
        ) from error
    try:
        n = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise BackendError(f'backend="cuda" finds no card: {error}. {_ELSE}') from error
    if not n:
        raise BackendError(f'backend="cuda" finds no card. {_ELSE}')
    found = [_card(cupy, k) for k in range(n)]
    _used.add(process)
    return [card for card in found if card.name == found[0].name]


_ELSE = 'Run it where an NVIDIA card and its driver are, or use backend="jax" or None.'


def _card(cupy: Any, number: int) -> Card:
    about = cupy.cuda.runtime.getDeviceProperties(number)
    name = about["name"]
    uuid = about.get("uuid", str(number))
    return Card(
        number,
        name.decode() if isinstance(name, bytes) else str(name),
        int(about["sharedMemPerBlockOptin"]),
        uuid.hex() if isinstance(uuid, bytes) else str(uuid),
    )
