"""What the read-out could do with a network's features: rank, and the residual left to it."""

from typing import Any, NamedTuple

import jax
import numpy as np

from ntkreg.architecture import Dense
from ntkreg.errors import SpecError
from ntkreg.finite.base import Params
from ntkreg.finite.features import readout_features
from ntkreg.finite.losses import check_targets
from ntkreg.finite.network import FiniteNetwork
from ntkreg.landscape.surface import check_stacked

__all__ = ["FeatureRank", "feature_rank", "last_layer_residual"]


class FeatureRank(NamedTuple):
    """Rank of the feature matrix of each network.

    Attributes
    ----------
    rank : ndarray (n_seeds,) of int
        Singular values above max(n, m) eps times the largest, in the parameters' dtype.
    least : ndarray (n_seeds,)
        The min(n, m)-th singular value of features over sqrt(n_features).
    n_distinct : int
        Different inputs: no rank is higher.
    """

    rank: np.ndarray
    least: np.ndarray
    n_distinct: int


def feature_rank(network: FiniteNetwork, params: Params, X: Any) -> FeatureRank:
    """Return the rank of what the read-out reads, on inputs X.

    Parameters
    ----------
    network : FiniteNetwork
        With a Dense layer at the end.
    params : stacked parameters
    X : array (n, *network.shape)

    Returns
    -------
    FeatureRank

    Raises
    ------
    SpecError, ShapeError
        If network or inputs do not fit.

    References
    ----------
    Nguyen and Hein 2017 (arXiv 1704.08045): full almost surely at n_features >= n
    for analytic activations; ReLU's can miss it.

    Examples
    --------
    Without hidden layers the features are the inputs.

    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import feature_rank
    >>> network = finite_network(fully_connected(0), (2,))
    >>> feature_rank(network, network.init_seeds([0], "float64"), [[3.0, 0.0], [6.0, 0.0]])
    FeatureRank(rank=array([1]), least=array([0.]), n_distinct=2)
    """
    features = _features("feature_rank", network, params, X)
    eps = np.finfo(features.dtype).eps
    values = np.linalg.svd(features.astype(float), compute_uv=False)
    bound = max(features.shape[1:]) * eps * values[:, :1]
    least = values[:, -1] / np.sqrt(features.shape[2])
    n_distinct = len(np.unique(np.asarray(X).reshape(len(X), -1), axis=0))
    return FeatureRank((values > bound).sum(axis=1), least, n_distinct)


def last_layer_residual(network: FiniteNetwork, params: Params, X: Any, y: Any) -> np.ndarray:
    r"""Return the least squared loss that some read-out reaches, over that of zero outputs.

    .. math:: \min_W \|\Phi W - y\|^2 / \|y\|^2

    with a column of ones in :math:`\Phi` if the read-out has biases. Projected on the singular
    vectors that count as none in `feature_rank`.

    Parameters
    ----------
    network, params, X : see `feature_rank`
    y : array (n, n_outputs), or (n,)

    Returns
    -------
    ndarray (n_seeds,)
        Between 0 and 1.

    Raises
    ------
    SpecError, ShapeError
        If network, inputs or targets do not fit, or all targets are 0.

    Examples
    --------
    Without hidden layers the features are the inputs, and y = (3, 4) has 4 at right angles to
    (1, 0).

    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> from ntkreg.landscape import last_layer_residual
    >>> network = finite_network(fully_connected(0), (1,))
    >>> last_layer_residual(network, network.init_seeds([0], "float64"), [[1.0], [0.0]], [3, 4])
    array([0.64])
    """
    features = _features("last_layer_residual", network, params, X)
    y = check_targets("last_layer_residual", network, y, len(features[0]), "squared", float)
    if not np.any(y):
        raise SpecError("last_layer_residual: y is all 0, which leaves no residual to measure.")
    y = y / np.abs(y).max()  # squares of very small or large targets leave the range of floats
    if (
        isinstance(network.architecture.layers[-1], Dense)
        and network.architecture.layers[-1].bias_std
    ):
        ones = np.ones((*features.shape[:2], 1), features.dtype)
        features = np.concatenate([features, ones], axis=2)
    eps = np.finfo(features.dtype).eps
    found = []
    for phi in features.astype(float):
        U, s, _ = np.linalg.svd(phi, full_matrices=False)
        U = U[:, s > max(phi.shape) * eps * s[0]]
        found.append(np.square(y - U @ (U.T @ y)).sum() / np.square(y).sum())
    return np.array(found)


def _features(who: str, network: FiniteNetwork, params: Params, X: Any) -> np.ndarray:
    if not isinstance(network, FiniteNetwork):
        raise SpecError(f"{who}: network must come from finite_network; got {network!r}.")
    n_seeds = check_stacked(who, network, params)
    leaves, structure = jax.tree.flatten(params)
    each = [jax.tree.unflatten(structure, [leaf[k] for leaf in leaves]) for k in range(n_seeds)]
    return np.stack([readout_features(network, one, X) for one in each])
