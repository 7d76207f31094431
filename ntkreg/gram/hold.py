"""Who works on a kernel folder: one process alone, or the shards of one split together."""

import contextlib
import errno
import os
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import IO

from ntkreg.gram.meeting import Mark
from ntkreg.gram.paths import inside, shard_names
from ntkreg.gram.shard import Shard
from ntkreg.storage import open_regular

__all__ = ["LOCK", "SHARDS_BEGIN", "Hold", "hold", "is_held"]

LOCK = "lock"
"""Held by the process that works alone, shared by shards."""

SHARDS_BEGIN = "shards.lock"
"""Held by a shard while it looks at the manifest or writes it: one at a time."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
"""What file systems without locks say, as Lustre where it is mounted without them."""

_GLANCE = 0.1
"""Seconds after which a lock that `is_held` had for a moment is free."""

_PATIENCE = 2.0
"""Seconds of waiting for another process after which it is said."""

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # no such locks on Windows: two runs would compute tiles twice
    fcntl = None


class Hold:
    """A kernel folder that this process may write into.

    Attributes
    ----------
    alone : bool
        Whether no other process may.
    """

    def __init__(self, path: Path, file: IO[bytes], begin: IO[bytes] | None, alone: bool) -> None:
        self._path, self._file, self._begin, self.alone = path, file, begin, alone

    def share(self) -> None:
        """Let other shards begin, once the manifest is there: a process alone stays so."""
        if self._begin is not None:
            if self.alone:
                _lock(self._file, self._path.parent, shared=True)
                self.alone = False
            self._begin.close()

    @property
    def mark(self) -> Mark:
        """What a worker knows this very folder by (`SharedFolder`): its lock is never replaced."""
        return Mark.of(os.path.abspath(self._path), os.fstat(self._file.fileno()))

    def check(self) -> None:
        """Raise unless the folder is still there, and the same.

        A disk that is gone may leave an empty folder of its name, which would be filled.

        Raises
        ------
        OSError
        """
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.lstat(self._path), os.fstat(self._file.fileno())):
                return
        raise OSError(
            errno.ESTALE, "it is no longer there: it was moved or deleted, or its disk is gone"
        )


@contextlib.contextmanager
def hold(folder: Path, shard: Shard | None = None, *, wait: bool = False) -> Iterator[Hold]:
    """Hold a folder for this process; the system releases it however the process ends.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    shard : Shard or None
        Of a shard, others of the same split may hold it too, once it calls `Hold.share`.
    wait : bool
        Wait for who holds it, in place of an error.

    Raises
    ------
    BlockingIOError
        Another process works on it: alone, on the same shard, or on one of another split.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = inside(folder, LOCK)
    with contextlib.ExitStack() as stack:
        begin = None
        if shard is not None:
            begin = stack.enter_context(open_regular(inside(folder, SHARDS_BEGIN), "ab"))
            _lock(begin, folder, wait=True)
        file = stack.enter_context(open_regular(path, "ab"))
        alone = True
        if shard is None:
            _lock(file, folder, wait=wait)
        else:
            try:
                _lock(file, folder)
            except BlockingIOError:
                _lock(file, folder, shared=True, wait=wait)
                alone = False
            _hold_shard(folder, shard, stack)
        yield Hold(path, file, begin, alone)


def is_held(folder: Path) -> bool | None:
    """Return whether a process works on a folder; None where nobody can say."""
    if fcntl is None:
        return None
    try:
        with open_regular(inside(folder, LOCK)) as file:
            # Given back at once: a process that begins just then tries twice.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _hold_shard(folder: Path, shard: Shard, stack: contextlib.ExitStack) -> None:
    """Hold a shard's own journal; of another split no process may hold any."""
    own = inside(folder, *shard_names(shard))
    own.parent.mkdir(exist_ok=True)
    try:
        _lock(stack.enter_context(open_regular(own, "ab")), folder)
    except BlockingIOError:
        raise BlockingIOError(
            errno.EWOULDBLOCK, f"another process is working on its shard {shard}"
        ) from None
    for name in os.listdir(own.parent):
        if not name.endswith(f"-of-{shard.of}.txt"):
            with open_regular(inside(folder, own.parent.name, name), "r+b") as file:
                try:
                    _lock(file, folder)
                except BlockingIOError:
                    raise BlockingIOError(
                        errno.EWOULDBLOCK,
                        f"shards of another split than into {shard.of} are at work on it",
                    ) from None


def _lock(file: IO[bytes], folder: Path, *, shared: bool = False, wait: bool = False) -> None:
    """Lock a file, or raise `BlockingIOError`; where there are no locks, say so and go on."""
    if fcntl is None:
        return
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if wait:
                _wait(file, folder, how)
            else:
                time.sleep(_GLANCE)
                fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError(errno.EWOULDBLOCK, "another process is working on it") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        warnings.warn(
            f"compute_gram: the file system of folder {folder} has no locks: nothing keeps another "
            "process from computing the same tiles. Give each shard to one process only.",
            RuntimeWarning,
            stacklevel=2,
        )


def _wait(file: IO[bytes], folder: Path, how: int) -> None:
    """Wait for a lock that another process holds, and say so before a user takes it for a hang."""
    assert fcntl is not None
    words = f"compute_gram: waiting for another process, which is working on folder {folder}."
    timer = threading.Timer(_PATIENCE, warnings.warn, (words, RuntimeWarning))
    timer.daemon = True
    timer.start()
    try:
        fcntl.flock(file, how)
    finally:
        timer.cancel()
