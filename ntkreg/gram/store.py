"""A Gram matrix in a folder, one file a tile, so that a killed run can go on."""

import contextlib
import errno
import hashlib
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ntkreg.errors import StoreMismatchError
from ntkreg.gram.manifest import (
    MANIFEST,
    VALUES,
    differences,
    make_manifest,
    read_manifest,
    write_json,
)
from ntkreg.gram.threads import run_tasks
from ntkreg.gram.tiles import Tile, compute_tile, diagonal_norms, iter_tiles
from ntkreg.gram.work import GramWork

__all__ = ["StoredValues", "compute_in_folder"]

_JOURNAL, _LOCK = "tiles.txt", "lock"


class StoredValues:
    """One field of a Gram in a folder: read when asked, tile by tile.

    ``np.asarray(values)`` loads everything, `read` a part; both mirror the triangle that
    symmetric Grams leave out. shape, dtype, ndim and len are those of the array.
    """

    def __init__(self, array: Any, field: int, tile: int, symmetric: bool, several: bool) -> None:
        self._array, self._field, self._tile = array, field, tile
        self._symmetric, self._several = symmetric, several
        self.dtype: np.dtype = array.dtype
        self.shape: tuple[int, ...] = array.shape[1:] if several else array.shape[2:]
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"StoredValues(shape={self.shape}, dtype={self.dtype}, at {self._array.store_path})"

    def read(self, rows: slice = slice(None), columns: slice = slice(None)) -> np.ndarray:
        """Return the values of some rows and columns (slices of step 1), all variants."""
        (top, bottom, down), (left, right, across) = (
            part.indices(n) for part, n in zip((rows, columns), self.shape[-2:], strict=True)
        )
        if (down, across) != (1, 1):
            raise ValueError(f"read: slices must have the step 1; got {rows} and {columns}.")
        out = np.empty(
            (self._array.shape[1], max(bottom - top, 0), max(right - left, 0)), self.dtype
        )
        for r in _spans(top, bottom, self._tile):
            for c in _spans(left, right, self._tile):
                at = (slice(r.start - top, r.stop - top), slice(c.start - left, c.stop - left))
                if self._symmetric and r.start // self._tile > c.start // self._tile:
                    out[:, *at] = self._array[self._field, :, c, r].swapaxes(1, 2)
                else:
                    out[:, *at] = self._array[self._field, :, r, c]
        return out if self._several else out[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("the values are in a folder: reading them always makes a copy.")
        values = self.read()
        return values if dtype is None else values.astype(dtype, copy=False)


def _spans(start: int, stop: int, tile: int) -> Iterator[slice]:
    """Yield start .. stop cut at the multiples of `tile`."""
    while start < stop:
        end = min((start // tile + 1) * tile, stop)
        yield slice(start, end)
        start = end


def compute_in_folder(
    work: GramWork, folder: Path, tile: int, *, n_jobs: int, progress: bool | None
) -> dict[str, StoredValues]:
    """Compute what the folder does not hold yet; return its values, not yet loaded.

    Raises
    ------
    StoreMismatchError
        The folder is another Gram's, or not a kernel folder; nothing in it is touched.
    OSError
        It cannot be written (read-only, disk full, in use by another process). Tiles
        already done are kept.
    """
    asked = make_manifest(work, tile)
    stored = _matching_manifest(folder, asked)
    if stored is not None:
        # A complete folder needs no lock and may be read-only.
        store = _TileStore(work, folder, stored["tile"])
        if store.is_complete():
            return store.values()
    with _clear_os_errors(folder), _locked(folder):
        stored = _matching_manifest(folder, asked, resume=True)
        if stored is None:
            stored = asked
            write_json(folder / MANIFEST, asked)
        store = _TileStore(work, folder, stored["tile"])
        store.fill(n_jobs, progress)
        return store.values()


def _matching_manifest(
    folder: Path, asked: dict[str, Any], *, resume: bool = False
) -> dict[str, Any] | None:
    """Return the folder's manifest, None if the folder is new or empty; else raise."""
    if folder.exists() and not folder.is_dir():
        raise StoreMismatchError(f"compute_gram: folder {folder} is a file. Give a folder.")
    stored = read_manifest(folder)
    if stored is None:
        ours = {_LOCK, MANIFEST + ".tmp"}  # what a run killed at its very start leaves
        if folder.exists() and {p.name for p in folder.iterdir()} - ours:
            raise StoreMismatchError(
                f"compute_gram: folder {folder} is not empty and holds no kernel (no "
                f"{MANIFEST}). Give a new or an empty folder."
            )
        return None
    found = differences(stored, asked, resume=False)
    if found:
        raise StoreMismatchError(
            f"compute_gram: folder {folder} holds another Gram: {'; '.join(found)}. "
            "Give another folder, or ask for the stored Gram."
        )
    if resume and (found := differences(stored, asked, resume=True)):
        raise StoreMismatchError(
            f"compute_gram: folder {folder} was begun in another way, and going on would mix "
            f"bits: {'; '.join(found)}. Finish it with those versions, or give another folder."
        )
    return stored


class _TileStore:
    """The tiles of one Gram on disk, and the journal of those that are whole."""

    def __init__(self, work: GramWork, folder: Path, tile: int) -> None:
        self.work, self.folder, self.tile = work, folder, tile
        self._lock = threading.Lock()

    def values(self) -> dict[str, StoredValues]:
        """Return the fields, to be read later."""
        array, work = self._open(), self.work
        return {
            name: StoredValues(array, i, self.tile, work.symmetric, work.variants is not None)
            for i, name in enumerate(work.engine.fields)
        }

    def is_complete(self) -> bool:
        """Return whether every tile is there with its checksum."""
        tiles, journal = list(iter_tiles(self.work, self.tile)), self._journal()
        # Looked at first: reading gigabytes to find out what the journal says is a waste.
        if any((t.i, t.j) not in journal for t in tiles):
            return False
        return not self._missing(tiles, journal)

    def fill(self, n_jobs: int, progress: bool | None) -> None:
        """Compute the tiles that are missing or do not match their checksum."""
        tiles = list(iter_tiles(self.work, self.tile))
        self._trim_journal()
        journal = self._journal()
        missing = self._missing(tiles, journal)
        broken = sum((t.i, t.j) in journal for t in missing)
        if broken:
            warnings.warn(
                f"compute_gram: {broken} of {len(tiles)} tiles in {self.folder} do not match "
                "their checksums and are computed again.",
                RuntimeWarning,
                stacklevel=4,
            )
        if not missing:
            return
        array = self._create()
        norms = diagonal_norms(self.work, n_jobs=n_jobs, progress=progress)

        def compute(task: Tile, done: Callable[[int], None]) -> None:
            shape = (*self.work.shape[:2], *task.shape)
            values = np.empty(shape, self.work.engine.value_dtype)
            compute_tile(self.work, task, values, norms, done)
            self._write(array, task, values)

        pairs = sum(t.pairs(self.work.symmetric) for t in missing)
        run_tasks(missing, compute, pairs=pairs, n_jobs=n_jobs, progress=progress)

    def _create(self) -> Any:
        """Open the array for writing; make it anew if it is not there or unreadable."""
        with contextlib.suppress(Exception):
            return self._open("r+")
        return zarr.create_array(
            store=self.folder / VALUES,
            shape=self.work.shape,
            chunks=(*self.work.shape[:2], self.tile, self.tile),
            dtype=self.work.engine.value_dtype,
            fill_value=np.nan,
            compressors=None,  # kernel values are noise to a compressor
            config={"write_empty_chunks": True},
            overwrite=True,
        )

    def _open(self, mode: Any = "r") -> Any:
        return zarr.open_array(self.folder / VALUES, mode=mode)

    def _write(self, array: Any, tile: Tile, values: np.ndarray) -> None:
        array[:, :, tile.rows, tile.columns] = values
        _sync(self._chunk(array, tile))
        line = f"{tile.i} {tile.j} {_checksum(values)}\n".encode()
        with self._lock, open(self.folder / _JOURNAL, "ab") as journal:
            journal.write(line)
            journal.flush()
            os.fsync(journal.fileno())

    def _chunk(self, array: Any, tile: Tile) -> Path:
        key = array.metadata.encode_chunk_key((0, 0, tile.i, tile.j))
        return self.folder / VALUES / key

    def _missing(self, tiles: list[Tile], journal: dict[tuple[int, int], str]) -> list[Tile]:
        """Return the tiles that are not journalled, or whose values are not what they were."""
        try:
            array = self._open()
        except Exception:  # zarr's own kinds: nothing there, or not an array
            return tiles
        return [t for t in tiles if not self._is_whole(array, t, journal.get((t.i, t.j)))]

    def _is_whole(self, array: Any, tile: Tile, checksum: str | None) -> bool:
        if checksum is None:
            return False
        try:
            values = array[:, :, tile.rows, tile.columns]
        except Exception:  # a file of the wrong length fails in zarr's decoder
            return False
        return _checksum(values) == checksum

    def _journal(self) -> dict[tuple[int, int], str]:
        """Return tile -> checksum; of two lines for a tile, the later one."""
        try:
            text = (self.folder / _JOURNAL).read_text("ascii", "replace")
        except FileNotFoundError:
            return {}
        journal = {}
        for line in text.splitlines():
            parts = line.split()
            if len(parts) == 3 and parts[0].isdigit() and parts[1].isdigit():
                journal[int(parts[0]), int(parts[1])] = parts[2]
        return journal

    def _trim_journal(self) -> None:
        """Cut off a last line that a killed or full-disk run did not finish."""
        with contextlib.suppress(FileNotFoundError), open(self.folder / _JOURNAL, "r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)


def _checksum(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def _sync(path: Path) -> None:
    """Wait until a file is on the disk, not only in the system's cache."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; the system lets go of it however the process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / _LOCK, "ab") as file:
        try:
            import fcntl
        except ImportError:  # no such locks on Windows: two runs would compute tiles twice
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(errno.EWOULDBLOCK, "another process is working on it") from None
        yield


@contextlib.contextmanager
def _clear_os_errors(folder: Path) -> Iterator[None]:
    """Say in any error of the file system which folder, what is kept and what to do."""
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f"compute_gram: cannot write to folder {folder}: {error.strerror or error}. Finished "
            "tiles are kept: put that right and make the same call again.",
        ) from error
