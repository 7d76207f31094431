"""Arrays that a client and workers of one machine leave for each other, in files."""

import contextlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ["Lying", "Mark", "Meeting", "NotSeenError"]

_SIGN = "here"
"""File in it that workers know it by."""


class NotSeenError(OSError):
    """What a client has left is not seen from here."""


class Mark(NamedTuple):
    """A file as one process sees it; who sees the same is at the same folder.

    Copies and other disks have other numbers of inodes, or times.
    """

    path: str
    inode: int
    changed: int

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> "Mark":
        """Return the mark of a file, from its status."""
        return cls(path, status.st_ino, status.st_mtime_ns)

    def is_seen(self) -> bool:
        """Return whether this very file is there."""
        try:
            return Mark.of(self.path, os.lstat(self.path)) == self
        except OSError:
            return False


@dataclass(frozen=True)
class Lying:
    """An array that lies in a meeting place, for who sees it."""

    mark: Mark

    @property
    def array(self) -> np.ndarray:
        """The array, mapped; what is written into it stays with the process.

        Raises
        ------
        NotSeenError
            It is not seen from here.
        """
        if not self.mark.is_seen():
            raise NotSeenError(f"{self.mark.path} is not seen from here.")
        # Written into by none; but of arrays that cannot be, compilers make other loops.
        return np.asarray(np.load(self.mark.path, mmap_mode="c", allow_pickle=False))


@dataclass(frozen=True)
class Meeting:
    """A folder that the client of a cluster makes, in its machine's folder for temporary files.

    Moving an array between processes of one machine costs ten times what it costs to write it and
    to map the file.

    Attributes
    ----------
    folder : str
        Absolute; no Path, which a worker of another system could not unpickle.
    sign : Mark
        A file in it.
    """

    folder: str
    sign: Mark

    @classmethod
    @contextlib.contextmanager
    def begin(cls) -> Iterator["Meeting | None"]:
        """Make one, for a while; None where nothing can be written."""
        with contextlib.ExitStack() as stack:
            try:
                place = tempfile.TemporaryDirectory(prefix="ntkreg-", ignore_cleanup_errors=True)
                folder = stack.enter_context(place)
                sign = Path(folder, _SIGN)
                sign.touch()
                made = cls(folder, Mark.of(str(sign), sign.lstat()))
            except OSError:
                made = None
            yield made

    def is_seen(self) -> bool:
        """Return whether this process sees it."""
        return self.sign.is_seen()

    def leave(self, array: np.ndarray) -> Lying:
        """Write an array into it.

        Raises
        ------
        OSError
            It is not seen from here, or cannot be written.
        """
        if not self.is_seen():
            raise NotSeenError(f"{self.folder} is not seen from here.")
        path = Path(self.folder, f"{uuid.uuid4().hex}.npy")
        try:
            np.save(path, array, allow_pickle=False)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return Lying(Mark.of(str(path), path.lstat()))

    def take(self, left: Lying) -> np.ndarray:
        """Return an array that lies here; its file is gone, so that it cannot be taken again.

        Raises
        ------
        NotSeenError
            It is not seen from here, or lies elsewhere.
        """
        if os.path.dirname(left.mark.path) != self.folder:  # a worker's word removes nothing else
            raise NotSeenError(f"{left.mark.path} does not lie in {self.folder}.")
        array = left.array
        Path(left.mark.path).unlink()
        return array
