r"""`RandomFeatures`: what a block of inputs goes through to become features.

With rows f(x) of one sample each, a covariance :math:`S = f(x) \cdot f(z)` and Gaussian weights
W, the numbers :math:`f(x) W` have exactly that covariance. So

.. math::
    f^+(x) = \phi(f(x) W) / \sqrt m, \qquad
    g^+(x) = \phi'(f(x) W) * P g(x)

have inner products whose means over W are the dual of the activation, and the slope's dual times
:math:`g(x) \cdot g(z)`: the recursion of the NTK, where a trained dense layer appends f to g. The
products of all entries of phi' with all of g, which that second mean asks for, are sampled: each
output takes one hidden unit and one coordinate of a random rotation P.
"""

from dataclasses import dataclass

import numpy as np

from ntkreg.architecture import Activation, Dense
from ntkreg.kernels.features.pointwise import pointwise
from ntkreg.kernels.features.projection import Projection

__all__ = ["BLOCK", "Hidden", "RandomFeatures"]

BLOCK = 128
"""Rows that go through together, padded with zeros: a BLAS has other bits for one row."""


@dataclass(frozen=True, eq=False)
class Hidden:
    """An activation with the weights before it, (n_features, m), and a projection of tangents.

    `projection` is None where no tangent features have come yet, or none are asked for.
    """

    activation: Activation
    weights: np.ndarray
    projection: Projection | None


@dataclass(frozen=True, eq=False)
class RandomFeatures:
    """Random features of one network's NTK or NNGP; `draw_features` makes them.

    Attributes
    ----------
    steps : tuple of Dense and Hidden
    last : Projection or None
        Of what comes out of them, where that is more than `n_components`.
    n_inputs : int
    n_components : int
    tangents : bool
        Whether they are of the NTK.
    dtype : numpy.dtype
        float32 or float64, of inputs, arithmetic and features.
    """

    steps: tuple[Dense | Hidden, ...]
    last: Projection | None
    n_inputs: int
    n_components: int
    tangents: bool
    dtype: np.dtype

    def block(self, X: np.ndarray) -> np.ndarray:
        """Return the features (n, n_components) of at most `BLOCK` rows (n, n_inputs).

        2 m^2 flops a row for each hidden layer of m units but the first.
        """
        padded = np.zeros((BLOCK, self.n_inputs), self.dtype)
        padded[: len(X)] = X
        f, g = padded / np.sqrt(self.n_inputs, dtype=self.dtype), padded[:, :0]
        for step in self.steps:
            f, g = self._dense(step, f, g) if isinstance(step, Dense) else _hidden(step, f, g)
        found = g if self.tangents else f
        return (found if self.last is None else self.last(found))[: len(X)]

    def _dense(self, layer: Dense, f: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f, g = f * layer.weight_std, g * layer.weight_std
        if layer.bias_std > 0:
            f = np.hstack([f, np.full((len(f), 1), layer.bias_std, f.dtype)])
        return f, np.hstack([g, f]) if layer.trainable and self.tangents else g


def _hidden(step: Hidden, f: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    function, slope = pointwise(step.activation)
    values = f @ step.weights
    if step.projection is not None:
        g = step.projection(g)
        units = np.arange(g.shape[1]) % values.shape[1]
        g *= slope(values)[:, units] if len(units) != values.shape[1] else slope(values)
    return function(values) / np.sqrt(values.shape[1], dtype=values.dtype), g
