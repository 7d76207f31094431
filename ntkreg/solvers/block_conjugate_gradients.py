"""Conjugate gradients for many right-hand sides at once, which share what each has found."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr

__all__ = ["IndefiniteError", "Step", "block_conjugate_gradients"]

Linear = Callable[[np.ndarray], np.ndarray]


class IndefiniteError(ArithmeticError):
    """A direction along which the matrix is not positive; `curvature` is its Rayleigh quotient."""

    def __init__(self, curvature: float) -> None:
        super().__init__(f"curvature {curvature:.3g}")
        self.curvature = curvature


class Step(NamedTuple):
    """What one iteration adds: to the solution, and to what is left of the right-hand sides."""

    solution: np.ndarray
    left: np.ndarray


def block_conjugate_gradients(multiply: Linear, root: Linear, right: np.ndarray) -> Iterator[Step]:
    r"""Yield what each iteration adds to X of A X = B and to B - A X, from X = 0, without end.

    Preconditioned on both sides, with :math:`H A H` for H symmetric. Residuals are kept as
    orthonormal columns times a small matrix (Dubrulle 2001, BCGrQ): right-hand sides that are zero,
    repeat each other, or converge before others leave the columns of full rank, where O'Leary's
    block method divides by a singular matrix.

    Parameters
    ----------
    multiply : callable
        A, symmetric positive definite, times a matrix (n, k), float64.
    root : callable
        H, near A^-1/2, times a matrix (n, k).
    right : ndarray of shape (n, k), float64
        B; n may be less than k.

    Yields
    ------
    Step
        Arrays (n, k); `left` is subtracted.

    Raises
    ------
    IndefiniteError
        A is not positive definite.

    Notes
    -----
    An iteration takes one product with A, two with H, and 8 n k^2 flops; five arrays (n, k).

    References
    ----------
    O'Leary 1980, The block conjugate gradient algorithm; Dubrulle 2001, Retooling the method of
    block conjugate gradients, ETNA 12, 216-233.
    """
    basis, sizes = qr(root(right), mode="economic", check_finite=False)
    directions = basis
    while True:
        steps = root(directions)
        moved = multiply(steps)
        images = root(moved)
        curvature = directions.T @ images
        try:
            factor = cho_factor((curvature + curvature.T) / 2)
        except (LinAlgError, ValueError):
            raise IndefiniteError(_least_quotient(steps, moved)) from None
        inverse = cho_solve(factor, np.eye(len(curvature)))
        share = inverse @ sizes
        yield Step(steps @ share, moved @ share)
        basis, turn = qr(basis - images @ inverse, mode="economic", check_finite=False)
        sizes = turn @ sizes
        directions = basis + directions @ turn.T


def _least_quotient(steps: np.ndarray, moved: np.ndarray) -> float:
    """Return the least x^T A x / x^T x of x in the span of steps; NaN where they are no numbers."""
    if not np.isfinite(moved).all():
        return float("nan")
    basis, triangle = np.linalg.qr(steps)
    values = basis.T @ np.linalg.lstsq(triangle.T, moved.T, rcond=None)[0].T
    return float(np.linalg.eigvalsh((values + values.T) / 2)[0])
