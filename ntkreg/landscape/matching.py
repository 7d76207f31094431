"""Weight matching: the symmetry of one network that brings it nearest to another."""

from typing import Any

import jax
import numpy as np
from scipy.optimize import linear_sum_assignment

from ntkreg.errors import ShapeError
from ntkreg.finite.base import Network, Params
from ntkreg.landscape.surface import check_stacked
from ntkreg.landscape.symmetry import Change, apply_symmetry, symmetries_of

__all__ = ["match", "nearest_symmetry"]

_SWEEPS = 100
"""Most rounds over all groups; one suffices with one hidden layer."""


def match(network: Network, params: Params, to: Params) -> Params:
    r"""Return networks with units permuted, and signs changed, to lie near others.

    Minimises :math:`\|\theta' - \pi(\theta)\|` over the permutations :math:`\pi` of hidden units
    and, where activations are odd, signs, group by group: a linear assignment each. Exact with
    one hidden layer, a local optimum otherwise. Outputs stay the same.

    Parameters
    ----------
    network : FiniteNetwork
    params, to : stacked parameters
        To be moved, and what to come near to, seed by seed.

    Returns
    -------
    stacked parameters

    Raises
    ------
    SpecError
        If the network is not from `finite_network`, or has no hidden layer.
    ShapeError
        If parameters are not its own, stacked, or not as many.

    References
    ----------
    Ainsworth et al. 2023 (arXiv 2209.04836), algorithm 1; signs: Godfrey et al. 2022
    (arXiv 2205.14258).

    Examples
    --------
    Two units that have changed places, one of them with its sign.

    >>> import numpy as np
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import match
    >>> network = finite_network(fully_connected(1, activation="erf"), (1,), width=2)
    >>> one = ({"w": np.array([[[1.0, 5.0]]])}, {}, {"w": np.array([[[2.0], [3.0]]])})
    >>> other = ({"w": np.array([[[-5.0, 1.0]]])}, {}, {"w": np.array([[[-3.0], [2.0]]])})
    >>> first, _, last = match(network, other, one)
    >>> first["w"], last["w"].ravel()
    (array([[[1., 5.]]]), array([2., 3.]))
    """
    symmetries_of(network)
    n_seeds = check_stacked("match", network, params)
    if check_stacked("match", network, to, "to") != n_seeds:
        raise ShapeError("match: params and to must hold as many networks.")
    leaves, structure = jax.tree.flatten(params)
    others = jax.tree.leaves(to)
    moved = []
    for k in range(n_seeds):
        one = jax.tree.unflatten(structure, [np.asarray(leaf[k]) for leaf in leaves])
        other = jax.tree.unflatten(structure, [np.asarray(leaf[k]) for leaf in others])
        changes = nearest_symmetry(network, one, other)
        moved.append(jax.tree.leaves(apply_symmetry(network, one, changes)))
    return jax.tree.unflatten(structure, [np.stack(parts) for parts in zip(*moved, strict=True)])


def nearest_symmetry(network: Network, params: Params, to: Params) -> dict[int, Change]:
    """Return the symmetry (by group) that `match` applies to one network's parameters."""
    symmetries = symmetries_of(network)
    axes = jax.tree.leaves(symmetries.axes, is_leaf=_is_axes)
    target = [np.asarray(leaf, float) for leaf in jax.tree.leaves(to)]
    changes = {g: Change(np.arange(n), np.ones(n)) for g, n in sorted(symmetries.sizes.items())}
    best = _overlap(apply_symmetry(network, params, changes), target)
    for _ in range(_SWEEPS):
        before = best
        for group, n in sorted(symmetries.sizes.items()):
            others = {g: c for g, c in changes.items() if g != group}
            current = jax.tree.leaves(apply_symmetry(network, params, others))
            gain = np.zeros((n, n))
            for mine, theirs, at in zip(current, target, axes, strict=True):
                for axis, units in at:
                    if units == group:
                        gain += _units(theirs, axis, n) @ _units(mine.astype(float), axis, n).T
            odd = group in symmetries.odd
            order = linear_sum_assignment(np.abs(gain) if odd else gain, maximize=True)[1]
            picked = gain[np.arange(n), order]
            signs = np.where(odd & (picked < 0), -1.0, 1.0)
            trial = {**changes, group: Change(order, signs)}
            found = _overlap(apply_symmetry(network, params, trial), target)
            # Where one array has the group on both axes the assignment is a guess.
            if found > best:
                changes, best = trial, found
        if not best > before:
            break
    return changes


def _units(array: np.ndarray, axis: int, n: int) -> np.ndarray:
    """Return the numbers that belong to each unit along an axis, (n, rest)."""
    shape = array.shape
    split = array.reshape(*shape[:axis], shape[axis] // n, n, *shape[axis + 1 :])
    return np.moveaxis(split, axis + 1, 0).reshape(n, -1)


def _overlap(params: Params, target: list[np.ndarray]) -> float:
    mine = jax.tree.leaves(params)
    return float(sum(np.vdot(a, b) for a, b in zip(mine, target, strict=True)))


def _is_axes(node: Any) -> bool:
    return isinstance(node, tuple) and len(node) > 0 and hasattr(node[0], "units")
