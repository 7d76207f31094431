"""An image network as a tile program: stages of operations with parameters.

Within a stage no operation mixes offsets between the pixels p of x and p' of z (a stride keeps
every so-manieth and divides them), so that one tile, the entries of one offset, runs through
all operations without leaving the cache (`image_loops`). Average pooling mixes offsets and ends
a stage. Operations:

- ``LAYER``: window sums (1 x 1 for none), times a factor, plus a bias; the tangent's share;
  then the dual of an activation (the identity's for none);
- ``COPY`` and ``ADD``: the tile to and from a second register, for residual sums;
- ``READ``: the weighted sum over the tile, added to the result of one depth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from ntkreg.architecture import (
    Activation,
    Architecture,
    AvgPool,
    Conv,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    LocalAvgPool,
    Residual,
    output_size,
    window_origin,
)
from ntkreg.errors import SpecError

__all__ = ["ImageProgram", "Level", "Op", "Operation", "Stage", "compile_image_network"]


_NO_ACTIVATION = Identity()


class Op(IntEnum):
    """Kinds of operation, as the compiled loops see them."""

    LAYER = 0
    COPY = 1
    ADD = 2
    READ = 3


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
    column) before the image; then S' = factor sum(S) + bias, T' = factor sum(T) + trained S',
    then the dual of `activation`. COPY writes `register` to `other`; ADD adds `other` to
    `register`. `level_in` and `level` number the stage's levels; `slot` is the depth that a READ
    belongs to.
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
    trained: float = 0.0
    activation: Layer = _NO_ACTIVATION
    slot: int = 0
    circular: bool = False


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
class ImageProgram:
    """What runs on every tile, what is read from it, and what follows on the vectors.

    `image_explain` prints it.
    """

    stages: tuple[Stage, ...]
    readout: Layer
    tail: tuple[Layer, ...]
    n_reads: int


def _split(network: Architecture) -> tuple[tuple[Layer, ...], Layer, tuple[Layer, ...]]:
    """Layers on images, the read-out, layers on vectors."""
    at = next(
        i
        for i, layer in enumerate(network.layers)
        if isinstance(layer, Flatten | GlobalAvgPool | LocalAvgPool)
    )
    readout = network.layers[at]
    after = at + (2 if isinstance(readout, LocalAvgPool) else 1)  # its Flatten is part of it
    return network.layers[:at], readout, network.layers[after:]


def compile_image_network(networks: Sequence[Architecture], h: int, w: int) -> ImageProgram:
    """Compile networks that are prefixes of one another, on h x w images, into one program.

    Parameters
    ----------
    networks : sequence of Architecture
        Image networks in the order in which their values shall come back. All but the
        deepest must begin as the deepest does, and share its read-out.
    h, w : int
        Pixels.

    Raises
    ------
    SpecError
        If they are not prefixes of one another, or a layer has no operation here.
    """
    parts = [_split(network) for network in networks]
    body, readout, tail = max(parts, key=lambda part: len(part[0]))
    reads: dict[int, int] = {}
    for k, (other_body, other_readout, other_tail) in enumerate(parts):
        if body[: len(other_body)] != other_body or (other_readout, other_tail) != (readout, tail):
            raise SpecError(
                "depths: the networks must be prefixes of one another to come from one pass; "
                f"{networks[k]!r} is not. Compute it alone."
            )
        reads[len(other_body)] = k
    compiler = _Compiler(h, w)
    compiler.add(body, reads)
    return ImageProgram(compiler.finish(), readout, tail, len(networks))


class _Compiler:
    """Collects the operations of a stage, and the stages."""

    def __init__(self, h: int, w: int) -> None:
        self.stages: list[Stage] = []
        self._begin(h, w)

    def _begin(self, h: int, w: int) -> None:
        self.operations: list[Operation] = []
        self.levels = [Level(h, w, 1)]

    def _level(self, level: Level) -> int:
        if level not in self.levels:
            self.levels.append(level)
        return self.levels.index(level)

    def finish(self, pool: int = 0) -> tuple[Stage, ...]:
        """Close the stage."""
        stage = Stage(tuple(self.operations), tuple(self.levels), pool)
        if any(stage.levels[o.level] != stage.end for o in stage.operations if o.op == Op.READ):
            raise SpecError(
                "depths: a network that ends before a convolution which changes the size of "
                "the image cannot come from one pass with a deeper one; compute them apart."
            )
        wrapping = {o.circular for o in stage.operations if o.window > 1}
        if len(wrapping) > 1:
            raise SpecError(
                "The image engine runs CIRCULAR convolutions apart from SAME and VALID ones: "
                "put an AvgPool between them, or pass to_stax(architecture)[2], the twin."
            )
        for o in stage.operations if stage.circular else ():
            before = stage.levels[o.level_in]
            # Else p = 0 and the last p, neighbours around the edge, are no whole stride apart.
            if before.h % o.stride or before.w % o.stride:
                raise SpecError(
                    f"A stride beside CIRCULAR convolutions must divide the image: {o.stride} does "
                    f"not divide {before.h} x {before.w}; pass to_stax(architecture)[2] instead."
                )
        self.stages.append(stage)
        return tuple(self.stages)

    def add(self, layers: Sequence[Layer], reads: dict[int, int]) -> None:
        """Compile the body, with a READ after the layers that `reads` counts."""
        self._read(0, reads, 0)
        level = i = 0
        while i < len(layers):
            layer = layers[i]
            if isinstance(layer, AvgPool):
                h, w = output_size(layer, (self.levels[level].h, self.levels[level].w))
                self.finish(layer.window)
                self._begin(h, w)
                level = 0
                i += 1
            else:
                fuse = i + 1 not in reads
                level, taken = self._one(layers, i, 0, 1, level, fuse)
                i += taken
            self._read(i, reads, level)

    def _read(self, count: int, reads: dict[int, int], level: int) -> None:
        if count in reads:
            self.operations.append(
                Operation(Op.READ, level_in=level, level=level, slot=reads[count])
            )

    def _sequence(self, layers: Sequence[Layer], register: int, free: int, level: int) -> int:
        i = 0
        while i < len(layers):
            level, taken = self._one(layers, i, register, free, level, True)
            i += taken
        return level

    def _one(
        self, layers: Sequence[Layer], i: int, register: int, free: int, level: int, fuse: bool
    ) -> tuple[int, int]:
        """Compile layer i (and the activation after it); return the level and layers taken."""
        layer = layers[i]
        if isinstance(layer, Residual):
            self.operations.append(Operation(Op.COPY, register, free, level_in=level, level=level))
            body = self._sequence(layer.body, register, free + 1, level)
            shortcut = self._sequence(layer.shortcut, free, free + 1, level)
            one, other = self.levels[body], self.levels[shortcut]
            if one != other:
                raise SpecError(
                    f"The image engine cannot add the branches of {layer!r}: the body gives "
                    f"{one.h} x {one.w} pixels {one.stride} apart, the shortcut {other.h} x "
                    f"{other.w} pixels {other.stride} apart; pass to_stax(architecture)[2] instead."
                )
            self.operations.append(Operation(Op.ADD, register, free, level_in=body, level=body))
            return body, 1
        if isinstance(layer, Activation):
            return self._layer(Conv(1, 1.0, 0.0, False), layer, register, level, 0.0), 1
        if isinstance(layer, Conv):
            after = layers[i + 1] if fuse and i + 1 < len(layers) else None
            activation = after if isinstance(after, Activation) else Identity()
            trained = float(layer.trainable)
            done = self._layer(layer, activation, register, level, trained)
            return done, 2 if activation is after else 1
        raise SpecError(
            f"The image engine has no operation for {layer!r} here; pass "
            "to_stax(architecture)[2] instead, which neural-tangents runs."
        )

    def _layer(
        self, conv: Conv, activation: Layer, register: int, level: int, trained: float
    ) -> int:
        before = self.levels[level]
        h, w = output_size(conv, (before.h, before.w))
        after = self._level(Level(h, w, before.stride * conv.stride))
        place = (conv.window, conv.stride, conv.padding)
        self.operations.append(
            Operation(
                Op.LAYER,
                register,
                level_in=level,
                level=after,
                window=conv.window,
                stride=conv.stride,
                origin=(window_origin(before.h, *place), window_origin(before.w, *place)),
                factor=conv.weight_std**2 / conv.window**2,
                bias=conv.bias_std**2,
                trained=trained,
                activation=activation,
                circular=conv.padding == "CIRCULAR" and conv.window > 1,
            )
        )
        return after
