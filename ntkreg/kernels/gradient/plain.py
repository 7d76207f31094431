"""Dense kernels with derivatives, of any activation: products by a BLAS, layers in NumPy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ntkreg.architecture import Activation, Architecture, Dense, Layer
from ntkreg.errors import SpecError
from ntkreg.kernels.dense.plain import PlainDenseEngine
from ntkreg.kernels.duals import dual
from ntkreg.kernels.gradient.duals import dual_rates

__all__ = ["HYPERPARAMETERS", "PlainGradientEngine", "check_layers", "log_rates"]

HYPERPARAMETERS = "weight_std", "bias_std"
"""What kernels are derived by: the standard deviations of all hidden layers together."""


def check_layers(network: Architecture) -> None:
    """Raise `SpecError` unless a network is dense layers and activations, and a dense read-out."""
    *before, last = network.layers
    if not isinstance(last, Dense) or not all(isinstance(v, Dense | Activation) for v in before):
        raise SpecError(
            "Derivatives are known of dense layers and activations with a dense read-out, such as "
            f"fully_connected(); got {network!r}."
        )


def log_rates(names: Sequence[str]) -> np.ndarray:
    """Return the rates of (log weight_std, log bias_std) along each name, (n_names, 2)."""
    return np.array([[name == each for each in HYPERPARAMETERS] for name in names], float)


@dataclass(frozen=True)
class PlainGradientEngine(PlainDenseEngine):
    """Values of one network, and their derivatives by the logarithms of `names`.

    Its fields are "nngp" or "ntk" and then `names`, which hold the derivatives of it.
    """

    NAME = "PlainGradientEngine"

    names: tuple[str, ...] = HYPERPARAMETERS

    def _run(self, s: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        *hidden, readout = self.networks[0].layers
        along = log_rates(self.names)
        along = along.reshape(*along.shape, *(1 for _ in s.shape))
        pair = _Pair(s, np.zeros_like(s), (q, r), *_still(s, q, r, len(along)))
        for layer in hidden:
            pair = _after(layer, pair, along)
        pair = _after(readout, pair, 0 * along)
        value, rates = pair.nngp, pair.nngp_rates
        if self.fields[0] == "ntk":
            value, rates = pair.ntk, pair.ntk_rates
        return np.concatenate([value[None], rates])[:, None]


@dataclass(frozen=True)
class _Pair:
    """Values of pairs (x, z), and their rates along a leading axis."""

    nngp: np.ndarray
    ntk: np.ndarray
    variances: tuple[np.ndarray, np.ndarray]
    nngp_rates: np.ndarray
    ntk_rates: np.ndarray
    variance_rates: tuple[np.ndarray, np.ndarray]


def _still(
    s: np.ndarray, q: np.ndarray, r: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    of = [np.zeros((n, *v.shape)) for v in (s, s, q, r)]
    return of[0], of[1], (of[2], of[3])


def _after(layer: Layer, pair: _Pair, along: np.ndarray) -> _Pair:
    if isinstance(layer, Dense):
        return _dense(layer, pair, along)
    assert isinstance(layer, Activation)  # `check_layers`
    return _dual(layer, pair)


def _dense(layer: Dense, pair: _Pair, along: np.ndarray) -> _Pair:
    w2, b2 = layer.weight_std**2, layer.bias_std**2
    by_w, by_b = 2 * along[:, 0], 2 * along[:, 1]

    def covariance(value: np.ndarray, rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return w2 * value + b2, w2 * (rate + by_w * value) + b2 * by_b

    nngp, nngp_rates = covariance(pair.nngp, pair.nngp_rates)
    ntk, ntk_rates = w2 * pair.ntk, w2 * (pair.ntk_rates + by_w * pair.ntk)
    if layer.trainable:
        ntk, ntk_rates = ntk + nngp, ntk_rates + nngp_rates
    ends = [covariance(*v) for v in zip(pair.variances, pair.variance_rates, strict=True)]
    (q, dq), (r, dr) = ends
    return _Pair(nngp, ntk, (q, r), nngp_rates, ntk_rates, (dq, dr))


def _dual(layer: Activation, pair: _Pair) -> _Pair:
    (q, r), (dq, dr) = pair.variances, pair.variance_rates
    value, slope = dual(layer, pair.nngp, q, r)
    rate, slope_rate = dual_rates(layer, (pair.nngp, q, r), (pair.nngp_rates, dq, dr))
    ntk_rates = pair.ntk_rates * slope + pair.ntk * slope_rate
    after = [dual(layer, v, v, v)[0] for v in (q, r)]
    moved = [dual_rates(layer, (v,) * 3, (dv,) * 3)[0] for v, dv in ((q, dq), (r, dr))]
    return _Pair(
        value, pair.ntk * slope, (after[0], after[1]), rate, ntk_rates, (moved[0], moved[1])
    )
