"""How much memory a call takes at most."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["peak_memory"]

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def peak_memory(work: Callable[[], Any]) -> tuple[Any, int | None]:
    """Return what a call returns, and by how many bytes it made this process grow at most.

    None where the system does not say; on Linux the kernel counts, at no cost.
    """
    try:
        _CLEAR.write_text("5")  # the peak becomes what is resident now
        before = _resident("VmRSS")
    except OSError:
        return work(), None
    found = work()
    return found, max(_resident("VmHWM") - before, 0)


def _resident(name: str) -> int:
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
