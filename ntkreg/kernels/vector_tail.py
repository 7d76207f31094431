"""Layers on vectors in NumPy: after an image's read-out, and of `PlainDenseEngine`."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ntkreg.architecture import Activation, Dense, Identity, Layer, Residual
from ntkreg.errors import SpecError
from ntkreg.kernels.duals import dual

__all__ = ["PairValues", "needs_variances", "run_tail"]


class PairValues(NamedTuple):
    """Values of pairs (x, z), float64 arrays; `q` and `r` broadcast to the others' shape.

    `q` and `r`, the NNGP of x with itself and of z, may be None where `needs_variances` says
    so. Of inputs with themselves, `nngp`, `q` and `r` are the same numbers, and stay so.
    """

    nngp: np.ndarray
    ntk: np.ndarray
    q: np.ndarray | None
    r: np.ndarray | None


def needs_variances(layers: Sequence[Layer]) -> bool:
    """Whether layers need more of a pair than its own values."""
    return not all(isinstance(layer, Dense | Identity) for layer in layers)


def run_tail(layers: Sequence[Layer], pairs: PairValues) -> PairValues:
    """Return NNGP and NTK after layers on vectors; a few passes over the pairs for each.

    Parameters
    ----------
    layers : sequence of Dense, Activation and Residual
    pairs : PairValues

    Raises
    ------
    SpecError
        If there is another layer.
    """
    for layer in layers:
        pairs = _apply(layer, pairs)
    return pairs


def _apply(layer: Layer, pairs: PairValues) -> PairValues:
    match layer:
        case Dense():
            return _dense(layer, pairs)
        case Identity():
            return pairs
        case Activation():
            return _activation(layer, pairs)
        case Residual():
            return _sum(run_tail(layer.body, pairs), run_tail(layer.shortcut, pairs))
    raise SpecError(
        f"There is no operation for {layer!r} on vectors. Use the kernel_fn of "
        "ntkreg.kernels.to_stax(network) in the network's place."
    )


def _sum(a: PairValues, b: PairValues) -> PairValues:
    q = None if a.q is None or b.q is None else a.q + b.q
    r = None if a.r is None or b.r is None else a.r + b.r
    return PairValues(a.nngp + b.nngp, a.ntk + b.ntk, q, r)


def _dense(layer: Dense, pairs: PairValues) -> PairValues:
    w2, b2 = layer.weight_std**2, layer.bias_std**2
    nngp = w2 * pairs.nngp + b2
    ntk = w2 * pairs.ntk + (nngp if layer.trainable else 0.0)
    q, r = (None if v is None else w2 * v + b2 for v in (pairs.q, pairs.r))
    return PairValues(nngp, ntk, q, r)


def _activation(layer: Activation, pairs: PairValues) -> PairValues:
    nngp, ntk, q, r = pairs
    if q is None or r is None:
        raise ValueError(f"run_tail: {layer!r} needs the variances q and r.")
    value, slope = dual(layer, nngp, q, r)
    return PairValues(value, ntk * slope, dual(layer, q, q, q)[0], dual(layer, r, r, r)[0])
