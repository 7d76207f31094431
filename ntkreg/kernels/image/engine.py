"""The image engine: exact NNGP and NTK of convolutional networks, tile by tile in cache.

For one offset between the pixels p of x and p' of z, every layer but pooling acts on that
offset alone; so a small tile of the field runs through all layers in cache instead of the
whole (h w)^2 field through memory layer by layer. ARCHITECTURE.md draws it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ntkreg.architecture import Architecture, Flatten
from ntkreg.kernels.compiled.arc_cosine import relu_dual
from ntkreg.kernels.compiled.lanes import group, n_lanes
from ntkreg.kernels.engine import Engine
from ntkreg.kernels.image.explain import explain_image
from ntkreg.kernels.image.geometry import Geometry, layer_entries, stage_geometries
from ntkreg.kernels.image.inputs import ImageInputs
from ntkreg.kernels.image.loops.stages import StageArrays, run_stages
from ntkreg.kernels.image.loops.tiles import Images
from ntkreg.kernels.image.program import ImageProgram, compile_image_network
from ntkreg.kernels.image.schedule import Turn, schedule
from ntkreg.kernels.image.stage import RunnableStage
from ntkreg.kernels.vector_tail import Pairs, needs_variances, run_tail

__all__ = ["ImageEngine"]

_CACHE = 2**19
"""Bytes of a field after a pooling that are worked on at once; as many wait for their turn."""

_STAGES = 6
"""Up to five poolings, as of an image of 32 x 32 pixels down to one, share compiled loops."""


@dataclass(frozen=True)
class ImageEngine(Engine):
    """Compiled tiles; `networks` begin alike, up to the read-out of each (`image.program`).

    Which convolutions are trained may differ: a further tangent field for each choice.

    Read-outs are summed in float64 over tiles. `wide` (dtype="mixed") returns these sums as
    they are instead of rounding them to float32: the errors of some 10^6 float32 entries
    average out in a read-out, so that with pooling the last rounding is the largest error.

    Cost of a pair: about (h w)^2 entries a layer times the share of offsets that the
    read-out needs (all for GAP, 1/(h w) for flatten). Pairs are computed 16 (float32) or 8
    (float64) at a time, one x with so many z, also where fewer are asked for. Memory: the
    block's images and tables, O(layers h w) an image; below a pooling a MiB for the pairs in
    work, or two rows of offsets if these are more (`image.schedule`).
    """

    NAME = "ImageEngine"

    networks: tuple[Architecture, ...] = ()
    wide: bool = False

    @property
    def value_dtype(self) -> np.dtype:
        """float64 if `wide`, else that of the loops."""
        return np.dtype(np.float64) if self.wide else self.dtype

    @cached_property
    def program(self) -> ImageProgram:
        """What runs on every tile."""
        return compile_image_network(self.networks, *self.shape[:2])

    @cached_property
    def geometries(self) -> list[Geometry]:
        """Which tiles run in every stage."""
        return stage_geometries(self.program, _CACHE)

    @cached_property
    def _turns(self) -> np.ndarray:
        return _as_array(schedule(self.geometries))

    @cached_property
    def stages(self) -> list[RunnableStage]:
        """The stages, ready to run."""
        return self._ready(self.geometries)

    @cached_property
    def _stages_of_variances(self) -> list[RunnableStage]:
        """The stages with no more tiles than variances S(p, p) need: few, near offset 0."""
        flat = (Flatten(),) * len(self.program.readouts)
        return self._ready(stage_geometries(replace(self.program, readouts=flat)))

    def _ready(self, geometries: list[Geometry]) -> list[RunnableStage]:
        runnable, scale = [], 1.0
        fields = [geometry.field for geometry in geometries]
        for k, stage in enumerate(self.program.stages):
            after = fields[min(k + 1, len(fields) - 1)]
            place = stage, geometries[k], after
            runnable.append(RunnableStage(*place, self.dtype, scale, self.program.n_tangents))
            scale = 1.0 / stage.pool**4 if stage.pool else 1.0
        return runnable

    @property
    def layer_entries(self) -> int:
        """Pairs of pixels that pass a layer, for one pair of images: what time goes with."""
        stages = zip(self.program.stages, self.geometries, strict=True)
        return sum(layer_entries(stage, geometry) for stage, geometry in stages)

    @property
    def work(self) -> float:
        """The same, and what further tangent fields add: what a pass costs beside others."""
        return sum(stage.work for stage in self.stages)

    @property
    def block(self) -> int:
        """One to eight groups of lanes: at most a second or two of work."""
        size, work = n_lanes(self.dtype), max(self.layer_entries, 1)
        # Below poolings an image's tables cost a pair's work: share them among more pairs.
        least = 2 if len(self.geometries) > 1 else 1
        return size * int(np.clip(2**14.5 / np.sqrt(work) / size, least, 128 // size))

    @property
    def columns_at_once(self) -> int:
        """The lanes."""
        return n_lanes(self.dtype)

    def prepare(self, X: np.ndarray) -> ImageInputs:
        """Return X with room for the tables of its blocks."""
        return ImageInputs(X, self._make_tables)

    def explain(self) -> str:
        """Return the tile program as text."""
        return explain_image(self.program, self.geometries, self.dtype)

    def cross(self, X: np.ndarray | ImageInputs, Z: np.ndarray | ImageInputs) -> np.ndarray:
        """Values of all pairs."""
        x, z = self._inputs(X), self._inputs(Z)
        wanted = np.ones((len(X), len(z.as_z[0].pixels)), bool)
        return self._finish(self._run(x, z, wanted), x, z)

    def symmetric(self, X: np.ndarray | ImageInputs) -> np.ndarray:
        """Values of all pairs within X; the lower triangle is the upper one's mirror."""
        x, i = self._inputs(X), np.arange(len(X))
        groups = np.arange(len(x.as_z[0].pixels))
        fields = self._run(x, x, i[:, None] < n_lanes(self.dtype) * (groups + 1))
        # The loops know the diagonal to rounding only, `diagonal` exactly.
        fields[..., i, i] = self._diagonal_fields(x)
        lower = np.tril_indices(len(X), -1)
        fields[..., lower[0], lower[1]] = fields[..., lower[1], lower[0]]
        return self._finish(fields, x, x)

    def diagonal(self, X: np.ndarray | ImageInputs) -> np.ndarray:
        """Values of each image with itself, O(n)."""
        fields = self._diagonal_fields(self._inputs(X))
        return self._ends(fields, fields[0], fields[0])

    def _inputs(self, X: np.ndarray | ImageInputs) -> ImageInputs:
        return X if isinstance(X, ImageInputs) else self.prepare(X)

    def _make_tables(self, X: np.ndarray) -> list[Images]:
        """Every stage's tables, as z: groups of images, lanes last."""
        n, h, w, channels = X.shape
        pixels = X / np.sqrt(channels)
        squares = (pixels.astype(np.float64) ** 2).sum(axis=3).reshape(n, h * w)
        pixels = np.concatenate([pixels] * self.stages[0].columns_stored, axis=2)
        # Zeros around the image (`image.loops.first_layer`), and for want of channels.
        pixels = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, max(3 - channels, 0))))
        pixels = group(pixels.reshape(n, -1, pixels.shape[3]), self.dtype)
        squares = group(squares, self.dtype, np.dtype(np.float64))
        tangent = np.zeros((len(squares), self.program.n_tangents, squares.shape[1]))
        images = [
            stage.images(pixels[:, : None if k == 0 else 0]) for k, stage in enumerate(self.stages)
        ]
        if len(images) == 1:
            self.stages[0].fill_tables(images[0], squares, tangent)
        else:
            for g in range(len(pixels)):
                part = [_slice(z, g) for z in images]
                self._fill_below_poolings(part, squares[g : g + 1], tangent[g : g + 1])
        return images

    def _fill_below_poolings(
        self, images: list[Images], variance: np.ndarray, tangent: np.ndarray
    ) -> None:
        """Fill the tables of one group, a stage at a time.

        Below a pooling the variances are means over pairs of pixels: the group's images run
        with themselves.
        """
        wanted, nothing = np.ones((1, 1), bool), self._zeros(1, 1)
        stages = self._stages_of_variances
        arrays = _arrays(stages, images, images)
        for k, (stage, z) in enumerate(zip(stages, images, strict=True)):
            stage.fill_tables(z, variance, tangent)
            if stage.stage.pool:
                turns = _as_array([Turn(k, 0, stage.geometry.rows.length.shape[1])])
                run_stages(turns, arrays, self._dual, wanted, True, nothing)
                later = stages[k + 1].own_tile(arrays[k].target)
                variance, tangent = later[:1], later[None, 1:]

    def _run(self, x: ImageInputs, z: ImageInputs, wanted: np.ndarray) -> np.ndarray:
        """Fields at the reads, float64 (1 + n_tangents, n_reads, n, m)."""
        out = self._zeros(*wanted.shape)
        self._run_stages(x.as_x, z.as_z, wanted, False, out)
        return out.reshape(*out.shape[:3], -1)[..., : len(z)]

    def _run_stages(
        self, x: list[Images], z: list[Images], wanted: np.ndarray, paired: bool, out: np.ndarray
    ) -> None:
        arrays = _arrays(self.stages, x, z)
        run_stages(self._turns, arrays, self._dual, wanted, paired, out)

    def _zeros(self, n: int, groups: int) -> np.ndarray:
        """Room for the fields at the reads."""
        fields = 1 + self.program.n_tangents
        return np.zeros((fields, self.program.n_reads, n, groups, n_lanes(self.dtype)))

    @cached_property
    def _dual(self):
        return relu_dual(self.dtype.name, 0.5)

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
            pairs = run_tail(end.tail, Pairs(nngp, ntk, *variances))
            for field, value in zip(self.fields, values, strict=True):
                value[k] = getattr(pairs, field)
        return values

    def _diagonal_fields(self, inputs: ImageInputs) -> np.ndarray:
        """All fields of each image with itself right after the read-out, (fields, n_reads, n)."""
        z = inputs.as_z
        wanted = np.eye(len(z[0].pixels), dtype=bool)
        out = self._zeros(*wanted.shape)
        self._run_stages(z, z, wanted, True, out)
        groups = np.einsum("frggl->frgl", out)
        return groups.reshape(*groups.shape[:2], -1)[..., : len(inputs)]


def _slice(images: Images, k: int) -> Images:
    return Images(*(a[k : k + 1] for a in images))


def _as_array(turns: Sequence[Turn]) -> np.ndarray:
    return np.array(turns, np.uint64)


def _arrays(
    stages: Sequence[RunnableStage], x: Sequence[Images], z: Sequence[Images]
) -> tuple[StageArrays, ...]:
    """All stages for the loops, with memory to run in.

    The last stage again and again up to a number that few networks exceed: loops are compiled
    for the length of a tuple.
    """
    arrays: list[StageArrays] = []
    for stage, xs, zs in zip(stages, x, z, strict=True):
        source = arrays[-1].target if arrays else None
        arrays.append(stage.arrays(xs, zs, source, stage.make_room()))
    return (*arrays, *[arrays[-1]] * (_STAGES - len(arrays)))
