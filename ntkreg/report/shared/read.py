"""A study's output folder, as far as reports read it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ntkreg.data import read_arrays
from ntkreg.data.tables import read_table
from ntkreg.documents import MOST_BYTES, read_json_mapping, read_yaml
from ntkreg.errors import DataError
from ntkreg.storage import read_bytes

__all__ = ["StudyFolder"]


class StudyFolder:
    """Files of one finished study.

    Parameters
    ----------
    path : path of the folder
        That the study was told to write into.

    Raises
    ------
    DataError
        From every method, if the file is not there or cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.tables_read: dict[str, pd.DataFrame] = {}
        """What `table` returned so far, by name."""

    def has(self, name: str) -> bool:
        """Whether there is a table of this name."""
        return (self.path / self._file(f"{name}.csv")).exists()

    def table(self, name: str) -> pd.DataFrame:
        """Return ``name.csv``; empty cells of text columns are empty strings."""
        if name not in self.tables_read:
            frame = self._read(f"{name}.csv", read_table)
            text = frame.select_dtypes(exclude="number").columns
            self.tables_read[name] = frame.fillna(dict.fromkeys(text, ""))
        return self.tables_read[name]

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return all arrays of ``name.npz``."""
        return self._read(f"{name}.npz", lambda path: read_arrays(path, None))

    def record(self) -> dict[str, Any]:
        """Return what the study noted about itself: hash, command, versions."""
        record, path = self._read("record.json", read_json_mapping), self._file("record.json")
        for name, kind in (("config_hash", str), ("command", str), ("environment", dict)):
            if not isinstance(record[name], kind):
                raise DataError(
                    f"report: {self.path / path}: {name} must be a {kind.__name__}; "
                    f"found a {type(record[name]).__name__}. Run the study again."
                )
        return record

    def config_text(self) -> str:
        """Return the resolved configuration as it was written, YAML."""
        return self._read("config.yaml", lambda path: read_bytes(path, MOST_BYTES).decode())

    def config(self) -> dict[str, Any]:
        """Return the resolved configuration."""
        config = self._read("config.yaml", read_yaml)
        if not isinstance(config, dict):
            raise DataError(
                f"report: {self.path / self._file('config.yaml')} is no mapping of keys to values."
            )
        return config

    def file(self, name: str) -> Path:
        """Return the path of a file that studies call `name`."""
        return self.path / self._file(name)

    def _file(self, name: str) -> str:
        """Return what a file that studies call `name` is called in this folder."""
        return name

    def _read(self, name: str, reader: Any) -> Any:
        path = self.path / self._file(name)
        try:
            return reader(path)
        except FileNotFoundError:
            raise DataError(
                f"report: {path} is missing. Run the study into this folder first."
            ) from None
        except (ValueError, OSError) as error:
            raise DataError(
                f"report: {path} cannot be read ({error}). Run the study again."
            ) from None
