"""Layers after an image's read-out: a handful of operations on small blocks, in NumPy."""

from collections.abc import Sequence

import numpy as np

from ntkreg.architecture import Dense, Layer, Relu
from ntkreg.errors import SpecError
from ntkreg.kernels.reference import kappa0, kappa1

__all__ = ["run_tail"]


def run_tail(
    layers: Sequence[Layer],
    nngp: np.ndarray,
    ntk: np.ndarray,
    x_variance: np.ndarray | None,
    z_variance: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return NNGP and NTK after dense layers and ReLUs.

    Parameters
    ----------
    layers : sequence of Dense and Relu
    nngp, ntk : float64 arrays (n_depths, n, m)
    x_variance, z_variance : float64 arrays (n_depths, n), (n_depths, m) or None
        Diagonals of the NNGP before the tail; needed if it has a ReLU.
    """
    q, r = x_variance, z_variance
    for layer in layers:
        if isinstance(layer, Dense):
            w2, b2 = layer.weight_std**2, layer.bias_std**2
            nngp = w2 * nngp + b2
            ntk = w2 * ntk + (nngp if layer.trainable else 0.0)
            q, r = (None if v is None else w2 * v + b2 for v in (q, r))
        elif isinstance(layer, Relu):
            if q is None or r is None:
                raise ValueError("run_tail: a ReLU needs x_variance and z_variance.")
            norm = np.sqrt(q[:, :, None] * r[:, None, :])
            c = np.divide(nngp, norm, out=np.zeros_like(nngp), where=norm > 0)
            nngp, ntk = norm * kappa1(c) / 2, ntk * kappa0(c) / 2
            q, r = q / 2, r / 2
        else:
            raise SpecError(f"The image engine has no operation for {layer!r} after the read-out.")
    return nngp, ntk
