"""Results of a comparison on disk: a journal, a line for each model on each data set."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg import __version__
from ntkreg.data import read_arrays
from ntkreg.documents import parse_json
from ntkreg.errors import DataError
from ntkreg.journal import Journal
from ntkreg.storage import plain_number, write_arrays
from ntkreg.studies.compare.config import CompareConfig
from ntkreg.studies.compare.models import Model
from ntkreg.studies.shared.store import damage_of

__all__ = ["Results", "kept_kernels", "key_of"]

_MOST_BYTES = 1 << 28
_REMEDY = "Or delete this file, and what it holds is computed again."


def key_of(config: CompareConfig, model: Model, sha256: str, size: int | None) -> str:
    """Return a hash of all that a result depends on.

    So results of another setting are never taken for these, and those of all other models and
    data sets stay good when one is changed.
    """
    asked = {
        "protocol": config.of_one_piece(),
        "model": [model.kind, model.grid],
        "data": sha256,
        "size": size,
        "version": __version__,
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]


class Results:
    """What is finished, in the output folder of a study.

    Parameters
    ----------
    folder : Path
        Exists.

    Raises
    ------
    DataError
        The journal is damaged: delete it, or give another folder.
    """

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "finished.jsonl", _MOST_BYTES)
        self.kernels = folder / "kernels"
        self.kernels.mkdir(exist_ok=True)
        self.lines: dict[str, dict[str, Any]] = {}
        with damage_of("compare", _REMEDY):
            for number, line in enumerate(self.journal.read(), 1):
                where = f"{self.journal.path}, line {number}"
                found = parse_json(line, where)
                if not isinstance(found, dict) or not {"key", "splits"} <= set(found):
                    raise DataError(f"{where}: is no result of a comparison.")
                self.lines[str(found["key"])] = found
        self.journal.trim()

    def has(self, key: str) -> bool:
        """Whether a result is there, with its kernel if it has one."""
        found = self.lines.get(key)
        return found is not None and (not found["kernel"] or self._path(key).exists())

    def save(self, key: str, line: Mapping[str, Any], K: Any, y: Any) -> None:
        """Keep a result: its kernel first, since the line says that all is there."""
        if K is not None:
            write_arrays(self._path(key), {"K": np.asarray(K, np.float32), "y": y})
        found = {"key": key, "kernel": K is not None, **line}
        self.journal.append(json.dumps(found, default=plain_number).encode())
        self.lines[key] = found

    def kernel(self, key: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the kernel's values on a few rows and their labels; None for other models."""
        if not self.lines[key]["kernel"]:
            return None
        with damage_of("compare", _REMEDY):
            found = read_arrays(self._path(key), ("K", "y"), links=False)
        K, y = found["K"], found["y"]
        if K.ndim != 2 or K.shape != (len(y), len(y)) or K.dtype != np.float32:
            raise DataError(f"compare: {self._path(key)}: is no kernel. {_REMEDY}")
        return K, y

    def _path(self, key: str) -> Path:
        return self.kernels / f"{key}.npz"


def kept_kernels(
    results: Results, keys: Mapping[tuple[str, str], str]
) -> Iterator[tuple[str, dict[str, tuple[np.ndarray, np.ndarray]]]]:
    """Yield for each data set its kernels by model, from keys by (set, model)."""
    for name in dict.fromkeys(name for name, _ in keys):
        own = {model: results.kernel(key) for (other, model), key in keys.items() if other == name}
        found = {model: pair for model, pair in own.items() if pair is not None}
        if found:
            yield name, found
