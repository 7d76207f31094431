"""Which solver is cheapest for many ridges of one kernel matrix."""

import numpy as np

from ntkreg.solvers.base import Solver
from ntkreg.solvers.cholesky import CholeskySolver
from ntkreg.solvers.spectral import SpectralSolver

__all__ = ["solver_for"]

_MANY = 7
"""Leave-one-out fits by Cholesky that cost more than one decomposition, from n = 500 to 4000.

Measured in one thread (benchmarks/model_selection.md); a constant, since a choice by what threads
there are would change bits.
"""

_SPREAD = 1e6
"""Weights further apart than this are left to Cholesky, where each row has a scale of its own."""


def solver_for(n_alphas: int, weights: np.ndarray | None = None) -> type[Solver]:
    """Return the solver for fits at n_alphas ridges, each with its leave-one-out errors.

    Parameters
    ----------
    n_alphas : int
    weights : ndarray of shape (n,) or None
        >= 0, not all 0.
    """
    positive = np.ones(1) if weights is None else weights[weights > 0]
    many = n_alphas >= _MANY
    return SpectralSolver if many and positive.max() <= _SPREAD * positive.min() else CholeskySolver
