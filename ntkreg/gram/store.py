"""A Gram matrix in a folder, one file a tile, so that a killed run can go on."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.errors import StoreMismatchError
from ntkreg.gram.manifest import HOW, MANIFEST, differences, make_manifest, read_manifest
from ntkreg.gram.manifest_schema import layout_of
from ntkreg.gram.plan import GramPlan, check_plan
from ntkreg.gram.stored import stored_values
from ntkreg.gram.threads import run_tasks
from ntkreg.gram.tile_files import TileFiles, inside
from ntkreg.gram.tiles import GramTile, compute_tile, diagonal_norms, iter_tiles
from ntkreg.gram.work import GramWork
from ntkreg.storage import draft_of, held_alone, write_json

__all__ = ["compute_in_folder"]

_LOCK = "lock"

_ONLY_MACHINES = " Or pass other_machine=True: values of two machines agree to rounding."


def compute_in_folder(
    work: GramWork, folder: Path, plan: GramPlan, *, progress: bool | None, other_machine: bool
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
        It cannot be written (read-only, disk full, in use by another process). Tiles
        already done are kept.
    """
    asked = make_manifest(work, plan.tile)
    with _clear_os_errors(folder, "read"):
        stored = _matching_manifest(folder, asked)
        if stored is not None:
            # A complete folder needs no lock, no room on the disk, and may be read-only.
            files = TileFiles(folder, layout_of(stored))
            if _is_complete(files):
                return stored_values(files)
    check_plan(plan, folder)
    with _clear_os_errors(folder, "write to"), _locked(folder):
        stored = _matching_manifest(folder, asked)
        if stored is None:
            stored = asked
            write_json(folder / MANIFEST, asked)
        elif found := _obstacles(stored, asked, work, other_machine=other_machine):
            raise StoreMismatchError(
                f"compute_gram: folder {folder} was begun in another way, and going on would mix "
                f"bits: {'; '.join(found)}. Finish it in that way, or give another folder."
                + (_ONLY_MACHINES if all(line.startswith("machine.") for line in found) else "")
            )
        files = TileFiles(folder, layout_of(stored))
        if other_machine:
            _note_machine(folder, stored, asked["machine"])
        _fill(work, files, plan.n_jobs, progress)
        return stored_values(files)


def _matching_manifest(folder: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """Return the folder's manifest, None if the folder is new or empty; else raise."""
    stored = read_manifest(folder)
    if stored is None:
        # What a run killed at its very start leaves.
        ours = {_LOCK, draft_of(folder / MANIFEST).name}
        if folder.exists() and any(p.name not in ours for p in folder.iterdir()):
            raise StoreMismatchError(
                f"compute_gram: folder {folder} is not empty and holds no kernel (no "
                f"{MANIFEST}). Give a new or an empty folder."
            )
        return None
    if found := differences(stored, asked, left_out=HOW):
        raise StoreMismatchError(
            f"compute_gram: folder {folder} holds another Gram: {'; '.join(found)}. "
            "Give another folder, or ask for the stored Gram."
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


def _note_machine(folder: Path, stored: dict[str, Any], machine: dict[str, str]) -> None:
    """Write into the manifest that another machine than the first has gone on."""
    others = stored.get("other_machines") or []
    if machine not in (stored.get("machine"), *others):
        write_json(folder / MANIFEST, {**stored, "other_machines": [*others, machine]})


def _is_complete(files: TileFiles) -> bool:
    """Return whether every tile is there with its checksum."""
    # Looked at first: reading gigabytes to find out what the journal says is a waste.
    if len(files.checksums) < files.layout.tiles or not files.has_metadata():
        return False
    return all(files.is_whole(t.i, t.j) for t in iter_tiles(files.layout, files.layout.tile))


def _fill(work: GramWork, files: TileFiles, n_jobs: int, progress: bool | None) -> None:
    """Compute the tiles that are missing or do not match their checksum."""
    files.trim_journal()
    # While no tile is finished, metadata that a killed run left half written costs nothing.
    if not files.checksums or not files.has_metadata():
        files.write_metadata()
    tiles = list(iter_tiles(work, files.layout.tile))
    missing = [t for t in tiles if not files.is_whole(t.i, t.j)]
    broken = sum((t.i, t.j) in files.checksums for t in missing)
    if broken:
        warnings.warn(
            f"compute_gram: {broken} of {len(tiles)} tiles in {files.folder} do not match "
            "their checksums and are computed again.",
            RuntimeWarning,
            stacklevel=4,
        )
    if not missing:
        return
    _ = work.prepared  # once, before threads ask for it
    norms = diagonal_norms(work, n_jobs=n_jobs, progress=progress)

    def compute(task: GramTile, done: Callable[[int], None]) -> None:
        values = np.empty((*work.shape[:2], *task.shape), work.engine.value_dtype)
        compute_tile(work, task, values, norms, done)
        files.write(task.i, task.j, values)

    pairs = sum(t.pairs(work.symmetric) for t in missing)
    run_tasks(missing, compute, pairs=pairs, n_jobs=n_jobs, progress=progress)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; the system releases it however the process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with held_alone(inside(folder, _LOCK)):
        yield


@contextlib.contextmanager
def _clear_os_errors(folder: Path, what: str) -> Iterator[None]:
    """Say in any error of the file system which folder, what is kept and what to do."""
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f"compute_gram: cannot {what} folder {folder}: {error.strerror or error}. Finished "
            "tiles are kept: put that right, or give another folder, and make the same call again.",
        ) from error
