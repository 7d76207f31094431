"""Which minima random starts end in, and how often: end points modulo symmetries."""

from typing import NamedTuple

import jax
import numpy as np

from ntkreg.errors import SpecError
from ntkreg.landscape.checks import check_number, check_surface
from ntkreg.landscape.hessian import Hessian
from ntkreg.landscape.matching import match
from ntkreg.landscape.spectrum import extreme_eigenvalues
from ntkreg.landscape.surface import LossSurface

__all__ = ["Basins", "find_basins"]


class Basins(NamedTuple):
    """Different minima among many end points, the most frequent first.

    Attributes
    ----------
    labels : ndarray (n_seeds,) of int
        Number of each end point's minimum; -1 where its gradient is above the bound.
    counts : ndarray (n_basins,) of int
        End points in each.
    losses : ndarray (n_basins,)
    hessian_norms : ndarray (n_basins,)
        Largest eigenvalue of the Hessian, in size.
    members : ndarray (n_basins,) of int
        Place of one end point of each.
    """

    labels: np.ndarray
    counts: np.ndarray
    losses: np.ndarray
    hessian_norms: np.ndarray
    members: np.ndarray


def find_basins(
    surface: LossSurface, *, gradient_bound: float = 1e-9, distance: float = 1e-4
) -> Basins:
    """Return the different minima among a surface's points, counted.

    Two points are one minimum if one, after matching of units and signs (`match`), is nearer to
    the other than a share of its norm. Points of `polish`, that is: a gradient above the bound is
    no minimum, and counts as none.

    Parameters
    ----------
    surface : LossSurface
        Its `theta` are the end points.
    gradient_bound : float, default=1e-9
    distance : float, default=1e-4
        Share of the norm.

    Returns
    -------
    Basins

    Raises
    ------
    SpecError
        If the network has no symmetries to match by, or no point is below the bound.

    Notes
    -----
    Minima that form a line or more, as where a unit's outgoing weight is zero, count as many.
    """
    check_surface("find_basins", surface)
    check_number("find_basins", "gradient_bound", gradient_bound)
    check_number("find_basins", "distance", distance, zero=True)
    theta = surface.theta
    norms = np.linalg.norm(surface.gradients(), axis=1)
    kept = np.flatnonzero(norms < gradient_bound)
    if not len(kept):
        raise SpecError(
            f"find_basins: no gradient is below {gradient_bound:g} (the least is "
            f"{norms.min():.2g}). Train longer, or polish the end points."
        )
    params = surface.params(theta)
    leaves, structure = jax.tree.flatten(params)
    leaves = [np.asarray(leaf) for leaf in leaves]

    def pick(places: list[int]) -> list[np.ndarray]:
        return [leaf[places] for leaf in leaves]

    labels = np.full(len(theta), -1)
    members: list[int] = []
    for place in kept.tolist():
        if members:
            many = jax.tree.unflatten(structure, pick([place] * len(members)))
            to = jax.tree.unflatten(structure, pick(members))
            moved = match(surface.network, many, to)
            apart = _distances(moved, to)
            nearest = int(np.argmin(apart))
            if apart[nearest] < distance * np.linalg.norm(theta[place]):
                labels[place] = nearest
                continue
        labels[place] = len(members)
        members.append(place)
    counts = np.bincount(labels[kept], minlength=len(members))
    order = np.argsort(-counts, kind="stable")
    rank = np.argsort(order)
    labels[kept] = rank[labels[kept]]
    first = np.array(members)[order]
    ends = extreme_eigenvalues(Hessian(surface))
    sizes = np.maximum(np.abs(ends.largest), np.abs(ends.smallest))
    return Basins(labels, counts[order], surface.losses()[first], sizes[first], first)


def _distances(one: object, other: object) -> np.ndarray:
    """Return the distance of stacked parameters, seed by seed."""
    squares = [
        np.square(np.asarray(a) - np.asarray(b)).reshape(len(a), -1).sum(axis=1)
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    ]
    return np.sqrt(np.sum(squares, axis=0))
