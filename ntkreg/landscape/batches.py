"""Mini-batches as landscapes of their own: what the minimum of all is to each of them."""

from typing import Any, NamedTuple

import numpy as np

from ntkreg.errors import SpecError
from ntkreg.landscape.checks import check_seed, check_surface
from ntkreg.landscape.minimum import polish
from ntkreg.landscape.paths import barrier, straight
from ntkreg.landscape.surface import LossSurface

__all__ = ["BatchLandscape", "batch_landscape", "split_batches"]


class BatchLandscape(NamedTuple):
    r"""What batches say at one point, for each network.

    Attributes
    ----------
    gap : ndarray (n_seeds, n_batches)
        :math:`L_B(\theta) - \min L_B`, the minimum that descent from theta reaches.
    distance : ndarray (n_seeds, n_batches)
        From theta to that minimum.
    barrier : ndarray (n_seeds, n_batches)
        Of the whole loss on the straight line from each batch's minimum to the next one's.
    noise : ndarray (n_seeds,)
        Gradient noise :math:`\sqrt{\overline{\|g_B - g\|^2}}`.
    least_cosine : masked array (n_seeds,)
        Least cosine of two batches' gradients; masked where fewer than two are not zero.
    converged : ndarray (n_seeds, n_batches) of bool
        Whether the batch's minimum was reached to the tolerance.
    """

    gap: np.ndarray
    distance: np.ndarray
    barrier: np.ndarray
    noise: np.ndarray
    least_cosine: np.ma.MaskedArray
    converged: np.ndarray


def batch_landscape(
    surface: LossSurface,
    batch_size: int,
    *,
    seed: int = 0,
    tol: float = 1e-8,
    max_iterations: int = 500,
) -> BatchLandscape:
    """Return what disjoint batches of the examples say at each network.

    Parameters
    ----------
    surface : LossSurface
        In float64.
    batch_size : int
        At most half of the examples.
    seed : int, default=0
        Of the split.
    tol : float > 0, default=1e-8
        Of the gradient at a batch's minimum (`polish`).
    max_iterations : int, default=500
        Of `polish`.

    Returns
    -------
    BatchLandscape

    Raises
    ------
    SpecError
        If there are fewer than two batches, or the surface is in float32.

    Examples
    --------
    f(x) = w x at w = 0 with y = 1 and y = -1 at x = 1: each batch pulls to its own side.

    >>> import numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import LossSurface, batch_landscape
    >>> network = finite_network(fully_connected(0), (1,))
    >>> surface = LossSurface(network, ({"w": np.zeros((1, 1, 1))},), [[1.0]] * 2, [1.0, -1.0])
    >>> found = batch_landscape(surface, 1)
    >>> found.gap, found.distance, found.noise, found.least_cosine
    (array([[0.5, 0.5]]), array([[1., 1.]]), array([1.]), masked_array(data=[-1.0], ...))
    """
    check_surface("batch_landscape", surface)
    groups = split_batches(len(surface.X), batch_size, seed)
    theta, n_seeds = surface.theta, surface.n_seeds
    parts = [surface.on(surface.X[rows], surface.y[rows]) for rows in groups]
    gradients = np.stack([part.gradients() for part in parts], axis=1)
    ends = [polish(part, tol=tol, max_iterations=max_iterations) for part in parts]
    minima = np.stack([end.theta for end in ends], axis=1)
    gap = np.stack(
        [p.losses() - p.losses(end.theta) for p, end in zip(parts, ends, strict=True)], axis=1
    )
    heights = [
        barrier(surface, straight(minima[:, k], minima[:, (k + 1) % len(groups)])).height
        for k in range(len(groups))
    ]
    noise = gradients - gradients.mean(axis=1, keepdims=True)
    return BatchLandscape(
        gap,
        np.linalg.norm(minima - theta[:, None], axis=2),
        np.stack(heights, axis=1),
        np.sqrt(np.square(noise).sum(axis=2).mean(axis=1)),
        np.ma.stack([_least_cosine(gradients[k]) for k in range(n_seeds)]),
        np.stack([end.converged for end in ends], axis=1),
    )


def split_batches(n: int, batch_size: Any, seed: int = 0) -> list[np.ndarray]:
    """Return disjoint random batches of rows; what is left over of the last one is dropped.

    Raises
    ------
    SpecError
        If they are fewer than two.
    """
    if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
        raise SpecError(f"split_batches: batch_size must be an integer >= 1; got {batch_size!r}.")
    if 2 * batch_size > n:
        raise SpecError(
            f"split_batches: batch_size is {batch_size} of {n} examples, which makes fewer than "
            "two batches. Give more examples, or smaller batches."
        )
    order = np.random.default_rng(check_seed("split_batches", seed)).permutation(n)
    return [order[i : i + batch_size] for i in range(0, n - batch_size + 1, batch_size)]


def _least_cosine(gradients: np.ndarray) -> Any:
    norms = np.linalg.norm(gradients, axis=1)
    units = gradients[norms > 0] / norms[norms > 0, None]
    if len(units) < 2:
        return np.ma.masked_array(0.0, mask=True)
    cosines = units @ units.T
    return np.ma.masked_array(cosines[np.triu_indices(len(units), 1)].min())
