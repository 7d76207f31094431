"""The image engine: exact NNGP and NTK of convolutional networks, tile by tile in cache.

For one offset between the pixels p of x and p' of z, every layer acts on that offset
alone; so a small tile of the field runs through all layers in cache instead of the whole
(h w)^2 field through memory layer by layer. ARCHITECTURE.md draws it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ntkreg.architecture import Architecture, Relu
from ntkreg.kernels.engine import Engine
from ntkreg.kernels.image_loops import (
    Images,
    Offsets,
    Steps,
    run_block,
    variance_tables,
)
from ntkreg.kernels.image_program import ImageProgram, Op, compile_image_network
from ntkreg.kernels.image_readout import ReadoutWeights, readout_weights
from ntkreg.kernels.relu_dual import relu_dual
from ntkreg.kernels.vector_tail import run_tail

__all__ = ["ImageEngine"]

_TINY = {"float32": 1e-36, "float64": 1e-290}
"""Variances that count as zero: two reciprocal roots of larger ones stay finite."""


@dataclass(frozen=True)
class ImageEngine(Engine):
    """Compiled tiles; `networks` are prefixes of one another, one for each depth.

    Cost of a pair: about (h w)^2 entries a layer times the share of offsets that the
    read-out needs (all for GAP, 1/(h w) for flatten). Memory: the block's images and
    tables, O(layers h w) an image.
    """

    networks: tuple[Architecture, ...] = ()

    @cached_property
    def program(self) -> ImageProgram:
        """What runs on every tile."""
        return compile_image_network(self.networks)

    @cached_property
    def weights(self) -> ReadoutWeights:
        """Which tiles run, and how they add up."""
        return readout_weights(self.program.readout, *self.shape[:2])

    @property
    def block(self) -> int:
        """8 to 128 images: some tenths of a second of work, so that threads share evenly."""
        entries = self.weights.share * np.prod(self.shape[:2], dtype=float) ** 2
        return int(np.clip(2**12 / np.sqrt(entries), 8, 128))

    def cross(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Values of all pairs."""
        x, z = self._prepare(X), self._prepare(Z)
        return self._finish(self._run(x, z, symmetric=False), X, Z)

    def symmetric(self, X: np.ndarray) -> np.ndarray:
        """Values of all pairs within X; the lower triangle is the upper one's mirror."""
        x = self._prepare(X)
        fields = self._run(x, x, symmetric=True)
        lower = np.tril_indices(len(X), -1)
        fields[..., lower[0], lower[1]] = fields[..., lower[1], lower[0]]
        return self._finish(fields, X, X)

    def diagonal(self, X: np.ndarray) -> np.ndarray:
        """Values of each image with itself, O(n)."""
        return np.concatenate([self.symmetric(x[None])[..., 0] for x in X], axis=-1)

    @cached_property
    def _steps(self) -> Steps:
        steps = self.program.operations
        columns = {
            name: [getattr(step, name) for step in steps]
            for name in ("op", "radius", "slot", "bias", "trained", "factor")
        }
        integers = {"op": np.int64, "radius": np.uint64, "slot": np.uint64}
        return Steps(*(np.array(v, integers.get(k, self.dtype)) for k, v in columns.items()))

    @cached_property
    def _offsets(self) -> Offsets:
        (h, w), weights = self.shape[:2], self.weights
        start = lambda e: (np.maximum(e, 0) * w).astype(np.uint64)  # noqa: E731
        return Offsets(
            weights.columns.astype(np.uint64),
            weights.column_weights,
            start(-weights.rows),
            start(weights.rows),
            (h - np.abs(weights.rows)).astype(np.uint64),
            weights.row_weights.astype(self.dtype),
        )

    def _prepare(self, X: np.ndarray) -> Images:
        n, h, w, channels = X.shape
        scale = np.sqrt(self.program.input_scale / channels)
        pixels = np.ascontiguousarray(
            X.reshape(n, h * w, channels).transpose(0, 2, 1) * scale, self.dtype
        )
        relus, reads = (max(k, 1) for k in (self.program.n_relus, self.program.n_reads))
        images = Images(
            pixels,
            np.empty((n, relus, h * w), self.dtype),
            np.empty((n, relus, h * w), self.dtype),
            np.empty((n, reads, h * w)),
            np.empty((n, reads, h * w)),
        )
        variance_tables(self._steps, self.program.gain, _TINY[self.dtype.name], h, w, images)
        return images

    def _run(self, x: Images, z: Images, *, symmetric: bool) -> np.ndarray:
        out = np.zeros((2, self.program.n_reads, len(x.pixels), len(z.pixels)))
        h, w = self.shape[:2]
        dual = relu_dual(self.dtype.name, self.program.gain / 2)
        size = (h, w, self.program.radius)
        run_block(self._steps, dual, self._offsets, x, z, symmetric, *size, out)
        for step in self.program.operations:
            if step.op == Op.READ:
                out[:, step.slot] *= step.factor
        return out

    def _finish(self, fields: np.ndarray, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Run the layers after the read-out, pick the fields and cast."""
        tail = self.program.tail
        variances: tuple[np.ndarray | None, np.ndarray | None] = (None, None)
        if any(isinstance(layer, Relu) for layer in tail):
            variances = self._readout_variances(X), self._readout_variances(Z)
        nngp, ntk = run_tail(tail, fields[0], fields[1], *variances)
        return np.stack([{"nngp": nngp, "ntk": ntk}[f] for f in self.fields]).astype(self.dtype)

    def _readout_variances(self, X: np.ndarray) -> np.ndarray:
        """NNGP of each image with itself right after the read-out: (n_reads, n)."""
        return np.stack(
            [self._run(p := self._prepare(x[None]), p, symmetric=True)[0, :, 0, 0] for x in X], -1
        )
