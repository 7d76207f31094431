"""A program as a card runs it: tiles, warps, and which tables lie where."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ntkreg.errors import SpecError
from ntkreg.kernels.image.program import ImageProgram, Op, Stage
from ntkreg.kernels.image_cuda.axes import LANES, CardAxis, Schedule, card_axes, make_schedule
from ntkreg.kernels.image_cuda.lowering import Read, Step, lower

__all__ = ["PLACES", "CardProgram", "Item"]

PLACES = 64
"""Sums that tiles of a read-out are spread over, whatever the number of warps."""

_HOT = 64
"""Numbers a lane that leave room for 16 warps: two fields of 32 rows."""


@dataclass(frozen=True)
class Item:
    """A table of every image: pixels of all channels, or the numbers of a layer.

    `shape` is (tables, rows, columns) of x; z has `z_rows` (`CardProgram.copies`). `start`s are
    its first numbers in an image's. `near` ones are copied into shared memory, others read where
    they lie.
    """

    shape: tuple[int, int, int]
    z_rows: int
    x_start: int
    z_start: int
    near: bool

    @property
    def x_stop(self) -> int:
        """Behind its last number of x; a multiple of four."""
        return self.x_start + _whole(int(np.prod(self.shape)))

    @property
    def z_stop(self) -> int:
        """The same of z."""
        return self.z_start + _whole(self.shape[0] * self.z_rows * self.shape[2])


def _rows_that_wait(stage: Stage) -> int:
    """Rows that a window still reads after they were overwritten, but for the one of 3 x 3."""
    layers = (o for o in stage.operations if o.op == Op.LAYER and o.stride == 1)
    return max((o.window - 1 for o in layers if o.window > 3 or o.circular), default=0)


def _whole(n: int) -> int:
    return -(-n // 4) * 4


@dataclass(frozen=True)
class CardProgram:
    """A program for cards with `capacity` bytes of shared memory a block.

    Attributes
    ----------
    program : ImageProgram
    channels : int
        Of the images.
    capacity : int
    most : int
        Warps of a multiprocessor at once, at most.

    Raises
    ------
    SpecError
        When used, by a program that does not run on a card; says what runs it.
    """

    program: ImageProgram
    channels: int
    capacity: int
    most: int = 16

    @cached_property
    def axes(self) -> list[tuple[CardAxis, CardAxis]]:
        """Rows and columns of every stage's tiles."""
        return card_axes(self.program)

    @property
    def fields(self) -> int:
        """S and the tangents."""
        return 1 + self.program.n_tangents

    @cached_property
    def schedule(self) -> Schedule:
        """In which order tiles run."""
        return make_schedule(self.program, self.axes, self.fields)

    @cached_property
    def _lowered(self) -> tuple[list[list[Step]], dict[int, Read]]:
        return lower(self.program)

    @property
    def steps(self) -> list[list[Step]]:
        """Of every stage."""
        return self._lowered[0]

    @property
    def reads(self) -> dict[int, Read]:
        """How the sums of every READ become fields."""
        return self._lowered[1]

    def groups(self, stage: int) -> int:
        """Lanes of a tile: 8, 16 or 32."""
        width = max(self.axes[stage][1].moduli)
        return next(g for g in (8, 16, LANES) if width <= g)

    @cached_property
    def _resident(self) -> int:
        """Warps of a multiprocessor at once that have the registers they need."""
        rows = max(
            stage.registers * self.rows(k) + _rows_that_wait(stage)
            for k, stage in enumerate(self.program.stages)
        )
        return min(self.most, 16 if self.fields * rows <= _HOT else 8)

    def with_more_registers(self) -> "CardProgram | None":
        """The same for 8 warps, of which each has all registers it may; None if it is that."""
        return replace(self, most=8) if self._resident > 8 else None

    @cached_property
    def warps(self) -> int:
        """Of a block, a power of two: as many as registers allow and tiles need."""
        tiles = max(
            -(-(phase.stop - phase.start) * self.groups(phase.stage) // LANES)
            for phase in self.schedule.phases
        )
        return min(self._resident, 1 << (tiles - 1).bit_length())

    @property
    def blocks(self) -> int:
        """Of a multiprocessor at once, by registers and by what each must have."""
        return max(1, min(self._resident // self.warps, self.capacity // self._fixed))

    def rows(self, stage: int) -> int:
        """Rows of a lane, at most."""
        return max(self.axes[stage][0].sizes)

    @property
    def results(self) -> int:
        """Sums of a pair."""
        return self.program.n_reads * self.fields

    @cached_property
    def _fixed(self) -> int:
        """Bytes of shared memory for sums and for what poolings leave."""
        pooled = sum(self.field_sizes)
        return self.results * PLACES * 8 + _whole(pooled) * 4

    @property
    def field_sizes(self) -> list[int]:
        """Numbers of every stage's input in shared memory."""
        schedule = self.schedule
        both = zip(schedule.slots, schedule.sizes, strict=True)
        return [_whole(slots * size * self.fields) for slots, size in both]

    @cached_property
    def copies(self) -> int:
        """How often z's rows are there: twice, no row goes around then; once where room is short.

        An instruction a row and layer is less than what it costs to read a table from afar.
        """
        return 2 if all(item.near for item in self._placed(2)[self._full_of_pixels :]) else 1

    @cached_property
    def items(self) -> list[Item]:
        """Pixels, then the tables of all layers in their order."""
        return self._placed(self.copies)

    @property
    def _full_of_pixels(self) -> bool:
        """Whether pixels have so many channels that they are left afar: read once a tile."""
        return self.channels > 4

    def _placed(self, copies: int) -> list[Item]:
        rows, columns = self.axes[0]
        pixels = self.channels, rows.sizes[0], columns.moduli[0]
        shapes = [(pixels, copies * rows.moduli[0])]
        for (rows, columns), steps in zip(self.axes, self.steps, strict=True):
            for step in (s for s in steps if s.has_tables):
                level = step.operation.level
                shape = (1, rows.sizes[level], columns.moduli[level])
                shapes.append((shape, copies * rows.moduli[level]))
        items, x, z = [], 0, 0
        free = self.capacity // self.blocks - self._fixed
        if free < 0:
            raise SpecError(
                f'backend="cuda": what poolings leave of a pair takes {self._fixed:,} bytes of a '
                f'card\'s shared memory, which has {self.capacity:,}. Use backend="jax".'
            )
        full = self._full_of_pixels
        for k, (shape, z_rows) in enumerate(shapes):
            item = Item(shape, z_rows, x, z, False)
            size = 4 * (item.x_stop - x + item.z_stop - z)
            if k or not full:
                full = size > free
                free -= 0 if full else size
                item = replace(item, near=not full)
            else:
                full = False
            items.append(item)
            x, z = item.x_stop, item.z_stop
        return items

    @property
    def image_sizes(self) -> tuple[int, int]:
        """Numbers of an image as x and as z."""
        return self.items[-1].x_stop, self.items[-1].z_stop

    @property
    def near(self) -> list[Item]:
        """What lies in shared memory."""
        return [item for item in self.items if item.near]

    @property
    def shared_bytes(self) -> int:
        """Of a block."""
        near = self.near
        tables = (
            near[-1].x_stop - near[0].x_start + near[-1].z_stop - near[0].z_start if near else 0
        )
        return self._fixed + 4 * tables
