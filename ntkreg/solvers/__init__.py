"""From Gram matrices to coefficients: solvers of one interface, float64, no fallback."""

from ntkreg.solvers.base import Solver
from ntkreg.solvers.choice import solver_for
from ntkreg.solvers.cholesky import CholeskySolver, solve_cholesky
from ntkreg.solvers.leave_one_out import LeaveOneOut
from ntkreg.solvers.solution import Solution
from ntkreg.solvers.spectral import SpectralSolver

__all__ = [
    "CholeskySolver",
    "LeaveOneOut",
    "Solution",
    "Solver",
    "SpectralSolver",
    "solve_cholesky",
    "solver_for",
]
