"""Files of single results: named by what they hold, written whole or not at all."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg import __version__
from ntkreg.data import read_arrays
from ntkreg.storage import write_arrays
from ntkreg.studies.shared.store import damage_of

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
    write_arrays(path, arrays)


def stored(path: Path, names: Iterable[str]) -> dict[str, np.ndarray] | None:
    """Return the arrays of a file, or None if there is none.

    Raises
    ------
    DataError
        If the file is damaged: delete it, and what it holds is computed again.
    """
    if not path.exists():
        return None
    with damage_of("optimizers", "Or delete this file and run again."):
        return read_arrays(path, names, links=False)
