"""`RunnableProgram`: the tile program of networks with its tiles and stages, ready to run."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ntkreg.architecture import Architecture, Flatten
from ntkreg.kernels.image.compiler import compile_image_network
from ntkreg.kernels.image.geometry import Geometry, layer_entries, stage_geometries
from ntkreg.kernels.image.program import ImageProgram
from ntkreg.kernels.image.schedule import Turn, schedule
from ntkreg.kernels.image.stage import RunnableStage

__all__ = ["RunnableProgram"]

_CACHE = 2**19
"""Bytes of a field after a pooling that are worked on at once; as many wait for their turn."""


@dataclass(frozen=True)
class RunnableProgram:
    """Networks that begin alike, up to the read-out of each, for images of one size.

    What every backend starts from. Each part is made when first asked for, so networks that no
    tile program runs are refused only then.

    Attributes
    ----------
    networks : tuple of Architecture
    height, width : int
        Pixels of an image.
    dtype : numpy.dtype
        float32 or float64, of the loops.
    """

    networks: tuple[Architecture, ...]
    height: int
    width: int
    dtype: np.dtype

    @cached_property
    def program(self) -> ImageProgram:
        """What runs on every tile."""
        return compile_image_network(self.networks, self.height, self.width)

    @cached_property
    def geometries(self) -> list[Geometry]:
        """Which tiles run in every stage."""
        return stage_geometries(self.program, _CACHE)

    @cached_property
    def turns(self) -> list[Turn]:
        """In which order the tiles run."""
        return schedule(self.geometries)

    @cached_property
    def stages(self) -> list[RunnableStage]:
        """The stages, ready to run."""
        return self._ready(self.geometries)

    @cached_property
    def stages_of_variances(self) -> list[RunnableStage]:
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
        """Pairs of pixels that pass a layer, for one pair of images: time goes with it."""
        stages = zip(self.program.stages, self.geometries, strict=True)
        return sum(layer_entries(stage, geometry) for stage, geometry in stages)

    @property
    def work(self) -> float:
        """The same with what further tangent fields add, to compare the costs of passes."""
        return sum(stage.work for stage in self.stages)
