"""From Gram matrices to coefficients: solvers of one interface, float64, no fallback."""

from ntkreg.solvers.base import Solver
from ntkreg.solvers.cholesky import CholeskySolver, solve_cholesky
from ntkreg.solvers.solution import Solution

__all__ = ["CholeskySolver", "Solution", "Solver", "solve_cholesky"]
