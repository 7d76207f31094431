"""A kernel folder grows: rows and columns are added, and what is there is kept."""

from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.gram.manifest import HOW, MANIFEST, data_of, differences
from ntkreg.gram.manifest_schema import layout_of
from ntkreg.gram.paths import inside
from ntkreg.gram.tile_files import TileFiles
from ntkreg.gram.work import GramWork
from ntkreg.storage import write_json

__all__ = ["extend_folder", "is_beginning"]


def is_beginning(stored: dict[str, Any], asked: dict[str, Any], work: GramWork) -> bool:
    """Return whether a folder holds the Gram of the first rows of what is asked, no other."""
    inputs = {"X": work.X, "Z": work.Z}
    if any((stored[name] is None) != (A is None) for name, A in inputs.items()):
        return False
    there = {name: A for name, A in inputs.items() if A is not None}
    rest = {**stored, **{name: asked[name] for name in there}}
    return not differences(rest, asked, left_out=HOW) and all(
        _begins(A, stored[name]) for name, A in there.items()
    )


def extend_folder(folder: Path, stored: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Make a folder that of a larger Gram, which it is the beginning of; return its manifest.

    Tiles that the old edge cut off are no longer finished: they are computed again, whole. A
    process killed on the way leaves the smaller Gram, or the larger one with lines for these in its
    journal, which their checksums then refute.
    """
    old = TileFiles(folder, layout_of(stored))
    grown = {**stored, "X": asked["X"], "Z": asked["Z"]}
    new = layout_of(grown)
    # Two documents that contradict each other are a damaged folder; one that lacks is written.
    old.remove_metadata()
    write_json(inside(folder, MANIFEST), grown)
    old.rewrite_journal(lambda i, j: old.layout.extent(i, j) == new.extent(i, j))
    return grown


def _begins(A: np.ndarray, stored: dict[str, Any]) -> bool:
    """Return whether inputs begin with those that a manifest has the hash of."""
    n = stored["shape"][0]
    return n <= len(A) and data_of(A[:n]) == stored
