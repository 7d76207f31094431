"""The files of a stored Gram: one a tile, and the journal of those that are finished.

They make up an uncompressed Zarr array of format 3, which any reader of Zarr opens. Here they
are written and read byte by byte: a folder may be a stranger's, and what a decoder does is for
metadata to choose. Nothing but numbers of the length, dtype and checksum expected is ever read.
"""

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ntkreg.documents import read_json
from ntkreg.errors import DataError, PlanError, StoreMismatchError
from ntkreg.gram.layout import Layout
from ntkreg.gram.paths import SHARDS, VALUES, inside, shard_names, tile_path
from ntkreg.gram.shard import Shard
from ntkreg.gram.tile_write import checksum_of, write_tile
from ntkreg.journal import Journal
from ntkreg.machine import free_memory, readable
from ntkreg.storage import differences, open_regular, write_json, write_text

__all__ = ["TileFiles"]

_JOURNAL = "tiles.txt"
_METADATA = (VALUES, "zarr.json")

_LINE = re.compile(rb"([0-9]{1,8}) ([0-9]{1,8}) ([0-9a-f]{64})")
"""Of the journal: a tile, and the checksum of its values."""

_SHARD = re.compile(r"[0-9]{1,4}-of-[0-9]{1,4}\.txt")

_JOURNAL_BYTES = 1 << 20
"""All journals together have at most these and 256 a tile: every tile three times over."""


class TileFiles:
    """The tiles of one folder, with the checksums that its journals have for them.

    Parameters
    ----------
    folder : Path
        Absolute, so that it stays the same folder wherever the process goes.
    layout : Layout
    shard : Shard or None
        Whose journal gets the tiles that are written; None for that of the whole folder.

    Attributes
    ----------
    checksums : dict of (int, int) to str
        SHA-256 of the values of each finished tile (i, j).

    Raises
    ------
    DataError, StoreMismatchError
        A journal that is too long, links, metadata of another Zarr format.
    PlanError
        Not even one tile fits into memory.
    """

    def __init__(self, folder: Path, layout: Layout, shard: Shard | None = None) -> None:
        self.folder, self.layout = folder, layout
        free = free_memory()
        # Read whole, then cut to the values in it.
        if free is not None and 2 * layout.file_bytes > free:
            raise PlanError(
                f"{folder}: a tile of side {layout.tile:,} takes {readable(layout.file_bytes)} of "
                f"memory; {readable(free)} are free. Give another folder."
            )
        # Two documents that say what an array is may say two things, to two readers.
        for other in inside(folder, *_METADATA).parent.glob(".z*"):
            raise StoreMismatchError(
                f"{other}: belongs to another format of Zarr than kernel folders have. It was not "
                "read. Give another folder."
            )
        self._journal = self._open_journal(*([_JOURNAL] if shard is None else shard_names(shard)))
        self.checksums = self._read_journals()
        self._verified: dict[tuple[int, int], tuple[int, ...]] = {}

    def __getstate__(self) -> dict[str, object]:
        # Where it is unpickled, the same inode numbers may be other files': verified again.
        return {"folder": self.folder, "layout": self.layout, "checksums": self.checksums}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _verified={})
        self._journal = self._open_journal(_JOURNAL)

    def has_metadata(self) -> bool:
        """Return whether zarr.json is there.

        Raises
        ------
        StoreMismatchError
            It is that of another Gram.
        """
        path = inside(self.folder, *_METADATA)
        try:
            stored = read_json(path, links=False)
        except FileNotFoundError:
            return False
        except DataError as error:
            raise StoreMismatchError(f"{error} Give another folder, or delete this one.") from None
        wanted = self.layout.zarr_metadata()
        if stored != wanted:
            found = differences(stored, wanted) if isinstance(stored, dict) else []
            found = [line[:200] for line in found[:5]] or ["it is another document"]
            raise StoreMismatchError(
                f"{path}: does not fit manifest.json beside it: {'; '.join(found)}. The folder was "
                "changed by something else. Delete this file, and it is written anew, or give "
                "another folder."
            )
        return True

    def write_metadata(self) -> None:
        """Write zarr.json, for other readers of the array."""
        path = inside(self.folder, *_METADATA)
        path.parent.mkdir(exist_ok=True)
        write_json(path, self.layout.zarr_metadata())

    def read(self, i: int, j: int) -> np.ndarray:
        """Return a tile's values, (n_fields, n_variants, rows, columns).

        They are compared with their checksum unless the very file was so before: if it was
        changed or replaced since, it is compared again.

        Raises
        ------
        DataError
            The tile is missing or damaged.
        """
        layout, wanted = self.layout, self.checksums.get((i, j))
        if wanted is None:
            raise DataError(self._complaint(i, j, "was not computed yet"))
        path = tile_path(self.folder, i, j)
        try:
            file = open_regular(path)
        except FileNotFoundError:
            raise DataError(
                self._complaint(i, j, f"is missing: no file {path.relative_to(self.folder)}")
            ) from None
        with file:
            status = os.fstat(file.fileno())
            # Before room for it is made: a file of another length is not read at all.
            if status.st_size != layout.file_bytes:
                what = f"is damaged: {status.st_size:,} bytes in place of {layout.file_bytes:,}"
                raise DataError(self._complaint(i, j, what))
            count = layout.file_bytes // layout.dtype.itemsize
            whole = np.fromfile(file, layout.dtype.newbyteorder("<"), count)
        if whole.nbytes != layout.file_bytes:
            raise DataError(self._complaint(i, j, "was changed while it was read"))
        rows, columns = layout.extent(i, j)
        values = np.ascontiguousarray(
            whole.reshape(layout.file_shape)[:, :, :rows, :columns], layout.dtype
        )
        this = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if self._verified.get((i, j)) != this:
            if checksum_of(values) != wanted:
                raise DataError(
                    self._complaint(i, j, "is damaged: its values do not match their checksum")
                )
            self._verified[i, j] = this
        return values

    def is_whole(self, i: int, j: int) -> bool:
        """Return whether a tile is there as it was computed."""
        try:
            self.read(i, j)
        except DataError:
            return False
        return True

    def write(self, i: int, j: int, values: np.ndarray) -> None:
        """Write a tile's values, and then its line in the journal."""
        self._enter({(i, j): write_tile(self.folder, self.layout, i, j, values)})

    def take_written(self, checksums: dict[tuple[int, int], str]) -> None:
        """Enter tiles that another process has written into the journal.

        Raises
        ------
        DataError
            One is not seen here.
        """
        for i, j in checksums:
            path = tile_path(self.folder, i, j)
            if not path.exists():
                # File systems of a network know for a while what was not there; reading the folder
                # has them look again.
                with contextlib.suppress(FileNotFoundError):
                    os.listdir(path.parent)
            if not path.exists() or os.lstat(path).st_size != self.layout.file_bytes:
                raise DataError(self._complaint(i, j, "was written by a worker, but is not here"))
        self._enter(checksums)

    def _enter(self, checksums: dict[tuple[int, int], str]) -> None:
        """Write lines of the journal, after the tiles themselves."""
        inside(self.folder, *self._journal.path.relative_to(self.folder).parts)
        lines = (f"{i} {j} {checksum}".encode() for (i, j), checksum in checksums.items())
        self._journal.append(*lines)
        self.checksums |= checksums

    def trim_journal(self) -> None:
        """Cut off a last line that a killed or full-disk run did not finish."""
        inside(self.folder, *self._journal.path.relative_to(self.folder).parts)
        self._journal.trim()

    def gather_journals(self) -> None:
        """Take what shards have finished into the journal of the whole folder."""
        if any(os.lstat(path).st_size for path in self._shard_journals()):
            self.rewrite_journal(lambda i, j: True)

    def rewrite_journal(self, is_kept: Callable[[int, int], bool]) -> None:
        """Keep one journal with one line a tile; of some tiles none, so that they count as open.

        While no other process works on the folder.
        """
        found = self._read_journals().items()
        lines = [f"{i} {j} {checksum}\n" for (i, j), checksum in found if is_kept(i, j)]
        write_text(inside(self.folder, _JOURNAL), "".join(lines))
        for path in self._shard_journals():
            # Emptied and not deleted: a shard that extends the folder holds the lock on its own.
            with open_regular(path, "r+b") as file:
                file.truncate()
        self.checksums = self._read_journals()

    def remove_metadata(self) -> None:
        """Take zarr.json away, to be written anew."""
        inside(self.folder, *_METADATA).unlink(missing_ok=True)

    def recent(self, most: int) -> list[tuple[float, tuple[int, int]]]:
        """Return when tiles were written, and which: the latest of each journal, in order."""
        found = []
        for path in (inside(self.folder, _JOURNAL), *self._shard_journals()):
            for tile in list(self._read_journal(path))[-most:]:
                with contextlib.suppress(FileNotFoundError):
                    found.append((os.lstat(tile_path(self.folder, *tile)).st_mtime, tile))
        return sorted(found)[-most:]

    def _open_journal(self, *names: str) -> Journal:
        return Journal(inside(self.folder, *names), self._most_bytes)

    @property
    def _most_bytes(self) -> int:
        return _JOURNAL_BYTES + 256 * self.layout.tiles

    def _shard_journals(self) -> list[Path]:
        """Return the journals of shards.

        Raises
        ------
        DataError
            Together they are longer than journals are.
        """
        folder = inside(self.folder, *shard_names(Shard(1, 1))).parent
        names = os.listdir(folder) if folder.is_dir() else []
        paths = [inside(self.folder, SHARDS, name) for name in names if _SHARD.fullmatch(name)]
        if sum(os.lstat(path).st_size for path in paths) > self._most_bytes:
            raise DataError(
                f"{folder}: the journals in it are longer than {self._most_bytes:,} bytes, which "
                "no folder's are. They were not read. Give another folder, or delete this one."
            )
        return paths

    def _read_journals(self) -> dict[tuple[int, int], str]:
        """Return tile -> checksum; what shards say is later than the journal of the folder."""
        found = self._read_journal(inside(self.folder, _JOURNAL))
        for path in self._shard_journals():
            found |= self._read_journal(path)
        return found

    def _read_journal(self, path: Path) -> dict[tuple[int, int], str]:
        """Return tile -> checksum; of two lines for a tile, the later one."""
        lines = filter(None, map(_LINE.fullmatch, Journal(path, self._most_bytes).read()))
        found = ((int(line[1]), int(line[2]), line[3].decode()) for line in lines)
        return {(i, j): checksum for i, j, checksum in found if self.layout.has(i, j)}

    def _complaint(self, i: int, j: int, what: str) -> str:
        return (
            f"tile ({i}, {j}) of the Gram in {self.folder} {what}. Make the call of compute_gram "
            "that made the folder again: it computes what is missing or damaged."
        )
