"""What a kernel folder says about itself, and whether that is what was asked for."""

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg import storage
from ntkreg.architecture import Architecture, to_dict
from ntkreg.documents import read_json
from ntkreg.errors import DataError, SpecError, StoreMismatchError
from ntkreg.gram.manifest_schema import FORMAT, complaints
from ntkreg.gram.paths import inside
from ntkreg.gram.work import GramWork
from ntkreg.kernels import KernelSpec
from ntkreg.kernels.spec import STORED
from ntkreg.machine import this_machine
from ntkreg.version import VERSION

__all__ = [
    "HOW",
    "MANIFEST",
    "check_folder",
    "data_of",
    "differences",
    "machine_hint",
    "make_manifest",
    "read_manifest",
    "ways",
]

MANIFEST = "manifest.json"
"""Name of the file that makes a folder a kernel folder."""

HOW = ("engine", "tile", "versions", "machine")
"""Entries that say how values were computed, not which: values that are all there can be read
by any version on any machine, but two must not share the computing of one Gram."""


def make_manifest(work: GramWork, tile: int) -> dict[str, Any]:
    """Return everything that determines the values of a Gram, as plain JSON data.

    Raises
    ------
    SpecError
        If the network has no fingerprint to compare later (a stax kernel_fn without name).
    """
    spec, network = work.spec, work.spec.network
    if network.fingerprint is None:
        raise SpecError(
            "compute_gram: a folder needs a network that can be told from others, and nothing "
            "in a stax kernel_fn says which one it is. Pass "
            'ntkreg.kernels.stax.bridge.StaxNetwork(kernel_fn, name="...") with a name of its own.'
        )
    described = to_dict(network) if isinstance(network, Architecture) else {"name": repr(network)}
    return {
        "format": FORMAT,
        "network": {**described, "fingerprint": network.fingerprint},
        "X": data_of(work.X),
        "Z": None if work.Z is None else data_of(work.Z),
        "dtype": spec.dtype,
        "fields": list(work.engine.fields),
        **_variants(spec),
        # A folder from before there was one of these has no such key, which reads as None.
        **{name: getattr(spec, name) for name in STORED},
        "engine": work.engine.name,
        "tile": tile,
        **ways(),
    }


def ways() -> dict[str, Any]:
    """Return the versions and the machine on which the bits of values computed here depend."""
    return {
        "versions": {
            "ntkreg": VERSION,
            "numpy": np.__version__,
            "numba": version("numba"),
        },
        "machine": this_machine(),
    }


def data_of(X: np.ndarray) -> dict[str, Any]:
    """Return shape, dtype and hash of an array as the engine reads it."""
    digest = hashlib.sha256(X.data).hexdigest()
    return {"shape": list(X.shape), "dtype": str(X.dtype), "sha256": digest}


def differences(
    stored: Mapping[str, Any], asked: Mapping[str, Any], *, left_out: Iterable[str] = ()
) -> list[str]:
    """Return what keeps a folder from being used, one line a key; empty if nothing does.

    A network is its layers: recipes that give the same layers are the same. Folders from before
    there was a list of networks, or a machine, are compared without it.
    """
    if stored["network"]["fingerprint"] == asked["network"]["fingerprint"]:
        stored = {**stored, "network": asked["network"]}
    later = {"networks", "machine"} - stored.keys()
    return storage.differences(stored, asked, left_out={*left_out, *later, "other_machines"})


def machine_hint(found: Iterable[str]) -> str:
    """Return what to say where only machines differ; of other differences nothing."""
    only = all(line.startswith("machine.") for line in found)
    # Named whole: a store, and a command, have no such argument.
    call = " Or go on by compute_gram(..., folder=..., other_machine=True): values of two machines"
    return f"{call} agree to rounding." if only else ""


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a kernel folder, checked; None if there is no such file.

    Raises
    ------
    StoreMismatchError
        It is damaged, of another format, or says what no Gram of ours is like.
    """
    path = inside(folder, MANIFEST)
    try:
        manifest = read_json(path, links=False)
    except FileNotFoundError:
        return None
    except DataError as error:
        raise StoreMismatchError(f"{error} Give another folder, or delete this one.") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise StoreMismatchError(
            f"{path}: is not the manifest of a kernel folder that this version reads "
            f"({FORMAT!r}). Give another folder."
        )
    if wrong := complaints(manifest):
        raise StoreMismatchError(
            f"{path}: {'; '.join(wrong)}. The folder is damaged or of a later version. Give "
            "another folder, or delete this one."
        )
    return manifest


def check_folder(folder: Any, who: str = "compute_gram") -> Path:
    """Return a kernel folder's path, absolute, so that it stays the same after os.chdir.

    Raises
    ------
    SpecError
        It is no path, or empty.
    StoreMismatchError
        It is a file, or a link to nowhere.
    OSError
        There can be no folder of this name, or it cannot be looked at.
    """
    path = os.fspath(folder) if isinstance(folder, str | os.PathLike) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise SpecError(f'{who}: folder must be a path, such as "kernels/cntk"; got {folder!r}.')
    absolute = Path(path).absolute()
    try:
        is_folder = stat.S_ISDIR(os.stat(absolute).st_mode)
    except FileNotFoundError:
        if absolute.is_symlink():
            raise StoreMismatchError(
                f"{who}: folder {absolute} is a link to a place that is not there "
                f"({os.readlink(absolute)}), as of a disk that is gone. Make it, or give another."
            ) from None
        return absolute
    except OSError as error:
        raise OSError(
            error.errno, f"{who}: cannot use folder {absolute}: {error.strerror}. Give another."
        ) from None
    if not is_folder:
        raise StoreMismatchError(f"{who}: folder {absolute} is a file. Give a folder.")
    return absolute


def _variants(spec: KernelSpec) -> dict[str, Any]:
    """Say which networks there are: depths alone as a list of them, else changed options.

    Their layers too: from equal layers a recipe may come to others by the same change
    (``cntk(3, frozen=3)`` and ``cntk(3, frozen=9)``, both with ``depth=9``).
    """
    variants = spec.variants
    if variants is None:
        return {"depths": None, "variants": None, "networks": None}
    networks = spec.networks
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
