"""Files of single results: named by what they hold, written whole or not at all."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg import __version__
from ntkreg.data import read_arrays

__all__ = ["describe", "store", "stored"]


def describe(name: str, **settings: Any) -> str:
    """Return a file name with a hash of the settings, and of ntkreg's version.

    So a changed configuration finds no file, or its own, but never another's.
    """
    text = json.dumps({**settings, "version": __version__}, sort_keys=True)
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.npz"


def store(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays into a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.tmp")
    with open(draft, "wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(draft, path)


def stored(path: Path, names: Iterable[str]) -> dict[str, np.ndarray] | None:
    """Return the arrays of a file, or None if there is none.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    return read_arrays(path, names) if path.exists() else None
