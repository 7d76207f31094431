"""Closed forms of a kernel's gradient flow and of its ridge regression, side by side."""

from typing import Any

import numpy as np
from scipy.optimize import brentq

from ntkreg.errors import SpecError
from ntkreg.solvers import SpectralSolver
from ntkreg.solvers.gradient_flow import flow_share, over_eigenvalues

__all__ = ["KernelPath"]


class KernelPath:
    r"""What a kernel predicts when stopped at a time, or held back by a ridge.

    For the loss :math:`\frac{1}{2n}\sum_i (f(x_i) - y_i)^2`, with residual
    :math:`r = y - f_0`, both are filters of the kernel's eigenvalues
    (Ali, Kolter and Tibshirani 2019, arXiv 1810.10082):

    .. math::
        f_t = f_0 + K^* \frac{1 - e^{-tK/n}}{K}\, r, \qquad
        f_\alpha = f_0 + K^* (K + \alpha)^{-1} r,

    and stopping at t is beside the ridge :math:`\alpha = n/t`.

    Parameters
    ----------
    K : array (n, n)
        Symmetric and positive semi-definite up to rounding.
    K_cross : array (m, n)
    y : array (n,)
    f0, f0_test : array (n,), (m,), default=0
        Outputs to start from and to shrink to: those of a network with its empirical kernel,
        none with the analytic one.

    Notes
    -----
    One eigendecomposition in float64, O(n^3); then O(m n) a time or ridge.
    """

    def __init__(self, K: Any, K_cross: Any, y: Any, f0: Any = 0.0, f0_test: Any = 0.0) -> None:
        K, K_cross, y = (np.asarray(a, float) for a in (K, K_cross, y))
        solver = SpectralSolver((K + K.T) / 2)
        values, self._vectors = solver.eigenvalues, solver.eigenvectors
        # What rounding leaves of eigenvalues that are 0 would be learnt, at some late time.
        noise = len(values) * np.finfo(float).eps * abs(values).max()
        self.eigenvalues = np.where(values > noise, values, 0)
        self.f0 = np.broadcast_to(np.asarray(f0, float), y.shape)
        self.f0_test = np.broadcast_to(np.asarray(f0_test, float), (len(K_cross),))
        self._residual = self._vectors.T @ (y - self.f0)
        self._projected = K_cross @ self._vectors

    def flow(self, times: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return training and test outputs, (n_times, n) and (n_times, m), at times >= 0."""
        share = flow_share(self.eigenvalues, np.asarray(times, float) / len(self._residual))
        # Nothing, however late, where an eigenvalue is nothing but rounding.
        return self._outputs(over_eigenvalues(share, self.eigenvalues, 0.0))

    def ridge(self, alphas: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return training and test outputs at ridges > 0, as `flow` at times."""
        return self._outputs(1 / (self.eigenvalues + np.asarray(alphas, float)[:, None]))

    def loss(self, time: float) -> float:
        """Return the training loss of the flow at a time."""
        left = np.exp(-time * self.eigenvalues / len(self._residual)) * self._residual
        return float(np.mean(np.square(left)) / 2)

    def time_at_loss(self, loss: float) -> float:
        """Return the time at which the flow's training loss has come down to `loss`.

        0 where it starts below.

        Raises
        ------
        SpecError
            If it never gets there: what the kernel cannot fit is more.
        """
        if self.loss(0.0) <= loss:
            return 0.0
        unseen = np.mean(np.where(self.eigenvalues == 0, np.square(self._residual), 0)) / 2
        if unseen >= loss:
            raise SpecError(
                f"KernelPath: the kernel's training loss never falls to {loss:g}; it cannot fit "
                f"{unseen:.2g} of it. Are there equal inputs with different labels?"
            )
        end = len(self._residual) / self.eigenvalues[-1]
        while self.loss(end) > loss:
            end *= 2
        return float(brentq(lambda t: self.loss(t) - loss, 0, end, rtol=1e-12))

    def times(self, n_times: int) -> np.ndarray:
        """Return times on a log axis, from before the first eigenvector to after the last."""
        n, values = len(self._residual), self.eigenvalues[self.eigenvalues > 0]
        return np.geomspace(0.1 * n / values[-1], 10 * n / values[0], n_times)

    def _outputs(self, filtered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs for filters (n_times, n)."""
        train = (filtered * self.eigenvalues * self._residual) @ self._vectors.T
        test = (filtered * self._residual) @ self._projected.T
        return self.f0 + train, self.f0_test + test
