"""Training of networks linearised in their parameters, in closed form."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkreg.arrays import as_array
from ntkreg.errors import ShapeError, SpecError
from ntkreg.finite.base import Network, Params, dtype_of
from ntkreg.finite.empirical import empirical_kernels
from ntkreg.finite.losses import check_inputs, check_targets
from ntkreg.solvers import SpectralSolver
from ntkreg.solvers.gradient_flow import descent_share, flow_share, over_eigenvalues

__all__ = ["LinearDynamics", "kernel_dynamics", "linear_dynamics"]


@dataclass(frozen=True, eq=False)
class LinearDynamics:
    r"""Outputs of a linearised network at any time of gradient descent, in closed form.

    For the squared loss :math:`\frac{1}{2n}\sum_i\|f(x_i) - y_i\|^2`. Make one with
    `linear_dynamics` or `kernel_dynamics`.

    Attributes
    ----------
    eigenvalues : ndarray (n n_outputs,), or (n,) if all outputs share one kernel
        Of the kernel, ascending, none below zero.
    f0 : ndarray (n, n_outputs)
        Outputs of the start on the training inputs.
    f0_test : ndarray (m, n_outputs)
        On the test inputs.
    """

    eigenvalues: np.ndarray
    f0: np.ndarray
    f0_test: np.ndarray
    _vectors: np.ndarray
    _residual: np.ndarray  # (eigenvalues, 1 or n_outputs): y - f0 in the eigenbasis
    _projected: np.ndarray  # the cross kernel times the eigenvectors

    def at_times(self, t: Any) -> tuple[np.ndarray, np.ndarray]:
        r"""Return outputs under gradient flow.

        :math:`f_t = f_0 + (I - e^{-t\Theta/n})(y - f_0)` on the training inputs and
        :math:`f^*_t = f^*_0 + \Theta^* \Theta^{-1} (I - e^{-t\Theta/n})(y - f_0)` on others
        (Lee et al. 2019, eqs. 8 to 11), finite where the kernel has no inverse.

        Parameters
        ----------
        t : array (n_times,), >= 0
            Learning rate times steps.

        Returns
        -------
        train, test : ndarray (n_times, n, n_outputs), (n_times, m, n_outputs)
        """
        t = _times("t", t)
        return self._outputs(flow_share(self._slopes, t), t)

    def at_steps(self, steps: Any, learning_rate: float) -> tuple[np.ndarray, np.ndarray]:
        r"""Return outputs after whole steps of gradient descent.

        As `at_times` with :math:`(I - \eta\Theta/n)^k` in place of the exponential.

        Parameters
        ----------
        steps : array (n_times,), >= 0
        learning_rate : float, > 0

        Returns
        -------
        train, test : ndarray (n_times, n, n_outputs), (n_times, m, n_outputs)

        Raises
        ------
        SpecError
            If steps or learning rate are no such numbers.
        """
        steps = _times("steps", steps)
        if not np.isfinite(learning_rate) or learning_rate <= 0:
            raise SpecError(
                f"at_steps: learning_rate must be a finite float > 0; got {learning_rate!r}."
            )
        done = descent_share(self._slopes, steps, learning_rate)
        return self._outputs(done, learning_rate * steps)

    @property
    def _slopes(self) -> np.ndarray:
        return self.eigenvalues / len(self.f0)

    def _outputs(self, done: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs for the share of each eigenvector's residual that is done."""
        train = self._vectors @ (done[:, :, None] * self._residual)
        ratio = over_eigenvalues(done, self.eigenvalues, t[:, None] / len(self.f0))
        test = self._projected @ (ratio[:, :, None] * self._residual)
        return (
            self.f0 + train.reshape(len(t), *self.f0.shape),
            self.f0_test + test.reshape(len(t), *self.f0_test.shape),
        )


def kernel_dynamics(
    K: Any, y: Any, f0: Any = None, *, K_test: Any = None, f0_test: Any = None
) -> LinearDynamics:
    r"""Return the closed form of training under a kernel that stays as it is.

    With the analytic NTK and a network's outputs at the start, what an infinitely wide
    network would learn from there; with zeros, the mean of all of them.

    Parameters
    ----------
    K : array (n, n)
        Kernel of the training inputs, symmetric, the same for every output.
    y : array (n, n_outputs), or (n,) for one output
    f0 : array of the shape of y, default=None
        Outputs on the training inputs at the start; None for zeros.
    K_test : array (m, n), default=None
        Kernel of test and training inputs; None for no test inputs (m = 0).
    f0_test : array (m, n_outputs), or (m,) for one output, default=None
        Outputs on the test inputs at the start; None for zeros.

    Returns
    -------
    LinearDynamics

    Raises
    ------
    ShapeError
        If the arrays do not fit each other.

    Notes
    -----
    One eigendecomposition in float64, O(n^3). Outputs are linear in y: with ``y = np.eye(n)``
    they are the matrix that maps any targets to them.

    References
    ----------
    Lee et al. 2019 (arXiv 1902.06720), section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkreg.finite import kernel_dynamics
    >>> dynamics = kernel_dynamics(2 * np.eye(2), [1.0, -1.0])
    >>> dynamics.at_times([np.log(2)])[0].ravel()
    array([ 0.5, -0.5])
    """
    K, y = _numbers("K", K), _numbers("y", y)
    y = y[:, None] if y.ndim == 1 else y
    if K.shape != (len(y), len(y)) or y.ndim != 2 or not len(y):
        raise ShapeError(
            f"kernel_dynamics: K must be (n, n) and y (n, n_outputs); got {K.shape} and {y.shape}."
        )
    f0 = _start("f0", f0, y.shape)
    K_test = np.empty((0, len(y))) if K_test is None else _numbers("K_test", K_test)
    if K_test.ndim != 2 or K_test.shape[1] != len(y):
        raise ShapeError(f"kernel_dynamics: K_test must be (m, {len(y)}); got {K_test.shape}.")
    f0_test = _start("f0_test", f0_test, (len(K_test), y.shape[1]))
    return _dynamics(K, K_test, y, f0, f0_test)


def linear_dynamics(
    network: Network, params: Params, X: Any, y: Any, X_test: Any = None
) -> LinearDynamics:
    """Return the closed form of a network's linearised training from one start.

    Parameters
    ----------
    network : Network
    params : from ``network.init``, one draw
    X : array (n, *network.shape)
    y : array (n, n_outputs), or (n,) for one output
    X_test : array (m, *network.shape), default=None
        None for no test inputs (m = 0).

    Returns
    -------
    LinearDynamics

    Raises
    ------
    SpecError, ShapeError
        If data do not fit the network.

    Notes
    -----
    Forms the full empirical NTK, (n n_outputs) squared, in the dtype of the parameters and
    decomposes it in float64: O((n n_outputs)^3). Eigenvalues below the rounding of that dtype
    are noise, which shows at times beyond n / (eps lambda_max). In the `mup`
    parametrisation too this is gradient descent with one learning rate
    (`ntkreg.finite.scaling`).

    References
    ----------
    Lee et al. 2019 (arXiv 1902.06720), section 2.2.
    """
    dtype = dtype_of(params)
    X = check_inputs("linear_dynamics", "X", network, X, dtype)
    y = check_targets("linear_dynamics", network, y, len(X), "squared", dtype)
    o = network.n_outputs
    K = _matrix(empirical_kernels(network, params, X, outputs="full").ntk)
    f0 = network.predict(params, X).astype(float)
    if X_test is None:
        f0_test, K_test = np.empty((0, o)), np.empty((0, len(K)))
    else:
        X_test = check_inputs("linear_dynamics", "X_test", network, X_test, dtype)
        f0_test = network.predict(params, X_test).astype(float)
        cross = empirical_kernels(network, params, X_test, X, outputs="full").ntk
        K_test = _matrix(cross)
    return _dynamics(K, K_test, y, f0, f0_test)


def _dynamics(
    K: np.ndarray, K_test: np.ndarray, y: np.ndarray, f0: np.ndarray, f0_test: np.ndarray
) -> LinearDynamics:
    """Decompose a kernel of all outputs, (n o, n o), or one that they share, (n, n)."""
    solver = SpectralSolver(K)
    values = np.maximum(solver.eigenvalues, 0)  # rounding alone makes them negative
    vectors = solver.eigenvectors
    residual = vectors.T @ (y - f0).reshape(len(K), -1)
    return LinearDynamics(values, f0, f0_test, vectors, residual, K_test @ vectors)


def _numbers(name: str, values: Any) -> np.ndarray:
    return as_array(f"kernel_dynamics: {name}", values).astype(float)


def _start(name: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    if values is None:
        return np.zeros(shape)
    found = _numbers(name, values)
    found = found[:, None] if found.ndim == 1 else found
    if found.shape != shape:
        raise ShapeError(f"kernel_dynamics: {name} must be {shape}; got {found.shape}.")
    return found


def _matrix(ntk: np.ndarray) -> np.ndarray:
    """Return (n, m, o, o) as a float64 matrix (n o, m o)."""
    n, m, o, _ = ntk.shape
    return ntk.astype(float).transpose(0, 2, 1, 3).reshape(n * o, m * o)


def _times(name: str, values: Any) -> np.ndarray:
    found = np.atleast_1d(np.asarray(values, float))
    if found.ndim != 1 or not np.all(np.isfinite(found)) or np.any(found < 0):
        raise SpecError(
            f"LinearDynamics: {name} must be finite numbers >= 0, one or a list; got {values!r}."
        )
    return found
