"""Covariance of what infinitely wide networks say after training, over their random starts."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ntkreg.solvers.inputs import matmul_rows
from ntkreg.solvers.target_map import TargetMap

__all__ = ["EnsembleCovariance"]

_ROWS = 32
"""Test inputs in one product, padded with zeros: a BLAS has other bits for another number."""


class EnsembleCovariance:
    r"""Covariance of latent functions at new inputs, noise left out, in float64.

    With the map M from targets to dual coefficients and the cross kernel k = K(x, X):

    - K the kernel of the training (NTK), N the covariance of the outputs at the start (NNGP), the
      ensemble of networks: with :math:`A = k M`,
      :math:`N(x, z) - A N(X, z) - N(x, X) A^T + A N(X, X) A^T` (Lee et al. 2019, eq. 16).
    - One kernel alone, K = N, each start seeing targets with noise of its own, of variance
      :math:`\alpha / w_i`: :math:`N(x, z) - k (2 M - M (K + \alpha W^{-1}) M) k^T`. At the ridge
      solution that is the posterior of the Gaussian process, :math:`N(x, z) - k M k^T`.

    Parameters
    ----------
    maps : sequence of TargetMap
        One for each distinct ridge.
    nngp : ndarray of shape (n, n) or None
        N(X, X); None where K = N.

    References
    ----------
    Lee et al. 2019 (arXiv 1902.06720), eq. 16; Rasmussen and Williams 2006, eq. 2.24; Matthews et
    al. 2017, Sample-then-optimize posterior sampling (noise of its own for each start).
    """

    def __init__(self, maps: Sequence[TargetMap], nngp: np.ndarray | None = None) -> None:
        self.maps = tuple(maps)
        self.nngp = nngp

    def variances(
        self, prior: np.ndarray, cross: np.ndarray, cross_nngp: np.ndarray, n_jobs: int
    ) -> np.ndarray:
        """Return the variances at m inputs, (n_maps, m), none below zero.

        A row's bits depend neither on the other rows nor on the number of threads, while BLAS
        has one.

        Parameters
        ----------
        prior : ndarray of shape (m,)
            N(x, x).
        cross, cross_nngp : ndarray of shape (m, n)
            K(x, X) and N(x, X), the same where K = N.
        n_jobs : int
        """
        out = np.empty((len(self.maps), len(prior)))

        def fill(first: int) -> None:
            rows = slice(first, first + _ROWS)
            k, start = _padded(cross[rows]), _padded(cross_nngp[rows])
            for variance, target_map in zip(out, self.maps, strict=True):
                left, right = self._learnt(target_map, k, start)
                less = np.einsum("ij,ij->j", left, right)
                variance[rows] = prior[rows] - less[: len(prior[rows])]

        with ThreadPoolExecutor(n_jobs) as pool:
            list(pool.map(fill, range(0, len(prior), _ROWS)))  # raises what a thread raised
        return np.maximum(out, 0)

    def covariances(
        self, prior: np.ndarray, cross: np.ndarray, cross_nngp: np.ndarray
    ) -> np.ndarray:
        """Return the covariances of m inputs, (n_maps, m, m), exactly symmetric.

        Parameters
        ----------
        prior : ndarray of shape (m, m)
            N(x, z).
        cross, cross_nngp : ndarray of shape (m, n)
            As of `variances`.
        """
        k, start = (np.asarray(values, np.float64).T for values in (cross, cross_nngp))
        out = np.empty((len(self.maps), *prior.shape))
        for covariance, target_map in zip(out, self.maps, strict=True):
            left, right = self._learnt(target_map, k, start)
            less = left.T @ right
            covariance[...] = prior - (less + less.T) / 2
        return out

    def _learnt(
        self, target_map: TargetMap, k: np.ndarray, start: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return two matrices L and R, (n, m) or so: L^T R, made symmetric, is what N loses."""
        if self.nngp is None:
            root = target_map.root(k)
            return root, root
        learnt = target_map.apply(k)
        return learnt, 2 * start - matmul_rows(self.nngp, learnt)


def _padded(rows: np.ndarray) -> np.ndarray:
    """Return up to `_ROWS` rows as columns in float64, zeros after them."""
    columns = np.zeros((rows.shape[1], _ROWS))
    columns[:, : len(rows)] = rows.T
    return columns
