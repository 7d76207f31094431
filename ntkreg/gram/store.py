"""A Gram matrix in a folder, one file a tile, so that a killed run can go on."""

import contextlib
import errno
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.errors import StoreMismatchError
from ntkreg.gram.client import connected, ways_of_workers
from ntkreg.gram.cluster import compute_on_cluster
from ntkreg.gram.extend import extend_folder, is_beginning
from ntkreg.gram.filling import Filling
from ntkreg.gram.hold import LOCK, SHARDS_BEGIN, Hold, hold
from ntkreg.gram.manifest import (
    HOW,
    MANIFEST,
    differences,
    machine_hint,
    make_manifest,
    read_manifest,
)
from ntkreg.gram.manifest_schema import layout_of
from ntkreg.gram.paths import SHARDS
from ntkreg.gram.plan import GramPlan, check_plan
from ntkreg.gram.stored import stored_values
from ntkreg.gram.threads import run_tasks
from ntkreg.gram.tile_files import TileFiles
from ntkreg.gram.tile_write import SharedFolder
from ntkreg.gram.tiles import GramTile, compute_tile, diagonal_norms, iter_tiles
from ntkreg.gram.work import GramWork
from ntkreg.storage import draft_of, write_json

__all__ = ["compute_in_folder"]


def compute_in_folder(
    work: GramWork, folder: Path, plan: GramPlan, how: Filling, *, progress: bool | None
) -> dict[str, Any]:
    """Compute what the folder does not hold yet; return its values, not yet loaded.

    Raises
    ------
    StoreMismatchError
        The folder is another Gram's, was changed by something else, or is no kernel folder;
        nothing in it is touched.
    PlanError
        What is not there yet does not fit into memory or onto the disk.
    OSError
        It cannot be written (read-only, disk full or gone, in use by another process). Tiles
        already done are kept.
    """
    asked = make_manifest(work, plan.tile)
    with _clear_os_errors(folder, "read"):
        stored = _matching_manifest(folder, asked, work, how)
        if stored is not None and _is_same(stored, asked):
            # A complete folder needs no lock, no room on the disk, and may be read-only.
            files = TileFiles(folder, layout_of(stored))
            if _is_complete(files):
                return stored_values(files)
    check_plan(plan, folder)
    with connected(how.client) as client:
        if client is not None:
            asked |= ways_of_workers(client)
        return _compute_missing(work, folder, asked, plan, how, client, progress)


def _compute_missing(
    work: GramWork,
    folder: Path,
    asked: dict[str, Any],
    plan: GramPlan,
    how: Filling,
    client: Any,
    progress: bool | None,
) -> dict[str, Any]:
    """Compute what the folder does not hold, while no other process does; return its values."""
    with (
        _clear_os_errors(folder, "write to"),
        hold(folder, how.shard, wait=how.wait) as held,
    ):
        files = TileFiles(folder, layout_of(_begin(work, folder, asked, how, held)), how.shard)
        if held.alone:
            files.gather_journals()
        files.trim_journal()
        # While no tile is finished, metadata that a killed run left half written costs nothing.
        if not files.checksums or not files.has_metadata():
            files.write_metadata()
        held.share()
        tiles = list(iter_tiles(work, files.layout.tile))
        tiles = tiles if how.shard is None else how.shard.part(tiles)
        if missing := _missing(files, tiles):

            def keep(tile: GramTile, values: np.ndarray) -> None:
                held.check()
                files.write(tile.i, tile.j, values)

            def enter(checksums: dict[tuple[int, int], str]) -> None:
                held.check()
                files.take_written(checksums)

            if client is None:
                _fill(work, missing, keep, n_jobs=plan.n_jobs, progress=progress)
            else:
                of_asked = {name: asked[name] for name in ("versions", "machine")}
                meet = partial(_note_machine, folder) if how.other_machine else None
                compute_on_cluster(
                    client,
                    work,
                    missing,
                    keep,
                    ways=of_asked,
                    shared=SharedFolder(str(folder), files.layout, held.mark),
                    enter=enter,
                    meet=meet,
                    progress=progress,
                )
        return stored_values(files, partial=how.shard is not None)


def _begin(
    work: GramWork, folder: Path, asked: dict[str, Any], how: Filling, held: Hold
) -> dict[str, Any]:
    """Return the manifest that the folder goes on with; it was written if it had to be."""
    stored = _matching_manifest(folder, asked, work, how)
    if stored is None:
        write_json(folder / MANIFEST, asked)
        return asked
    grown = {**stored, "X": asked["X"], "Z": asked["Z"]}
    if found := _obstacles(grown, asked, work, other_machine=how.other_machine):
        raise StoreMismatchError(
            f"compute_gram: folder {folder} was begun in another way, and going on would mix "
            f"bits: {'; '.join(found)}. Finish it in that way, or give another folder."
            + machine_hint(found)
        )
    if not _is_same(stored, asked):
        if not held.alone:
            raise BlockingIOError(
                errno.EWOULDBLOCK, "it can grow only while no other process is working on it"
            )
        stored = extend_folder(folder, stored, asked)
    if how.other_machine:
        _note_machine(folder, asked["machine"])
    return stored


def _is_same(stored: dict[str, Any], asked: dict[str, Any]) -> bool:
    """Return whether a folder has the rows and columns that are asked for, and no fewer."""
    return (stored["X"], stored["Z"]) == (asked["X"], asked["Z"])


def _matching_manifest(
    folder: Path, asked: dict[str, Any], work: GramWork, how: Filling
) -> dict[str, Any] | None:
    """Return the folder's manifest, None if the folder is new or empty; else raise."""
    # Listed first: another process may write its manifest now, and then its first tiles.
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    stored = read_manifest(folder)
    if stored is None:
        # What a run killed at its very start leaves.
        if names - {LOCK, SHARDS, SHARDS_BEGIN, draft_of(folder / MANIFEST).name}:
            raise StoreMismatchError(
                f"compute_gram: folder {folder} is not empty and holds no kernel (no "
                f"{MANIFEST}). Give a new or an empty folder."
            )
        return None
    found = differences(stored, asked, left_out=HOW)
    if found and not ((begins := is_beginning(stored, asked, work)) and how.extend):
        if begins:
            more = "extend=True to add the rows that it lacks (of a command, --extend)"
        elif how.extend and all(line.startswith(("X", "Z")) for line in found):
            more = "inputs that begin with those of the folder, to the bit, or another folder"
        else:
            more = "another folder"
        raise StoreMismatchError(
            f"compute_gram: folder {folder} holds another Gram: {'; '.join(found)}. "
            f"Give {more}, or ask for the stored Gram."
        )
    return stored


def _obstacles(
    stored: dict[str, Any], asked: dict[str, Any], work: GramWork, *, other_machine: bool
) -> list[str]:
    """Return why further tiles would have other bits than those that are there."""
    left_out = ("tile", "machine") if other_machine else ("tile",)
    found = differences(stored, asked, left_out=left_out)
    block = work.engine.block
    if not found and stored["tile"] % block:
        found = [f"tile: stored {stored['tile']}, which is not a multiple of {block}"]
    return found


def _note_machine(folder: Path, machine: dict[str, str]) -> None:
    """Write into the manifest that another machine than the first has gone on."""
    stored = read_manifest(folder) or {}
    others = stored.get("other_machines") or []
    if machine not in (stored.get("machine"), *others):
        write_json(folder / MANIFEST, {**stored, "other_machines": [*others, machine]})


def _is_complete(files: TileFiles) -> bool:
    """Return whether every tile is there with its checksum."""
    # Looked at first: reading gigabytes to find out what the journal says is a waste.
    if len(files.checksums) < files.layout.tiles or not files.has_metadata():
        return False
    return all(files.is_whole(t.i, t.j) for t in iter_tiles(files.layout, files.layout.tile))


def _missing(files: TileFiles, tiles: Sequence[GramTile]) -> list[GramTile]:
    """Return the tiles that are not there or do not match their checksum."""
    missing = [t for t in tiles if not files.is_whole(t.i, t.j)]
    broken = sum((t.i, t.j) in files.checksums for t in missing)
    if broken:
        warnings.warn(
            f"compute_gram: {broken} of {len(tiles)} tiles in {files.folder} do not match "
            "their checksums and are computed again.",
            RuntimeWarning,
            stacklevel=4,
        )
    return missing


def _fill(
    work: GramWork,
    missing: Sequence[GramTile],
    keep: Callable[[GramTile, np.ndarray], None],
    *,
    n_jobs: int,
    progress: bool | None,
) -> None:
    """Compute tiles on threads, each into its file as it ends."""
    _ = work.prepared  # once, before threads ask for it
    norms = diagonal_norms(work, n_jobs=n_jobs, progress=progress)

    def compute(task: GramTile, done: Callable[[int], None]) -> None:
        values = np.empty((*work.shape[:2], *task.shape), work.engine.value_dtype)
        compute_tile(work, task, values, norms, done)
        keep(task, values)

    pairs = sum(t.pairs(work.symmetric) for t in missing)
    run_tasks(missing, compute, pairs=pairs, n_jobs=n_jobs, progress=progress)


@contextlib.contextmanager
def _clear_os_errors(folder: Path, what: str) -> Iterator[None]:
    """Say in any error of the file system which folder, what is kept and what to do."""
    try:
        yield
    except ConnectionError:
        raise  # of a cluster, not of the folder
    except OSError as error:
        raise OSError(
            error.errno,
            f"compute_gram: cannot {what} folder {folder}: {error.strerror or error}. Finished "
            "tiles are kept: put that right, or give another folder, and make the same call again.",
        ) from error
