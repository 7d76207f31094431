"""What solvers take of this machine's memory, before any of it is taken."""

from ntkreg.errors import PlanError
from ntkreg.machine import free_memory, readable

__all__ = ["check_eigen_memory", "check_memory", "cholesky_bytes", "fits"]

_SHARE = 0.9
"""Part of the free memory that one solve may take."""


def cholesky_bytes(n: int) -> int:
    """Return the bytes of the one float64 matrix that is factorised in place."""
    return 8 * n * n


def fits(needed: int) -> bool:
    """Return whether so many bytes can be taken; yes where nobody can say."""
    free = free_memory()
    return free is None or needed <= _SHARE * free


def check_memory(who: str, needed: int, n: int) -> None:
    """Raise `PlanError` where a factorisation of n rows does not fit, saying what would."""
    if not fits(needed):
        usable = int(_SHARE * (free_memory() or 0))
        raise PlanError(
            f"{who}: a Cholesky factor of n = {n:,} rows takes {readable(needed)} of memory in "
            f"float64; {readable(usable)} can be used. What would fit: n up to about "
            f'{int((usable / 8) ** 0.5):,}, or solver="conjugate_gradient" '
            "(ConjugateGradientSolver), which reads the matrix tile by tile."
        )


def check_eigen_memory(who: str, n: int) -> None:
    """Raise `PlanError` where an eigendecomposition of n rows does not fit, saying what would.

    That is the matrix, its copy in LAPACK, a workspace of two, and the eigenvectors.
    """
    if not fits(needed := 5 * 8 * n * n):
        usable = int(_SHARE * (free_memory() or 0))
        raise PlanError(
            f"{who}: an eigendecomposition of n = {n:,} rows takes {readable(needed)} of memory in "
            f"float64; {readable(usable)} can be used. What would fit: n up to about "
            f'{int((usable / 40) ** 0.5):,}; or, for one ridge, solver="conjugate_gradient" '
            "(ConjugateGradientSolver), which reads the matrix tile by tile."
        )
