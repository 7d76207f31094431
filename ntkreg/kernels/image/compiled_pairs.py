"""`CompiledPairs`: pairs of images in compiled loops on the CPU, the backend by default."""

from dataclasses import dataclass

import numpy as np

from ntkreg.kernels.compiled.lanes import n_lanes
from ntkreg.kernels.image.explain import explain_image
from ntkreg.kernels.image.inputs import ImageInputs
from ntkreg.kernels.image.pairs import ImagePairs
from ntkreg.kernels.image.run import run_program

__all__ = ["CompiledPairs"]


@dataclass(frozen=True)
class CompiledPairs(ImagePairs):
    """One x with 16 (float32) or 8 (float64) z at a time, also where fewer are asked for.

    Cost of a pair: about (h w)^2 entries a layer times the share of offsets that the
    read-out needs (all for GAP, 1/(h w) for flatten). Memory: below a pooling a MiB for the pairs
    in work, or two rows of offsets if these are more (`image.schedule`).
    """

    @property
    def name(self) -> str:
        """That of the only engine there was."""
        return "ImageEngine"

    @property
    def block(self) -> int:
        """One to eight groups of lanes: at most a second or two of work."""
        runnable = self.runnable
        size, work = n_lanes(runnable.dtype), max(runnable.layer_entries, 1)
        # Below poolings an image's tables cost a pair's work: share them among more pairs.
        least = 2 if len(runnable.geometries) > 1 else 1
        return size * int(np.clip(2**14.5 / np.sqrt(work) / size, least, 128 // size))

    @property
    def columns_at_once(self) -> int:
        """The lanes."""
        return n_lanes(self.runnable.dtype)

    def explain(self) -> str:
        """Return the tile program as text."""
        dtype = self.runnable.dtype
        return (
            f"One image x with {n_lanes(dtype)} images z at once ({dtype.name}). A tile is the "
            "pairs\nof pixels at one offset, S and T of each; it runs through a stage while it is "
            f"in cache.\n{explain_image(self.runnable.program, self.runnable.geometries)}"
        )

    def run(self, x: ImageInputs, z: ImageInputs, wanted: np.ndarray) -> np.ndarray:
        """Fields at the reads, of groups of lanes with a pair that is wanted."""
        groups, lanes = len(z.as_z[0].pixels), self.columns_at_once
        columns = np.zeros((len(x), groups, lanes), bool)
        columns.reshape(len(x), -1)[:, : len(z)] = wanted
        fields = run_program(self.runnable, x.as_x, z.as_z, np.any(columns, axis=2), paired=False)
        return fields.reshape(*fields.shape[:3], -1)[..., : len(z)]
