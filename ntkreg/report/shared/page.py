"""One self-contained HTML page: pictures inside, nothing fetched, light and dark."""

import base64
import contextlib
import html
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure

from ntkreg.storage import replacing

__all__ = ["figure_block", "in_own_style", "page", "provenance_block", "save_png"]

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


def page(title: str, body: list[str]) -> str:
    """Return a whole HTML document from blocks of HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join([f"<h1>{html.escape(title)}</h1>", *body])
        + "\n</body></html>\n"
    )


def figure_block(figure: Figure, caption: str, alt: str) -> str:
    """Return a figure with its picture inside as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<figure><img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">\n'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file, whole or not at all."""
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=150)


def provenance_block(record: dict[str, Any], config_text: str) -> str:
    """Return how the figures came about: command, configuration and its hash, versions."""
    versions = "\n".join(f"{name}: {value}" for name, value in record["environment"].items())
    return (
        "<h2>How this was made</h2>\n"
        f"<p>Command</p><pre>{html.escape(record['command'])}</pre>\n"
        f"<p>Configuration (hash {html.escape(record['config_hash'][:12])})</p>"
        f"<pre>{html.escape(config_text)}</pre>\n"
        f"<p>Versions and machine</p><pre>{html.escape(versions)}</pre>"
    )
