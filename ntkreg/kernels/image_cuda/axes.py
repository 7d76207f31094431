"""Packed tiles of a program, one axis at a time, and the order in which they run on a card.

As in `ntkreg.kernels.image_jax.axes`, a tile of offset d in 0..N-1 pairs pixel p of x with pixel
(p + d) mod N of z. Here all moduli of an axis, of every level and stage, are one number times the
strides and poolings that follow: a pooling of side s then takes offset d to d // s and d // s + 1
and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ntkreg.errors import SpecError
from ntkreg.kernels.image.program import ImageProgram, Stage
from ntkreg.kernels.image.readout import read_weights

__all__ = ["LANES", "CardAxis", "Phase", "Schedule", "card_axes", "make_schedule"]

LANES = 32
"""Lanes of a warp: most columns of a tile."""


@dataclass(frozen=True)
class CardAxis:
    """One axis of a stage's tiles.

    Attributes
    ----------
    sizes, moduli, steps : tuple of int
        n, N, and the offset for one at the stage's end, of every level.
    offsets : tuple of int
        That something later reads, at the stage's end.
    """

    sizes: tuple[int, ...]
    moduli: tuple[int, ...]
    steps: tuple[int, ...]
    offsets: tuple[int, ...]

    def number(self, offset: int) -> int:
        """Number of an offset at the stage's first level among those that run, or -1."""
        d = offset % self.moduli[0]
        end = d // self.steps[0]
        return self.offsets.index(end) if d % self.steps[0] == 0 and end in self.offsets else -1


def card_axes(program: ImageProgram) -> list[tuple[CardAxis, CardAxis]]:
    """Return rows and columns of every stage.

    Raises
    ------
    SpecError
        Images of more than 32 pixels a side, or that wrap around and are no whole number of
        strides and poolings; says what runs them.
    """
    rows, columns = (_axes(program, side) for side in "hw")
    return list(zip(rows, columns, strict=True))


def _axes(program: ImageProgram, side: str) -> list[CardAxis]:
    scale, sizes, scales = 1, [], []
    for stage in reversed(program.stages):
        scale *= stage.pool or 1
        factors = [stage.end.stride // level.stride * scale for level in stage.levels]
        sizes.append(tuple(getattr(level, side) for level in stage.levels))
        scales.append(tuple(factors))
        scale = factors[0]
    unit = max(
        -(-n // k) for each in zip(sizes, scales, strict=True) for n, k in zip(*each, strict=True)
    )
    axes: list[CardAxis] = []
    for stage, n, of_levels in zip(reversed(program.stages), sizes, scales, strict=True):
        moduli = tuple(unit * k for k in of_levels)
        if max(moduli) > LANES:
            raise SpecError(
                f'backend="cuda" runs images of up to {LANES} x {LANES} pixels, filled up to whole '
                f"strides and poolings; got {n[0]}, filled up to {max(moduli)}. "
                'Use backend="jax".'
            )
        if stage.circular and moduli != n:
            raise SpecError(
                f'backend="cuda" runs CIRCULAR convolutions where strides and poolings divide the '
                f'image; {n[0]} pixels they do not. Use backend="jax".'
            )
        end = stage.levels.index(stage.end)
        steps = tuple(modulus // moduli[end] for modulus in moduli)
        below = axes[-1] if axes else None
        used = _used(stage, program, n[end], moduli[end], below)
        axes.append(CardAxis(n, moduli, steps, used))
    return axes[::-1]


def _used(
    stage: Stage, program: ImageProgram, n: int, modulus: int, below: CardAxis | None
) -> tuple[int, ...]:
    """Offsets at a stage's end that are read, or that pooling takes to one that is."""
    weights = read_weights(stage, program.readouts, n)
    p = np.arange(n)
    read = [
        d
        for d in range(modulus)
        if any(w[p[q < n], q[q < n]].any() for w in weights for q in [(p + d) % modulus])
    ]
    pooled = [d for d in range(modulus) if below and max(targets(d, stage.pool, below)) >= 0]
    return tuple(sorted({*read, *pooled}))


def targets(d: int, side: int, below: CardAxis) -> tuple[int, int]:
    """Numbers of the next stage's offsets that pooling takes an offset to; -1 where none."""
    return below.number(d // side), below.number(d // side + 1) if d % side else -1


@dataclass(frozen=True)
class Phase:
    """Tiles of a stage, `start` to `stop` in the schedule, that need no others meanwhile."""

    stage: int
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Schedule:
    """In which order all tiles run.

    Attributes
    ----------
    tiles : ndarray of int32 (n, 8)
        Row and column of the offset; the turn in which it is added to what a pooling makes; where
        its own input begins; where rows and columns of its entries go, -1 for nowhere.
    phases : list of Phase
        One after the other.
    slots : tuple of int
        Of every stage, row offsets of its input that are there at once.
    sizes : tuple of int
        Numbers of a row offset of its input, one field.
    """

    tiles: np.ndarray
    phases: list[Phase]
    slots: tuple[int, ...]
    sizes: tuple[int, ...]


def make_schedule(
    program: ImageProgram, axes: Sequence[tuple[CardAxis, CardAxis]], fields: int
) -> Schedule:
    """Return the order of tiles: each stage as soon as a row offset of its input is complete."""
    return _Scheduler(program, axes, fields).run()


class _Scheduler:
    """Collects tiles and phases; a row offset of an input lies in the first slot that is free."""

    def __init__(
        self, program: ImageProgram, axes: Sequence[tuple[CardAxis, CardAxis]], fields: int
    ) -> None:
        self.axes, self.fields = axes, fields
        self.pools = [stage.pool for stage in program.stages]
        self.tiles: list[tuple[int, ...]] = []
        self.phases: list[Phase] = []
        self.slots: list[dict[int, int]] = [{} for _ in axes]
        self.most = [0] * len(axes)
        self.turn = 0
        self.waiting = [self._feeders(k) for k in range(len(axes))]

    def _feeders(self, k: int) -> dict[int, set[int]]:
        """For every row offset of a stage's input, by number, those that are pooled into it."""
        rows = self.axes[k][0]
        feeders: dict[int, set[int]] = {t: set() for t in range(len(rows.offsets) if k else 0)}
        for d in self.axes[k - 1][0].offsets if k else ():
            for t in targets(d, self.pools[k - 1], rows):
                if t >= 0:
                    feeders[t].add(d)
        return feeders

    def run(self) -> Schedule:
        left = list(self.axes[0][0].offsets)
        # Round by round, the offset that is one before the first, d = N - 1, at once.
        for feeders in list(self.waiting[1].values()) if len(self.axes) > 1 else []:
            ready = [d for d in left if d in feeders]
            self._stage(0, ready)
            left = [d for d in left if d not in ready]
        if left:
            self._stage(0, left)
        tiles = np.array(self.tiles, np.int32).reshape(-1, 8)
        sizes = tuple(self._size(k) for k in range(len(self.axes)))
        return Schedule(tiles, self.phases, tuple(self.most), sizes)

    def _stage(self, k: int, row_offsets: Sequence[int]) -> None:
        """Run row offsets of a stage, and after them what they complete."""
        start = len(self.tiles)
        for d in row_offsets:
            self._row(k, d)
        self.phases.append(Phase(k, start, len(self.tiles)))
        if k:
            for d in row_offsets:
                del self.slots[k][self.axes[k][0].offsets.index(d)]
        if k + 1 == len(self.axes):
            return
        waiting = self.waiting[k + 1]
        for feeders in waiting.values():
            feeders.difference_update(row_offsets)
        for t in [t for t, feeders in waiting.items() if not feeders]:
            del waiting[t]
            self._stage(k + 1, [self.axes[k + 1][0].offsets[t]])

    def _row(self, k: int, d: int) -> None:
        """Add the tiles of a row offset, those that go to one place in turns of their own."""
        rows, columns = self.axes[k]
        base = self._slot(k, rows.offsets.index(d)) if k else 0
        to = self._places(k, d)
        for turn in self._turns(k):
            for c in turn:
                own = base + columns.offsets.index(c) * self._stride(k) if k else 0
                self.tiles.append((d, c, self.turn, own, *to, *self._into(k, c)))
            self.turn += 1

    def _places(self, k: int, d: int) -> tuple[int, int]:
        if k + 1 == len(self.axes):
            return -1, -1
        there = targets(d, self.pools[k], self.axes[k + 1][0])
        first, second = (self._slot(k + 1, t) if t >= 0 else -1 for t in there)
        return first, second

    def _slot(self, k: int, t: int) -> int:
        taken = self.slots[k]
        if t not in taken:
            taken[t] = min(set(range(len(taken) + 1)) - set(taken.values()))
            self.most[k] = max(self.most[k], taken[t] + 1)
        return taken[t] * self._size(k) * self.fields

    def _turns(self, k: int) -> list[list[int]]:
        """Column offsets of a stage, such that no two of a turn are added to one place."""
        turns: list[tuple[list[int], set[int]]] = []
        side = self.pools[k] or 1
        for d in sorted(self.axes[k][1].offsets, key=lambda d: (d % side > 0, d)):
            goals = {t for t in self._into(k, d) if t >= 0}
            free = next((turn for turn in turns if not goals & turn[1]), None)
            if free is None:
                free = ([], set())
                turns.append(free)
            free[0].append(d)
            free[1].update(goals)
        return [offsets for offsets, _ in turns]

    def _into(self, k: int, d: int) -> tuple[int, int]:
        if k + 1 == len(self.axes):
            return -1, -1
        there = targets(d, self.pools[k], self.axes[k + 1][1])
        first, second = (t * self._stride(k + 1) if t >= 0 else -1 for t in there)
        return first, second

    def _size(self, k: int) -> int:
        """Numbers of a row offset of a stage's input, one field; the first stage's are pixels."""
        return self._stride(k) * len(self.axes[k][1].offsets) if k else 0

    def _stride(self, k: int) -> int:
        """Numbers from a column offset to the next; neighbours begin in other banks of memory."""
        rows, columns = self.axes[k]
        width = columns.moduli[0]
        return rows.sizes[0] * width + width
