"""Where things are in a kernel folder, which may be a stranger's."""

import os
import stat
from pathlib import Path

from ntkreg.errors import StoreMismatchError
from ntkreg.gram.shard import Shard

__all__ = ["SHARDS", "VALUES", "inside", "shard_names", "tile_path"]

VALUES = "values.zarr"
"""Name of the array in a kernel folder."""

SHARDS = "shards"
"""Name of the folder in it with the journals of shards, a file each."""


def shard_names(shard: Shard) -> tuple[str, str]:
    """Return where a shard's journal is in a kernel folder, as names for `inside`."""
    return SHARDS, f"{shard.number}-of-{shard.of}.txt"


def tile_path(folder: Path, i: int, j: int) -> Path:
    """Return the path of a tile's file: the chunk's key in Zarr, fields and variants never cut."""
    return inside(folder, VALUES, "c", "0", "0", str(i), str(j))


def inside(folder: Path, *names: str) -> Path:
    """Return the path of a file in a kernel folder, which need not exist.

    Raises
    ------
    StoreMismatchError
        It, or a folder on the way, is a link, a pipe or a device: whoever made the folder
        would choose what we read or, worse, overwrite.
    """
    path = folder
    for k, name in enumerate(names):
        path = path / name
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return folder.joinpath(*names)
        last = k == len(names) - 1
        if not (stat.S_ISREG(mode) if last else stat.S_ISDIR(mode)):
            what = "a symbolic link" if stat.S_ISLNK(mode) else "of another kind"
            wanted = "file" if last else "folder"
            raise StoreMismatchError(
                f"{path}: is {what}, where a kernel folder has a plain {wanted}. It was left "
                f"alone. Give another folder, or put a plain {wanted} there."
            )
    return path
