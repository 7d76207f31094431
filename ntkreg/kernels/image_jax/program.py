"""A tile program in plain jax.numpy: one function, compiled once by XLA for one shape of chunk.

A chunk is `rows` images x and `lanes` images z; its tiles are arrays (rows, N, N, lanes), one
offset (`axes`) at a time: with the lanes last, shifts by a pixel move whole vectors, and an
offset is a slice of z's tables, stored twice along both axes. Loops over offsets, and over runs
of equal layers, are `lax.fori_loop`; so nothing but a tile is alive at a time, and twenty equal
layers compile as quickly as two.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ntkreg.architecture import Identity
from ntkreg.kernels.image.program import ImageProgram, Op, Operation, Stage
from ntkreg.kernels.image_jax.axes import PackedAxis
from ntkreg.kernels.image_jax.duals import dual

__all__ = ["Group", "PackedTables", "groups_of", "make_run"]

PackedTile = tuple[Any, ...]
"""S and every tangent field of one offset, (rows, N, N, lanes)."""


class PackedTables(NamedTuple):
    """What a chunk's images bring to a stage.

    x: pixels (rows, channels, N, N), a and b of every group of layers (layers, rows, N, N); z: the
    same with lanes last in place of rows, and everything twice along both axes of pixels. No
    pixels after the first stage.
    """

    pixels: Any
    a: tuple[Any, ...]
    b: tuple[Any, ...]


@dataclass(frozen=True)
class Group:
    """Operations that run as one loop: equal LAYERs in a row, or any one other.

    `first` numbers the first of them within the stage.
    """

    first: int
    operations: tuple[Operation, ...]

    @property
    def has_tables(self) -> bool:
        """Whether an activation asks for tables."""
        o = self.operations[0]
        return o.op == Op.LAYER and not isinstance(o.activation, Identity)


def groups_of(stage: Stage) -> list[Group]:
    """Return a stage's operations, runs of LAYERs that differ in their numbers only together."""
    groups = []
    numbered = enumerate(stage.operations)
    for _, run in groupby(numbered, lambda item: _kind(*item)):
        numbers, operations = zip(*run, strict=True)
        groups.append(Group(numbers[0], operations))
    return groups


def _kind(number: int, o: Operation) -> Any:
    alike = o.op == Op.LAYER and o.level_in == o.level
    return (replace(o, factor=0.0, bias=0.0, trained=()), -1 if alike else number)


@dataclass(frozen=True)
class _Runner:
    """One stage, as functions of one tile, S and `tangents` of T.

    `on` is true, but only known when the program runs: a `lax.cond` on it is a fence. Without,
    XLA merges a whole layer, or two, into one loop that computes every window sum again for each
    of its uses: up to fifty times the work.
    """

    stage: Stage
    axes: tuple[PackedAxis, PackedAxis]
    dtype: np.dtype
    on: Any
    tangents: int

    def fence(self, function: Callable[..., PackedTile], *values: Any) -> PackedTile:
        shapes = jax.eval_shape(function, *values)
        zeros = lambda *_: jax.tree.map(lambda v: jnp.zeros(v.shape, v.dtype), shapes)  # noqa: E731
        return lax.cond(self.on, function, zeros, *values)

    def constant(self, values: Any) -> Any:
        return jnp.asarray(values, self.dtype)

    def slice_of_z(self, table: Any, level: int, at: tuple[Any, Any]) -> Any:
        """The pixels of z that lie beside those of x: (layers or channels, N, N, lanes)."""
        starts = [
            jnp.asarray(axis.offsets[level])[e] for axis, e in zip(self.axes, at, strict=True)
        ]
        sizes = [axis.moduli[level] for axis in self.axes]
        return lax.dynamic_slice(table, (0, *starts, 0), (len(table), *sizes, table.shape[-1]))

    def from_pixels(self, x: PackedTables, z: PackedTables, at: tuple[Any, Any]) -> PackedTile:
        there = self.slice_of_z(z.pixels, 0, at)
        s = sum(x.pixels[:, c, :, :, None] * there[None, c] for c in range(len(there)))
        return s, *(jnp.zeros_like(s) for _ in range(self.tangents))

    def run(
        self, tile: PackedTile, x: PackedTables, z: PackedTables, at: tuple[Any, Any]
    ) -> tuple[PackedTile, list[Any]]:
        """Run all operations; return the tile at the end, and (slot, sums) of every READ."""
        registers, reads = {0: tile}, []
        tables = iter(zip(x.a, x.b, z.a, z.b, strict=True))
        for group in groups_of(self.stage):
            o = group.operations[0]
            if o.op == Op.LAYER:
                group_tables = next(tables) if group.has_tables else None
                here = registers[o.register]
                registers[o.register] = self.layers(group, here, group_tables, at)
            elif o.op == Op.COPY:
                registers[o.other] = registers[o.register]
            elif o.op == Op.ADD:
                one, other = registers[o.register], registers[o.other]
                registers[o.register] = tuple(a + b for a, b in zip(one, other, strict=True))
            else:
                reads.append((o.slot, self.sums(registers[o.register], o.readout, at)))
        return registers[0], reads

    def layers(
        self, group: Group, tile: PackedTile, tables: Any, at: tuple[Any, Any]
    ) -> PackedTile:
        o, n = group.operations[0], len(group.operations)
        numbers = self.constant([[g.factor, g.bias, *g.trained] for g in group.operations])
        rows, columns = (
            None if axis.masks[group.first] is None
            else self.constant(axis.masks[group.first])[e]
            for axis, e in zip(self.axes, at, strict=True)
        )  # fmt: skip

        def layer(k: Any, tile: PackedTile) -> PackedTile:
            factor, bias, *trained = numbers[k]
            if tables is not None:
                xa, xb = (lax.dynamic_index_in_dim(t, k, 0, False)[..., None] for t in tables[:2])
                za, zb = (
                    self.slice_of_z(lax.dynamic_slice_in_dim(t, k, 1), o.level, at)
                    for t in tables[2:]
                )

            def finish(*fields: Any) -> PackedTile:
                if rows is not None:
                    fields = tuple(_window_sums(v, rows, 1, o) for v in fields)
                c = factor * fields[0] + bias
                ts = [factor * t + f * c for t, f in zip(fields[1:], trained, strict=True)]
                if tables is None:
                    return c, *ts
                value, slope = dual(o.activation)(c, xa, xb, za, zb)
                return value, *(t * slope for t in ts)

            if columns is not None:
                over = lambda *fields: tuple(_window_sums(v, columns, 2, o) for v in fields)  # noqa: E731
                tile = self.fence(over, *tile)
            return self.fence(finish, *tile)

        return layer(0, tile) if n == 1 else lax.fori_loop(0, n, layer, tile)

    def sums(self, tile: PackedTile, readout: int, at: tuple[Any, Any]) -> Any:
        """Weighted sums over all fields, float64 (1 + tangents, rows, lanes)."""
        rows, columns = (
            self.constant(a.weight[readout])[e] for a, e in zip(self.axes, at, strict=True)
        )
        over = [(v * rows[None, :, None, None]).sum(1) for v in tile]
        return jnp.stack([(v * columns[None, :, None]).sum(1) for v in over]).astype(jnp.float64)

    def pool(self, tile: PackedTile, field: Any, at: tuple[Any, Any]) -> Any:
        """Add a tile to the next stage's fields (1 + tangents, n_e, n_e, rows, N, N, lanes)."""
        rows, columns = self.axes
        (r, c), side = at, self.stage.pool
        for i in range(rows.targets.shape[1]):
            over = lambda *vs, i=i: tuple(  # noqa: E731
                _squares(v, self.constant(rows.pools)[r, i], 1, side) for v in vs
            )
            part = self.fence(over, *tile)
            for j in range(columns.targets.shape[1]):
                fields = jnp.stack(
                    [_squares(v, self.constant(columns.pools)[c, j], 2, side) for v in part]
                )
                to = (0, jnp.asarray(rows.targets)[r, i], jnp.asarray(columns.targets)[c, j])
                start, shape = (*to, 0, 0, 0, 0), (len(fields), 1, 1, *fields.shape[1:])
                there = lax.dynamic_slice(field, start, shape)
                field = lax.dynamic_update_slice(field, there + fields[:, None, None], start)
        return field


def _window_sums(v: Any, mask: Any, axis: int, o: Operation) -> Any:
    """Sum windows along an axis: a masked slice for every pixel of a window."""
    origin, size = o.origin[axis - 1], v.shape[axis]
    span = o.stride * (mask.shape[1] - 1) + 1
    ends = [(0, 0)] * v.ndim
    ends[axis] = (origin, max(span - 1 + o.window - origin - size, 0))
    v = jnp.pad(v, ends, mode="wrap") if o.circular else jnp.pad(v, ends)
    weights = mask.reshape(o.window, *[1] * axis, -1, *[1] * (v.ndim - 1 - axis))
    return sum(
        weights[j] * lax.slice_in_dim(v, j, j + span, o.stride, axis) for j in range(o.window)
    )


def _squares(v: Any, mask: Any, axis: int, side: int) -> Any:
    """Sum neighbours along an axis, `side` to one, those that the mask takes."""
    shape = [*[1] * axis, -1, *[1] * (v.ndim - 1 - axis)]
    return sum(
        mask[j::side].reshape(shape) * lax.slice_in_dim(v, j, len(mask), side, axis)
        for j in range(side)
    )


def make_run(
    program: ImageProgram, axes: Sequence[tuple[PackedAxis, PackedAxis]], dtype: np.dtype
) -> Callable[[Any, list[PackedTables], list[PackedTables]], Any]:
    """Return ``run(True, x, z)``: all fields at the reads, float64.

    NNGP, then every tangent field: (1 + n_tangents, n_reads, rows, lanes).
    To be traced, and called, where JAX computes in float64. The first argument must not be known
    to the compiler.
    """

    def run(on: Any, x: list[PackedTables], z: list[PackedTables]) -> Any:
        rows, lanes = x[0].pixels.shape[0], z[0].pixels.shape[-1]
        fields = 1 + program.n_tangents
        sums = jnp.zeros((fields, program.n_reads, rows, lanes), jnp.float64)
        field = None
        for k, stage in enumerate(program.stages):
            source, after = field, None
            if stage.pool:
                down, across = axes[k + 1]
                shape = (down.n_offsets, across.n_offsets, rows, down.moduli[0], across.moduli[0])
                after = jnp.zeros((fields, *shape, lanes), dtype)
            runner = _Runner(stage, axes[k], dtype, on, program.n_tangents)
            share = 1 / program.stages[k - 1].pool ** 4 if k else 1.0
            field, sums = _over_offsets(runner, source, share, after, sums, x[k], z[k])
        return sums

    return run


def _over_offsets(
    runner: _Runner,
    source: Any,
    share: float,
    after: Any,
    sums: Any,
    x: PackedTables,
    z: PackedTables,
) -> tuple[Any, Any]:
    """Run a stage for all its offsets; return the next stage's field and the sums."""
    down, across = runner.axes

    def one(c: Any, carried: tuple[Any, Any], r: Any) -> tuple[Any, Any]:
        field, sums = carried
        if source is None:
            tile = runner.from_pixels(x, z, (r, c))
        else:
            tile = tuple(share * source[i, r, c] for i in range(len(source)))
        tile, reads = runner.run(tile, x, z, (r, c))
        for slot, value in reads:
            sums = sums.at[:, slot].add(value)
        return (field if field is None else runner.pool(tile, field, (r, c))), sums

    def row(r: Any, carried: tuple[Any, Any]) -> tuple[Any, Any]:
        return lax.fori_loop(0, across.n_offsets, lambda c, v: one(c, v, r), carried)

    return lax.fori_loop(0, down.n_offsets, row, (after, sums))
