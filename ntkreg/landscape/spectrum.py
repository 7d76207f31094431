"""Extreme eigenvalues and the density of an operator's spectrum, with error bounds."""

from typing import NamedTuple

import numpy as np

from ntkreg.errors import SpecError
from ntkreg.landscape.checks import check_seed
from ntkreg.landscape.krylov import lanczos
from ntkreg.landscape.operator import Operator

__all__ = ["Density", "Extremes", "extreme_eigenvalues", "spectral_density"]


class Extremes(NamedTuple):
    """Ends of the spectrum of each network's operator.

    Attributes
    ----------
    largest, smallest : ndarray (n_seeds,)
    largest_error, smallest_error : ndarray (n_seeds,)
        Residuals: an eigenvalue lies at most that far off. Both ends lie inside the spectrum:
        a Lanczos value never overshoots.
    """

    largest: np.ndarray
    smallest: np.ndarray
    largest_error: np.ndarray
    smallest_error: np.ndarray


def extreme_eigenvalues(operator: Operator, n_products: int = 64, seed: int = 0) -> Extremes:
    r"""Return the largest and the smallest eigenvalue of each network's operator.

    Parameters
    ----------
    operator : Operator
    n_products : int, default=64
        Of Lanczos; more make the errors smaller.
    seed : int, default=0

    Returns
    -------
    Extremes

    Raises
    ------
    SpecError, BackendError
        See `lanczos`.

    Examples
    --------
    f(x) = u v x at zero, with x = 1 and y = -2: eigenvalues -2 and 2.

    >>> import jax, numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import Hessian, LossSurface, extreme_eigenvalues
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> zeros = jax.tree.map(np.zeros_like, network.init_seeds([0], "float64"))
    >>> ends = extreme_eigenvalues(Hessian(LossSurface(network, zeros, [[1.0]], [-2.0])))
    >>> np.round([ends.smallest, ends.largest], 12).ravel(), bool(ends.largest_error < 1e-12)
    (array([-2.,  2.]), True)
    """
    pairs = lanczos(operator, n_products, seed)
    ends = [[(r.values[i], r.residuals[i]) for r in pairs] for i in (-1, 0)]
    (largest, above), (smallest, below) = (np.array(end).T for end in ends)
    return Extremes(largest, smallest, above, below)


class Density(NamedTuple):
    r"""Spectral density of one network's operator as weighted points.

    :math:`\frac{1}{p}\sum_i \delta(\lambda - \lambda_i) \approx \sum_j w_j \delta(\lambda - x_j)`.

    Attributes
    ----------
    points, weights : ndarray (m,)
        Ascending; weights are >= 0 and sum to 1.
    residuals : ndarray (m,)
        Of each point's Ritz vector; a point that is no eigenvalue has one of the size of its
        distance to the next.
    """

    points: np.ndarray
    weights: np.ndarray
    residuals: np.ndarray

    def share(self, low: float, high: float) -> float:
        """Return which part of the spectrum lies in low < lambda <= high."""
        return float(self.weights[(self.points > low) & (self.points <= high)].sum())

    def smoothed(self, at: np.ndarray, width: float) -> np.ndarray:
        """Return the density at points `at`, every eigenvalue a Gaussian of this deviation."""
        z = (np.asarray(at)[:, None] - self.points) / width
        return np.exp(-(z**2) / 2) @ self.weights / (width * np.sqrt(2 * np.pi))


def spectral_density(
    operator: Operator, n_products: int = 64, n_starts: int = 4, seed: int = 0
) -> list[Density]:
    """Return the spectral density of each network's operator, by stochastic Lanczos quadrature.

    Parameters
    ----------
    operator : Operator
    n_products : int, default=64
        Of Lanczos, for each start: moments up to twice as many are those of the start.
    n_starts : int, default=4
        Random starts, whose densities are averaged.
    seed : int, default=0

    Returns
    -------
    list of Density
        One a network.

    Raises
    ------
    SpecError, BackendError
        See `lanczos`.

    References
    ----------
    Golub and Welsch 1969 (Math. Comp. 23); Ghorbani et al. 2019 (arXiv 1901.10159).

    Examples
    --------
    f(x) = u v x at zero, with x = 1 and y = -2: eigenvalues -2 and 2.

    >>> import jax, numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import Hessian, LossSurface, spectral_density
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> zeros = jax.tree.map(np.zeros_like, network.init_seeds([0], "float64"))
    >>> hessian = Hessian(LossSurface(network, zeros, [[1.0]], [-2.0]))
    >>> [density] = spectral_density(hessian, n_starts=1)
    >>> np.round(density.points, 12), bool(np.isclose(density.share(-3, 3), 1))
    (array([-2.,  2.]), True)
    """
    if not isinstance(n_starts, int) or n_starts < 1:
        raise SpecError(f"spectral_density: n_starts must be an integer >= 1; got {n_starts!r}.")
    seed = check_seed("spectral_density", seed)
    runs = [lanczos(operator, n_products, seed + k) for k in range(n_starts)]
    found = []
    for pairs in zip(*runs, strict=True):
        points = np.concatenate([r.values for r in pairs])
        weights = np.concatenate([r.weights for r in pairs]) / n_starts
        residuals = np.concatenate([r.residuals for r in pairs])
        order = np.argsort(points)
        found.append(Density(points[order], weights[order], residuals[order]))
    return found
