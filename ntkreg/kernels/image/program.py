"""An image network as a tile program: stages of operations with parameters.

Within a stage no operation mixes offsets between the pixels p of x and p' of z (a stride s keeps
every s-th and divides it by s), so that one tile, the entries of one offset, runs through
all operations without leaving the cache (`loops.stages`). Average pooling mixes offsets and ends
a stage. Operations:

- ``LAYER``: window sums (1 x 1 for none), times a factor, plus a bias; the tangent's share;
  then the dual of an activation (the identity's for none);
- ``COPY`` and ``ADD``: the tile to and from a second register, for residual sums;
- ``READ``: the weighted sum over the tile, with the weights of one read-out, added to a result.

Several networks that begin alike are one program: a READ for each depth and read-out, and layers
on vectors of each network on its sums (`End`). Which convolutions are trained changes the tangent
alone: S is one field for all, T a field for each choice (`Operation.trained`).
"""

from dataclasses import dataclass
from enum import IntEnum

from ntkreg.architecture import Identity, Layer

__all__ = ["End", "ImageProgram", "Kind", "Level", "Loop", "Op", "Operation", "Stage"]

_NO_ACTIVATION = Identity()


class Op(IntEnum):
    """Kinds of operation, as the compiled loops see them."""

    LAYER = 0
    COPY = 1
    ADD = 2
    READ = 3


class Loop(IntEnum):
    """The compiled loop that runs a layer where no image is paired with itself.

    ANY runs every layer, and alone those of stages that wrap around; AHEAD (`loops.stages`) 3 x 3
    windows that keep the size. The others (`loops.layers`) run ReLU or no activation: SAME 3 x 3
    windows that keep the size, RESIZE those that do not, POINT 1 x 1 windows, FIRST and
    FIRST_RESIZE (`loops.first_layer`) trained 3 x 3 windows on pixels with ReLU.
    """

    ANY = 0
    AHEAD = 1
    FIRST = 2
    FIRST_RESIZE = 3
    SAME = 4
    RESIZE = 5
    POINT = 6


class Kind(IntEnum):
    """What `loops.layers` do after the sums. POSITIVE: ReLU where no covariance is negative."""

    NONE = 0
    RELU = 1
    POSITIVE = 2


@dataclass(frozen=True)
class Level:
    """A resolution within a stage: h x w pixels, `stride` pixels of the stage's input apart."""

    h: int
    w: int
    stride: int


@dataclass(frozen=True)
class Operation:
    """One step of a tile program.

    LAYER sums windows of `window` pixels, `stride` apart, the first starting `origin` (row,
    column) before the image; then S' = factor sum(S) + bias, T' = factor sum(T) + trained S' for
    every tangent field, of a number each, then the dual of `activation`. COPY writes `register` to
    `other`; ADD adds `other` to `register`. READ sums with the weights of the program's read-out
    number `readout` into result number `slot`. `level_in` and `level` number the stage's levels. A
    LAYER may be the `first` after the pixels, or get covariances known to be `positive` or zero.
    """

    op: Op
    register: int = 0
    other: int = 0
    level_in: int = 0
    level: int = 0
    window: int = 1
    stride: int = 1
    origin: tuple[int, int] = (0, 0)
    factor: float = 1.0
    bias: float = 0.0
    trained: tuple[float, ...] = ()
    activation: Layer = _NO_ACTIVATION
    readout: int = 0
    slot: int = 0
    circular: bool = False
    first: bool = False
    positive: bool = False


@dataclass(frozen=True)
class Stage:
    """Operations between poolings; `pool` is the side of the pooling that ends it, or 0."""

    operations: tuple[Operation, ...]
    levels: tuple[Level, ...]
    pool: int

    @property
    def end(self) -> Level:
        """Resolution after the last operation."""
        return self.levels[self.operations[-1].level if self.operations else 0]

    @property
    def registers(self) -> int:
        """Number of tiles that are alive at once."""
        return 1 + max((max(o.register, o.other) for o in self.operations), default=0)

    @property
    def circular(self) -> bool:
        """Whether offsets wrap around the image."""
        return any(o.circular for o in self.operations)


@dataclass(frozen=True)
class End:
    """Where a network leaves the tiles: which READ, which tangent field, and its layers on them."""

    read: int
    tail: tuple[Layer, ...]
    tangent: int = 0


@dataclass(frozen=True)
class ImageProgram:
    """What runs on every tile, what is read from it, and what follows on the vectors.

    `readouts` are those of all READs, once each; `ends` has one entry a network, in the order in
    which they came. `image.explain` prints it.
    """

    stages: tuple[Stage, ...]
    readouts: tuple[Layer, ...]
    ends: tuple[End, ...]

    @property
    def n_reads(self) -> int:
        """Results of READs: networks that differ after the read-out alone share one."""
        return 1 + max(end.read for end in self.ends)

    @property
    def n_tangents(self) -> int:
        """Tangent fields, one for each choice of trained convolutions."""
        return 1 + max(end.tangent for end in self.ends)
