"""`JaxPairs`: pairs of images in plain jax.numpy, the same tile programs, on whatever JAX runs on.

They go to XLA in chunks of one shape (`image_jax.program`), padded at the ends.

**The size of a chunk** decides where a tile lives between two steps: XLA writes S and T after
each sum over windows and after each dual. On a CPU that should be the second-level cache, of which
a step needs some four tiles. Measured with 2 MiB of it (Xeon, AVX-512, one core, float32, 4 conv +
GAP, images x by images z; ns for an entry and a layer):

- 16 x 16 pixels: 2.5 with 2 x 32 images (64 KiB a field), 2.7 with 8 x 32 (256 KiB), 3.9 with
  16 x 32 (512 KiB), 5.8 with 64 x 32 (2 MiB);
- 8 x 8 pixels: 3.3 with 1 x 32, 2.7 with 4 x 32, 2.5 with 16 x 32, 2.9 with 16 x 16;
- 32 x 32 pixels: 2.7 with 2 x 8, 3.0 with 2 x 16, 2.9 with 2 x 32; 6.4 with 1 x 32.

Hence 32 lanes, at least 2 rows, and 256 KiB for a tile of one field.
"""

import functools
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import jax
import numpy as np

from ntkreg.kernels.image.explain import explain_image
from ntkreg.kernels.image.inputs import ImageInputs
from ntkreg.kernels.image.pairs import ImagePairs
from ntkreg.kernels.image.runnable import RunnableProgram
from ntkreg.kernels.image_jax.axes import PackedAxis, packed_axes
from ntkreg.kernels.image_jax.program import make_run
from ntkreg.kernels.image_jax.tables import as_x, as_z, filled_up

__all__ = ["JaxPairs"]

_LANES = {"cpu": 32}
_TILE_BYTES = {"cpu": 2**18}
_OTHER_LANES, _OTHER_TILE_BYTES = 128, 2**23
"""Lanes, and bytes of one field's tile: measured on a CPU (above), reasoned elsewhere."""

_FIELD_BYTES = 2**28
"""Most bytes of what pooling leaves of a chunk."""

_ON_DEVICE = Lock()
"""Held by the thread whose chunks are on an accelerator: two would take the memory twice and share
the same units. On a CPU threads go side by side: XLA has few loops that are worth splitting."""


@functools.lru_cache(maxsize=16)
def _compiled(runnable: RunnableProgram) -> Any:
    """The jitted program; cached, so that a second engine of a network does not compile again."""
    program = runnable.program
    return jax.jit(make_run(program, packed_axes(program), runnable.dtype))


@dataclass(frozen=True)
class JaxPairs(ImagePairs):
    """Pairs of images computed by XLA, on JAX's default device.

    Runs whatever the compiled loops run, in float32 and float64, to the same values but for
    rounding. Cost of a pair: packed tiles (`image_jax.axes`) have no waste where all offsets are
    read; local pooling runs up to a third more entries than the compiled loops do. The first call
    for a network, an image size and a dtype compiles, one to a few seconds. Memory on the device: a
    few tiles, and below poolings by s a field of (h w / s^2)^2 entries for each pair of a chunk.

    JAX's global 64-bit switch stays as it is.
    """

    @property
    def name(self) -> str:
        """With JAX's platform."""
        return f"JaxImageEngine({jax.default_backend()})"

    @cached_property
    def axes(self) -> list[tuple[PackedAxis, PackedAxis]]:
        """Which offsets run in every stage."""
        return packed_axes(self.runnable.program)

    @cached_property
    def chunk(self) -> tuple[int, int]:
        """Images x and images z of one call."""
        platform = jax.default_backend()
        lanes = _LANES.get(platform, _OTHER_LANES)
        rows, columns = (max(axis.moduli) for axis in self.axes[0])
        tile = rows * columns * lanes * self.runnable.dtype.itemsize
        size = _TILE_BYTES.get(platform, _OTHER_TILE_BYTES) // tile
        # Not one: XLA then drops that axis, and lays tiles out in a way that costs twice the time.
        size = 2 ** int(np.log2(np.clip(size, 2, lanes)))
        field = max((self._field_bytes(k) for k in range(1, len(self.axes))), default=0)
        while size * lanes > 16 and size * lanes * field > _FIELD_BYTES:
            size, lanes = (size // 2, lanes) if size > 2 else (size, lanes // 2)
        return size, lanes

    def _field_bytes(self, k: int) -> int:
        """Bytes of a pair at the beginning of stage k, all fields."""
        down, across = self.axes[k]
        entries = down.n_offsets * down.moduli[0] * across.n_offsets * across.moduli[0]
        return (1 + self.runnable.program.n_tangents) * entries * self.runnable.dtype.itemsize

    @property
    def block(self) -> int:
        """One to four times the lanes: at most some seconds of work."""
        lanes = self.chunk[1]
        work = max(self.runnable.layer_entries, 1)
        return lanes * int(np.clip(2**14.5 / np.sqrt(work) / lanes, 1, max(1, 128 // lanes)))

    @property
    def columns_at_once(self) -> int:
        """A chunk's."""
        return self.chunk[1]

    @property
    def rows_at_once(self) -> int:
        """A chunk's."""
        return self.chunk[0]

    def explain(self) -> str:
        """Return the tile program as text."""
        rows, lanes = self.chunk
        return (
            f"XLA runs these operations on {jax.default_backend()}, {rows} images x with {lanes} "
            f"images z at once ({self.runnable.dtype.name}).\nThe tile of an offset d is packed "
            "beside that of d - N, N the pixels along an axis.\n"
            f"{explain_image(self.runnable.program, self.runnable.geometries)}"
        )

    def run(self, x: ImageInputs, z: ImageInputs, wanted: np.ndarray) -> np.ndarray:
        """Fields at the reads, of chunks with a pair that is wanted."""
        rows, lanes = self.chunk
        run, program, stages = _compiled(self.runnable), self.runnable.program, self.runnable.stages
        out = np.zeros((1 + program.n_tangents, program.n_reads, len(x), len(z)))
        one_at_a_time = nullcontext() if jax.default_backend() == "cpu" else _ON_DEVICE
        tops = [as_x(stages, self.axes, filled_up(x.as_x, i, rows)) for i in range(0, len(x), rows)]
        with jax.enable_x64(True), one_at_a_time:
            tops = [jax.device_put(top) for top in tops]
            for j in range(0, len(z), lanes):
                left = jax.device_put(as_z(stages, self.axes, filled_up(z.as_x, j, lanes)))
                for i, top in zip(range(0, len(x), rows), tops, strict=True):
                    part = wanted[i : i + rows, j : j + lanes]
                    if part.any():
                        sums = np.asarray(run(True, top, left))
                        n, m = part.shape
                        out[:, :, i : i + n, j : j + m] = sums[:, :, :n, :m]
        return out
