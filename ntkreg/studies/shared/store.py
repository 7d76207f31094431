"""Pieces of a study, each in a file when it is done: a study that was stopped goes on after them.

What all pieces of a folder share stands beside them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ntkreg.documents import read_json_mapping
from ntkreg.errors import DataError, StoreMismatchError
from ntkreg.storage import differences, write_json

__all__ = ["damage_of", "keep_settings"]


def keep_settings(folder: Path, settings: dict[str, Any], refusal: str, remedy: str) -> None:
    """Write the settings that a folder's pieces share, or compare with those that are there.

    Parameters
    ----------
    folder : Path
        Made if it is not there; the settings are its ``settings.json``.
    settings : dict
        Plain data.
    refusal, remedy : str
        What the error begins and ends with, around the differences.

    Raises
    ------
    StoreMismatchError
        If the folder holds pieces of other settings; names what differs.
    """
    target = folder / "settings.json"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        return write_json(target, settings)
    different = differences(read_json_mapping(target, links=False), settings)
    if different:
        raise StoreMismatchError(f"{refusal} {'; '.join(different)}. {remedy}")


@contextmanager
def damage_of(study: str, remedy: str) -> Iterator[None]:
    """Say of a damaged piece, in the `DataError` about it, whose it is and what helps."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{study}: {error} {remedy}") from None
