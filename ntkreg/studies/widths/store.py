"""The width study's networks on disk: one file each, whole or not there."""

from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.data import read_arrays
from ntkreg.errors import DataError
from ntkreg.storage import write_arrays
from ntkreg.studies.shared.config import config_to_dict
from ntkreg.studies.shared.store import damage_of, keep_settings
from ntkreg.studies.widths.config import WidthsConfig

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
        settings = {k: v for k, v in config_to_dict(config).items() if k not in _LISTS}
        settings["architecture"].pop("depth")
        settings |= {"data_hash": data_hash, "format": 1}
        keep_settings(
            folder,
            settings,
            f"widths: {folder} holds networks of other settings.",
            "Give another --output, or the same settings; widths, n_seeds, n_starts, depths and "
            "parametrizations may change.",
        )

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
        with damage_of("widths", "Or delete this file, and the network is trained again."):
            return _unpack(path, read_arrays(path, None, links=False))

    def save(
        self, depth: int, parametrization: str, width: int, draw: int, values: dict[str, Any]
    ) -> None:
        """Write numbers and arrays by name; a killed process leaves the file or none."""
        numbers = {k: v for k, v in values.items() if np.ndim(v) == 0}
        arrays = {k: v for k, v in values.items() if np.ndim(v)}
        path = self._path(depth, parametrization, width, draw)
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays["names"] = np.array([" ".join(numbers), *arrays])
        arrays["numbers"] = np.array(list(numbers.values()), float)
        write_arrays(path, arrays)

    def _path(self, depth: int, parametrization: str, width: int, draw: int) -> Path:
        return self.folder / f"{parametrization}_{depth}_layers" / f"width{width}_draw{draw}.npz"


def _unpack(path: Path, found: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return numbers and arrays by name, or refuse a file that `save` did not write."""
    names, numbers = (found.pop(key, np.zeros(())) for key in ("names", "numbers"))
    known = names.ndim == 1 and names.dtype.kind == "U" and len(names) > 0
    keys = str(names[0]).split() if known else []
    if not known or numbers.dtype != float or numbers.shape != (len(keys),):
        raise DataError(f"{path}: its names and numbers are not those of a network.")
    missing = {str(name) for name in names[1:]} ^ set(found)
    if missing or any(array.dtype.kind != "f" for array in found.values()):
        raise DataError(f"{path}: arrays are missing or of another kind.")
    return dict(zip(keys, numbers.tolist(), strict=True)) | found
