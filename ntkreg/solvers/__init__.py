"""From Gram matrices to coefficients: solvers of one interface, float64, no fallback."""

from ntkreg.solvers.base import Solution, Solver
from ntkreg.solvers.cholesky import CholeskySolver, solve_cholesky

__all__ = ["CholeskySolver", "Solution", "Solver", "solve_cholesky"]
