"""What a kernel folder says about itself, and whether that is what was asked for."""

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.architecture import Architecture, to_dict
from ntkreg.errors import SpecError, StoreMismatchError
from ntkreg.gram.work import GramWork
from ntkreg.kernels.variants import variant_networks

__all__ = ["MANIFEST", "VALUES", "differences", "make_manifest", "read_manifest", "write_json"]

MANIFEST = "manifest.json"
"""Name of the file that makes a folder a kernel folder."""

VALUES = "values.zarr"
"""Name of the array beside it."""

_FORMAT = "ntkreg kernel, 1"

_HOW = ("engine", "tile", "versions")
"""Entries that say how values were computed, not which: they never make a folder another's."""


def make_manifest(work: GramWork, tile: int) -> dict[str, Any]:
    """Return everything that determines the values of a Gram, as plain JSON data.

    Raises
    ------
    SpecError
        If the network has no fingerprint to compare later (a stax kernel_fn without name).
    """
    network = work.network
    if network.fingerprint is None:
        raise SpecError(
            "compute_gram: a folder needs a network that can be told from others, and nothing "
            "in a stax kernel_fn says which one it is. Pass "
            'ntkreg.kernels.bridge.StaxNetwork(kernel_fn, name="...") with a name of its own.'
        )
    described = to_dict(network) if isinstance(network, Architecture) else {"name": repr(network)}
    return {
        "format": _FORMAT,
        "network": {**described, "fingerprint": network.fingerprint},
        "X": _data(work.X),
        "Z": None if work.Z is None else _data(work.Z),
        "dtype": work.precision,
        "fields": list(work.engine.fields),
        **_variants(work),
        "normalize": work.normalize,
        # Folders from before there were any have no such key, which reads as None.
        "symmetry": work.symmetry,
        "engine": work.engine.name,
        "tile": tile,
        "versions": {
            "ntkreg": version("ntkreg"),
            "numpy": np.__version__,
            "numba": version("numba"),
        },
    }


def differences(stored: dict[str, Any], asked: dict[str, Any], *, resume: bool) -> list[str]:
    """Return what keeps a folder from being used, one line a key; empty if nothing does.

    A network is its layers: recipes that give the same layers are the same. Engine and
    versions count with `resume` only: values that are all there can be read by any version,
    but two versions must not share the computing of one Gram. Folders from before there was a
    list of networks are compared without it.
    """
    if stored.get("network", {}).get("fingerprint") == asked["network"]["fingerprint"]:
        stored = {**stored, "network": asked["network"]}
    left_out = {"tile"} if resume else set(_HOW)
    left_out |= {"networks"} - stored.keys()
    was, now = (_flat({k: v for k, v in d.items() if k not in left_out}) for d in (stored, asked))
    return [
        f"{key}: stored {was.get(key)!r}, asked {now.get(key)!r}"
        for key in dict.fromkeys([*now, *was])
        if was.get(key) != now.get(key)
    ]


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a kernel folder; None if there is no such file."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, UnicodeDecodeError) as error:
        raise StoreMismatchError(
            f"compute_gram: {folder / MANIFEST} cannot be read as JSON ({error}). "
            "Give another folder, or delete this one."
        ) from None
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise StoreMismatchError(
            f"compute_gram: {folder / MANIFEST} is not the manifest of a kernel folder that "
            f"this version reads ({_FORMAT!r}). Give another folder."
        )
    return manifest


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write a file that is there as a whole or not at all, whatever happens meanwhile."""
    draft = path.with_name(path.name + ".tmp")
    with open(draft, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def _variants(work: GramWork) -> dict[str, Any]:
    """Say which networks there are: depths alone as a list of them, else changed options.

    Their layers too: from equal layers a recipe may come to others by the same change
    (``cntk(3, frozen=3)`` and ``cntk(3, frozen=9)``, both with ``depth=9``).
    """
    variants = work.variants
    if variants is None:
        return {"depths": None, "variants": None, "networks": None}
    networks = variant_networks(work.network, variants)
    described = [
        {name: to_dict(network)[name] for name in changed}
        for network, changed in zip(networks, variants, strict=True)
    ]
    only_depths = all(set(changed) == {"depth"} for changed in variants)
    return {
        "depths": [changed["depth"] for changed in described] if only_depths else None,
        "variants": None if only_depths else described,
        "networks": [network.fingerprint for network in networks],
    }


def _data(X: np.ndarray) -> dict[str, Any]:
    """Return shape, dtype and hash of an array as the engine reads it."""
    digest = hashlib.sha256(X.data).hexdigest()
    return {"shape": list(X.shape), "dtype": str(X.dtype), "sha256": digest}


def _flat(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return {"network.depth": 10, ...} for {"network": {"depth": 10}, ...}."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
