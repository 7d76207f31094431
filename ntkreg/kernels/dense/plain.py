"""The dense engine for any layers on vectors: products by a BLAS, layers in NumPy."""

from dataclasses import dataclass

import numpy as np

from ntkreg.architecture import Architecture
from ntkreg.kernels.engine import Engine, mirror_upper
from ntkreg.kernels.vector_tail import PairValues, run_tail

__all__ = ["PlainDenseEngine"]

_BLOCK = 256


@dataclass(frozen=True)
class PlainDenseEngine(Engine):
    """All in float64, whatever the dtype of the result; `networks` may be any.

    Every product is of two blocks of 256 rows, padded with zeros, and so are the layers'
    arrays: a value has the same bits in any block. Cost of a block of m rows and m columns:
    2 d m^2 flops, and for every layer a few passes over m^2 numbers, tens of nanoseconds
    each. Memory: two blocks of inputs, some ten of products.
    """

    NAME = "PlainDenseEngine"

    networks: tuple[Architecture, ...] = ()

    @property
    def block(self) -> int:
        """The padded block, 256."""
        return _BLOCK

    def explain(self) -> str:
        """Return the layers as text: they run as they are."""
        side, lines = self.block, []
        for k, network in enumerate(self.networks):
            of = f" of network {k + 1}" if self.n_variants > 1 else ""
            lines += [f"  layers{of}, NumPy passes over the block:"]
            lines += [f"    {layer!r}" for layer in network.layers]
        return "\n".join(
            [f"Products of {side} x {side} pairs at a time (float64, BLAS), then", *lines]
        )

    def cross(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Values of all pairs, a padded block at a time."""
        values = np.empty((len(self.fields), self.n_variants, len(X), len(Z)), self.dtype)
        for i in range(0, len(X), _BLOCK):
            x = _padded(X[i : i + _BLOCK])
            for j in range(0, len(Z), _BLOCK):
                part = values[..., i : i + _BLOCK, j : j + _BLOCK]
                block = self._pairs(x, _padded(Z[j : j + _BLOCK]))
                part[:] = block[..., : part.shape[-2], : part.shape[-1]]
        return values

    def symmetric(self, X: np.ndarray) -> np.ndarray:
        """Values of all pairs within X; the lower triangle mirrors the upper."""
        values = np.empty((len(self.fields), self.n_variants, len(X), len(X)), self.dtype)
        for i in range(0, len(X), _BLOCK):
            values[..., i : i + _BLOCK, i:] = self.cross(X[i : i + _BLOCK], X[i:])
        mirror_upper(values)
        np.einsum("fdii->fdi", values)[:] = self.diagonal(X)
        return values

    def diagonal(self, X: np.ndarray) -> np.ndarray:
        """Values of each row with itself, from its variance, O(n)."""
        q = np.concatenate([_squares(_padded(X[i : i + _BLOCK])) for i in range(0, len(X), _BLOCK)])
        return self._run(q, q, q)[..., : len(X)].astype(self.dtype)

    def _pairs(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return self._run(x @ z.T / x.shape[1], _squares(x)[:, None], _squares(z)[None, :])

    def _run(self, s: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        pairs = PairValues(s, np.zeros_like(s), q, r)
        ends = [run_tail(network.layers, pairs) for network in self.networks]
        return np.array([[getattr(end, field) for end in ends] for field in self.fields])


def _squares(rows: np.ndarray) -> np.ndarray:
    return np.einsum("nd,nd->n", rows, rows) / rows.shape[1]


def _padded(rows: np.ndarray) -> np.ndarray:
    padded = np.zeros((_BLOCK, rows.shape[1]))
    padded[: len(rows)] = rows
    return padded
