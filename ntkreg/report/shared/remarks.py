"""Remarks of an author's, whose figures are placeholders for what the rows hold.

``{{mean: ntk; 640}}`` stands for the quantity "mean" of the study at hand, asked with the words
"ntk" and "640"; ``{{cifar10_lap/mean: ntk; 640}}`` for that of another study that is kept beside.
Which quantities there are, each study's `quoted.py` says. Nothing else is done with a remark.
"""

import inspect
import re
from collections.abc import Callable, Mapping

from ntkreg.errors import SpecError

__all__ = ["PLACEHOLDER", "Quantity", "filled", "in_words", "listed", "quoted"]

Quantity = Callable[..., str]
"""From a study that is kept, and words, to what a sentence says."""

PLACEHOLDER = re.compile(r"\{\{(?:([\w.-]+)/)?([\w-]+)(?::\s*([^{}]*))?\}\}")

_NUMBERS = (
    *("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
)


def filled(text: str, ask: Callable[[str, str, list[str]], str]) -> str:
    """Return remarks with every placeholder filled.

    Parameters
    ----------
    text : str
    ask : callable
        From the name of another study ("" for the one at hand), the quantity's name and words
        to what is said.

    Raises
    ------
    SpecError
        Braces that are no placeholder; whatever `ask` raises.
    """

    def fill(found: re.Match[str]) -> str:
        other, name, words = found.groups()
        return ask(other or "", name, [w.strip() for w in words.split(";")] if words else [])

    left = PLACEHOLDER.sub("", text)
    if "{{" in left or "}}" in left:
        where = left.index("{{" if "{{" in left else "}}")
        raise SpecError(
            f"remarks: {left[where : where + 40]!r} is no placeholder. Write "
            "{{quantity}}, {{quantity: word; word}} or {{other_study/quantity: word}}."
        )
    return PLACEHOLDER.sub(fill, text)


def quoted(quantities: Mapping[str, Quantity], study: object, name: str, words: list[str]) -> str:
    """Return what a quantity says of a study.

    Raises
    ------
    SpecError
        No quantity of this name, or not with these words, or nothing that they name.
    """
    if name not in quantities:
        known = ", ".join(quantities) or "none"
        raise SpecError(f"remarks: unknown quantity {name!r}. Known: {known}.")
    try:
        inspect.signature(quantities[name]).bind(study, *words)
    except TypeError:
        _, *wanted = inspect.signature(quantities[name]).parameters
        raise SpecError(
            f"remarks: quantity {name!r} takes {'; '.join(wanted) or 'no words'}; got "
            f"{'; '.join(words) or 'none'}."
        ) from None
    try:
        return quantities[name](study, *words)
    except (LookupError, ValueError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(
            f"remarks: quantity {name!r} finds nothing for {'; '.join(words)} ({error})."
        ) from None


def listed(values: object) -> str:
    """Return "a, b and c"."""
    *front, last = map(str, values)  # type: ignore[call-overload]
    return f"{', '.join(front)} and {last}" if front else last


def in_words(number: int) -> str:
    """Return a small number in words."""
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)
