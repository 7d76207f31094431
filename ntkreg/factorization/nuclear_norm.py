"""The matrix of least nuclear norm that has the seen entries, by Douglas-Rachford splitting."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, svdvals

from ntkreg.factorization.entries import Entries

__all__ = ["NuclearSolution", "minimize_nuclear_norm"]

_EVERY = 10
"""Iterations from one look at the duality gap to the next."""

_UNEVEN = 2.0
"""Ratio of primal to dual residual from which the threshold is changed."""

_STEP = 1.5
"""By how much it is; less each time, so that it settles and the iteration converges."""

_RELAXED = 1.8
"""Over-relaxation, between 1 and 2."""


@dataclass(frozen=True, eq=False)
class NuclearSolution:
    """A minimiser, with the proof of how near it is.

    Attributes
    ----------
    matrix : ndarray
        Has the seen entries exactly.
    norm : float
        Its nuclear norm, at least the minimum.
    bound : float
        What no matrix with these entries is below: the value of a feasible dual point.
    n_iter : int
    reached : bool
        Whether norm - bound is at most tol times norm.
    multipliers : ndarray of shape (m,)
        By the seen entries, of a dual point: where to go on from.
    """

    matrix: np.ndarray
    norm: float
    bound: float
    n_iter: int
    reached: bool
    multipliers: np.ndarray


def minimize_nuclear_norm(
    entries: Entries,
    *,
    tol: float,
    max_iter: int,
    begin: tuple[np.ndarray, np.ndarray] | None = None,
) -> NuclearSolution:
    r"""Minimise :math:`\|X\|_*` over matrices that have the seen entries.

    Douglas-Rachford splitting between singular-value thresholding and putting the entries back,
    written with multipliers. These stay zero where nothing is seen, so that divided by their
    spectral norm they are a point of the dual problem, max <Y, L> over :math:`\|L\| \le 1`: its
    value bounds the minimum from below. The threshold is tuned on the way, by the ratio of the
    two residuals.

    Parameters
    ----------
    entries : Entries
    tol : float
        Duality gap over the norm at which to stop.
    max_iter : int
    begin : (ndarray, ndarray) or None
        A matrix and multipliers of an earlier solution. Where zeros in place of what is not seen
        have the lesser norm, as after values of another unit, it begins with these.

    Notes
    -----
    An iteration costs the eigenvalues of one Gram matrix of the shorter side, and the vectors of
    those above the threshold.

    References
    ----------
    Lions and Mercier 1979; Eckstein and Bertsekas 1992; Cai, Candes and Shen 2010 (arXiv
    0810.3286), of the thresholding; He, Yang and Wang 2000, of the tuning.
    """
    scale = float(np.max(np.abs(entries.values)))
    if scale == 0:
        zero = np.zeros(entries.shape)
        return NuclearSolution(zero, 0.0, 0.0, 0, True, np.zeros(len(entries.values)))
    # A power of two: the same digits whatever the unit of the values.
    scale = 2.0 ** np.floor(np.log2(scale))
    flat, values = entries.flat, entries.values / scale
    filled = np.zeros(entries.shape)
    filled.reshape(-1)[flat] = values
    matrix, multipliers = filled, np.zeros(len(values))
    if begin is not None:
        earlier = begin[0] / scale
        earlier.reshape(-1)[flat] = values
        finite = np.isfinite(earlier).all()
        if finite and np.sum(svdvals(earlier)) < np.sum(svdvals(filled)):
            matrix, multipliers = earlier, begin[1].copy()
    threshold = _spectral_norm(filled) / 2
    step, n_iter = _STEP, 0
    norm, bound = _gap(matrix, values, multipliers, flat)
    while norm - bound > tol * norm and n_iter < max_iter:
        for _ in range(min(_EVERY, max_iter - n_iter)):
            shifted = matrix.copy()
            shifted.reshape(-1)[flat] += threshold * multipliers
            low = shrink(shifted, threshold)
            # Entries are put back; what they lack goes into the multipliers.
            moved = _RELAXED * low + (1 - _RELAXED) * matrix
            lack = values - moved.reshape(-1)[flat]
            multipliers += lack / threshold
            moved.reshape(-1)[flat] = values
            primal = float(np.linalg.norm(low.reshape(-1)[flat] - values))
            dual = float(np.linalg.norm(moved - matrix))
            matrix = moved
            n_iter += 1
        if primal > _UNEVEN * dual:
            threshold /= step
        elif dual > _UNEVEN * primal:
            threshold *= step
        step = 1 + (step - 1) * 0.95
        norm, bound = _gap(matrix, values, multipliers, flat)
    reached = norm - bound <= tol * norm
    return NuclearSolution(
        matrix * scale, norm * scale, bound * scale, n_iter, reached, multipliers
    )


def shrink(matrix: np.ndarray, threshold: float) -> np.ndarray:
    """Return a matrix with every singular value less by `threshold`, at least 0.

    By the Gram matrix of the shorter side. Its squares hide singular values below 1e-8 of the
    largest, which any threshold of use takes away.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return shrink(matrix.T, threshold).T.copy()
    gram = matrix @ matrix.T
    squares, vectors = eigh(gram, subset_by_value=(threshold**2, np.inf), check_finite=False)
    return (vectors * (1 - threshold / np.sqrt(squares))) @ (vectors.T @ matrix)


def _gap(
    matrix: np.ndarray, values: np.ndarray, multipliers: np.ndarray, flat: np.ndarray
) -> tuple[float, float]:
    """Return the norm of a feasible matrix, and the value of a feasible dual point."""
    dual = np.zeros(matrix.shape)
    dual.reshape(-1)[flat] = multipliers
    length = _spectral_norm(dual)
    norm = float(np.sum(svdvals(matrix)))
    return norm, float(values @ multipliers) / max(length, 1.0)


def _spectral_norm(matrix: np.ndarray) -> float:
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    last = len(matrix) - 1
    [square] = eigh(matrix @ matrix.T, eigvals_only=True, subset_by_index=(last, last))
    return float(np.sqrt(max(square, 0.0)))
