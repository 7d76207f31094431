"""`CudaPairs`: pairs of images on an NVIDIA card, the same tile programs as CUDA source."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ntkreg.errors import BackendError, SpecError
from ntkreg.kernels.image.explain import explain_image
from ntkreg.kernels.image.inputs import ImageInputs
from ntkreg.kernels.image.pairs import ImagePairs
from ntkreg.kernels.image.tables import diagonal_fields
from ntkreg.kernels.image_cuda.cards import Card, cards
from ntkreg.kernels.image_cuda.program import CardProgram
from ntkreg.kernels.image_cuda.source import body_of
from ntkreg.kernels.image_cuda.tables import as_x, as_z

__all__ = ["CudaPairs"]

_WORK = 2**38
"""Entries through layers in a block of pairs: half a second of an H100."""

_CAPACITY = 232448
"""Bytes of shared memory that a block of an H100 may have: what is explained without a card."""


@dataclass(frozen=True)
class CudaPairs(ImagePairs):
    """Pairs of images computed by cards: a warp holds one tile, two or four of small images.

    Runs what the compiled loops run, on images of up to 32 x 32 pixels, in float32; sums of
    read-outs are float64. Values have the same bits in every run, for every block of pairs and
    every number of warps, and agree with the compiled loops' to rounding. Cost of a pair: (h w)^2
    entries a layer where all offsets are read, 39 instructions for 32 of them (ReLU, one tangent).
    Memory on the card: two blocks' tables, O(layers h w) an image, and 8 bytes a pair and result.
    The first call of a network compiles it, for some seconds; CuPy keeps what comes of it.

    Blocks go to cards by their place in the Gram. Each card is held by one thread of one process
    at a time; the others make tables meanwhile.
    """

    @property
    def name(self) -> str:
        """With the card's."""
        try:
            return f"CudaImageEngine({cards()[0].name})"
        except BackendError:
            return "CudaImageEngine(no card)"

    @property
    def block(self) -> int:
        """A power of two, at most a second of work; smaller ones leave threads without tables."""
        side = np.sqrt(_WORK / max(self.runnable.layer_entries, 1))
        return int(2 ** np.clip(np.floor(np.log2(side)), 5, 10))

    @property
    def columns_at_once(self) -> int:
        """A block's: fewer leave multiprocessors idle."""
        return self.block

    @cached_property
    def _programs(self) -> dict[tuple[int, int], CardProgram]:
        return {}

    def card_program(self, channels: int, card: Card | None = None) -> CardProgram:
        """Return what runs on a card (None: an H100), of images with so many channels.

        Raises
        ------
        SpecError
            float64, or a program that does not run on a card; says what runs it.
        """
        if self.runnable.dtype != np.float32:
            raise SpecError(
                f'backend="cuda" computes layers in float32; got {self.runnable.dtype}. Give '
                'dtype="float32", or "mixed" for read-outs and values in float64, or use '
                'backend="jax".'
            )
        key = channels, _CAPACITY if card is None else card.capacity
        if key not in self._programs:
            self._programs[key] = CardProgram(self.runnable.program, *key)
        return self._programs[key]

    def explain(self) -> str:
        """Return the tile program as text, and the source that is generated of it."""
        program = self.card_program(3)
        tiles = 32 // program.groups(0)
        far = sum(not item.near for item in program.items)
        return (
            f"{program.warps} warps a block, {tiles} tile{'s' if tiles > 1 else ''} a warp; tables "
            f"in {program.shared_bytes:,} bytes of shared memory, {far} of "
            f"{len(program.items)} read from afar (float32; {self.name}).\n"
            f"{explain_image(self.runnable.program, self.runnable.geometries)}\n\n"
            f"Of images with 3 channels the card runs, after a fixed header:\n\n{body_of(program)}"
        )

    def run(self, x: ImageInputs, z: ImageInputs, wanted: np.ndarray) -> np.ndarray:
        """Fields at the reads, of the pairs that are wanted."""
        chosen = np.argwhere(wanted).astype(np.int32)
        program = self.runnable.program
        out = np.zeros((1 + program.n_tangents, program.n_reads, *wanted.shape))
        card = self._card_of(x, z)
        card_program = self.card_program(z.channels, card)
        stages = self.runnable.stages
        xs = as_x(card_program, stages, x.as_x)
        zs = as_z(card_program, stages, z.as_x)
        if len(chosen):
            sums = card.run(card_program, xs, zs, chosen)
            out[:, :, chosen[:, 0], chosen[:, 1]] = _fields(card_program, sums)
        self._zero(out, x, 2)
        self._zero(out, z, 3)
        return out

    def _card_of(self, x: ImageInputs, z: ImageInputs) -> Card:
        """The card of a block, by its place."""
        found = cards()
        return found[(x.start + z.start) // self.block % len(found)]

    def _zero(self, out: np.ndarray, inputs: ImageInputs, axis: int) -> None:
        """Where an image's own field is zero, so is that with any other (Cauchy and Schwarz).

        Tiles know it to some 1e-38, the inverse of what stands for no variance.
        """
        if any((stage.a == 0).any() for stage in inputs.as_x):
            own = diagonal_fields(self.runnable, inputs.as_z, len(inputs))
            np.copyto(out, 0.0, where=np.expand_dims(own == 0, 5 - axis))


def _fields(program: CardProgram, sums: np.ndarray) -> np.ndarray:
    """NNGP and tangents at every READ, (fields, reads, pairs), from sums in their units."""
    fields = sums.reshape(-1, program.fields, sums.shape[1]).swapaxes(0, 1).copy()
    for slot, read in program.reads.items():
        for tangent, with_s in enumerate(read.carried.with_s):
            if with_s:
                fields[1 + tangent, slot] -= fields[0, slot]
        fields[:, slot] *= read.weight / read.carried.unit
    return fields
