"""`open_gram`: what a kernel folder holds, without the inputs and the network that made it."""

import os

from ntkreg.errors import SpecError, StoreMismatchError
from ntkreg.gram.gram import Gram
from ntkreg.gram.manifest import MANIFEST, check_folder, read_manifest
from ntkreg.gram.manifest_schema import layout_of
from ntkreg.gram.stored import stored_values
from ntkreg.gram.tile_files import TileFiles

__all__ = ["open_gram"]


def open_gram(folder: str | os.PathLike[str], *, partial: bool = False) -> Gram:
    """Open a kernel folder that `compute_gram` has filled, whoever made it.

    Parameters
    ----------
    folder : path
    partial : bool, default=False
        Open one that is not complete too, as of a run that is still at work. Values that are not
        there yet read as NaN, and ``values.mask()`` says which are there.

    Returns
    -------
    Gram
        Its values are read from the folder when used: ``np.asarray(values)``, or
        ``values.read(rows, columns)`` for a part. Each tile is compared with its checksum when
        read; one that is missing or damaged is a `DataError`.

    Raises
    ------
    FileNotFoundError
        There is no kernel folder.
    StoreMismatchError, DataError
        It is incomplete, says how much there is; damaged, or of another format.
    PlanError
        Not even one of its tiles fits into memory.
    OSError
        A file of it cannot be read.
    SpecError
        `folder` is no path.

    Notes
    -----
    Checksums tell damage, not who computed the values: a folder says which network and data
    its values belong to (manifest.json), and that is its maker's word. `compute_gram` with the
    same folder compares it with the network and inputs you have.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from ntkreg import compute_gram, fully_connected, open_gram
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = compute_gram(fully_connected(2), np.eye(3), folder=folder)
    ...     open_gram(folder).values["ntk"].read(slice(0, 1)).shape
    (1, 3)
    """
    path = check_folder(folder, "open_gram")
    if not isinstance(partial, bool):
        raise SpecError(f"open_gram: partial must be True or False; got {partial!r}.")
    manifest = read_manifest(path)
    if manifest is None:
        raise FileNotFoundError(f"open_gram: there is no kernel folder at {path} (no {MANIFEST}).")
    layout = layout_of(manifest)
    files = TileFiles(path, layout)
    done = len(files.checksums)
    if done < layout.tiles and not partial:
        raise StoreMismatchError(
            f"open_gram: folder {path} holds {done:,} of {layout.tiles:,} tiles. Make the call of "
            "compute_gram that began it again to finish it, or pass partial=True: what is not "
            "there yet then reads as NaN."
        )
    if done:
        files.has_metadata()
    return Gram(
        stored_values(files, partial=partial),
        layout.dtype,
        manifest["network"]["fingerprint"],
        manifest["engine"],
        layout.symmetric,
    )
