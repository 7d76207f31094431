"""An image network as a tile program: a short list of operations with parameters.

Every operation acts within one offset of pixels, so that a tile runs through all of them
without leaving the cache (`image_loops`). What the program holds:

- ``CONV3_RELU``: 3 x 3 window sum, bias, tangent, ReLU dual, fused: the hot operation;
- ``CONV``: window sum of any odd side, bias, tangent;
- ``RELU``: the dual alone;
- ``SCALE``: both fields times a constant;
- ``READ``: the weighted sum over the tile, added to the result of one depth.

A convolution averages, and its weights have a variance: both fields are stored multiplied
by that common factor ``gain = weight_std^2 / window^2`` after every ReLU, which costs
nothing there, so that the convolutions can be plain sums. Where a layer's factor is
another one, a SCALE stands before it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from ntkreg.architecture import (
    Architecture,
    Conv,
    Flatten,
    GlobalAvgPool,
    Layer,
    LocalAvgPool,
    Relu,
)
from ntkreg.errors import SpecError

__all__ = ["ImageProgram", "Op", "Operation", "compile_image_network"]


class Op(IntEnum):
    """Kinds of operation, as the compiled loops see them."""

    CONV3_RELU = 0
    CONV = 1
    RELU = 2
    SCALE = 3
    READ = 4


@dataclass(frozen=True)
class Operation:
    """One step of a tile program.

    `radius` is window // 2; `bias` is bias_std squared; `trained` is 1 or 0; `factor` is
    that of SCALE and READ; `slot` counts ReLUs (whose per-image tables it names) or reads.
    """

    op: Op
    radius: int = 0
    bias: float = 0.0
    trained: float = 1.0
    factor: float = 1.0
    slot: int = 0


@dataclass(frozen=True)
class ImageProgram:
    """What runs on every tile, what is read from it, and what follows on the vectors."""

    operations: tuple[Operation, ...]
    gain: float
    input_scale: float
    readout: Layer
    tail: tuple[Layer, ...]
    n_reads: int

    @property
    def n_relus(self) -> int:
        """Number of ReLUs, each with tables of its own."""
        return sum(step.op in (Op.RELU, Op.CONV3_RELU) for step in self.operations)

    @property
    def radius(self) -> int:
        """Largest window // 2: the padding that tiles need."""
        return max(step.radius for step in self.operations)


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


def compile_image_network(networks: Sequence[Architecture]) -> ImageProgram:
    """Compile networks that are prefixes of one another into one program.

    Parameters
    ----------
    networks : sequence of Architecture
        Image networks in the order in which their values shall come back. All but the
        deepest must begin as the deepest does, and share its read-out.

    Raises
    ------
    SpecError
        If they are not prefixes of one another.
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
    factors = [s.weight_std**2 / s.window**2 for s in body if isinstance(s, Conv)]
    gain = Counter(factors).most_common(1)[0][0] if factors else 1.0
    operations, scale = _operations(body, reads, gain)
    return ImageProgram(operations, gain, scale, readout, tail, len(networks))


def _operations(
    body: tuple[Layer, ...], reads: dict[int, int], gain: float
) -> tuple[tuple[Operation, ...], float]:
    """The steps for `body`, with a READ after the layers that `reads` counts."""
    steps: list[Operation] = []
    n_relus = 0
    scale = gain if body and isinstance(body[0], Conv) else 1.0
    input_scale = scale
    if 0 in reads:
        steps.append(Operation(Op.READ, factor=1 / scale, slot=reads[0]))
    i = 0
    while i < len(body):
        layer = body[i]
        fuse = i + 1 < len(body) and isinstance(body[i + 1], Relu) and i + 1 not in reads
        wanted = layer.weight_std**2 / layer.window**2 if isinstance(layer, Conv) else 1.0
        if wanted != scale:
            steps.append(Operation(Op.SCALE, factor=wanted / scale))
        if isinstance(layer, Conv):
            trained, bias, radius = float(layer.trainable), layer.bias_std**2, layer.window // 2
            if radius == 1 and fuse:
                steps.append(Operation(Op.CONV3_RELU, 1, bias, trained, slot=n_relus))
                i += 1
            else:
                steps.append(Operation(Op.CONV, radius, bias, trained))
                scale = 1.0
        elif isinstance(layer, Relu):
            steps.append(Operation(Op.RELU, slot=n_relus))
        else:
            raise SpecError(f"The image engine has no operation for {layer!r}.")
        if isinstance(body[i], Relu):
            n_relus, scale = n_relus + 1, gain
        i += 1
        if i in reads:
            steps.append(Operation(Op.READ, factor=1 / scale, slot=reads[i]))
    return tuple(steps), input_scale
