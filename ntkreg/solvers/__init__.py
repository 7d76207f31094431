"""From Gram matrices to coefficients: exact solvers, float64, no fallback."""

from ntkreg.solvers.cholesky import Solution, solve_cholesky

__all__ = ["Solution", "solve_cholesky"]
