"""What is finished of a landscape study: what its pieces depend on, and what they hold."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from ntkreg import __version__
from ntkreg.journal import Journal
from ntkreg.studies.landscape.cells import CellSpec
from ntkreg.studies.landscape.planes import POINTS, PlaneSpec
from ntkreg.studies.landscape.task import Task
from ntkreg.studies.shared.config import config_to_dict
from ntkreg.studies.shared.pieces import Pieces, are_numbers, is_number

__all__ = ["QuestionSpec", "Spec", "finished_of"]

_GRIDS = ("depths", "widths")
"""Keys that say which pieces there are, not what they are."""


@dataclass(frozen=True)
class QuestionSpec:
    """Which question beside the grid."""

    kind: ClassVar[str] = "question"

    name: str


Spec = CellSpec | PlaneSpec | QuestionSpec
"""Of a piece."""


def finished_of(journal: Journal, task: Task, specs: Iterable[Spec]) -> Pieces:
    """Return what is done already of what is asked for.

    Raises
    ------
    DataError
        The journal is no journal of pieces, or a piece is not what its key says.
    """
    settings = config_to_dict(task.config)
    common = {k: v for k, v in settings.items() if k not in (*_GRIDS, "surface")}
    common |= {"version": __version__, "data": task.sha256}
    return Pieces("landscape", journal, common, specs, _is_sound)


def _is_sound(spec: Spec, piece: dict[str, Any]) -> bool:
    """Whether a piece is of its spec, and has what its kind has."""
    asked = asdict(spec)
    numbers = {"barrier", "straight"} if isinstance(spec, PlaneSpec) else set()
    lists = {"at", "at_other", "losses", "curve"} if isinstance(spec, PlaneSpec) else {"values"}
    if piece.keys() != asked.keys() | numbers | lists:
        return False
    if any(piece[k] != v for k, v in asked.items()):
        return False
    if not all(is_number(piece[k]) for k in numbers):
        return False
    if not all(isinstance(piece[k], list) for k in lists):
        return False
    if not isinstance(spec, PlaneSpec):
        return all(_is_line(line, isinstance(spec, CellSpec)) for line in piece["values"])
    return (
        are_numbers(piece["at"], POINTS)
        and are_numbers(piece["at_other"], POINTS)
        and len(piece["losses"]) == POINTS
        and all(are_numbers(line, POINTS) for line in piece["losses"])
        and all(are_numbers(point, 2) for point in piece["curve"])
    )


def _is_line(given: Any, of_cell: bool) -> bool:
    """Whether it is level or subject, seed, quantity and value."""
    if not isinstance(given, list) or len(given) != 4:
        return False
    key, seed, quantity, value = given
    return (
        (is_number(key) if of_cell else isinstance(key, str))
        and isinstance(seed, int)
        and isinstance(quantity, str)
        and is_number(value)
    )
