"""Paths between networks, and the barrier that the loss has on them."""

from dataclasses import dataclass
from math import comb
from typing import Any, Literal, NamedTuple

import numpy as np

from ntkreg.arrays import as_array
from ntkreg.errors import ShapeError, SpecError
from ntkreg.landscape.checks import check_surface
from ntkreg.landscape.surface import LossSurface

__all__ = ["Barrier", "Path", "PathKind", "barrier", "straight"]

PathKind = Literal["bezier", "polygon"]


@dataclass(frozen=True, eq=False)
class Path:
    r"""A path :math:`\gamma(t)`, 0 <= t <= 1, for each network, from its control points.

    Bezier: :math:`\sum_j \binom{d}{j} (1-t)^{d-j} t^j b_j`; polygon: straight from each point to
    the next, in equal times. With two points both are the straight line.

    Parameters
    ----------
    points : ndarray (n_seeds, n_points, n_parameters)
        Ends first and last; at least two.
    kind : {"bezier", "polygon"}, default="bezier"
    """

    points: np.ndarray
    kind: PathKind = "bezier"

    def __post_init__(self) -> None:
        if self.kind not in ("bezier", "polygon"):
            raise SpecError(f"Path: kind must be bezier or polygon; got {self.kind!r}.")
        if np.ndim(self.points) != 3 or np.shape(self.points)[1] < 2:
            raise ShapeError(
                "Path: points must be (n_seeds, two or more, n_parameters); got "
                f"{np.shape(self.points)}."
            )

    def weights(self, t: Any) -> np.ndarray:
        """Return what each control point counts at times t (n,), (n, n_points)."""
        t = np.asarray(t, float)[:, None]
        last = self.points.shape[1] - 1
        j = np.arange(last + 1)
        if self.kind == "polygon":
            return np.maximum(0, 1 - np.abs(last * t - j))
        return np.array([comb(last, k) for k in j]) * (1 - t) ** (last - j) * t**j


def straight(start: Any, end: Any) -> Path:
    """Return the straight path between vectors, both (n_seeds, n_parameters)."""
    start, end = as_array("straight: start", start), as_array("straight: end", end)
    if start.shape != end.shape or start.ndim != 2:
        raise ShapeError(
            f"straight: both ends must be (n_seeds, n_parameters); got {start.shape} and "
            f"{end.shape}."
        )
    return Path(np.stack([start, end], axis=1))


class Barrier(NamedTuple):
    """How far the loss on a path rises above the straight line between its ends' losses.

    Attributes
    ----------
    height : ndarray (n_seeds,)
        At least 0.
    relative : masked array (n_seeds,)
        Over the loss of the null predictor; masked where that is 0.
    losses : ndarray (n_seeds, n_points)
        On the path, ends included.
    """

    height: np.ndarray
    relative: np.ma.MaskedArray
    losses: np.ndarray


def barrier(surface: LossSurface, path: Path, n_points: int = 65) -> Barrier:
    r"""Return the barrier of each network's path.

    .. math:: \max_t\, L(\gamma(t)) - (1 - t) L(\gamma(0)) - t L(\gamma(1))

    over equidistant t. Symmetric: a path walked backwards has the same barrier.

    Parameters
    ----------
    surface : LossSurface
    path : Path
    n_points : int >= 3, default=65
        A barrier narrower than their distance is missed.

    Returns
    -------
    Barrier

    Raises
    ------
    SpecError, ShapeError
        If path or number of points make no sense.
    DivergenceError
        If the loss overflows on the path.

    References
    ----------
    Frankle et al. 2020 (arXiv 1912.05671); Entezari et al. 2022 (arXiv 2110.06296).

    Examples
    --------
    f(x) = u v x fits y = x at (1, 1) and (-1, -1); half-way is the saddle at 0.

    >>> import jax, numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import LossSurface, barrier, straight
    >>> uv = fully_connected(1, weight_std=1.0, activation="identity")
    >>> network = finite_network(uv, (1,), width=1)
    >>> ones = jax.tree.map(np.ones_like, network.init_seeds([0], "float64"))
    >>> surface = LossSurface(network, ones, [[1.0]], [1.0])
    >>> found = barrier(surface, straight(surface.theta, -surface.theta))
    >>> found.height, found.relative
    (array([0.5]), masked_array(data=[1.0], mask=[False], ...))
    """
    check_surface("barrier", surface)
    if not isinstance(n_points, int) or isinstance(n_points, bool) or n_points < 3:
        raise SpecError(f"barrier: n_points must be an integer >= 3; got {n_points!r}.")
    if not isinstance(path, Path):
        raise SpecError(f"barrier: path must be a Path, as from straight; got {path!r}.")
    n_seeds, _, size = path.points.shape
    if (n_seeds, size) != surface.theta.shape:
        raise ShapeError(
            f"barrier: the path joins vectors {(n_seeds, size)}; those of this surface are "
            f"{surface.theta.shape}."
        )
    t = np.linspace(0, 1, n_points)
    losses = surface.losses_along(path.points, path.weights(t))
    height = (losses - (1 - t) * losses[:, :1] - t * losses[:, -1:]).max(axis=1)
    null = surface.null_loss
    relative = np.ma.MaskedArray(height / (null or 1.0), mask=np.full(n_seeds, null == 0))
    return Barrier(height, relative, losses)
