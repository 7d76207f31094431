"""The width study's networks on disk: one file each, whole or not there."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.data import read_arrays
from ntkreg.errors import StoreMismatchError
from ntkreg.studies.config import config_to_dict
from ntkreg.studies.widths_config import WidthsConfig

__all__ = ["RunStore"]

_LISTS = ("widths", "n_seeds", "n_starts", "depths", "parametrizations", "data")
"""Keys that say which networks there are, not what one network is; data has its own hash."""


class RunStore:
    """Folder of measured networks, for one setting of everything but what is listed.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    config : WidthsConfig
    data_hash : str
        SHA-256 of the data.

    Raises
    ------
    StoreMismatchError
        If the folder holds networks of other settings; names what differs.
    """

    def __init__(self, folder: Path, config: WidthsConfig, data_hash: str) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {k: v for k, v in config_to_dict(config).items() if k not in _LISTS}
        settings["architecture"].pop("depth")
        settings |= {"data_hash": data_hash, "format": 1}
        target = folder / "settings.json"
        if target.exists():
            self._compare(json.loads(target.read_text(encoding="utf-8")), settings)
        else:
            _replace(target, (json.dumps(settings, indent=1) + "\n").encode())

    def load(self, depth: int, parametrization: str, width: int, draw: int) -> dict[str, Any]:
        """Return what `save` was given; empty if the network is not there.

        Raises
        ------
        DataError
            If the file is damaged: delete it, and the network is trained again.
        """
        path = self._path(depth, parametrization, width, draw)
        if not path.exists():
            return {}
        names = [str(name) for name in read_arrays(path, ("names",))["names"]]
        found = read_arrays(path, ["numbers", *names[1:]])
        numbers = dict(zip(names[0].split(), found.pop("numbers").tolist(), strict=True))
        return numbers | found

    def save(
        self, depth: int, parametrization: str, width: int, draw: int, values: dict[str, Any]
    ) -> None:
        """Write numbers and arrays by name; a killed process leaves the file or none."""
        numbers = {k: v for k, v in values.items() if np.ndim(v) == 0}
        arrays = {k: v for k, v in values.items() if np.ndim(v)}
        path = self._path(depth, parametrization, width, draw)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        with open(draft, "wb") as file:
            np.savez(
                file,
                allow_pickle=False,
                names=np.array([" ".join(numbers), *arrays]),
                numbers=np.array(list(numbers.values()), float),
                **arrays,
            )
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)

    def _path(self, depth: int, parametrization: str, width: int, draw: int) -> Path:
        return self.folder / f"{parametrization}_{depth}_layers" / f"width{width}_draw{draw}.npz"

    def _compare(self, stored: dict[str, Any], asked: dict[str, Any]) -> None:
        lines = [
            f"{key}: stored {stored.get(key)!r}, asked {asked.get(key)!r}"
            for key in dict.fromkeys([*asked, *stored])
            if stored.get(key) != asked.get(key)
        ]
        if lines:
            raise StoreMismatchError(
                f"widths: {self.folder} holds networks of other settings. "
                + "; ".join(lines)
                + ". Give another --output, or the same settings; widths, n_seeds, n_starts, "
                "depths and parametrizations may change."
            )


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".tmp")
    draft.write_bytes(content)
    os.replace(draft, path)
