"""A document as one self-contained HTML page: pictures inside, nothing fetched, light and dark."""

import base64
import contextlib
import html
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from matplotlib import style
from matplotlib.figure import Figure

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
from ntkreg.report.shared.tables import html_table
from ntkreg.storage import replacing, write_text

__all__ = ["draw_pictures", "html_page", "in_own_style", "png", "write_bytes", "write_html"]

_STYLE = """
:root { color-scheme: light dark; --page: light-dark(#fdfdfc, #16181b);
  --shade: light-dark(#0004, #fff5); }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1.2rem; background: var(--page);
  color: light-dark(#1d2126, #d9dce0); }
h1 { font-size: 1.7rem; line-height: 1.25; margin-bottom: .3rem; }
h2 { font-size: 1.2rem; margin-top: 2.4rem; }
p, li { max-width: 46rem; }
.lead { font-size: 1.1rem; }
/* A wide table takes the window's width and, beyond that, scrolls: the names stay in sight, and a
   shadow at an edge says that there is more. */
.scroll { overflow-x: auto; width: fit-content; min-width: 100%; max-width: calc(100vw - 3rem);
  box-sizing: border-box; position: relative; left: 50%; transform: translateX(-50%);
  background: linear-gradient(to right, var(--page) 30%, transparent) local 0 0 / 3rem 100%,
    linear-gradient(to left, var(--page) 30%, transparent) local 100% 0 / 3rem 100%,
    linear-gradient(to right, var(--shade), transparent) scroll 0 0 / .9rem 100%,
    linear-gradient(to left, var(--shade), transparent) scroll 100% 0 / .9rem 100%, var(--page);
  background-repeat: no-repeat; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .8rem .28rem 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid light-dark(#ddd, #3a3e44); }
th { white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
  background: var(--page); }
th.long, td.long { text-align: left; white-space: normal; min-width: 13rem; }
@media (max-width: 40rem) { td:first-child { white-space: normal; min-width: 7rem; } }
figure { margin: 1rem 0; }
/* Figures are drawn on white; the card keeps them readable on a dark page. */
img { max-width: 100%; background: #fff; border-radius: 6px; padding: .5rem;
  box-sizing: border-box; }
figcaption, .small { font-size: .9rem; color: light-dark(#555, #a5abb3); max-width: 46rem; }
pre { overflow-x: auto; font-size: .85rem; padding: .8rem 1rem; border-radius: 6px;
  background: light-dark(#f1f1ee, #22252a); }
"""


@contextlib.contextmanager
def in_own_style() -> Iterator[None]:
    """Draw and save figures under matplotlib's own settings, whatever the user's are.

    Around everything that makes a page: settings are read when a figure is created, when
    something is drawn on it and when it is saved. A file of the user's may ask for LaTeX,
    which need not be there, or for a size at which nothing fits.
    """
    with style.context("default"):
        yield


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file holds it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


@in_own_style()
def draw_pictures(document: Document) -> dict[str, bytes]:
    """Draw every picture of a document, by name."""
    return {picture.name: png(picture.draw()) for picture in document.pictures()}


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    with replacing(path) as file:
        file.write(content)


def write_html(folder: Path, document: Document) -> Path:
    """Write a document as ``page.html`` into a folder and return its path."""
    target = folder / "page.html"
    write_text(target, html_page(document, draw_pictures(document)))
    return target


def html_page(document: Document, pictures: Mapping[str, bytes]) -> str:
    """Return a document as HTML.

    Parameters
    ----------
    document : Document
    pictures : mapping of str to bytes
        PNG files by the names of the document's pictures.
    """
    title = html.escape(document.title)
    body = [f"<h1>{title}</h1>"]
    for section in document.sections:
        if section.title:
            body += [f"<h{section.level}>{html.escape(section.title)}</h{section.level}>"]
        body += [_block(block, pictures) for block in section.blocks]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _block(block: Block, pictures: Mapping[str, bytes]) -> str:
    match block:
        case Text(text, kind):
            mark = f' class="{kind}"' if kind else ""
            return f"<p{mark}>{_inline(text)}</p>"
        case Link(text, target):
            return f'<p><a href="{html.escape(target)}">{html.escape(text)}</a></p>'
        case Points(items):
            return "<ul>" + "".join(f"<li>{_inline(item)}</li>\n" for item in items) + "</ul>"
        case Table(frame):
            return html_table(frame)
        case Picture():
            data = base64.b64encode(pictures[block.name]).decode("ascii")
            return (
                f'<figure><img alt="{html.escape(block.alt)}" src="data:image/png;base64,{data}">\n'
                f"<figcaption>{_inline(block.caption)}</figcaption></figure>"
            )
        case Code(label, text, _):
            return f"<p>{html.escape(label)}</p><pre>{html.escape(text)}</pre>"


def _inline(text: str) -> str:
    """Return a text with what stands between backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text))
