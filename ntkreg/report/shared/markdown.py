"""A document in GitHub's Markdown, beside a file with its one picture."""

from itertools import takewhile

from ntkreg.report.shared.document import (
    Block,
    Code,
    Document,
    Link,
    Picture,
    Points,
    Table,
    Text,
)
from ntkreg.report.shared.tables import markdown_table

__all__ = ["markdown_page"]


def markdown_page(document: Document, picture: str = "", remarks: str = "") -> str:
    """Return a document as Markdown: what is kept of it.

    Parameters
    ----------
    document : Document
    picture : str
        Name of the file of the picture that is kept.
    remarks : str
        Markdown of an author's, put after the sentences that the page begins with.
    """
    opening, *others = document.sections
    end = len(list(takewhile(lambda block: isinstance(block, Text | Points), opening.blocks)))
    parts = [f"# {document.title}\n", *(_block(b, picture) for b in opening.blocks[:end])]
    parts += [remarks.strip() + "\n"] if remarks.strip() else []
    parts += [_block(b, picture) for b in opening.blocks[end:]]
    for section in others:
        if section.kept:
            parts += [f"{'#' * section.level} {section.title}\n"]
            parts += [_block(block, picture) for block in section.blocks]
    return "\n".join(parts)


def _block(block: Block, picture: str) -> str:
    match block:
        case Text(text):
            return f"{text}\n"
        case Link(text, target):
            return f"[{text}]({target})\n"
        case Points(items):
            return "".join(f"- {item}\n" for item in items)
        case Table(frame):
            return markdown_table(frame)
        case Picture():
            shown = f"![{block.alt}]({picture})\n\n" if block.kept else ""
            return f"{shown}{block.caption}\n"
        case Code(label, text, language):
            return f"{label}:\n\n```{language}\n{text.rstrip()}\n```\n"
