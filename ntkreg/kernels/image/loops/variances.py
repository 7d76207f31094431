"""The image engine's variances: a stage on p = p', z with z, in float64 (compiled)."""

import numpy as np

from ntkreg.kernels.compiled.flags import counting_nothing, inlined, wide_vectors
from ntkreg.kernels.compiled.lanes import lanes
from ntkreg.kernels.image.loops.duals import diagonal_row
from ntkreg.kernels.image.loops.tiles import (
    carve,
    clear_right,
    move,
    own_s,
    span,
    summed_tile,
    three_rows,
    windows_to_row,
)
from ntkreg.kernels.image.program import Op

__all__ = ["run_diagonal"]

_LAYER, _READ = int(Op.LAYER), int(Op.READ)


@inlined
def keep_own(tile, n, h, w, variance, tangent, mark):
    """Copy the tile of offset (0, 0) to a mark."""
    one = np.uint64(1)
    for r in range(h):
        at, to = tile.pad * n + r * tile.pitch, (mark + r * w) * n
        for p in range(w * n):
            variance[to + p] = tile.fields[0, at + p]
        for f in range(np.uint64(tangent.shape[0])):
            for p in range(w * n):
                tangent[f, to + p] = tile.fields[f + one, at + p]


@counting_nothing
def _layer_of_own(steps, k, tile, s, t, trained, h, w, rows_in, columns_in, a, b, tiny):
    """Run a LAYER on p = p' and fill its tables."""
    wide_vectors()
    n = lanes(a)
    cov_in, tan_in = summed_tile(steps, k, tile, n, s, t, rows_in, columns_in)
    done = -np.int64(steps.origin_row[k])
    for r in range(h):
        done = windows_to_row(
            steps, k, tile, n, cov_in, tan_in, r, done, rows_in, columns_in, w
        )  # fmt: skip
        cov, tan, three = three_rows(steps, k, tile, r)
        first = (steps.table[k] + r * steps.width[k]) * n
        diagonal_row(
            steps.activation[k], cov, tan, three, s, t, tile.pad * n + r * tile.pitch, a, b, first,
            w * n, (steps.factor[k], steps.bias[k], trained), steps.parameter[k], tiny,
        )  # fmt: skip
        if steps.width[k] > w and steps.activation[k] > 0:
            for p in range(first, first + w * n):
                a[p + w * n] = a[p]
                b[p + w * n] = b[p]
        if w < columns_in:
            clear_right(s, tile, n, r, w)
            clear_right(t, tile, n, r, w)


@counting_nothing
def run_diagonal(steps, trained, rows, columns, registers, largest, tiny, mark, space, z):
    """Run a stage on p = p', z with z, in float64, and fill z's tables and marks.

    `z.variance` and `z.tangent` hold the fields at the stage's input in their first entries.
    Variances below `tiny` count as zero; `mark` is where the stage's end goes, 0 for nowhere.
    """
    wide_vectors()
    height, width, window = largest
    n, one = lanes(z.a), np.uint64(1)
    n_fields = one + np.uint64(len(trained))
    tile = carve(space, n, n_fields, registers, height, width, window)
    ey, ex = rows.own, columns.own
    for g in range(np.uint64(len(z.a))):
        a, b, variance, tangent = z.a[g], z.b[g], z.variance[g], z.tangent[g]
        h, w = rows.length[0, ey], columns.length[0, ex]
        for r in range(h):
            at = tile.pad * n + r * tile.pitch
            for f in range(n_fields):
                values = tangent[f - one] if f > 0 else variance
                for p in range(w * n):
                    tile.fields[f, at + p] = values[r * w * n + p]
                clear_right(tile.fields[f], tile, n, r, w)
        for k in range(len(steps.op)):
            op, before, level = steps.op[k], steps.level_in[k], steps.level[k]
            h, w = rows.length[level, ey], columns.length[level, ex]
            if op == _LAYER:
                rows_in, columns_in = rows.length[before, ey], columns.length[before, ex]
                start, end = span(tile, steps.register[k])
                for done in range(n_fields - one):
                    which = n_fields - one - done
                    of, at_s, end_s = own_s(tile, which, steps.register[k], n, rows_in)
                    _layer_of_own(
                        steps, k, tile, tile.fields[of, at_s:end_s], tile.fields[which, start:end],
                        trained[which - one][k], h, w, rows_in, columns_in, a, b, tiny,
                    )  # fmt: skip
            elif op == _READ:
                keep_own(tile, n, h, w, variance, tangent, steps.mark[k])
            else:
                move(steps, k, tile, n, h, w)
        if mark > 0:
            keep_own(tile, n, h, w, variance, tangent, mark)
