"""What this machine can hold, memory and disk that are still free, and what it computes with."""

import contextlib
import math
import os
import shutil
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

__all__ = ["free_disk", "free_memory", "readable", "stored_bytes", "this_machine"]

_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")
_VECTORS = tuple(f"+{name}" for name in ("sse", "ssse", "avx", "fma", "neon", "sve", "fullfp16"))
"""What instructions for vectors are called on x86 and ARM; others do not change values."""

_UNITS = ("B", "kB", "MB", "GB", "TB")


def free_memory() -> int | None:
    """Return the bytes that can be allocated without swapping; None where nobody can say.

    The least of Linux's MemAvailable and of what the control group at the root of the mount (a
    container's) leaves; elsewhere the free pages that POSIX reports.
    """
    limits = [bytes_ for bytes_ in (_meminfo(), *_cgroups()) if bytes_ is not None]
    if limits:
        return max(min(limits), 0)
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def free_disk(folder: Path) -> int | None:
    """Return the free bytes of the disk that holds `folder`, which need not exist yet.

    None where nobody can say, as of some network disks and of what is none (/proc).
    """
    for path in (folder.absolute(), *folder.absolute().parents):
        with contextlib.suppress(OSError):
            usage = shutil.disk_usage(path)
            return usage.free if usage.total else None
    return None


def stored_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder; 0 if there is none. Links are not followed."""
    total = 0
    if folder.is_symlink():
        return total
    for path, _, names in os.walk(folder):
        for name in names:
            # Another process may be at work there, whose drafts come and go.
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(path, name)).st_size
    return total


def this_machine() -> dict[str, str]:
    """Return the CPU that loops are compiled for, its vector instructions, and NumPy's BLAS.

    Where they are the same, so are the bits of kernel values. numba's settings count, as
    ``NUMBA_CPU_NAME`` by which several machines can agree on one CPU.
    """
    from numba.core.registry import cpu_target  # most of a second, and not all that plan need it

    _, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    vectors = sorted(name[1:] for name in features.split(",") if name.startswith(_VECTORS))
    libraries = [each for each in threadpool_info() if each["user_api"] == "blas"]
    # SciPy may bring a BLAS of its own, which is there once SciPy is imported.
    of_numpy = str(Path(np.__file__).resolve().parent)
    libraries = [b for b in libraries if b["filepath"].startswith(of_numpy)] or libraries
    parts = ("internal_api", "version", "architecture")
    blas = sorted({" ".join(str(each.get(part)) for part in parts) for each in libraries})
    return {
        "cpu": cpu,
        "vectors": " ".join(vectors) or "unknown",
        "blas": ", ".join(blas) or "unknown",
    }


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
