"""Which solver for one ridge, by memory, and which is cheapest for many."""

from typing import Any

import numpy as np

from ntkreg.solvers.base import Solver
from ntkreg.solvers.cholesky import CholeskySolver
from ntkreg.solvers.conjugate_gradient import ConjugateGradientSolver
from ntkreg.solvers.memory import check_memory, cholesky_bytes, fits
from ntkreg.solvers.spectral import SpectralSolver
from ntkreg.solvers.tiled_matrix import is_stored

__all__ = ["SOLVERS", "ridge_solver", "solver_for"]

SOLVERS = ("auto", "cholesky", "conjugate_gradient")
"""Names that `ridge_solver` knows."""

_MANY = 7
"""Leave-one-out fits by Cholesky that cost more than one decomposition, from n = 500 to 4000.

Measured in one thread (benchmarks/model_selection.md); a constant, since a choice by what threads
there are would change bits.
"""

_SPREAD = 1e6
"""Weights further apart than this are left to Cholesky, where each row has a scale of its own."""


def ridge_solver(
    who: str,
    solver: str,
    K: Any,
    *,
    sample_weight: np.ndarray | None = None,
    n_jobs: int | None = None,
    tol: float = 1e-6,
    overwrite_K: bool = False,
    keep_maps: bool = False,
    needs_factor: str | None = None,
) -> Solver:
    """Return a solver of a kernel matrix for one ridge, or one for each target.

    Parameters
    ----------
    who : str
        What errors begin with.
    solver : {"auto", "cholesky", "conjugate_gradient"}
        "auto": Cholesky if the matrix that it factorises, 8 n^2 bytes, fits into 0.9 of the free
        memory, else conjugate gradients.
    K : array-like of shape (n, n) or StoredMatrix
    sample_weight, n_jobs
        As in `Solver`.
    tol : float
        Of `ConjugateGradientSolver`.
    overwrite_K, keep_maps : bool
        Of `CholeskySolver`.
    needs_factor : str or None
        What cannot do without a factor, to be named where there is none.

    Raises
    ------
    PlanError
        A factor is asked for, and does not fit.
    ValueError
        What needs a factor, with a solver that has none.
    """
    if needs_factor is not None and solver == "conjugate_gradient":
        raise ValueError(
            f"{who}: {needs_factor} needs a factor of the Gram matrix; got "
            'solver="conjugate_gradient", which has none. Use solver="cholesky".'
        )
    n = K.shape[0] if hasattr(K, "shape") else len(K)
    dtype = getattr(K, "dtype", None)
    in_place = overwrite_K and not keep_maps and not is_stored(K) and dtype == np.float64
    needed = 0 if in_place else cholesky_bytes(n)
    if solver == "conjugate_gradient" or (
        solver == "auto" and needs_factor is None and not fits(needed)
    ):
        return ConjugateGradientSolver(K, sample_weight=sample_weight, n_jobs=n_jobs, tol=tol)
    check_memory(who, needed, n)
    return CholeskySolver(
        K, sample_weight=sample_weight, n_jobs=n_jobs, keep_maps=keep_maps, overwrite_K=overwrite_K
    )


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
