"""The image engine's variances: a stage on p = p', z with z, in float64 (compiled)."""

from typing import Any, NamedTuple

import numpy as np
from numba.core import types

from ntkreg.kernels.compiled.addresses import call, declare, row_type
from ntkreg.kernels.compiled.flags import by_address, counting_nothing, expanded, wide_vectors
from ntkreg.kernels.compiled.lanes import ONE, lanes
from ntkreg.kernels.image.loops.duals import DiagonalArguments
from ntkreg.kernels.image.loops.tiles import (
    MoveArguments,
    Tile,
    carve,
    clear_right,
    own_s,
    span,
    step_type,
    summed_tile,
    three_rows,
    tile_type,
    windows_to_row,
)
from ntkreg.kernels.image.program import Op

__all__ = ["OwnLayerArguments", "declare_own_layer", "layer_of_own", "run_diagonal"]

_LAYER, _READ = int(Op.LAYER), int(Op.READ)


@expanded
def keep_own(tile, n, h, w, variance, tangent, mark):
    """Copy the tile of offset (0, 0) to a mark."""
    for r in range(h):
        at, to = tile.pad * n + r * tile.pitch, (mark + r * w) * n
        for p in range(w * n):
            variance[to + p] = tile.fields[0, at + p]
        for f in range(np.uint64(tangent.shape[0])):
            for p in range(w * n):
                tangent[f, to + p] = tile.fields[f + ONE, at + p]


class OwnLayerArguments(NamedTuple):
    """What a LAYER on p = p' needs, over S and one tangent."""

    step: Any
    tile: Tile
    s: Any
    t: Any
    trained: Any
    size: Any  # (rows, columns) before, (rows, columns) after
    tables: Any  # (a, b)
    tiny: Any


def declare_own_layer(table: types.Type) -> types.Type:
    """Return numba's type of the arguments of a LAYER on p = p'; tables of dtype `table`."""
    number, u = types.float64, types.uint64
    row, tables = row_type(number), (row_type(table),) * 2
    step, tile = step_type(number), tile_type(number)
    return declare(OwnLayerArguments, step, tile, row, row, number, (u,) * 4, tables, number)


@by_address
def layer_of_own(arguments):
    """Run a LAYER on p = p' and fill its tables."""
    wide_vectors()
    step, tile, s, t, trained, (rows_in, columns_in, h, w), (a, b), tiny = arguments
    n = lanes(a)
    cov_in, tan_in = summed_tile(step, tile, n, s, t, rows_in, columns_in)
    done = -np.int64(step.origin_row)
    for r in range(h):
        done = windows_to_row(
            step, tile, n, cov_in, tan_in, r, done, rows_in, columns_in, w
        )  # fmt: skip
        cov, tan, three = three_rows(step, tile, r)
        first = (step.table + r * step.width) * n
        row = DiagonalArguments(
            (cov, tan, three), (s, t, tile.pad * n + r * tile.pitch), (a, b, first), w * n,
            (step.factor, step.bias, trained), step.parameter, tiny,
        )  # fmt: skip
        call(step.row, row)
        if step.width > w and step.has_tables:
            for p in range(first, first + w * n):
                a[p + w * n] = a[p]
                b[p + w * n] = b[p]
        if w < columns_in:
            clear_right(s, tile, n, r, w)
            clear_right(t, tile, n, r, w)


@counting_nothing
def run_diagonal(steps, trained, lengths, own, registers, largest, tiny, mark, space, z):
    """Run a stage on p = p', z with z, in float64, and fill z's tables and marks.

    `z.variance` and `z.tangent` hold the fields at the stage's input in their first entries.
    `lengths` are those of rows and of columns (`Axis`), `own` the number of offset (0, 0).
    Variances below `tiny` count as zero; `mark` is where the stage's end goes, 0 for nowhere.
    """
    wide_vectors()
    rows, columns = lengths
    ey, ex = own
    height, width, window = largest
    n = lanes(z.a)
    n_fields = ONE + np.uint64(len(trained))
    tile = carve(space, n, n_fields, registers, height, width, window)
    for g in range(np.uint64(len(z.a))):
        a, b, variance, tangent = z.a[g], z.b[g], z.variance[g], z.tangent[g]
        h, w = rows[0, ey], columns[0, ex]
        for r in range(h):
            at = tile.pad * n + r * tile.pitch
            for f in range(n_fields):
                values = tangent[f - ONE] if f > 0 else variance
                for p in range(w * n):
                    tile.fields[f, at + p] = values[r * w * n + p]
                clear_right(tile.fields[f], tile, n, r, w)
        for k in range(len(steps)):
            step = steps[k]
            op, before, level = step.op, step.level_in, step.level
            h, w = rows[level, ey], columns[level, ex]
            if op == _LAYER:
                rows_in, columns_in = rows[before, ey], columns[before, ex]
                start, end = span(tile, step.register)
                for done in range(n_fields - ONE):
                    which = n_fields - ONE - done
                    of, at_s, end_s = own_s(tile, which, step.register, n, rows_in)
                    layer = OwnLayerArguments(
                        step, tile, tile.fields[of, at_s:end_s], tile.fields[which, start:end],
                        trained[which - ONE][k], (rows_in, columns_in, h, w), (a, b), tiny,
                    )  # fmt: skip
                    call(step.run, layer)
            elif op == _READ:
                keep_own(tile, n, h, w, variance, tangent, step.mark)
            else:
                call(step.run, MoveArguments(step, tile, n, (h, w)))
        if mark > 0:
            keep_own(tile, n, h, w, variance, tangent, mark)
