"""The kernels in the words of the papers: plain NumPy, slow, float64.

The other engines are tested against this one, and this one against outside oracles. One
function a layer, on the state of a *batch of pairs* (x, z). On images the fields have the
shape (pairs, h, w, h', w'), one entry for each pair of pixels p, p'.
"""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from ntkreg.architecture import (
    Activation,
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    LocalAvgPool,
    Residual,
    output_size,
    window_origin,
)
from ntkreg.kernels.duals import dual, kappa0, kappa1
from ntkreg.kernels.engine import Engine, mirror_upper

__all__ = ["ReferenceEngine", "kappa0", "kappa1"]


@dataclass(frozen=True)
class _State:
    """Covariances of a batch of pairs: of x with z, x with x, z with z; and the NTK."""

    xz: np.ndarray
    xx: np.ndarray
    zz: np.ndarray
    ntk: np.ndarray

    def map(self, f) -> "_State":
        """Apply a linear map to all four fields."""
        return _State(f(self.xz), f(self.xx), f(self.zz), f(self.ntk))


def _affine(state: _State, layer: Dense | Conv) -> _State:
    w2, b2 = layer.weight_std**2, layer.bias_std**2
    xz = w2 * state.xz + b2
    ntk = w2 * state.ntk + (xz if layer.trainable else 0)
    return _State(xz, w2 * state.xx + b2, w2 * state.zz + b2, ntk)


def _window_mean(field: np.ndarray, layer: Conv) -> np.ndarray:
    """Mean over (p + a, p' + a) for all shifts a in the window, at every stride-th p and p'."""
    k, stride = layer.window, layer.stride
    size = field.shape[1:3]
    out = output_size(layer, size)
    edges = []
    for n, m in zip(size, out, strict=True):
        before = window_origin(n, k, stride, layer.padding)
        edges.append((before, max((m - 1) * stride + k - n - before, 0)))
    mode: Literal["wrap", "constant"] = "wrap" if layer.padding == "CIRCULAR" else "constant"
    padded = np.pad(field, [(0, 0), *edges, *edges], mode)
    reach = [(m - 1) * stride + 1 for m in out]
    total = np.zeros((len(field), *out, *out))
    for a in range(k):
        for b in range(k):
            rows, columns = slice(a, a + reach[0], stride), slice(b, b + reach[1], stride)
            total += padded[:, rows, columns, rows, columns]
    return total / k**2


def _square_mean(field: np.ndarray, window: int) -> np.ndarray:
    """Mean over the pixels of the square of p and, on its own, of that of p'."""
    h, w = (n // window for n in field.shape[1:3])
    field = field[:, : h * window, : w * window, : h * window, : w * window]
    parts = field.reshape(-1, h, window, w, window, h, window, w, window)
    return parts.mean(axis=(2, 4, 6, 8))


def _box_mean(field: np.ndarray, c: int) -> np.ndarray:
    """Mean over p + a and, on its own, p' + a' with |a|, |a'| <= c, zeros outside."""
    for axis in range(1, 5):
        n = field.shape[axis]
        box = (np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= c) / (2 * c + 1)
        field = np.moveaxis(np.tensordot(box, field, axes=(1, axis)), 0, axis)
    return field


def _diagonal_of_pixels(field: np.ndarray) -> np.ndarray:
    """S(p, p) at every pixel, on an axis pair of its own: (pairs, h, w)."""
    return np.einsum("nijij->nij", field)


def _variances(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance at p and at p', so that each broadcasts over the field."""
    if field.ndim == 1:
        return field, field
    q = _diagonal_of_pixels(field)
    return q[:, :, :, None, None], q[:, None, None]


def _activation(state: _State, layer: Activation) -> _State:
    x, z = _variances(state.xx), _variances(state.zz)
    xz, slope = dual(layer, state.xz, x[0], z[1])
    xx, _ = dual(layer, state.xx, *x)
    zz, _ = dual(layer, state.zz, *z)
    return _State(xz, xx, zz, state.ntk * slope)


def _residual(state: _State, block: Residual) -> _State:
    body, shortcut = state, state
    for layer in block.body:
        body = _apply(layer, body)
    for layer in block.shortcut:
        shortcut = _apply(layer, shortcut)
    return _State(*(getattr(body, f.name) + getattr(shortcut, f.name) for f in fields(_State)))


def _apply(layer: Layer, state: _State) -> _State:
    match layer:
        case Dense():
            return _affine(state, layer)
        case Conv():
            return _affine(state.map(lambda f: _window_mean(f, layer)), layer)
        case Activation():
            return _activation(state, layer)
        case Residual():
            return _residual(state, layer)
        case AvgPool():
            return state.map(lambda f: _square_mean(f, layer.window))
        case LocalAvgPool():
            return state.map(lambda f: _box_mean(f, layer.half_width))
        case Flatten():
            return state.map(lambda f: _diagonal_of_pixels(f).mean(axis=(1, 2)))
        case GlobalAvgPool():
            return state.map(lambda f: f.mean(axis=(1, 2, 3, 4)))
    raise NotImplementedError(f"reference engine: no rule for {layer!r}.")


def _input_state(x: np.ndarray, z: np.ndarray) -> _State:
    """Covariance of the inputs, mean over channels or features."""
    if x.ndim == 2:
        pair = lambda a, b: np.einsum("nd,nd->n", a, b) / a.shape[1]  # noqa: E731
    else:
        pair = lambda a, b: np.einsum("nhwc,nijc->nhwij", a, b) / a.shape[3]  # noqa: E731
    xz = pair(x, z)
    return _State(xz, pair(x, x), pair(z, z), np.zeros_like(xz))


@dataclass(frozen=True)
class ReferenceEngine(Engine):
    """The plain engine: `networks` holds one network for each depth, all run on their own."""

    NAME = "ReferenceEngine"

    networks: tuple[Architecture, ...] = ()

    @property
    def block(self) -> int:
        """A small block: the fields of every pair of pixels are held in memory."""
        return 8

    def _pairs(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        x, z = x.astype(np.float64), z.astype(np.float64)
        values = []
        for network in self.networks:
            network.check_shape(self.shape)
            flat = network.reads == "vector"
            state = _input_state(*(a.reshape(len(a), -1) if flat else a for a in (x, z)))
            for layer in network.layers:
                state = _apply(layer, state)
            values.append([{"nngp": state.xz, "ntk": state.ntk}[f] for f in self.fields])
        return np.swapaxes(np.array(values), 0, 1).astype(self.dtype)

    def cross(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Values of all pairs, a row of pairs at a time."""
        rows = [self._pairs(np.broadcast_to(x, Z.shape), Z) for x in X]
        return np.stack(rows, axis=2)

    def symmetric(self, X: np.ndarray) -> np.ndarray:
        """Values of all pairs; the lower triangle is the upper one's mirror.

        The diagonal is computed apart: in `cross` rounding may take lambda just below 1,
        where the NTK's derivative kernel has no finite slope.
        """
        K = self.cross(X, X)
        mirror_upper(K)
        K[..., np.arange(len(X)), np.arange(len(X))] = self.diagonal(X)
        return K

    def diagonal(self, X: np.ndarray) -> np.ndarray:
        """Values of each input with itself."""
        return self._pairs(X, X)
