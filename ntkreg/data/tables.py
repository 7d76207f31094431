"""CSV files that may be a stranger's or damaged: bounded, with the columns that are needed."""

import codecs
import io
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ntkreg.errors import DataError
from ntkreg.storage import read_bytes

__all__ = ["read_table"]

_MOST_BYTES = 256_000_000
_MOST_COLUMNS = 1000
"""The studies' own tables have some thirty."""

_FIELD = rb'(?:[^",]*|"[^"]*(?:""[^"]*)*")'
_LINE = re.compile(rb"%b(?:,%b)*" % (_FIELD, _FIELD))


def read_table(path: Path, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return a CSV file as a table.

    Parameters
    ----------
    path : Path
    columns : mapping or None
        Columns that must be there: "int", "float" or "text" by name; None for any.

    Raises
    ------
    FileNotFoundError
    DataError
        Too large, no CSV, a column missing or of another type.
    """
    content = read_bytes(path, _MOST_BYTES).removeprefix(codecs.BOM_UTF8)
    # pandas takes some hundred bytes for each column, in the first line or a later one.
    for number, line in enumerate(content.splitlines(), 1):
        if line.count(b",") >= _MOST_COLUMNS:
            raise DataError(f"{path}: has over {_MOST_COLUMNS:,} columns.")
        if b'"' in line and not _LINE.fullmatch(line):  # else a row could go on in the next
            raise DataError(
                f"{path}: cannot be read as CSV (line {number}: a quote that does not enclose a "
                "field of this line)."
            )
    try:
        table = pd.read_csv(io.BytesIO(content))
    except (ValueError, OverflowError) as error:
        why = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read as CSV ({why}).") from None
    missing = sorted(set(columns or ()) - set(table.columns))
    if missing:
        raise DataError(f"{path}: has no column {', '.join(missing)}.")
    for name, kind in (columns or {}).items():
        found = table[name].dtype
        is_number = pd.api.types.is_numeric_dtype(found) and not pd.api.types.is_bool_dtype(found)
        is_int = pd.api.types.is_integer_dtype(found)
        if (is_number == (kind == "text") or (kind == "int" and not is_int)) and len(table):
            what = {"int": "integers", "float": "numbers", "text": "text"}[kind]
            raise DataError(f"{path}: column {name} must hold {what}; found {found}.")
    return table
