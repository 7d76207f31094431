"""What this machine can hold, memory and disk that are still free, and what it computes with."""

import contextlib
import math
import os
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
from threadpoolctl import threadpool_info

__all__ = ["free_disk", "free_memory", "readable", "stored_bytes", "this_machine"]

resource: ModuleType | None
try:
    import resource
except ImportError:  # Windows has none of these limits
    resource = None

_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")
_OWN_GROUPS = Path("/proc/self/cgroup")
_OWN_PAGES = Path("/proc/self/statm")
_VECTORS = tuple(f"+{name}" for name in ("sse", "ssse", "avx", "fma", "neon", "sve", "fullfp16"))
"""What instructions for vectors are called on x86 and ARM; others do not change values."""

_UNITS = ("B", "kB", "MB", "GB", "TB")


def free_memory() -> int | None:
    """Return the bytes that can be allocated without swapping; None where nobody can say.

    The least of Linux's MemAvailable, of what the control groups around this process leave (a
    container's, a batch job's), and of what ``ulimit -v`` and ``-d`` do; elsewhere the free pages
    that POSIX reports.
    """
    limits = [bytes_ for bytes_ in (_meminfo(), *_cgroups(), *_ulimits()) if bytes_ is not None]
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
    """Return what is left under the limits of control groups, version 2 and version 1.

    Of the group at the root of the mount, which is a container's, and of those on the way to this
    process's own, as of a job in a batch queue: each holds for all within.
    """
    try:
        lines = [line.split(":", 2) for line in _OWN_GROUPS.read_text().splitlines()]
    except OSError:
        lines = []
    of_memory = {kinds: Path(path).parts[1:] for _, kinds, path in lines}
    found = []
    for kinds, root, limit, used in (
        ("", _CGROUP, "memory.max", "memory.current"),
        ("memory", _CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        parts = of_memory.get(kinds, ())
        groups = (root.joinpath(*parts[:k]) for k in range(len(parts) + 1))
        found += [_left(group / limit, group / used) for group in groups]
    return found


def _left(limit: Path, used: Path) -> int | None:
    try:
        stat = (limit.parent / "memory.stat").read_text().split()
        # File cache counts as used, but goes when memory is asked for. In version 1 what groups
        # within have of it is in a total of its own.
        cache = dict(zip(stat[::2], stat[1::2], strict=False))
        unused = cache.get("total_inactive_file", cache.get("inactive_file", "0"))
        return int(limit.read_text()) - int(used.read_text()) + int(unused)
    except (OSError, ValueError):  # no such group, or "max": no limit
        return None


def _ulimits() -> list[int | None]:
    """Return what limits of this process's address space and of its data leave, in Linux."""
    try:
        pages = [int(number) for number in _OWN_PAGES.read_text().split()]
    except (OSError, ValueError):
        return []
    if resource is None:
        return []
    size = os.sysconf("SC_PAGE_SIZE")
    limits = ((resource.RLIMIT_AS, pages[0]), (resource.RLIMIT_DATA, pages[5]))
    most = [(resource.getrlimit(which)[0], used * size) for which, used in limits]
    return [bytes_ - used for bytes_, used in most if bytes_ != resource.RLIM_INFINITY]
