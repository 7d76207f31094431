"""Average pooling in the compiled loops: sums of pixels of a tile to a pixel of the next field."""

import numpy as np

from ntkreg.kernels.compiled.flags import inlined, row_of_vectors
from ntkreg.kernels.compiled.lanes import lanes
from ntkreg.kernels.image.loops.fields import add_all, load_all, store_all

__all__ = ["pool_row"]


def _pooling(height, width):
    """`pool_row` for `height` rows of `width` neighbours, or, if 0, for any number."""

    @inlined
    def run(tiles, at, pitch, rows, step, count, fields, to, times):
        row_of_vectors()
        n = lanes(tiles[0])
        rows, count = np.uint64(height) or rows, np.uint64(width) or count
        for _ in range(times):
            sums = load_all(fields, to)
            for r in range(rows):
                for i in range(count):
                    sums = add_all(sums, load_all(tiles, at + r * pitch + i * n))
            store_all(fields, to, sums)
            at += step
            to += n

    return run


_pool_11, _pool_12, _pool_21, _pool_22, _pool_any = (
    _pooling(height, width) for height, width in ((1, 1), (1, 2), (2, 1), (2, 2), (0, 0))
)


@inlined
def pool_row(tiles, at, pitch, rows, step, count, fields, to, times):
    """Add `rows` x `count` pixels to a pixel of the fields, `times` times, `step` further."""
    if rows == 1 and count == 1:
        _pool_11(tiles, at, pitch, rows, step, count, fields, to, times)
    elif rows == 1 and count == 2:
        _pool_12(tiles, at, pitch, rows, step, count, fields, to, times)
    elif rows == 2 and count == 1:
        _pool_21(tiles, at, pitch, rows, step, count, fields, to, times)
    elif rows == 2 and count == 2:
        _pool_22(tiles, at, pitch, rows, step, count, fields, to, times)
    else:
        _pool_any(tiles, at, pitch, rows, step, count, fields, to, times)
