"""A dense network as a short program on correlations, and its per-row tables.

The loops carry the correlation lambda = S / sqrt(q q') and the NTK over the same norm,
theta = T / sqrt(q q'), so that a layer without bias needs no norms at all: it leaves
lambda as it is and adds it to theta, and ReLU maps (lambda, theta) to (kappa1(lambda),
theta kappa0(lambda)). A bias mixes in by row factors: lambda -> a a' lambda + b b' with
a = weight_std sqrt(q / q+), b = bias_std / sqrt(q+), q+ = weight_std^2 q + bias_std^2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from itertools import groupby

import numpy as np

from ntkreg.architecture import Architecture, Dense, Layer, Relu
from ntkreg.errors import SpecError

__all__ = [
    "DenseProgram",
    "Op",
    "Step",
    "VarianceTables",
    "compile_dense_network",
    "variance_tables",
]


class Op(IntEnum):
    """Kinds of operation, as the compiled loops see them."""

    ADD = 0
    RELU = 1
    BIAS = 2
    READ = 3


@dataclass(frozen=True)
class Step:
    """One operation.

    ADD: theta += trained * lambda. RELU: that, then the dual. BIAS: row factors number
    `slot`. READ: through the linear read-out of network `slot` into its result.
    """

    op: Op
    trained: float = 0.0
    slot: int = 0


@dataclass(frozen=True)
class DenseProgram:
    """What runs on every pair.

    `reads` says of every network how many layers of `body` are its own, and `readouts` which
    linear layer follows (None: none does).
    """

    steps: tuple[Step, ...]
    body: tuple[Layer, ...]
    reads: tuple[int, ...]
    readouts: tuple[Dense | None, ...]
    n_biases: int

    @property
    def n_reads(self) -> int:
        """How many networks there are."""
        return len(self.reads)

    def explain(self) -> str:
        """Return the program as text; equal lines in a row stand on one."""
        lines = ["  c = S / sqrt(q q'), the product's values; t = T / sqrt(q q'), at first 0"]
        for line, equal in groupby(self._describe(step) for step in self.steps):
            times = len(list(equal))
            lines.append(f"  {line}" + (f"   ({times} times)" if times > 1 else ""))
        return "\n".join(lines)

    def _describe(self, step: Step) -> str:
        if step.op == Op.ADD:
            return "ADD   t + c"
        if step.op == Op.RELU:
            return f"RELU  t = {'(t + c)' if step.trained else 't'} kappa0(c), c = kappa1(c)"
        if step.op == Op.BIAS:
            return "BIAS  c = a a' c + b b', t = a a' t, with a and b of each row"
        of = f" of network {step.slot + 1}" if self.n_reads > 1 else ""
        readout = self.readouts[step.slot]
        last = "" if readout is None else f", then {readout!r}"
        return f"READ  values{of}: times sqrt(q q'){last}"


@dataclass(frozen=True)
class VarianceTables:
    """Per-row quantities of a block, float64, each an array (number, n).

    `scale` and `shift` are a and b of the module's docstring for each BIAS; `norm` is
    sqrt(q) at each READ; `nngp` and `ntk` are each row's kernels with itself there.
    """

    scale: np.ndarray
    shift: np.ndarray
    norm: np.ndarray
    nngp: np.ndarray
    ntk: np.ndarray

    def __getitem__(self, rows: slice) -> "VarianceTables":
        """Return the tables of some rows of the block."""
        return VarianceTables(*(getattr(self, f.name)[:, rows] for f in fields(self)))


def _split(network: Architecture) -> tuple[tuple[Layer, ...], Dense | None]:
    """All layers but a last linear one, and that one."""
    last = network.layers[-1]
    return (network.layers[:-1], last) if isinstance(last, Dense) else (network.layers, None)


def compile_dense_network(networks: Sequence[Architecture]) -> DenseProgram:
    """Compile networks on vectors that begin alike into one program.

    Raises
    ------
    SpecError
        If, but for a last linear layer each, they are not prefixes of the deepest, or hold a
        layer without an operation here.
    """
    parts = [_split(network) for network in networks]
    body = max((layers for layers, _ in parts), key=len)
    for network, (layers, _) in zip(networks, parts, strict=True):
        if body[: len(layers)] != layers:
            raise SpecError(
                "Up to the read-out networks must be prefixes of one another to come from one "
                f"pass; {network!r} is not. Compute it alone."
            )
    reads = tuple(len(layers) for layers, _ in parts)
    steps: list[Step] = []
    pending = 0.0  # 1 if lambda has yet to be added to theta
    n_biases = 0
    for i in range(len(body) + 1):
        if i in reads:
            if pending:
                steps.append(Step(Op.ADD, pending))
                pending = 0.0
            steps += [Step(Op.READ, slot=k) for k, count in enumerate(reads) if count == i]
        if i == len(body):
            break
        layer = body[i]
        if isinstance(layer, Relu):
            steps.append(Step(Op.RELU, pending))
            pending = 0.0
        elif isinstance(layer, Dense):
            if pending:
                steps.append(Step(Op.ADD, pending))
            if layer.bias_std > 0:
                steps.append(Step(Op.BIAS, slot=n_biases))
                n_biases += 1
            pending = float(layer.trainable)
        else:
            raise SpecError(f"The dense engine has no operation for {layer!r}.")
    readouts = tuple(readout for _, readout in parts)
    return DenseProgram(tuple(steps), body, reads, readouts, n_biases)


def variance_tables(program: DenseProgram, q: np.ndarray) -> VarianceTables:
    """Run the network on x = z: q (n,) float64 is each input's squared norm over d."""
    t = np.zeros_like(q)
    scale, shift = np.zeros((2, program.n_biases, len(q)))
    norm, nngp, ntk = np.zeros((3, program.n_reads, len(q)))
    n_biases = 0
    for i in range(len(program.body) + 1):
        for k, readout in enumerate(program.readouts):
            if program.reads[k] == i:
                norm[k] = np.sqrt(q)
                nngp[k], ntk[k] = (q, t) if readout is None else _dense(readout, q, t)
        if i == len(program.body):
            break
        layer = program.body[i]
        if isinstance(layer, Dense):
            old = q
            q, t = _dense(layer, q, t)
            if layer.bias_std > 0:
                scale[n_biases] = layer.weight_std * np.sqrt(old / q)
                shift[n_biases] = layer.bias_std / np.sqrt(q)
                n_biases += 1
        else:
            q, t = q / 2, t / 2
    return VarianceTables(scale, shift, norm, nngp, ntk)


def _dense(layer: Dense, q: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    q = layer.weight_std**2 * q + layer.bias_std**2
    return q, layer.weight_std**2 * t + (q if layer.trainable else 0.0)
