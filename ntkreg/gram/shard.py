"""`Shard`: which tiles one of several processes computes that fill a kernel folder together."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from ntkreg.errors import SpecError

__all__ = ["Shard", "as_shard"]

T = TypeVar("T")

_TEXT = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `of`: every `of`-th tile, so that all parts take as long."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def part(self, tiles: Iterable[T]) -> list[T]:
        """Return those of all tiles, in their order, that are this shard's."""
        return list(tiles)[self.number - 1 :: self.of]


def as_shard(value: Any, who: str = "compute_gram") -> Shard | None:
    """Return what a text such as "2/8" says; None for None.

    Raises
    ------
    SpecError
        It is no such text, or there is no such part.
    """
    if value is None:
        return None
    found = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise SpecError(
            f'{who}: shard must be a text such as "2/8", the second of eight parts, with at most '
            f"9,999 of them; got {value!r:.100}."
        )
    return Shard(int(found[1]), int(found[2]))
