"""What a study will cost, as `ntkreg plan` prints it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ntkreg.gram import GramPlan
from ntkreg.machine import readable

__all__ = ["COPIES", "KernelPlan", "StudyPlan", "duration", "seconds_of"]

COPIES = 6
"""Arrays of the size of all parameters that live at once: now, start, gradient, draws."""


@dataclass(frozen=True)
class KernelPlan:
    """One of a study's kernels, with what it is."""

    title: str
    gram: GramPlan

    def __str__(self) -> str:
        return f"{self.title}\n{self.gram}\n"


@dataclass(frozen=True)
class StudyPlan:
    """A study of several kernels or networks, in sums.

    Attributes
    ----------
    counts : mapping of str to int
        How many of what: kernels, pairs, networks, steps.
    seconds : mapping of str to float
        Wall time of each part on this machine.
    peak_bytes : int
        Memory of the largest part, beyond the inputs.
    disk_bytes : int
        Of what is stored.
    note : str
        What an estimate of time rests on, where that is not a matter of course.
    """

    counts: Mapping[str, int]
    seconds: Mapping[str, float]
    peak_bytes: int
    disk_bytes: int
    note: str = ""

    def __str__(self) -> str:
        parts = ", ".join(f"{name}: {duration(s)}" for name, s in self.seconds.items())
        lines = [
            "work    " + ", ".join(f"{n:,} {name}" for name, n in self.counts.items()),
            f"memory  about {readable(self.peak_bytes)} at most",
            *([f"disk    about {readable(self.disk_bytes)}"] if self.disk_bytes else []),
            f"time    about {duration(sum(self.seconds.values()))}; {parts}",
        ]
        return "\n".join([*lines, *([self.note] if self.note else [])])


def duration(seconds: float) -> str:
    """Return a time in its unit."""
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 9.5 else f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 1e6 else f"{hours:.2g} h"


def seconds_of(work: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
