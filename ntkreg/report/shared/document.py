"""What a page says, as plain data: rendered to HTML (`page`) and to Markdown (`markdown`).

In texts, words between backticks are code; all else is said as it stands.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

__all__ = ["Block", "Code", "Document", "Link", "Picture", "Points", "Section", "Table", "Text"]


@dataclass(frozen=True)
class Text:
    """A paragraph; kind: "lead" for answers, "small" for legends, "" for all else."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Link:
    """A paragraph that leads to another page beside this one."""

    text: str
    target: str


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table of texts and numbers, shown as they are."""

    frame: pd.DataFrame


@dataclass(frozen=True)
class Picture:
    """A figure with its caption.

    Attributes
    ----------
    name : str
        Of its file, where it gets one.
    draw : callable
        Draws it; called only where it is shown.
    caption, alt : str
    kept : bool
        Whether it is the one that Markdown shows; of others Markdown has the caption alone.
    """

    name: str
    draw: Callable[[], Figure]
    caption: str
    alt: str
    kept: bool = False


@dataclass(frozen=True)
class Code:
    """Lines to be read as they are, below a label; language: "yaml", "sh" or ""."""

    label: str
    text: str
    language: str = ""


Block = Text | Link | Points | Table | Picture | Code


@dataclass(frozen=True)
class Section:
    """Blocks under a heading.

    Attributes
    ----------
    title : str
        "" for the opening of a page.
    blocks : tuple of Block
    level : int
        Of the heading.
    kept : bool
        Whether Markdown has it; HTML has every section.
    """

    title: str
    blocks: tuple[Block, ...]
    level: int = 2
    kept: bool = True


@dataclass(frozen=True)
class Document:
    """A whole page."""

    title: str
    sections: tuple[Section, ...]

    def pictures(self) -> Iterator[Picture]:
        """Yield every picture, in the order of the page."""
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, Picture))
