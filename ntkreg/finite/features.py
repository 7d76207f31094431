"""What the read-out of a network reads."""

from functools import lru_cache
from typing import Any

import jax
import numpy as np

from ntkreg.architecture import Dense
from ntkreg.errors import SpecError
from ntkreg.finite.base import Params, dtype_of
from ntkreg.finite.losses import check_inputs
from ntkreg.finite.network import FiniteNetwork
from ntkreg.finite.precision import precision

__all__ = ["readout_features"]


def readout_features(network: FiniteNetwork, params: Params, X: Any) -> np.ndarray:
    """Return the features that the last layer, a Dense one, maps to outputs.

    Parameters
    ----------
    network : FiniteNetwork
    params : from ``network.init``
    X : array (n, *network.shape)

    Returns
    -------
    ndarray (n, n_features)
        In the dtype of the parameters.

    Raises
    ------
    SpecError
        If the network does not end in a Dense layer, or is not from `finite_network`.
    ShapeError
        If X does not fit the network.

    Examples
    --------
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network, readout_features
    >>> network = finite_network(fully_connected(2), (3,), width=16)
    >>> readout_features(network, network.init(0), [[1.0, 2.0, 3.0]]).shape
    (1, 16)
    """
    if not isinstance(network, FiniteNetwork) or not isinstance(
        network.architecture.layers[-1], Dense
    ):
        raise SpecError(
            "readout_features: network must come from finite_network and end in a Dense layer; "
            f"got {network!r}."
        )
    network.check_params("readout_features", params)
    dtype = dtype_of(params)
    X = check_inputs("readout_features", "X", network, X, dtype)
    with precision(dtype):
        return np.asarray(_compiled(network)(params, X))


@lru_cache(maxsize=32)
def _compiled(network: FiniteNetwork) -> Any:
    # Without hidden layers the read-out reads the inputs.
    if len(network.architecture.layers) == 1:
        return jax.jit(lambda params, X: X)
    return jax.jit(lambda params, X: network.activations(params, X)[-2])
