"""A journal: a line for each piece of work that is finished, on the disk as it ends."""

import os
import threading
from pathlib import Path

from ntkreg.storage import open_regular, read_bytes

__all__ = ["Journal"]


class Journal:
    """A text file that grows by whole lines, of one process at a time and any of its threads.

    Parameters
    ----------
    path : Path
        Need not be there; never followed if it is a link.
    limit : int
        Most bytes that are read: a longer file is another's.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self.limit = path, limit
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "limit": self.limit}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def read(self) -> list[bytes]:
        """Return the whole lines, without their ends: the last of a killed run may lack its own.

        Raises
        ------
        DataError
            The file is longer than `limit`, a link, a pipe or a device.
        """
        return self._content().split(b"\n")[:-1]

    def append(self, *lines: bytes) -> None:
        """Add lines; when this returns, they are on the disk and not only in the system's cache."""
        with self._lock, open_regular(self.path, "ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())

    def trim(self) -> None:
        """Cut off a last line that a killed or full-disk run did not finish."""
        if self.path.exists():
            content = self._content()
            with open_regular(self.path, "r+b") as file:
                file.truncate(content.rfind(b"\n") + 1)

    def _content(self) -> bytes:
        try:
            return read_bytes(self.path, self.limit, links=False)
        except FileNotFoundError:
            return b""
