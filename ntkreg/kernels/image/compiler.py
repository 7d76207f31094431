"""From networks to the tile program that computes them (`ntkreg.kernels.image.program`)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

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
    Relu,
    Residual,
    output_size,
    window_origin,
)
from ntkreg.errors import SpecError
from ntkreg.kernels.image.program import End, ImageProgram, Level, Op, Operation, Stage

__all__ = ["compile_image_network"]

Trained = tuple[bool, ...]
"""Whether each convolution of a network is trained, those of a residual's body first."""

Reads = dict[tuple[int, int], int]
"""From the layers before a READ and the number of its read-out to that of its result."""


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


def _trained(layers: Sequence[Layer]) -> Trained:
    """Which convolutions are trained, in the order in which they are compiled."""
    flags: list[bool] = []
    for layer in layers:
        if isinstance(layer, Residual):
            flags += _trained((*layer.body, *layer.shortcut))
        elif isinstance(layer, Conv):
            flags.append(layer.trainable)
    return tuple(flags)


def _all_trained(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The same layers but for which convolutions are trained."""

    def one(layer: Layer) -> Layer:
        if isinstance(layer, Residual):
            return Residual(_all_trained(layer.body), _all_trained(layer.shortcut))
        return replace(layer, trainable=True) if isinstance(layer, Conv) else layer

    return tuple(map(one, layers))


def _tangents(bodies: Sequence[Sequence[Layer]]) -> list[Trained]:
    """Return what each tangent field is of, the one with most trained at the input first.

    The loops count on that: where any field is trained, the first is.
    """
    choices = {_trained(body) for body in bodies}
    return sorted(
        (a for a in choices if not any(a != b and a == b[: len(a)] for b in choices)), reverse=True
    )


def compile_image_network(networks: Sequence[Architecture], h: int, w: int) -> ImageProgram:
    """Compile networks that begin alike, on h x w images, into one program.

    Parameters
    ----------
    networks : sequence of Architecture
        Image networks in the order in which their values shall come back. Up to the read-out
        all must begin as the deepest does, but for which convolutions are trained; read-outs, and
        layers after them, are free.
    h, w : int
        Pixels.

    Raises
    ------
    SpecError
        If they are not prefixes of one another, or a layer has no operation here.
    """
    parts = [_split(network) for network in networks]
    deepest = _all_trained(max((body for body, _, _ in parts), key=len))
    tangents = _tangents([body for body, _, _ in parts])
    readouts = tuple(dict.fromkeys(readout for _, readout, _ in parts))
    reads: Reads = {}
    ends = []
    for network, (body, readout, tail) in zip(networks, parts, strict=True):
        if deepest[: len(body)] != _all_trained(body):
            raise SpecError(
                "Up to the read-out networks must be prefixes of one another to come from one "
                f"pass; {network!r} is not. Compute it alone."
            )
        read = len(body), readouts.index(readout)
        flags = _trained(body)
        tangent = next(k for k, t in enumerate(tangents) if t[: len(flags)] == flags)
        ends.append(End(reads.setdefault(read, len(reads)), tail, tangent))
    compiler = _Compiler(h, w, tangents)
    compiler.add(deepest, reads)
    return ImageProgram(compiler.finish(), readouts, tuple(ends))


class _Compiler:
    """Collects the operations of a stage, and the stages."""

    def __init__(self, h: int, w: int, tangents: Sequence[Trained]) -> None:
        self.stages: list[Stage] = []
        self.untrained = (0.0,) * len(tangents)
        each = zip_longest(*tangents, fillvalue=True)
        self.trained: Iterator[tuple[float, ...]] = (tuple(map(float, flags)) for flags in each)
        self.positive = {0: False}  # registers
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
                "A network that ends before a convolution which changes the size of the image "
                "cannot come from one pass with a deeper one; compute them apart."
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

    def add(self, layers: Sequence[Layer], reads: Reads) -> None:
        """Compile the body with its READs."""
        read_after = {count for count, _ in reads}
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
                fuse = i + 1 not in read_after
                level, taken = self._one(layers, i, 0, 1, level, fuse)
                i += taken
            self._read(i, reads, level)

    def _read(self, count: int, reads: Reads, level: int) -> None:
        self.operations += [
            Operation(Op.READ, level_in=level, level=level, readout=readout, slot=slot)
            for (after, readout), slot in reads.items()
            if after == count
        ]

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
            self.positive[free] = self.positive[register]
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
            self.positive[register] = self.positive[register] and self.positive[free]
            return body, 1
        if isinstance(layer, Activation):
            return self._layer(Conv(1, 1.0, 0.0), layer, register, level, self.untrained), 1
        if isinstance(layer, Conv):
            after = layers[i + 1] if fuse and i + 1 < len(layers) else None
            activation = after if isinstance(after, Activation) else Identity()
            done = self._layer(layer, activation, register, level, next(self.trained))
            return done, 2 if activation is after else 1
        raise SpecError(
            f"The image engine has no operation for {layer!r} here; pass "
            "to_stax(architecture)[2] instead, which neural-tangents runs."
        )

    def _layer(
        self,
        conv: Conv,
        activation: Layer,
        register: int,
        level: int,
        trained: tuple[float, ...],
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
                first=not self.stages and not self.operations,
                positive=self.positive[register],
            )
        )
        # Sums with positive factors keep what ReLU makes of every covariance.
        kept = isinstance(activation, Identity) and self.positive[register]
        self.positive[register] = isinstance(activation, Relu) or kept
        return after
