"""The journal of a study's finished pieces: a killed study goes on after them."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from ntkreg import __version__
from ntkreg.documents import parse_json
from ntkreg.errors import DataError
from ntkreg.journal import Journal
from ntkreg.storage import plain_number
from ntkreg.studies.complete.paths import N_FOLLOWED, PathSpec
from ntkreg.studies.complete.paths import NUMBERS as PATH_NUMBERS
from ntkreg.studies.complete.runs import NUMBERS, OUTCOMES, RunSpec
from ntkreg.studies.complete.task import Task
from ntkreg.studies.shared.store import damage_of

__all__ = ["MOST_BYTES", "Finished", "Spec"]

MOST_BYTES = 256_000_000
"""Of a journal: a thousand paths, and half a million runs."""

Spec = RunSpec | PathSpec
"""Of a piece: one completion, or one path that is followed."""


class Finished:
    """What is done already, by everything that it depends on.

    Parameters
    ----------
    journal : Journal
        May be a stranger's: lines of other pieces are passed over, and nothing but numbers is
        taken from those that are asked for.
    task : Task
    specs : iterable of Spec
        All that is asked for.

    Raises
    ------
    DataError
        The journal is no journal of pieces, or a piece is not what its key says.
    """

    def __init__(self, journal: Journal, task: Task, specs: Iterable[Spec]) -> None:
        config = task.config
        self._common = {
            "version": __version__, "matrix": task.sha256, "size": config.size,
            "held_out": config.held_out, "bounds": config.bounds, "tol": config.tol,
            "max_steps": config.max_steps, "seed": config.seed, "scale": config.init_scales[0],
            "reference": [config.reference_rank, task.reference_seen],
        }  # fmt: skip
        self._journal = journal
        self._pieces: dict[str, dict[str, Any]] = {}
        n_followed = min(N_FOLLOWED, *task.shape)
        asked = {self._key(spec): spec for spec in specs}
        with damage_of("complete", "Delete this file and run again."):
            journal.trim()
            for number, line in enumerate(journal.read(), 1):
                where = f"{journal.path}, line {number}"
                entry = parse_json(line, where)
                if not isinstance(entry, dict) or not isinstance(entry.get("piece"), dict):
                    raise DataError(f"{where}: is no finished piece.")
                key, piece = str(entry.get("key")), entry["piece"]
                if key not in asked:
                    continue
                if not _is_sound(asked[key], piece, n_followed):
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
        kind = "run" if isinstance(spec, RunSpec) else "path"
        text = json.dumps([kind, asdict(spec), self._common], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def _is_sound(spec: Spec, piece: dict[str, Any], n_followed: int) -> bool:
    """Whether a piece is of its spec, and has the numbers that its kind has."""
    asked = asdict(spec)
    kind = {"outcome", *NUMBERS} if isinstance(spec, RunSpec) else {"points", *PATH_NUMBERS}
    if piece.keys() != asked.keys() | kind or any(piece[k] != v for k, v in asked.items()):
        return False
    if not all(_is_number(piece[name]) for name in kind - {"outcome", "points"}):
        return False
    if isinstance(spec, RunSpec):
        return piece["outcome"] in OUTCOMES
    points = piece["points"]
    return isinstance(points, list) and all(_is_point(point, n_followed) for point in points)


def _is_point(given: Any, n_followed: int) -> bool:
    """Whether it is time, loss, singular values and what their equation makes of them."""
    if not isinstance(given, list) or len(given) != 4 or not all(map(_is_number, given[:2])):
        return False
    return all(
        isinstance(values, list) and len(values) == n_followed and all(map(_is_number, values))
        for values in given[2:]
    )


def _is_number(given: Any) -> bool:
    """Whether it is NaN, or a number that float64 has: JSON knows 1e999, and longer integers."""
    if not isinstance(given, int | float) or isinstance(given, bool):
        return False
    return given != given or abs(given) < 1e300
