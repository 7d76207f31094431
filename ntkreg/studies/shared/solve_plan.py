"""What solving with a kernel would cost on one machine: a factor while it fits, else iterations."""

import math
from typing import NamedTuple

from ntkreg.machine import readable
from ntkreg.solvers.memory import cholesky_bytes
from ntkreg.studies.shared.plan import duration

__all__ = ["SolvePlan", "plan_solve"]

TARGETS = 10
"""Right-hand sides that are solved for together: ten classes."""

_SHARE = 0.9
"""Part of a machine's memory that one solve may take."""

_THIN = 3.0
"""Times that an operation takes longer in a product with few columns than in a factor."""

_PIVOTS, _AT_ONCE, _COLUMNS = 8, 512, 1536
"""Of `ConjugateGradientSolver`: pivots over sqrt(n), found in one pass, other columns in memory."""


class SolvePlan(NamedTuple):
    """What one solve for `TARGETS` targets will cost on one machine; an indication.

    Attributes
    ----------
    name : {"Cholesky", "conjugate gradients"}
    seconds : float
    memory : float
        Bytes.
    passes : int
        Times that the store is read, or the part of it that memory does not keep.
    fits : bool
        Whether the memory is there.
    """

    name: str
    seconds: float
    memory: float
    passes: int
    fits: bool

    def __str__(self) -> str:
        times = f", {self.passes} passes over the store" if self.passes > 1 else ""
        if not self.fits:
            return (
                f"solve   impossible on one machine: {self.name} need {readable(self.memory)}; "
                "landmarks and random features cost n"
            )
        return (
            f"solve   about {duration(self.seconds)} on one machine: {self.name} in "
            f"{readable(self.memory)}{times}"
        )


def plan_solve(
    n: int, stored: float, *, flops: float, bandwidth: float, memory: float | None
) -> SolvePlan:
    r"""Return what solving with an n x n kernel will cost on one machine.

    Parameters
    ----------
    n : int
    stored : float
        Bytes of the kernel's store.
    flops : float
        float64 operations a second of the machine.
    bandwidth : float
        Bytes a second that it reads from the store.
    memory : float or None
        Bytes of it; None for as many as it takes.

    Notes
    -----
    Cholesky reads the store once and takes :math:`n^3 / 3` operations in 8 n^2 bytes. Where these
    do not fit, block conjugate gradients with p = 8 sqrt(n) pivots: :math:`2 n p^2` operations for
    the preconditioner, and 2 n^2 a target and pass, which run at a third of the rate. The number of
    iterations is the kernel's and alpha's matter. Taken are
    :math:`60 (n / 50{,}000)^{1/3}`, which are within a tenth of those of a dense NTK at 1e-3 of its
    mean diagonal, from n = 5,000 to 50,000 (benchmarks/scale.md). A pass reads what memory does not
    keep of the store, while it multiplies.
    """
    room = math.inf if memory is None else _SHARE * memory
    factor = cholesky_bytes(n)
    if factor <= room:
        return SolvePlan("Cholesky", stored / bandwidth + n**3 / 3 / flops, factor, 1, True)
    pivots = min(n, _PIVOTS * math.ceil(math.sqrt(n)))
    passes = math.ceil(60 * (n / 50_000) ** (1 / 3)) + 1 + math.ceil(pivots / _AT_ONCE)
    needed = 8.0 * n * (pivots + _COLUMNS + 8 * TARGETS)
    read = max(0.0, stored - max(0.0, room - needed)) / bandwidth
    each = max(read, _THIN * 2 * n**2 * TARGETS / flops)
    seconds = passes * each + 2 * n * pivots**2 / flops
    return SolvePlan("conjugate gradients", seconds, needed, passes, needed <= room)
