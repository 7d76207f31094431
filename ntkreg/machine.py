"""What this machine can hold: memory and disk that are still free."""

import math
import os
import shutil
from pathlib import Path

__all__ = ["free_disk", "free_memory", "readable"]

_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")
_UNITS = ("B", "kB", "MB", "GB", "TB")


def free_memory() -> int | None:
    """Return the bytes that can be allocated without swapping; None where nobody can say.

    The least of Linux's MemAvailable and of what the control group (container, batch
    job) leaves; elsewhere the free pages that POSIX reports.
    """
    limits = [bytes_ for bytes_ in (_meminfo(), *_cgroups()) if bytes_ is not None]
    if limits:
        return max(min(limits), 0)
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def free_disk(folder: Path) -> int:
    """Return the free bytes of the disk that holds `folder`, which need not exist yet."""
    existing = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    return shutil.disk_usage(existing).free


def readable(n_bytes: float) -> str:
    """Return a number of bytes as text, such as "1.2 GB" (powers of 1000)."""
    power = min(len(_UNITS) - 1, int(math.log10(max(n_bytes, 1)) / 3))
    return f"{n_bytes / 1000**power:.{min(power, 1)}f} {_UNITS[power]}"


def _meminfo() -> int | None:
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    return next((int(s.split()[1]) * 1024 for s in lines if s.startswith("MemAvailable:")), None)


def _cgroups() -> list[int | None]:
    """Return what is left under the limits of control groups, version 2 and version 1."""
    return [
        _left(_CGROUP / "memory.max", _CGROUP / "memory.current"),
        _left(_CGROUP / "memory/memory.limit_in_bytes", _CGROUP / "memory/memory.usage_in_bytes"),
    ]


def _left(limit: Path, used: Path) -> int | None:
    try:
        stat = (limit.parent / "memory.stat").read_text().split()
        # File cache counts as used, but goes when memory is asked for.
        cache = dict(zip(stat[::2], stat[1::2], strict=False)).get("inactive_file", "0")
        return int(limit.read_text()) - int(used.read_text()) + int(cache)
    except (OSError, ValueError):  # no such group, or "max": no limit
        return None
