"""A stage of the image engine ready to run: its operations and tiles as the loops want them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ntkreg.architecture import Identity
from ntkreg.errors import PlanError
from ntkreg.kernels.compiled.arc_cosine import relu_dual
from ntkreg.kernels.compiled.lanes import aligned, n_lanes
from ntkreg.kernels.image.geometry import Field, Geometry
from ntkreg.kernels.image.loops.choice import (
    addresses_of,
    addresses_of_own,
    loop_of,
    stage_loops,
)
from ntkreg.kernels.image.loops.duals import parameter
from ntkreg.kernels.image.loops.stages import NO_LOOPS, StageArrays
from ntkreg.kernels.image.loops.tiles import Images, step_dtype
from ntkreg.kernels.image.loops.variances import run_diagonal
from ntkreg.kernels.image.program import Loop, Op, Operation, Stage
from ntkreg.machine import free_memory, readable

__all__ = ["RunnableStage"]

_TINY = {"float32": 1e-36, "float64": 1e-290}
"""Variances that count as zero: two reciprocal roots of larger ones stay finite."""

_OF_A_TANGENT = 0.3
"""Time of one more tangent field in a loop of `loops.layers`, over that of S and the first."""

_LARGE = 1 << 30
"""Bytes of work space from which on it is worth asking how many are free."""


class Room(NamedTuple):
    """Memory of a stage at work: for tiles, and for what pooling leaves of the pairs in work."""

    space: np.ndarray
    target: np.ndarray


@dataclass(frozen=True)
class RunnableStage:
    """A stage, its tiles, where its pooling leaves them, and the dtype of the loops.

    `scale` is what its input field is multiplied by: 1/s^4 after s x s pooling; `tangents` the
    number of tangent fields.
    """

    stage: Stage
    geometry: Geometry
    after: Field
    dtype: np.dtype
    scale: float
    tangents: int = 1

    @property
    def columns_stored(self) -> int:
        """Images are stored twice side by side where offsets wrap around them."""
        return 2 if self.stage.circular else 1

    @property
    def registers(self) -> int:
        """Tiles alive at once, and one to copy a tile into that wraps or runs again."""
        return self.stage.registers + (self.stage.circular or self.tangents > 1)

    @property
    def work(self) -> float:
        """Entries through layers, in units of those with one tangent; what time goes with.

        Loops outside `image.loops.layers` run again for every further tangent.
        """
        total = 0.0
        for o in self.stage.operations:
            if o.op == Op.LAYER:
                share = _OF_A_TANGENT if loop_of(o, self.stage) >= Loop.FIRST else 1.0
                entries = self.geometry.entries_at(o.level)
                total += entries * (1 + share * (self.tangents - 1))
        return total

    @cached_property
    def _tables(self) -> tuple[list[int], int]:
        """First entry of every operation's tables, and their length."""
        starts, at = [], 0
        for o in self.stage.operations:
            starts.append(at)
            if o.op == Op.LAYER and not isinstance(o.activation, Identity):
                level = self.stage.levels[o.level]
                at += level.h * level.w * self.columns_stored
        return starts, at

    @cached_property
    def _marks(self) -> tuple[list[int], int, int]:
        """First entry of every READ's diagonal, the pooling's, and their length."""
        first = self.stage.levels[0]
        starts, at = [], first.h * first.w
        for o in self.stage.operations:
            starts.append(at)
            if o.op == Op.READ:
                at += self.stage.levels[o.level].h * self.stage.levels[o.level].w
        end = self.stage.end
        return starts, at, at + (end.h * end.w if self.stage.pool else 0)

    def table_place(self, k: int) -> tuple[int, int, int]:
        """Level of an operation, columns of its tables in the images' a and b, first entry."""
        level = self.stage.operations[k].level
        width = self.stage.levels[level].w * self.columns_stored
        return level, width, self._tables[0][k]

    def _row(self, k: int, o: Operation) -> dict[str, Any]:
        level, width, table = self.table_place(k)
        return {
            "op": o.op,
            "register": o.register,
            "other": o.other,
            "level_in": o.level_in,
            "level": level,
            "window": o.window,
            "stride": o.stride,
            "origin_row": o.origin[0],
            "origin_column": o.origin[1],
            "factor": o.factor,
            "bias": o.bias,
            "parameter": parameter(o.activation),
            "table": table,
            "mark": self._marks[0][k],
            "readout": o.readout,
            "slot": o.slot,
            "circular": o.circular,
            "loop": loop_of(o, self.stage),
            "has_tables": not isinstance(o.activation, Identity),
            "height": self.stage.levels[level].h,
            "width": width,
        }

    def _as_array(self, dtype: Any, addresses: Sequence[dict[str, int]]) -> np.ndarray:
        """The operations as `step_dtype`, reals in `dtype`."""
        steps = np.zeros(len(self.stage.operations), step_dtype(np.dtype(dtype)))
        for k, o in enumerate(self.stage.operations):
            for name, value in {**self._row(k, o), **addresses[k]}.items():
                steps[name][k] = value
        return steps

    @cached_property
    def _steps(self) -> np.ndarray:
        """The operations for pairs of images, from the tile of the input."""
        return self._as_array(self.dtype, self._addresses(on_pixels=False))

    @cached_property
    def _steps_on_pixels(self) -> np.ndarray:
        """The operations for pairs of images, from pixels of three channels."""
        return self._as_array(self.dtype, self._addresses(on_pixels=True))

    @cached_property
    def _own_steps(self) -> np.ndarray:
        """The operations for variances, in float64."""
        return self._as_array(float, addresses_of_own(self.stage.operations, self.dtype))

    def _addresses(self, *, on_pixels: bool) -> list[dict[str, int]]:
        return [
            addresses_of(o, self.stage, on_pixels and k == 0, self.dtype, self.tangents)
            for k, o in enumerate(self.stage.operations)
        ]

    @cached_property
    def _trained(self) -> tuple[np.ndarray, ...]:
        return self.trained(self.dtype)

    def __getstate__(self) -> dict[str, Any]:
        """Without what is kept in properties: addresses are of this process alone."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def trained(self, dtype: Any) -> tuple[np.ndarray, ...]:
        """`Operation.trained` of every tangent field, (n_steps,) each."""
        each = [o.trained or (0.0,) * self.tangents for o in self.stage.operations]
        flags = np.array(each, dtype).reshape(-1, self.tangents)
        return tuple(np.ascontiguousarray(field) for field in flags.T)

    @property
    def _largest(self) -> tuple[np.uint64, np.uint64, np.uint64]:
        levels, operations = self.stage.levels, self.stage.operations
        sizes = (
            max(level.h for level in levels),
            max(level.w for level in levels),
            max([3, *(o.window for o in operations)]),
        )
        h, w, window = (np.uint64(v) for v in sizes)
        return h, w, window

    def _space(self, dtype: Any) -> np.ndarray:
        h, w, window = (int(v) for v in self._largest)
        n = n_lanes(self.dtype)
        pitch = (w + 2 * (window - 1)) * n
        tile = (h + 1) * pitch + window * n + 1280
        rings = (3 + self.tangents) * ((max(window, 4) + 1) * pitch + 256)
        size = (1 + self.tangents) * (self.registers * tile + 512) + rings
        n_bytes = size * np.dtype(dtype).itemsize
        free = free_memory() if n_bytes > _LARGE else None
        if free is not None and n_bytes > free:
            raise PlanError(
                f"kernel: windows of {window} pixels need {readable(n_bytes)} of work space a "
                f"thread; {readable(free)} are free. Beyond twice the image's size a window sees "
                "nothing more: use a smaller one."
            )
        return aligned((size,), np.dtype(dtype))

    def images(self, pixels: np.ndarray) -> Images:
        """Return empty tables for groups of images, pixels (groups, numbers, channels * lanes)."""
        groups, n = len(pixels), n_lanes(self.dtype)
        a, b = (aligned((groups, self._tables[1] * n), self.dtype) for _ in range(2))
        variance = aligned((groups, self._marks[2] * n), np.dtype(float))
        tangent = aligned((groups, self.tangents, self._marks[2] * n), np.dtype(float))
        return Images(pixels, a, b, variance, tangent)

    def fill_tables(self, z: Images, variance: np.ndarray, tangent: np.ndarray) -> None:
        """Fill tables from the fields on p = p' at the input.

        float64 (groups, h * w * lanes) and (groups, tangents, h * w * lanes).
        """
        z.variance[:, : variance.shape[1]] = variance
        z.tangent[:, :, : tangent.shape[2]] = tangent
        run_diagonal(
            self._own_steps,
            self.trained(float),
            (self.geometry.rows.length, self.geometry.columns.length),
            (self.geometry.rows.own, self.geometry.columns.own),
            np.uint64(self.registers),
            self._largest,
            _TINY[self.dtype.name],
            np.uint64(self._marks[1] if self.stage.pool else 0),
            self._space(np.float64),
            z,
        )

    def arrays(self, x: Images, z: Images, source: np.ndarray | None, room: Room) -> StageArrays:
        """Return what the loops need; `source` is what a pooling left, None for pixels."""
        first = self.stage.levels[0]
        # Pixels have three channels, some of zeros, or more.
        on_pixels = source is None and z.pixels.shape[2] == 3 * n_lanes(self.dtype)
        arrays = StageArrays(
            steps=self._steps_on_pixels if on_pixels else self._steps,
            trained=self._trained,
            loops=NO_LOOPS,
            dual=relu_dual(self.dtype.name, 0.5),
            rows=self.geometry.rows,
            columns=self.geometry.columns,
            field=self.geometry.field,
            after=self.after,
            registers=np.uint64(self.registers),
            largest=self._largest,
            pool=np.uint64(self.stage.pool),
            pool_mark=np.uint64(self._marks[1]),
            pixel_width=np.uint64(first.w * self.columns_stored + 2 if source is None else 0),
            scale=self.dtype.type(self.scale),
            space=room.space,
            source=aligned((1 + self.tangents, 0), self.dtype) if source is None else source,
            target=room.target,
            x=x,
            z=z,
        )
        reads = any(o.op == Op.READ for o in self.stage.operations)
        loops = stage_loops(arrays, reads=reads, pixels=source is None)
        return arrays._replace(loops=loops)

    def make_room(self) -> Room:
        """Return memory to run in, again and again: fresh memory would cost a pooling's time."""
        size = self.after.size * n_lanes(self.dtype) if self.stage.pool else 0
        return Room(self._space(self.dtype), aligned((1 + self.tangents, size), self.dtype))

    def own_tile(self, source: np.ndarray) -> np.ndarray:
        """All fields on p = p' at the input, float64 (1 + tangents, h * w * lanes)."""
        n, field, geometry = n_lanes(self.dtype), self.geometry.field, self.geometry
        ey, ex = int(geometry.rows.own), int(geometry.columns.own)
        rows, columns = int(field.row_length[ey]), int(field.column_length[ex])
        at = int(field.row_before[ey]) * int(field.columns) + rows * int(field.column_before[ex])
        return source[:, at * n : (at + rows * columns) * n].astype(np.float64) * self.scale
