"""The image engine: exact NNGP and NTK of convolutional networks, tile by tile in cache.

For one offset between the pixels p of x and p' of z, every layer but pooling acts on that
offset alone; so a small tile of the field runs through all layers in cache instead of the
whole (h w)^2 field through memory layer by layer. ENGINE.md beside this file draws it.
"""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from ntkreg.architecture import Architecture
from ntkreg.kernels.engine import Engine, mirror_upper
from ntkreg.kernels.image.compiled_pairs import CompiledPairs
from ntkreg.kernels.image.inputs import ImageInputs
from ntkreg.kernels.image.pairs import ImagePairs
from ntkreg.kernels.image.program import ImageProgram
from ntkreg.kernels.image.runnable import RunnableProgram
from ntkreg.kernels.image.tables import diagonal_fields, make_tables
from ntkreg.kernels.vector_tail import PairValues, needs_variances, run_tail

__all__ = ["ImageEngine"]


@dataclass(frozen=True)
class ImageEngine(Engine):
    """Tiles of `networks` that begin alike, up to the read-out of each (`image.program`).

    Which convolutions are trained may differ: a further tangent field for each choice.

    Read-outs are summed in float64 over tiles. `wide` (dtype="mixed") returns these sums as
    they are instead of rounding them to float32: the errors of some 10^6 float32 entries
    average out in a read-out, so that with pooling the last rounding is the largest error.

    Pairs are computed by the loops of a `backend`, at the cost that it states; tables and diagonal
    are O(n), in compiled loops. Memory: the block's images and tables, O(layers h w) an image,
    and what the backend takes.
    """

    networks: tuple[Architecture, ...] = ()
    wide: bool = False
    backend: type[ImagePairs] = CompiledPairs

    @cached_property
    def runnable(self) -> RunnableProgram:
        """The networks' program, ready to run."""
        height, width, _ = self.shape
        return RunnableProgram(self.networks, height, width, self.dtype)

    @cached_property
    def pairs(self) -> ImagePairs:
        """The loops over pairs of images."""
        return self.backend(self.runnable)

    @property
    def program(self) -> ImageProgram:
        """What runs on every tile."""
        return self.runnable.program

    @property
    def name(self) -> str:
        """That of the backend's pairs."""
        return self.pairs.name

    @property
    def value_dtype(self) -> np.dtype:
        """float64 if `wide`, else that of the loops."""
        return np.dtype(np.float64) if self.wide else self.dtype

    @property
    def block(self) -> int:
        """The backend's."""
        return self.pairs.block

    @property
    def columns_at_once(self) -> int:
        """The backend's."""
        return self.pairs.columns_at_once

    @property
    def rows_at_once(self) -> int:
        """The backend's."""
        return self.pairs.rows_at_once

    def explain(self) -> str:
        """Return the tile program as text, and how the backend runs it."""
        return self.pairs.explain()

    def prepare(self, X: np.ndarray) -> ImageInputs:
        """Return X with room for the tables of its blocks."""
        return ImageInputs(X, partial(make_tables, self.runnable))

    def cross(self, X: np.ndarray | ImageInputs, Z: np.ndarray | ImageInputs) -> np.ndarray:
        """Values of all pairs."""
        x, z = self._inputs(X), self._inputs(Z)
        return self._finish(self.pairs.run(x, z, np.ones((len(x), len(z)), bool)), x, z)

    def symmetric(self, X: np.ndarray | ImageInputs) -> np.ndarray:
        """Values of all pairs within X; the lower triangle is the upper one's mirror."""
        x, i = self._inputs(X), np.arange(len(X))
        fields = self.pairs.run(x, x, np.triu(np.ones((len(x), len(x)), bool)))
        # Loops over pairs know the diagonal to rounding only, `diagonal` exactly.
        fields[..., i, i] = self._diagonal_fields(x)
        mirror_upper(fields)
        return self._finish(fields, x, x)

    def diagonal(self, X: np.ndarray | ImageInputs) -> np.ndarray:
        """Values of each image with itself, O(n)."""
        fields = self._diagonal_fields(self._inputs(X))
        return self._ends(fields, fields[0], fields[0])

    def _inputs(self, X: np.ndarray | ImageInputs) -> ImageInputs:
        return X if isinstance(X, ImageInputs) else self.prepare(X)

    def _diagonal_fields(self, inputs: ImageInputs) -> np.ndarray:
        return diagonal_fields(self.runnable, inputs.as_z, len(inputs))

    def _finish(self, fields: np.ndarray, x: ImageInputs, z: ImageInputs) -> np.ndarray:
        """Add what the layers after the read-outs need to know."""
        if not any(needs_variances(end.tail) for end in self.program.ends):
            return self._ends(fields, None, None)
        q, r = (self._diagonal_fields(A)[0] for A in (x, z))
        return self._ends(fields, q[:, :, None], r[:, None, :])

    def _ends(self, reads: np.ndarray, q: np.ndarray | None, r: np.ndarray | None) -> np.ndarray:
        """Run every network's layers after its read-out, pick the fields and cast."""
        values = np.empty((len(self.fields), self.n_variants, *reads.shape[2:]), self.value_dtype)
        for k, end in enumerate(self.program.ends):
            variances = (None if v is None else v[end.read] for v in (q, r))
            nngp, ntk = reads[0, end.read], reads[1 + end.tangent, end.read]
            pairs = run_tail(end.tail, PairValues(nngp, ntk, *variances))
            for field, value in zip(self.fields, values, strict=True):
                value[k] = getattr(pairs, field)
        return values
