"""Many kernels in one folder: looked up by their manifests, computed there if they are not."""

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.documents import read_json
from ntkreg.errors import DataError, StoreMismatchError
from ntkreg.gram.filling import Filling
from ntkreg.gram.gram import gram_of, kernel_of
from ntkreg.gram.manifest import (
    HOW,
    MANIFEST,
    check_folder,
    differences,
    make_manifest,
    read_manifest,
)
from ntkreg.gram.manifest_schema import FORMAT, layout_of
from ntkreg.gram.open import open_gram
from ntkreg.gram.work import check_work
from ntkreg.kernels import KernelSpec

__all__ = ["KeptGram", "gram_in_store", "kernel_folders", "kernel_in_store"]

_WHICH = ("fields", "depths", "variants", "networks", "network")
"""What may be part of a kernel folder with more."""


class KeptGram:
    """A kernel in a store, read from there by rows, each of (m,), or (n_variants, n, m) in all.

    Parameters
    ----------
    values : StoredValues
    index : int, list of int, None or Ellipsis
        Which of the stored networks, as NumPy's index of their axis; Ellipsis for all there is.
    """

    def __init__(self, values: Any, index: Any = ...) -> None:
        self._values, self._index = values, index

    @property
    def tiled(self) -> Any:
        """One matrix, to be read tile by tile; read now where it is a part of what is kept."""
        return self._values if self._index is ... and self._values.ndim == 2 else self.read()

    def read(self, rows: slice = slice(None)) -> np.ndarray:
        """Return some rows (a slice of step 1), all columns."""
        if self._index is ...:
            return self._values.read(rows)
        # A band of tiles at a time: of networks that are not asked for, no more is held.
        n, step = self._values.shape[-2], self._values.tile
        start, stop, _ = rows.indices(n)
        axes = np.empty(self._values.shape[:-2])[self._index].shape
        shape = (*axes, max(stop - start, 0), self._values.shape[-1])
        self._values.check_memory(math.prod(shape) * self._values.dtype.itemsize)
        out = np.empty(shape, self._values.dtype)
        for top in range(start - start % step, stop, step):
            band = slice(max(top, start), min(top + step, stop))
            into = slice(band.start - start, band.stop - start)
            out[..., into, :] = self._values.read(band)[self._index]
        return out


def gram_in_store(
    spec: KernelSpec,
    X: np.ndarray,
    Z: np.ndarray | None = None,
    *,
    store: str | os.PathLike[str],
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> dict[str, KeptGram]:
    """Return a Gram from a folder of kernels, computed there if it is not there yet.

    Parameters
    ----------
    spec : KernelSpec
    X, Z : ndarray
        As of `ntkreg.compute_gram`.
    store : path
        A folder of kernel folders, as `ntkreg gram` leaves, or one of these alone. A complete one
        with more kernels or networks of the same inputs serves too. New ones are named by a hash
        of what they hold.
    n_jobs : int or None
    progress : bool or None
        As of `ntkreg.compute_gram`.

    Returns
    -------
    dict of str to KeptGram
        By what `get` names.

    Raises
    ------
    StoreMismatchError
        The store is one kernel folder, with another Gram.
    PlanError, OSError
        As `ntkreg.compute_gram`; another process that works on the same Gram is waited for.
    """
    place = check_folder(store, "store")
    work = check_work(spec, X, Z)
    asked = make_manifest(work, 1)
    folders = kernel_folders(place, "store", must_exist=False)
    for folder in folders:
        manifest = read_manifest(folder)
        if manifest is None or differences(manifest, asked, left_out=HOW + _WHICH):
            continue
        if not differences(manifest, asked, left_out=HOW):
            break  # the very Gram, whole or begun
        if (found := _part(folder, manifest, asked)) is not None:
            return found
    else:
        if place in folders:
            raise StoreMismatchError(
                f"store: folder {place} holds one kernel, and another than is asked for. Give the "
                "folder above it, where others can be kept beside it, or ask for what it holds."
            )
        key = {name: value for name, value in asked.items() if name not in HOW}
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        folder = place / f"{'_'.join(work.engine.fields)}-{digest[:24]}"
    run: dict[str, Any] = {"n_jobs": n_jobs, "progress": progress, "how": Filling(wait=True)}
    gram = gram_of(spec, X, Z, folder=folder, **run)
    return {name: KeptGram(values) for name, values in gram.values.items()}


def kernel_in_store(
    spec: KernelSpec,
    X: np.ndarray,
    Z: np.ndarray | None = None,
    *,
    store: str | os.PathLike[str] | None,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> Any:
    """Return the values of a kernel by way of a store, all read; without one, just computed.

    A matrix, or with several names to `get` a tuple of them; otherwise as `gram_in_store`.
    """
    if store is None:
        return kernel_of(spec, X, Z, n_jobs=n_jobs, progress=progress)
    kept = gram_in_store(spec, X, Z, store=store, n_jobs=n_jobs, progress=progress)
    get = spec.get
    return kept[get].read() if isinstance(get, str) else tuple(kept[name].read() for name in get)


def kernel_folders(
    store: str | os.PathLike[str], who: str, *, must_exist: bool = True
) -> list[Path]:
    """Return the kernel folders in a folder, itself and two levels below, in order.

    What other programs call manifest.json is left alone.

    Raises
    ------
    FileNotFoundError
        There is none, and must be.
    """
    place = check_folder(store, who)
    depths = ("", "*/", "*/*/")
    paths = [path for each in depths for path in sorted(place.glob(each + MANIFEST))]
    found = [path.parent for path in paths if _is_ours(path)]
    if must_exist and not found:
        raise FileNotFoundError(
            f"{who}: there is no kernel folder at {place} (no {MANIFEST} in it, nor in the folders "
            "in it). Give what compute_gram or `ntkreg gram` wrote into."
        )
    return found


def _is_ours(manifest: Path) -> bool:
    """Return whether a file may be a kernel folder's manifest, of any version or damaged."""
    try:
        found = read_json(manifest, links=False)
    except FileNotFoundError:
        return False
    except DataError:
        return True
    kind = FORMAT.partition(",")[0]
    return isinstance(found, dict) and str(found.get("format")).startswith(kind)


def _part(folder: Path, stored: dict[str, Any], asked: dict[str, Any]) -> Any:
    """Return what is asked for from a complete folder that holds more; None if it does not."""
    there = stored.get("networks")
    if layout_of(stored).n_variants is None:
        there = [stored["network"]["fingerprint"]]
    if there is None:  # of before there was a list of networks
        return None
    wanted = asked["networks"] or [asked["network"]["fingerprint"]]
    if not set(wanted) <= set(there) or not set(asked["fields"]) <= set(stored["fields"]):
        return None
    try:
        gram = open_gram(folder)
    except StoreMismatchError:  # not complete: who began it knows what all of it is
        return None
    index: Any = [there.index(each) for each in wanted]
    if asked["networks"] is None:
        index = index[0]
    if layout_of(stored).n_variants is None:
        index = ... if asked["networks"] is None else None
    return {name: KeptGram(gram.values[name], index) for name in asked["fields"]}
