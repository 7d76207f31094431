"""Machine code of compiled loops on disk: found, kept, and never in the way.

Compiling takes some ten seconds, so numba keeps its results in files. As numba does it, that
ends in errors where no folder can be written, where a file is cut short or a disk is full,
and two processes that write at once, or a killed one, can leave the code of one signature
under the name of another. Here a file is believed only if it is whole and is what is looked
for; whatever else happens to it, the loop is compiled, and a file that cannot be written is a
warning. (The files are pickles: numba trusts the folders that it keeps them in, and so do we.)
"""

import hashlib
import os
import pickle
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile
from numba.core.serialize import dumps

__all__ = ["LoopCache"]


class LoopCache:
    """What numba asks for the machine code of one loop (its `numba.core.caching._Cache`).

    Folders are tried in numba's order: ``NUMBA_CACHE_DIR``, ``__pycache__`` beside the loop,
    the user's cache. The first that can be written gets new files; those before it are read.

    Parameters
    ----------
    function : function
        The loop in Python.
    """

    def __init__(self, function: Any) -> None:
        self._read: list[_Folder] = []
        try:
            self._written: _Folder | None = _Folder(function)
        except RuntimeError:  # numba found no folder that can be written
            self._written = None
        for reader in _READERS:
            try:
                folder = reader(function)
            except RuntimeError:  # there is no such folder
                continue
            if self._written is not None and folder.cache_path == self._written.cache_path:
                break
            self._read.append(folder)
        if self._written is not None:
            self._read.append(self._written)

    @property
    def cache_path(self) -> str | None:
        """The folder for new files, if any can be written."""
        return None if self._written is None else self._written.cache_path

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the loop compiled for a signature, or None if no sound file holds it."""
        for folder in self._read:
            try:
                found = folder.load_overload(sig, target_context)
            except Exception:  # pickle raises anything on a damaged file; it will be replaced
                continue
            if found is not None:
                return found
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled, or warn, once in a process."""
        if self._written is None:
            return _warn_once("there is no folder for it that can be written")
        try:
            self._written.save_overload(sig, data)
        except OSError as error:
            _warn_once(f"{self._written.cache_path}: {error.strerror or error}")

    def enable(self) -> None:
        """Look into files from now on."""
        for folder in self._read:
            folder.enable()

    def disable(self) -> None:
        """Leave files alone from now on."""
        for folder in self._read:
            folder.disable()

    def flush(self) -> None:
        """Forget what was kept."""
        if self._written is not None:
            self._written.flush()


class _File(IndexDataCacheFile):
    """numba's index of a loop's signatures and a file for each, with a seal on what is in it.

    numba writes the index before the file, by a number that may have been another's: without
    the key in the file, the index of a killed process gives out what lay there before.
    """

    def __init__(self, cache_path: str, filename_base: str, source_stamp: Any) -> None:
        super().__init__(cache_path, filename_base, source_stamp)
        self._stamp = source_stamp

    def save(self, key: Any, data: Any) -> None:
        whole = dumps((self._stamp, key, data))
        sealed = hashlib.sha256(whole).digest(), whole
        try:
            super().save(key, sealed)
        except OSError:
            raise
        except Exception:  # the index that lies there is damaged
            self.flush()
            super().save(key, sealed)

    def load(self, key: Any) -> Any:
        seal, whole = super().load(key) or (b"", b"")
        if hashlib.sha256(whole).digest() != seal:
            return None
        stamp, stored, data = pickle.loads(whole)
        return data if (stamp, stored) == (self._stamp, key) else None


_ROOMS = [Path(__file__).parents[1] / room for room in ("compiled", "dense", "image")]
"""The folders of all loops, and of the numbers and tuples that they know."""


@cache
def _sources() -> str:
    """A hash of all that loops are compiled from: one of them may be part of any other's code."""
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted(room.rglob("*.py")):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(room.parent)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _identity(function: Any) -> Any:
    """What tells functions made in one place apart: the loops and numbers that they enclose."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    enclosed = [_identity(c.py_func) if hasattr(c, "py_func") else dumps(c) for c in cells]
    return function.__module__, function.__qualname__, function.__code__.co_code, tuple(enclosed)


class _Folder(FunctionCache):
    """numba's cache of a loop, in the first folder that can be written, with our files.

    Unlike numba's it knows a loop by the sources of all loops, to the byte and whenever they were
    written, and finds one that encloses others in the next process.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        stamp: Any = _sources()
        if not any(room in Path(function.__code__.co_filename).parents for room in _ROOMS):
            stamp = stamp, self._impl.locator.get_source_stamp()
        # A name of their own: without ntkreg's seals, numba takes such a file for damaged.
        name = f"{self._impl.filename_base}.sealed"
        self._cache_file = _File(self.cache_path, name, stamp)

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        identity = hashlib.sha256(dumps(_identity(self._py_func))).hexdigest()
        return sig, codegen.magic_tuple(), identity


class _There:
    """Makes of a numba locator one that wants its folder to be there, not to be writable."""

    def ensure_cache_path(self: Any) -> None:
        if not os.path.isdir(self.get_cache_path()):
            raise FileNotFoundError


def _reader(locator: Any) -> type[_Folder]:
    there = type(f"There{locator.__name__}", (_There, locator), {})
    at_it = type("AtFolder", (CompileResultCacheImpl,), {"_locator_classes": [there]})
    return type("ReadFolder", (_Folder,), {"_impl_class": at_it})


_READERS = [_reader(locator) for locator in CompileResultCacheImpl._locator_classes]

_warned = False


def _warn_once(why: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"machine code of compiled loops cannot be kept: {why}. Every process compiles them "
            "again, which takes some ten seconds. Set NUMBA_CACHE_DIR to a folder that can be "
            "written and has room.",
            RuntimeWarning,
            stacklevel=3,
        )
