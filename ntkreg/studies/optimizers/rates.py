"""Learning rates in units that mean the same for every start, width and optimiser's kind."""

from typing import Any

import numpy as np

from ntkreg import finite

__all__ = ["learning_rate_of"]


def learning_rate_of(
    optimizer: str, rate: float, network: Any, params: Any, X: np.ndarray, y: np.ndarray
) -> float:
    r"""Return the learning rate that `rate` stands for at a start.

    For gradient descent, momentum and Nesterov the unit is their largest stable learning
    rate (`ntkreg.finite.stable_learning_rate`), for sgd that of gradient descent. Optimisers
    that normalise gradients step by about the learning rate along every axis, which changes
    the loss by :math:`\eta \|\nabla L\|_1` to first order; the unit is
    :math:`L / \|\nabla L\|_1`. Adadelta's first step is smaller by the root of its eps,
    and is counted so.

    Parameters
    ----------
    optimizer : str
    rate : float
    network : ntkreg.finite.FiniteNetwork
        With one output.
    params : from ``network.init``
    X, y : array (n, d), (n,)
        The full batch; the loss is half the mean square.
    """
    full = "gradient_descent" if optimizer == "sgd" else optimizer
    training = finite.Training(1.0, 1, full)
    if not training.normalized:
        return rate * finite.stable_learning_rate(network, params, X, training)
    import jax

    def loss(trained: Any, fixed: Any) -> Any:
        f = network.apply(network.join(trained, fixed), X)[:, 0]
        return 0.5 * ((f - y) ** 2).mean()

    value, gradient = jax.value_and_grad(loss)(*network.split(params))
    length = sum(float(abs(leaf).sum()) for leaf in jax.tree.leaves(gradient))
    shrunk = dict(training.options)["eps"] ** 0.5 if optimizer == "adadelta" else 1.0
    return rate * float(value) / length / shrunk
