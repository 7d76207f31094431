"""Read-outs as separable weights over pixel pairs: flatten, global and local pooling.

The kernel of a read-out is a weighted sum of the field over pairs of pixels (p, p'), and
the weights of all three are products of one factor a row pair and one a column pair.
"""

from collections.abc import Sequence

import numpy as np

from ntkreg.architecture import Flatten, GlobalAvgPool, Layer, LocalAvgPool
from ntkreg.kernels.image.program import Op, Stage

__all__ = ["read_weights", "readout_weights"]


def readout_weights(readout: Layer, n: int) -> np.ndarray:
    """Return the factor of every pair (p, p') along one axis of n pixels, (n, n) float64.

    - flatten: 1/n where p = p', else 0;
    - global average pooling: 1/n^2;
    - local average pooling: the number of centres within c of both, max(0, min(p + c, p' + c,
      n - 1) - max(p - c, p' - c, 0) + 1), over (2c + 1)^2 n (Li et al. 2019, 1911.00809).
    """
    p, q = np.mgrid[:n, :n]
    match readout:
        case Flatten():
            return (p == q) / n
        case GlobalAvgPool():
            return np.full(p.shape, 1 / n**2)
        case LocalAvgPool(c):
            top = np.minimum(np.minimum(p, q) + c, n - 1)
            bottom = np.maximum(np.maximum(p, q) - c, 0)
            return np.maximum(top - bottom + 1, 0) / ((2 * c + 1) ** 2 * n)
    raise NotImplementedError(f"{readout!r} is not a read-out.")


def read_weights(stage: Stage, readouts: Sequence[Layer], n: int) -> np.ndarray:
    """Return `readout_weights` of those that a stage READs, (n_readouts, n, n); 0 of the others."""
    here = {o.readout for o in stage.operations if o.op == Op.READ}
    weights = (readout_weights(r, n) * (k in here) for k, r in enumerate(readouts))
    return np.stack(list(weights))
