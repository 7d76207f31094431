"""Tiles: which rows and columns one task computes, and its values.

Engines are only ever called on the blocks of one fixed grid, whatever the tile and the
number of threads: that is why neither changes a bit of the result.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from ntkreg.errors import SpecError
from ntkreg.gram.layout import Layout
from ntkreg.gram.threads import run_tasks
from ntkreg.gram.work import GramWork
from ntkreg.kernels.ranges import check_values

__all__ = [
    "GramTile",
    "compute_diagonal",
    "compute_tile",
    "count_tiles",
    "diagonal_norms",
    "iter_tiles",
    "tile_size",
]


@dataclass(frozen=True)
class GramTile:
    """Tile (i, j) of the grid: rows and columns of the Gram that one task computes."""

    i: int
    j: int
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the tile."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def pairs(self, symmetric: bool) -> int:
        """Return the pairs to compute: half, and the diagonal, on a symmetric Gram's diagonal."""
        n, m = self.shape
        return n * (n + 1) // 2 if symmetric and self.i == self.j else n * m


def tile_size(work: GramWork, tile: int | None, *, coarse: bool = False) -> int:
    """Return the side of a tile: `tile` or a good one, rounded up to whole blocks.

    In memory that is one block, so that threads share the work evenly; where tiles are `coarse`,
    in a folder or on a cluster, none should be tiny, and there should be some ten thousand at most.
    """
    if tile is not None and (not isinstance(tile, Integral) or isinstance(tile, bool) or tile < 1):
        raise SpecError(f"tile must be an integer >= 1 or None; got {tile!r}.")
    block = work.engine.block
    good = max(32, max(work.shape[2:]) // 128) if coarse else block
    # NumPy's integers overflow, and are no JSON.
    return -(-int(tile or good) // block) * block


def count_tiles(work: GramWork, tile: int) -> int:
    """Return the number of tiles; only one triangle of a symmetric Gram is computed."""
    down, across = (-(-k // tile) for k in work.shape[2:])
    return down * (down + 1) // 2 if work.symmetric else down * across


def iter_tiles(work: GramWork | Layout, tile: int) -> Iterator[GramTile]:
    """Yield the tiles to compute: all, or the upper triangle (i <= j) if symmetric."""
    n, m = work.shape[2:]
    for i, top in enumerate(range(0, n, tile)):
        for j, left in enumerate(range(0, m, tile)):
            if not work.symmetric or i <= j:
                yield GramTile(
                    i, j, slice(top, min(top + tile, n)), slice(left, min(left + tile, m))
                )


def compute_tile(
    work: GramWork,
    tile: GramTile,
    out: Sequence[np.ndarray] | np.ndarray,
    norms: tuple[np.ndarray, np.ndarray] | None,
    on_block: Callable[[int], None],
    mirror: Sequence[np.ndarray] | None = None,
) -> None:
    """Fill `out`, an array (n_variants, rows, columns) a field, with the tile's values.

    Parameters
    ----------
    norms : pair of ndarray or None
        sqrt K(x, x) of all rows and of all columns, (n_fields, n_variants, n), to divide by.
    on_block : callable
        Called after each block with the pairs done; may raise to stop.
    mirror : sequence of ndarray or None
        Arrays (n_variants, columns, rows) that take the transposed values of a tile off the
        diagonal. On it, the lower triangle of `out` always does.
    """
    step, engine = work.engine.block, work.engine
    x, z = work.prepared
    on_diagonal = work.symmetric and tile.i == tile.j
    for top in range(tile.rows.start, tile.rows.stop, step):
        rows = slice(top, min(top + step, tile.rows.stop))
        for left in range(top if on_diagonal else tile.columns.start, tile.columns.stop, step):
            columns = slice(left, min(left + step, tile.columns.stop))
            mirrored = on_diagonal and top == left
            values = engine.symmetric(x[rows]) if mirrored else engine.cross(x[rows], z[columns])
            check_values(values)
            if norms is not None:
                _normalise(values, norms[0][..., rows], norms[1][..., columns])
                if mirrored:
                    # K_ii / sqrt(K_ii K_ii) is 1 by definition, not only to rounding.
                    i = np.arange(values.shape[2])
                    values[..., i, i] = norms[0][..., rows] > 0
            r = slice(rows.start - tile.rows.start, rows.stop - tile.rows.start)
            c = slice(columns.start - tile.columns.start, columns.stop - tile.columns.start)
            for field, block in zip(out, values, strict=True):
                field[:, r, c] = block
            if not mirrored and (below := out if on_diagonal else mirror) is not None:
                for field, block in zip(below, values, strict=True):
                    field[:, c, r] = block.swapaxes(1, 2)
            height, width = values.shape[2:]
            on_block(height * (height + 1) // 2 if mirrored else height * width)


def _normalise(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
    """Divide by both norms in place; where one is 0 the kernel is 0 and stays so."""
    norm = rows[..., :, None] * columns[..., None, :]
    np.divide(values, norm, out=values, where=norm > 0, casting="same_kind")


def compute_diagonal(
    work: GramWork, X: np.ndarray, *, n_jobs: int, progress: bool | None
) -> np.ndarray:
    """Return K(x, x) of each row of `X`, (n_fields, n_variants, n), block by block."""
    step, engine = work.engine.block, work.engine
    diagonal = np.empty((*work.shape[:2], len(X)), engine.value_dtype)

    def fill(rows: slice, done: Callable[[int], None]) -> None:
        diagonal[..., rows] = values = engine.diagonal(X[rows])
        check_values(values)
        done(len(X[rows]))

    blocks = (slice(i, i + step) for i in range(0, len(X), step))
    run_tasks(blocks, fill, pairs=len(X), n_jobs=n_jobs, progress=progress)
    return diagonal


def diagonal_norms(
    work: GramWork, *, n_jobs: int, progress: bool | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return sqrt K(x, x) of all rows and columns in float64, or None if not asked for."""
    if work.spec.normalize is None:
        return None
    norms = [
        np.sqrt(compute_diagonal(work, A, n_jobs=n_jobs, progress=progress), dtype=np.float64)
        for A in (work.X, work.Z)
        if A is not None
    ]
    return norms[0], norms[-1]
