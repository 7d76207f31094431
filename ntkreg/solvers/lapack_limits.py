"""How far LAPACK counts in 32 bits, as in the wheels of NumPy and SciPy."""

from ntkreg.errors import PlanError

__all__ = ["MOST_EIGEN", "check_eigen"]

MOST_EIGEN = 32_766
"""Largest n of which dsyevd's workspace, 2 n^2 + 6 n + 1 numbers, is counted in 32 bits.

Beyond, it asks for a wrong one and ends in an error or a crash. `potrf`, `potrs`, `pocon`, `trsm`
and `lange` need no such workspace, and index in 64 bits within: beyond n = 46,340, where n^2 leaves
32 bits, they were right at n = 46,500 beside known answers.
"""


def check_eigen(who: str, n: int) -> None:
    """Raise `PlanError` if LAPACK cannot decompose a matrix of n rows by divide and conquer."""
    if n > MOST_EIGEN:
        raise PlanError(
            f"{who}: an eigendecomposition of n = {n:,} rows is beyond LAPACK's 32-bit workspace, "
            f'whose limit is n = {MOST_EIGEN:,}. For one ridge use solver="cholesky" '
            '(CholeskySolver) or "conjugate_gradient" (ConjugateGradientSolver); for training '
            "stopped at a time, or many ridges, use fewer samples."
        )
