"""Pages of benchmarks/ as sentences and tables, beside the rows that they were made from."""

import re
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benchmarks"


def rows(name: str) -> pd.DataFrame:
    """Return the committed rows of a benchmark."""
    return pd.read_csv(FOLDER / f"{name}.csv")


def words(name: str) -> str:
    """Return the whole text of a document, line breaks as blanks."""
    path = FOLDER / name if (FOLDER / name).exists() else ROOT / name
    return " ".join(path.read_text(encoding="utf-8").split())


def sections(name: str, *headings: str) -> str:
    """Return the sentences below some headings of a document, without its code."""
    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    parts = re.split(r"^##? (.*)$", text, flags=re.MULTILINE)
    below = dict(zip(parts[1::2], parts[2::2], strict=True))
    return " ".join(" ".join(below[heading] for heading in headings).split())


def table(name: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading of a page, without its head."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    below = text.split(f"# {heading}\n", maxsplit=1)[1]
    found = re.search(r"(?:^\|.*\n)+", below, flags=re.MULTILINE)
    assert found, heading
    return [line.strip("|").strip().split(" | ") for line in found[0].splitlines()[2:]]


def measured(text: str) -> list[str]:
    """Return the figures with a decimal point, without papers' numbers and versions."""
    text = re.sub(r"\b\d{4}\.\d{5}\b", "", text)
    return re.findall(r"(?<![\w.])\d+\.\d+(?:e-?\d+)?(?![\w.]*\.\d)", text)
