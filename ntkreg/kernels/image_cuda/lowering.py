"""From the tile program to what a card runs: the same operations in units that save instructions.

- **Units.** A register holds c times its fields. Where an activation is homogeneous the tables take
  a layer's factor in (`unit`, ReLU: x's and z's are sqrt(unit) / sqrt(q), and kappa1 over their
  product is the value, in units of 2 / unit), so that no layer multiplies by it.
- **Tangents with S in them.** A trained layer adds its covariance to the tangent: f sum(T) +
  (f sum(S) + b). Where the next layer of a register is trained, the field that is carried is W = T
  + S: one instruction less in every layer. Read-outs take S off again, in float64.
- **Rescaling.** c grows by a window's pixels in every layer; beyond 2^40 fields are multiplied
  by a power of two, which costs no digit.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ntkreg.architecture import (
    Cos,
    Erf,
    Flatten,
    Gaussian,
    Gelu,
    GlobalAvgPool,
    Identity,
    Layer,
    LeakyRelu,
    LocalAvgPool,
    NormalizedGaussian,
    Relu,
    Sin,
)
from ntkreg.errors import SpecError
from ntkreg.kernels.image.loops.duals import parameter
from ntkreg.kernels.image.program import ImageProgram, Op, Operation

__all__ = ["DUALS", "Carried", "Read", "Step", "lower"]

_LARGEST = 40
"""Exponent from which on fields are rescaled."""

DUALS: dict[type, str] = {
    Relu: "RELU",
    LeakyRelu: "LEAKY_RELU",
    Erf: "ERF",
    Gelu: "GELU",
    Sin: "SIN",
    Cos: "COS",
    Gaussian: "GAUSSIAN",
    NormalizedGaussian: "NORMALIZED_GAUSSIAN",
    Identity: "IDENTITY",
}
"""What activations are called in `duals.cuh`."""

_IN_TABLES = Relu | LeakyRelu | NormalizedGaussian
"""Activations whose tables take the units in."""


class Carried(NamedTuple):
    """What a register holds: `unit` times S, and times T + S where `with_s`, else times T."""

    unit: float
    with_s: tuple[bool, ...]


class Read(NamedTuple):
    """How sums of a READ become fields: what they held, and the weight of a count."""

    carried: Carried
    weight: float


@dataclass(frozen=True)
class Step:
    """One operation on a card.

    Attributes
    ----------
    kind : {"layer", "copy", "add", "shift", "read"}
    operation : Operation
    number : int
        Of the operation within its stage.
    trained, out : tuple of bool
        Of a layer, tangent by tangent: whether its covariance is part of the field, and whether S
        is added to what it leaves.
    bias, unit, parameter, rescale : float
        Numbers of a layer, of which `unit` stands in the tables of some activations; of an "add"
        and a "shift", `unit` is the share.
    tangent : int
        Of a shift.
    first : bool
        Of the first layer on pixels, before which there is no tangent.
    """

    kind: str
    operation: Operation
    number: int
    trained: tuple[bool, ...] = ()
    out: tuple[bool, ...] = ()
    bias: float = 0.0
    unit: float = 1.0
    parameter: float = 0.0
    rescale: float = 1.0
    tangent: int = 0
    first: bool = False

    @property
    def in_tables(self) -> bool:
        """Whether the tables take the unit in."""
        return isinstance(self.operation.activation, _IN_TABLES)

    @property
    def has_tables(self) -> bool:
        """Whether the layer reads tables."""
        return self.kind == "layer" and not isinstance(self.operation.activation, Identity)


@dataclass
class _Lowering:
    """The walk through a program."""

    program: ImageProgram
    reads: dict[int, Read] = field(default_factory=dict)
    carried: dict[int, Carried] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def run(self) -> list[list[Step]]:
        stages, nothing = [], (False,) * self.program.n_tangents
        self.carried[0] = Carried(1.0, nothing)
        for k, stage in enumerate(self.program.stages):
            self.steps = []
            if k == 0 and not (stage.operations and stage.operations[0].first):
                # No layer that knows that there is no tangent yet: pixels, and T = 0.
                self.steps.append(Step("start", Operation(Op.COPY), 0))
            for i, o in enumerate(stage.operations):
                self._one(k, i, o)
            stages.append(self.steps)
            if stage.pool:
                unit, with_s = self.carried[0]
                self.carried = {0: Carried(unit * stage.pool**4, with_s)}
        return stages

    def _one(self, k: int, i: int, o: Operation) -> None:
        if o.op == Op.LAYER:
            self._layer(k, i, o)
        elif o.op == Op.COPY:
            self.carried[o.other] = self.carried[o.register]
            self.steps.append(Step("copy", o, i))
        elif o.op == Op.ADD:
            here, other = self.carried[o.register], self.carried[o.other]
            self._shift(o.other, here.with_s, o, i)
            self.steps.append(Step("add", o, i, unit=here.unit / other.unit))
        else:
            layer = self.program.readouts[o.readout]
            level = self.program.stages[k].levels[o.level]
            self.reads[o.slot] = Read(self.carried[o.register], _weight(layer, level.h, level.w))
            self.steps.append(Step("read", o, i))

    def _shift(self, register: int, wanted: tuple[bool, ...], o: Operation, i: int) -> None:
        unit, with_s = self.carried[register]
        for tangent, (has, needs) in enumerate(zip(with_s, wanted, strict=True)):
            if has != needs:
                place = replace(o, register=register)
                share = float(needs) - float(has)
                self.steps.append(Step("shift", place, i, unit=share, tangent=tangent))
        self.carried[register] = Carried(unit, wanted)

    def _layer(self, k: int, i: int, o: Operation) -> None:
        trained = tuple(v > 0 for v in o.trained)
        first = o.first and k == 0 and i == 0
        if not first:
            self._shift(o.register, trained, o, i)
        before = self.carried[o.register].unit
        if o.factor <= 0:
            raise SpecError(
                f'backend="cuda" needs weight_std > 0 in every convolution; got {o.factor:g} for '
                'its square over the window. Use backend="jax".'
            )
        unit = o.factor / before
        after = _unit_after(o.activation, unit)
        exponent = round(math.log2(after))
        rescale = 2.0**-exponent if abs(exponent) > _LARGEST else 1.0
        wanted = self._next_trained(k, i + 1, o.register)
        out = trained if wanted is None else wanted
        self.carried[o.register] = Carried(after * rescale, out)
        numbers = (o.bias / unit, unit, float(parameter(o.activation)), rescale)
        self.steps.append(Step("layer", o, i, trained, out, *numbers, first=first))

    def _next_trained(self, k: int, i: int, register: int) -> tuple[bool, ...] | None:
        """Which tangents the next layer on a register is trained in; None if there is none."""
        for o in self._operations_from(k, i):
            if o is None:
                register = 0  # a pooling takes the first alone
            elif o.op == Op.LAYER and o.register == register:
                return tuple(v > 0 for v in o.trained)
            elif o.op == Op.ADD and o.other == register:
                register = o.register
        return None

    def _operations_from(self, k: int, i: int) -> Iterator[Operation | None]:
        yield from self.program.stages[k].operations[i:]
        for stage in self.program.stages[k + 1 :]:
            yield None
            yield from stage.operations


def _unit_after(activation: Layer, unit: float) -> float:
    if isinstance(activation, Relu):
        return 2 / unit
    return 1 / unit if isinstance(activation, _IN_TABLES | Identity) else 1.0


def _weight(readout: Layer, h: int, w: int) -> float:
    """What a read-out's whole numbers (`reads.cuh`) are multiplied by."""
    match readout:
        case Flatten():
            return 1 / (h * w)
        case GlobalAvgPool():
            return 1 / (h * w) ** 2
        case LocalAvgPool(c):
            return 1 / ((2 * c + 1) ** 4 * h * w)
    raise SpecError(f'backend="cuda" has no read-out {readout!r}. Use backend="jax".')


def lower(program: ImageProgram) -> tuple[list[list[Step]], dict[int, Read]]:
    """Return the steps of every stage, and how the sums of every READ become fields.

    Raises
    ------
    SpecError
        An activation or read-out that is not on the card; says what has it.
    """
    for stage in program.stages:
        for o in stage.operations:
            if o.op == Op.LAYER and type(o.activation) not in DUALS:
                raise SpecError(
                    f'backend="cuda" has no dual for {o.activation!r}. Use backend=None, or '
                    'backend="jax".'
                )
    lowering = _Lowering(program)
    steps = lowering.run()
    return steps, lowering.reads
