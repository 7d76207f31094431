"""The journal of a study's finished pieces: a killed study goes on after them."""

import hashlib
import json
from pathlib import Path
from typing import Any

from ntkreg import __version__
from ntkreg.documents import parse_json
from ntkreg.errors import DataError
from ntkreg.journal import Journal
from ntkreg.storage import plain_number
from ntkreg.studies.complete.task import Task

__all__ = ["Finished"]

_MOST_BYTES = 256_000_000
_REMEDY = "Delete this file and run again."


class Finished:
    """What is done already, by everything that it depends on.

    Parameters
    ----------
    folder : Path
        Of the study.
    task : Task
    """

    def __init__(self, folder: Path, task: Task) -> None:
        config = task.config
        self._common = {
            "version": __version__, "matrix": task.sha256, "size": config.size,
            "held_out": config.held_out, "bounds": config.bounds, "tol": config.tol,
            "max_steps": config.max_steps, "seed": config.seed, "scale": config.init_scales[0],
            "reference": [config.reference_rank, task.reference_seen],
        }  # fmt: skip
        self._path = folder / "finished.jsonl"
        self._journal = Journal(self._path, _MOST_BYTES)
        self._journal.trim()
        self._pieces: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(self._journal.read(), 1):
            source = f"complete: {self._path}, line {number}"
            try:
                entry = parse_json(line, source, limit=_MOST_BYTES)
            except DataError as error:
                raise DataError(f"{error} {_REMEDY}") from None
            if not isinstance(entry, dict) or not isinstance(entry.get("piece"), dict):
                raise DataError(f"{source}: is no finished piece. {_REMEDY}")
            self._pieces[str(entry.get("key"))] = entry["piece"]

    def get(self, kind: str, spec: dict[str, Any]) -> dict[str, Any] | None:
        """Return a finished piece, None if there is none.

        Raises
        ------
        DataError
            The piece is not of what its key says.
        """
        piece = self._pieces.get(self._key(kind, spec))
        if piece is not None and any(piece.get(name) != value for name, value in spec.items()):
            raise DataError(f"complete: {self._path}: a piece is not what its key says. {_REMEDY}")
        return piece

    def add(self, kind: str, spec: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
        """Write a piece; return it as it will be read."""
        key = self._key(kind, spec)
        line = json.dumps({"key": key, "piece": piece}, default=plain_number)
        self._journal.append(line.encode())
        self._pieces[key] = json.loads(line)["piece"]
        return self._pieces[key]

    def _key(self, kind: str, spec: dict[str, Any]) -> str:
        text = json.dumps([kind, spec, self._common], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]
