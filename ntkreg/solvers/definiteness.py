"""How near a kernel matrix is to being indefinite, and which ridge would do."""

import contextlib
from collections.abc import Callable

import numpy as np
from scipy.linalg import eigh, lapack
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

from ntkreg.machine import free_memory
from ntkreg.solvers.lapack_limits import MOST_EIGEN
from ntkreg.solvers.system import System

__all__ = ["EPS", "diagnosis", "doubt", "least_eigenvalue", "refusal"]

EPS = float(np.finfo(np.float64).eps)

_HARMLESS = 0.01
"""A negative eigenvalue below this part of alpha changes no direction by more than 1 %."""

_COPIES = 3
"""Matrices in memory while an eigenvalue is sought, K left out."""

_SMALL = 32
"""Size up to which all eigenvalues cost less than Lanczos's Python calls."""


def diagnosis(system: System, unit: float, what: str) -> str:
    """Say what is wrong with K + alpha W^-1 and which alpha would do."""
    n, free = len(system), free_memory()
    if n > MOST_EIGEN or (free is not None and _COPIES * 8 * n * n > free):
        return (
            f"{system.who}: K + alpha I {what} (n={n}, alpha={system.alpha:.3g}, K in "
            f"{system.dtype}; the least eigenvalue is not sought at this size; duplicate rows "
            "give 0). Raise alpha tenfold, or compute K in float64."
        )
    typical = np.abs(system.diagonal()).mean()
    # Rows of little weight have a large ridge and are not what is wrong.
    share = typical + system.ridge
    scale = np.sqrt(np.divide(typical, share, out=np.ones(n), where=share > 0))
    norm = float(lapack.dlange("1", system.scaled(scale).T))
    value, vector = _extreme(lambda: system.scaled(scale).T, 0)
    direction = scale * vector
    curvature = float(value - np.sum(system.ridge * direction**2))  # of K alone
    # Twice what is missing, and rounding of a factorisation of this norm on top.
    missing = 2 * max(-curvature, 0.0) + 10 * n * EPS * norm
    enough = missing / float(np.sum(direction**2 / system.weights))
    return refusal(system, unit, what, curvature / float(direction @ direction), enough)


def refusal(system: System, unit: float, what: str, least: float, enough: float) -> str:
    """Say what is wrong, K's least eigenvalue, and the alpha, in units of K, that would do."""
    remedy = (
        f"Raise alpha to at least about {enough / unit:.0e}" if enough else "Raise alpha above 0"
    )
    if unit != 1:
        remedy += f" (in units of the mean diagonal, {unit:.3g})"
    if system.dtype != np.float64 and least < 0:
        remedy += ", or compute K in float64"
    weighted = "" if (system.weights == 1).all() else f", weights up to {system.weights.max():.3g}"
    return (
        f"{system.who}: K + alpha I {what} (n={len(system)}, alpha={system.alpha:.3g}{weighted}, K "
        f"in {system.dtype}, least eigenvalue of K {least:.2e}; duplicate rows give 0). {remedy}."
    )


def _extreme(make: Callable[[], np.ndarray], k: int) -> tuple[float, np.ndarray]:
    """Return eigenvalue k, counted from the least, and its vector, of the matrix that is made."""
    options = {"overwrite_a": True, "check_finite": False}
    values, vectors = eigh(make(), subset_by_index=[k, k], **options)
    if not len(values):  # LAPACK asked for one loses it where all are nearly the same
        values, vectors = (found[..., k : k + 1] for found in eigh(make(), **options))
    return float(values[0]), vectors[:, 0]


def least_eigenvalue(
    system: System, solve: Callable[[np.ndarray], np.ndarray], norm: float
) -> tuple[float, float]:
    """Return the least eigenvalue of W^1/2 K W^1/2, and what rounding of it comes to.

    Lanczos on the inverse, some tens of solves of the equations of kept rows; `norm` is that
    of the matrix that was factorised for them.
    """
    n, alpha = len(system), system.alpha
    root = np.sqrt(system.weights)

    def inverse(v: np.ndarray) -> np.ndarray:
        """Multiply (n_kept, k) by the inverse of W^1/2 K W^1/2 + alpha I."""
        return solve(v / root[:, None]) / root[:, None]

    value: float | None = None
    if n > _SMALL:
        operator = LinearOperator(
            (n, n), matvec=lambda v: inverse(v.reshape(n, 1))[:, 0], dtype=np.float64
        )
        start = np.random.default_rng(0).standard_normal(n)
        with contextlib.suppress(ArpackError):  # no convergence, or no factorisation
            values, vectors = eigsh(operator, k=1, which="LA", v0=start, tol=_HARMLESS)
            value, vector = float(values[0]), vectors[:, 0]
    if value is None:
        value, vector = _extreme(lambda: inverse(np.eye(n)), n - 1)
    least = 1 / value - alpha
    # What rounding of the factorised matrix is in this direction.
    with np.errstate(over="ignore"):
        stretch = float(np.sum((vector * root / system.scale) ** 2))
    return least, n * EPS * norm * stretch


def doubt(system: System, least: float, rounding: float) -> str | None:
    """Return what to warn of where the least eigenvalue can change the solution, else None."""
    if least >= -max(_HARMLESS * system.alpha, rounding):
        return None
    weighted = "" if (system.weights == 1).all() else ", with its weights,"
    return (
        f"{system.who}: K{weighted} is indefinite: its least eigenvalue is {least:.2e}, and "
        f"only alpha = {system.alpha:.2e} makes it solvable (n={len(system)}, K in "
        f"{system.dtype}). Raise alpha, or compute K in float64."
    )
