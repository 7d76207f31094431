"""The journal of a study's finished pieces: a killed study goes on after them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ntkreg.documents import parse_json
from ntkreg.errors import DataError
from ntkreg.journal import Journal
from ntkreg.storage import plain_number

__all__ = ["Pieces"]

_MOST_BYTES = 256_000_000
_REMEDY = "Delete this file and run again."


class Pieces:
    """What is done already, by everything that it depends on.

    Parameters
    ----------
    study : str
        Who asks, for errors.
    folder : Path
        Of the study; the journal is its ``finished.jsonl``.
    common : mapping
        What all pieces depend on beside their specs, as plain data.
    """

    def __init__(self, study: str, folder: Path, common: Mapping[str, Any]) -> None:
        self._study, self._common = study, common
        self._path = folder / "finished.jsonl"
        self._journal = Journal(self._path, _MOST_BYTES)
        self._journal.trim()
        self._pieces: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(self._journal.read(), 1):
            source = f"{study}: {self._path}, line {number}"
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
            raise DataError(
                f"{self._study}: {self._path}: a piece is not what its key says. {_REMEDY}"
            )
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
