"""How a page of a speed benchmark is laid out: machine and command, then texts, then the rows."""

from typing import Any

import pandas as pd

from ntkreg.report.shared.document import Block, Document, Section, Table, Text

__all__ = ["page_of"]


def page_of(
    title: str,
    record: dict[str, Any],
    about: str,
    texts: tuple[str, ...],
    shown: pd.DataFrame,
    blocks: tuple[Block, ...] = (),
) -> Document:
    opening = (
        Text(f"Machine: {record['machine']}."),
        Text(f"Command: `{record['command']}`. {about}".rstrip()),
        *map(Text, texts),
        *blocks,
        Table(shown),
    )
    return Document(title, (Section("", opening),))
