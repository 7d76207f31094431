"""Files: written whole or not at all, never through a link, and read within bounds.

A folder may be a stranger's: one who can name a file in it must not choose which of our
user's files we write to, nor how much memory we take to read it.
"""

import contextlib
import errno
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from ntkreg.errors import DataError, SpecError

__all__ = [
    "check_name",
    "differences",
    "draft_of",
    "held_alone",
    "open_regular",
    "plain_number",
    "read_bytes",
    "replacing",
    "write_arrays",
    "write_json",
    "write_table",
    "write_text",
]

# Windows has neither flag: there links need a privilege, and reading a pipe by name too.
_SAFE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FLAGS = {
    "rb": os.O_RDONLY,
    "r+b": os.O_RDWR,
    "ab": os.O_WRONLY | os.O_APPEND | os.O_CREAT,
}

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+ =,()-]*")
_RESERVED = {"con", "prn", "aux", "nul", *(f"{p}{i}" for p in ("com", "lpt") for i in range(10))}
_LONGEST_NAME = 100


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write into, which becomes `path` as a whole when the block ends well.

    Whatever happens meanwhile, `path` is the old file or the new one; once the block has
    ended, the new one is on the disk and not only in the system's cache. A link at `path` is
    replaced and what it points to left alone.

    Raises
    ------
    OSError
        The folder cannot be written, or the disk is full; `path` is as before.
    DataError
        `path` is a pipe or a device, or another process writes it now.
    """
    if path.is_dir():
        raise IsADirectoryError(
            errno.EISDIR, "is a folder, where a file is to be written", str(path)
        )
    if path.exists() and not path.is_file():
        raise DataError(_not_plain(path, "a pipe or a device"))
    draft = draft_of(path)
    # What a killed run left; of a link this takes the link away, not its target.
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, 0o666)
    ours = os.fstat(descriptor)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if not _is_there(draft, ours):
            raise DataError(
                f"{path}: another process writes it at the same time. Run one at a time, or give "
                "each a folder of its own."
            )
        os.replace(draft, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)  # a full disk does not say whose file it was
        with contextlib.suppress(OSError):
            if _is_there(draft, ours):
                draft.unlink()
        raise
    _sync_folder(path.parent)


def draft_of(path: Path) -> Path:
    """Return the file that `replacing` writes before it becomes `path`."""
    return path.with_name(path.name + ".tmp")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text by `replacing`."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: Path, values: Any) -> None:
    """Write plain data, NumPy's numbers among them, as JSON by `replacing`."""
    write_text(path, json.dumps(values, indent=1, default=plain_number) + "\n")


def plain_number(value: Any) -> Any:
    """Return a NumPy number as Python's: `json.dumps` takes this as its `default`."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} {value!r} is no plain data.")


def write_arrays(path: Path, arrays: Mapping[str, Any], *, compressed: bool = False) -> None:
    """Write arrays by name into an npz archive by `replacing`; objects are refused."""
    save: Any = np.savez_compressed if compressed else np.savez
    plain = {name: np.asarray(array) for name, array in arrays.items()}
    # Not by allow_pickle=False, which NumPy before 2.2 takes for the name of an array.
    for name, array in plain.items():
        if array.dtype.hasobject:
            raise ValueError(f"{path}: array {name!r} holds objects, which only pickles could.")
    with replacing(path) as file:
        save(file, **plain)


def write_table(path: Path, frame: Any, **options: Any) -> None:
    """Write a pandas DataFrame as CSV without its index by `replacing`; `to_csv`'s options."""
    write_text(path, frame.to_csv(index=False, **options))


def open_regular(path: Path, mode: str = "rb", *, links: bool = False) -> IO[bytes]:
    """Open a file that is neither a pipe nor a device nor, without `links`, a link.

    Parameters
    ----------
    path : Path
    mode : {"rb", "r+b", "ab"}
        As for `open`; only "ab" makes a file that is not there.
    links : bool
        True for files that a user names; inside folders that we write alone a link is
        somebody else's.

    Raises
    ------
    FileNotFoundError
        There is none.
    DataError
        It is something else than a plain file; it was neither read nor written.
    """
    if links:
        # Unlike Path.resolve, realpath has nothing against links that point at each other.
        path = Path(os.path.realpath(path))
    if path.is_symlink():  # also where the system knows no O_NOFOLLOW
        raise DataError(_not_plain(path, "a symbolic link"))
    try:
        descriptor = os.open(path, _FLAGS[mode] | _SAFE, 0o666)
    except OSError as error:
        # Between the two looks it became a link; or it is a folder, or a pipe nobody reads.
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise DataError(_not_plain(path, "not a plain file")) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DataError(_not_plain(path, "not a plain file"))
    return open(descriptor, mode)


@contextlib.contextmanager
def held_alone(path: Path) -> Iterator[None]:
    """Hold a file for this process, which makes it if need be; however it ends, it lets go.

    Where the system has no such locks (Windows) nobody is kept out.

    Raises
    ------
    BlockingIOError
        Another process holds it.
    OSError, DataError
        As of `open_regular`.
    """
    with open_regular(path, "ab") as file:
        try:
            import fcntl
        except ImportError:
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(
                errno.EWOULDBLOCK, "another process is working on it", str(path)
            ) from None
        yield


def read_bytes(path: Path, limit: int, *, links: bool = True) -> bytes:
    """Return what a file holds, or refuse it unread if that is more than `limit` bytes.

    Parameters
    ----------
    path : Path
    limit : int
        Bytes that a sound file of this kind never exceeds.
    links : bool
        As in `open_regular`.

    Raises
    ------
    FileNotFoundError
    DataError
        Too large, a pipe, a device or, without `links`, a symbolic link.
    """
    with open_regular(path, links=links) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise DataError(
            f"{path}: larger than {limit:,} bytes, which no file of this kind is. "
            "It is damaged or of another kind; it was not read."
        )
    return content


def differences(
    stored: Mapping[str, Any], asked: Mapping[str, Any], *, left_out: Iterable[str] = ()
) -> list[str]:
    """Return one line for each key that differs, nested keys with dots; empty if none does.

    Examples
    --------
    >>> differences({"data": {"n": 3}, "seed": 0}, {"data": {"n": 4}, "seed": 0})
    ['data.n: stored 3, asked 4']
    """
    ignored = set(left_out)
    was, now = (
        _flat({k: v for k, v in values.items() if k not in ignored}) for values in (stored, asked)
    )
    return [
        f"{key}: stored {was.get(key)!r}, asked {now.get(key)!r}"
        for key in dict.fromkeys([*now, *was])
        if was.get(key) != now.get(key)
    ]


def check_name(key: str, name: Any) -> str:
    """Return a name that becomes part of a file's name, or raise.

    Raises
    ------
    SpecError
        Not text, empty, over 100 characters, or anything a file system could take for a path:
        separators, a leading dot, control characters, names that Windows reserves.

    Examples
    --------
    >>> check_name("networks", "cntk 5")
    'cntk 5'
    """
    ok = isinstance(name, str) and len(name) <= _LONGEST_NAME and _NAME.fullmatch(name)
    if not ok or name.endswith((" ", ".")) or name.split(".")[0].strip().lower() in _RESERVED:
        raise SpecError(
            f"{key} must be a name of letters, digits, spaces and _ . + = , ( ) -, starting with "
            f"a letter, a digit or _, at most {_LONGEST_NAME} characters, since a file is named "
            f"after it; got {_short(name)}."
        )
    return name


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return {"network.depth": 10, ...} for {"network": {"depth": 10}, ...}."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _sync_folder(folder: Path) -> None:
    """Wait until a new name in a folder is on the disk too, where the system can say so."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _is_there(path: Path, file: os.stat_result) -> bool:
    """Whether a name stands for a file, and not for another of that name."""
    try:
        return os.path.samestat(os.lstat(path), file)
    except FileNotFoundError:
        return False


def _not_plain(path: Path, what: str) -> str:
    return f"{path}: is {what}, where a plain file is expected. It was left alone."
