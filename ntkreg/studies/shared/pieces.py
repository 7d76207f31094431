"""The journal of a study's finished pieces: a killed study goes on after them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Protocol

from ntkreg.documents import parse_json
from ntkreg.errors import DataError
from ntkreg.journal import Journal
from ntkreg.storage import plain_number
from ntkreg.studies.shared.store import damage_of

__all__ = ["MOST_BYTES", "Pieces", "Spec", "are_numbers", "is_number"]

MOST_BYTES = 256_000_000
"""Of a journal: a thousand paths of a completion, and half a million runs."""


class Spec(Protocol):
    """A dataclass that says what a piece is of; `kind` tells specs of equal fields apart."""

    kind: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


class Pieces:
    """What is done already, by everything that it depends on.

    Parameters
    ----------
    study : str
        Who asks, for errors.
    journal : Journal
        May be a stranger's: lines of other pieces are passed over.
    common : mapping
        What all pieces depend on beside their specs, as plain data.
    specs : iterable of Spec
        All that is asked for.
    is_sound : callable
        Whether a piece, of the journal or a stranger's, is of a spec and holds what its kind does.

    Raises
    ------
    DataError
        The journal is no journal of pieces, or a piece is not what its key says.
    """

    def __init__(
        self,
        study: str,
        journal: Journal,
        common: Mapping[str, Any],
        specs: Iterable[Spec],
        is_sound: Callable[[Any, dict[str, Any]], bool],
    ) -> None:
        self._common, self._journal = common, journal
        self._pieces: dict[str, dict[str, Any]] = {}
        asked = {self._key(spec): spec for spec in specs}
        with damage_of(study, "Delete this file and run again."):
            journal.trim()
            for number, line in enumerate(journal.read(), 1):
                where = f"{journal.path}, line {number}"
                entry = parse_json(line, where)
                if not isinstance(entry, dict) or not isinstance(entry.get("piece"), dict):
                    raise DataError(f"{where}: is no finished piece.")
                key, piece = str(entry.get("key")), entry["piece"]
                if key not in asked:
                    continue
                if not is_sound(asked[key], piece):
                    raise DataError(f"{where}: the piece is not what its key says.")
                self._pieces[key] = piece

    def get(self, spec: Spec) -> dict[str, Any] | None:
        """Return a finished piece, None if there is none."""
        return self._pieces.get(self._key(spec))

    def add(self, spec: Spec, piece: dict[str, Any]) -> None:
        """Write a piece, and keep it as it will be read."""
        key = self._key(spec)
        line = json.dumps({"key": key, "piece": piece}, default=plain_number)
        self._journal.append(line.encode())
        self._pieces[key] = json.loads(line)["piece"]

    def _key(self, spec: Spec) -> str:
        text = json.dumps([spec.kind, asdict(spec), self._common], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def is_number(given: Any) -> bool:
    """Whether it is NaN, or a number that float64 has: JSON knows 1e999, and longer integers."""
    if not isinstance(given, int | float) or isinstance(given, bool):
        return False
    return given != given or abs(given) < 1e300


def are_numbers(given: Any, length: int) -> bool:
    """Whether it is a list of so many numbers."""
    return isinstance(given, list) and len(given) == length and all(map(is_number, given))
