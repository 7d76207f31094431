"""From Gram matrices to coefficients: solvers of one interface, float64, no fallback."""

from ntkreg.solvers.base import Solver
from ntkreg.solvers.choice import ridge_solver, solver_for
from ntkreg.solvers.cholesky import CholeskySolver, solve_cholesky
from ntkreg.solvers.conjugate_gradient import ConjugateGradientSolver
from ntkreg.solvers.leave_one_out import LeaveOneOut
from ntkreg.solvers.solution import Solution
from ntkreg.solvers.spectral import SpectralSolver
from ntkreg.solvers.tiled_matrix import StoredMatrix

__all__ = [
    "CholeskySolver",
    "ConjugateGradientSolver",
    "LeaveOneOut",
    "Solution",
    "Solver",
    "SpectralSolver",
    "StoredMatrix",
    "ridge_solver",
    "solve_cholesky",
    "solver_for",
]
