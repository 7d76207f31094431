"""`GramWork`: one Gram matrix to compute, checked, with the engine that will do it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ntkreg.arrays import as_array, channels_first_hint
from ntkreg.errors import ShapeError
from ntkreg.kernels import Engine, KernelSpec, check_inputs, engine_for
from ntkreg.kernels.ranges import in_range

__all__ = ["GramWork", "check_work"]


@dataclass(frozen=True, eq=False)
class GramWork:
    """What to compute: inputs as the engine wants them, and the engine.

    Attributes
    ----------
    spec : KernelSpec
        With a dtype, and `get` a tuple in the order of the values.
    X : ndarray of shape (n, *shape)
    Z : ndarray of shape (m, *shape) or None
        None for the symmetric Gram of X.
    engine : Engine
    """

    spec: KernelSpec
    X: np.ndarray
    Z: np.ndarray | None
    engine: Engine

    @property
    def symmetric(self) -> bool:
        """Whether the Gram is that of X with itself."""
        return self.Z is None

    @cached_property
    def prepared(self) -> tuple[Any, Any]:
        """X and the columns as the engine wants to see them again and again."""
        rows = self.engine.prepare(self.X)
        return rows, rows if self.Z is None else self.engine.prepare(self.Z)

    @property
    def columns(self) -> np.ndarray:
        """The inputs along the columns: Z, or X again."""
        return self.X if self.Z is None else self.Z

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(n_fields, n_variants, n, m) of all values together."""
        engine = self.engine
        return len(engine.fields), engine.n_variants, len(self.X), len(self.columns)

    @property
    def pairs(self) -> int:
        """Pairs of inputs to compute; half of them, and the diagonal, if symmetric."""
        n, m = self.shape[2:]
        return n * (n + 1) // 2 if self.symmetric else n * m


def check_work(spec: KernelSpec, X: Any, Z: Any = None) -> GramWork:
    """Check the inputs of a kernel and choose its engine.

    The dtype is that of `kernel_dtype`; with a Z of another dtype, the wider of both.

    Raises
    ------
    ShapeError, TypeError, ValueError
        Inputs that the network cannot read, or that do not fit each other.
    SpecError
        A kernel that these inputs have not: flips of what is no image; values that leave the
        dtype on their way.
    """
    inputs = [as_array("X", X)] if Z is None else [as_array("X", X), as_array("Z", Z)]
    spec = replace(spec.with_dtype_of(*inputs), get=spec.fields)
    inputs = [
        check_inputs(spec.network, A, name, spec.dtype)
        for name, A in zip("XZ", inputs, strict=False)
    ]
    shape = inputs[0].shape[1:]
    if inputs[-1].shape[1:] != shape:
        X, Z = inputs
        hint = channels_first_hint(shape) or channels_first_hint(Z.shape[1:])
        raise ShapeError(
            f"kernel: feature shapes differ: X {X.shape}, Z {Z.shape}. "
            f"Apply the same preprocessing to both.{hint}"
        )
    engine = in_range(engine_for(spec, shape), spec, inputs)
    return GramWork(spec, inputs[0], None if Z is None else inputs[1], engine)
