"""A study's output folder, as far as reports read it."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ntkreg.errors import DataError

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

    def table(self, name: str) -> pd.DataFrame:
        """Return ``name.csv``; empty cells of text columns are empty strings."""
        frame = self._read(f"{name}.csv", pd.read_csv)
        text = frame.select_dtypes(exclude="number").columns
        return frame.fillna(dict.fromkeys(text, ""))

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return all arrays of ``name.npz``."""

        def load(path: Path) -> dict[str, np.ndarray]:
            # Opened here: NumPy leaves its own handle open when the archive is damaged.
            with open(path, "rb") as stream:
                archive = np.load(stream, allow_pickle=False)
                return {key: archive[key] for key in archive.files}

        return self._read(f"{name}.npz", load)

    def record(self) -> dict[str, Any]:
        """Return what the study noted about itself: hash, command, versions."""
        return self._read("record.json", lambda path: json.loads(path.read_text(encoding="utf-8")))

    def config_text(self) -> str:
        """Return the resolved configuration as it was written, YAML."""
        return self._read("config.yaml", lambda path: path.read_text(encoding="utf-8"))

    def _read(self, name: str, reader: Any) -> Any:
        path = self.path / name
        try:
            return reader(path)
        except FileNotFoundError:
            raise DataError(
                f"report: {path} is missing. Run the study into this folder first."
            ) from None
        except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise DataError(
                f"report: {path} cannot be read ({error}). Run the study again."
            ) from None
