"""What is finished of a completion study: what its pieces depend on, and what they hold."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from ntkreg import __version__
from ntkreg.journal import Journal
from ntkreg.studies.complete.paths import N_FOLLOWED, PathSpec
from ntkreg.studies.complete.paths import NUMBERS as PATH_NUMBERS
from ntkreg.studies.complete.runs import NUMBERS, OUTCOMES, RunSpec
from ntkreg.studies.complete.task import Task
from ntkreg.studies.shared.pieces import Pieces, are_numbers, is_number

__all__ = ["Spec", "finished_of"]

Spec = RunSpec | PathSpec
"""Of a piece: one completion, or one path that is followed."""


def finished_of(journal: Journal, task: Task, specs: Iterable[Spec]) -> Pieces:
    """Return what is done already of what is asked for.

    Raises
    ------
    DataError
        The journal is no journal of pieces, or a piece is not what its key says.
    """
    config = task.config
    common = {
        "version": __version__, "matrix": task.sha256, "size": config.size,
        "held_out": config.held_out, "bounds": config.bounds, "tol": config.tol,
        "max_steps": config.max_steps, "seed": config.seed, "scale": config.init_scales[0],
        "reference": [config.reference_rank, task.reference_seen],
    }  # fmt: skip
    n_followed = min(N_FOLLOWED, *task.shape)
    return Pieces(
        "complete", journal, common, specs, lambda spec, piece: _is_sound(spec, piece, n_followed)
    )


def _is_sound(spec: Spec, piece: dict[str, Any], n_followed: int) -> bool:
    """Whether a piece is of its spec, and has the numbers that its kind has."""
    asked = asdict(spec)
    kind = {"outcome", *NUMBERS} if isinstance(spec, RunSpec) else {"points", *PATH_NUMBERS}
    if piece.keys() != asked.keys() | kind or any(piece[k] != v for k, v in asked.items()):
        return False
    if not all(is_number(piece[name]) for name in kind - {"outcome", "points"}):
        return False
    if isinstance(spec, RunSpec):
        return piece["outcome"] in OUTCOMES
    points = piece["points"]
    return isinstance(points, list) and all(_is_point(point, n_followed) for point in points)


def _is_point(given: Any, n_followed: int) -> bool:
    """Whether it is time, loss, singular values and what their equation makes of them."""
    if not isinstance(given, list) or len(given) != 4 or not all(map(is_number, given[:2])):
        return False
    return all(are_numbers(values, n_followed) for values in given[2:])
