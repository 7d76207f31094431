"""The kernels in the words of the papers: plain NumPy, slow, float64.

The other engines are tested against this one, and this one against outside oracles. One
function a layer, on the state of a *batch of pairs* (x, z). On images the fields have the
shape (pairs, h, w, h', w'), one entry for each pair of pixels p, p'.
"""

from dataclasses import dataclass

import numpy as np

from ntkreg.architecture import (
    Architecture,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    LocalAvgPool,
    Relu,
)
from ntkreg.kernels.engine import Engine

__all__ = ["ReferenceEngine", "kappa0", "kappa1"]


def kappa0(correlation: np.ndarray) -> np.ndarray:
    """Arc-cosine kernel of order 0, 1 - acos(c)/pi (Cho and Saul 2009, eq. 4)."""
    return 1 - np.arccos(np.clip(correlation, -1, 1)) / np.pi


def kappa1(correlation: np.ndarray) -> np.ndarray:
    """Arc-cosine kernel of order 1, sqrt(1-c^2)/pi + c kappa0(c) (Cho and Saul 2009, eq. 6)."""
    c = np.clip(correlation, -1, 1)
    return np.sqrt(1 - c**2) / np.pi + c * kappa0(c)


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


def _window_mean(field: np.ndarray, window: int) -> np.ndarray:
    """Mean over (p + a, p' + a) for all shifts a in the window, zeros outside."""
    r = window // 2
    h, w = field.shape[1:3]
    padded = np.pad(field, [(0, 0)] + [(r, r)] * 4)
    total = np.zeros_like(field)
    for a in range(window):
        for b in range(window):
            total += padded[:, a : a + h, b : b + w, a : a + h, b : b + w]
    return total / window**2


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


def _relu(state: _State) -> _State:
    if state.xz.ndim == 1:
        qx, qz = state.xx, state.zz
        new_xx, new_zz = qx / 2, qz / 2
    else:
        qx = _diagonal_of_pixels(state.xx)[:, :, :, None, None]
        qz = _diagonal_of_pixels(state.zz)[:, None, None]
        new_xx, new_zz = _relu_self(state.xx), _relu_self(state.zz)
    norm = np.sqrt(qx * qz)
    c = np.divide(state.xz, norm, out=np.zeros_like(state.xz), where=norm > 0)
    return _State(norm * kappa1(c) / 2, new_xx, new_zz, state.ntk * kappa0(c) / 2)


def _relu_self(field: np.ndarray) -> np.ndarray:
    q = _diagonal_of_pixels(field)
    norm = np.sqrt(q[:, :, :, None, None] * q[:, None, None])
    c = np.divide(field, norm, out=np.zeros_like(field), where=norm > 0)
    return norm * kappa1(c) / 2


def _apply(layer: Layer, state: _State) -> _State:
    match layer:
        case Dense():
            return _affine(state, layer)
        case Conv():
            return _affine(state.map(lambda f: _window_mean(f, layer.window)), layer)
        case Relu():
            return _relu(state)
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

    networks: tuple[Architecture, ...] = ()

    @property
    def block(self) -> int:
        """A small block: the fields of every pair of pixels are held in memory."""
        return 8

    def _pairs(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        x, z = x.astype(np.float64), z.astype(np.float64)
        values = []
        for network in self.networks:
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
        upper = np.triu_indices(len(X), 1)
        K[..., upper[1], upper[0]] = K[..., upper[0], upper[1]]
        K[..., np.arange(len(X)), np.arange(len(X))] = self.diagonal(X)
        return K

    def diagonal(self, X: np.ndarray) -> np.ndarray:
        """Values of each input with itself."""
        return self._pairs(X, X)
