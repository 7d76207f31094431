"""`GramWork`: one Gram matrix to compute, checked, with the engine that will do it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ntkreg.architecture import Architecture
from ntkreg.arrays import as_array, channels_first_hint
from ntkreg.errors import ShapeError, SpecError
from ntkreg.kernels import FIELDS, Engine, check_inputs, is_mixed, kernel_dtype, make_engine
from ntkreg.kernels.ranges import in_range
from ntkreg.kernels.stax.bridge import as_network
from ntkreg.kernels.variants import Variants, as_variants, variant_networks

__all__ = ["GramWork", "check_work"]


@dataclass(frozen=True, eq=False)
class GramWork:
    """What to compute: inputs as the engine wants them, and the engine.

    Attributes
    ----------
    network : Architecture or StaxNetwork
    X : ndarray of shape (n, *shape)
    Z : ndarray of shape (m, *shape) or None
        None for the symmetric Gram of X.
    engine : Engine
    variants : tuple of mappings or None
    normalize : {None, "unit_diagonal"}
    symmetry : {None, "flip"}
    """

    network: Any
    X: np.ndarray
    Z: np.ndarray | None
    engine: Engine
    variants: Variants | None
    normalize: str | None
    symmetry: str | None

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
    def precision(self) -> str:
        """What `dtype` asked for: "float32", "float64" or "mixed"."""
        return "mixed" if self.engine.value_dtype != self.engine.dtype else str(self.engine.dtype)

    @property
    def pairs(self) -> int:
        """Pairs of inputs to compute; half of them, and the diagonal, if symmetric."""
        n, m = self.shape[2:]
        return n * (n + 1) // 2 if self.symmetric else n * m


def check_work(
    network: Any,
    X: Any,
    Z: Any = None,
    *,
    get: str | Sequence[str] = "ntk",
    depths: Sequence[int] | None = None,
    variants: Sequence[Mapping[str, Any]] | None = None,
    dtype: Any = None,
    normalize: str | None = None,
    symmetry: str | None = None,
    backend: str | None = None,
) -> GramWork:
    """Check everything a caller may get wrong and choose the engine.

    The dtype is that of `kernel_dtype`; with a Z of another dtype, the wider of both.

    Raises
    ------
    ShapeError, TypeError, ValueError
        Inputs that the network cannot read, or that do not fit each other.
    SpecError
        Unknown `get`, `normalize`, `symmetry` or `backend`; `depths` or `variants` that are
        none; flips of what is no image; values that leave the dtype on their way.
    """
    network = as_network(network)
    variants = as_variants(network, depths, variants)
    asked = [get] if isinstance(get, str) else list(get) if isinstance(get, Collection) else []
    if not asked or any(asked.count(name) > 1 or name not in FIELDS for name in asked):
        raise SpecError(f'get must be "nngp", "ntk" or both in a tuple; got {get!r}.')
    if not (normalize is None or (isinstance(normalize, str) and normalize == "unit_diagonal")):
        raise SpecError(f'normalize must be None or "unit_diagonal"; got {normalize!r}.')
    X = as_array("X", X)
    Z = None if Z is None else as_array("Z", Z)
    if dtype is None and Z is not None:
        dtype = np.result_type(kernel_dtype(X), kernel_dtype(Z))
    X = check_inputs(network, X, "X", dtype)
    if Z is not None:
        Z = check_inputs(network, Z, "Z", X.dtype)
        if X.shape[1:] != Z.shape[1:]:
            hint = channels_first_hint(X.shape[1:]) or channels_first_hint(Z.shape[1:])
            raise ShapeError(
                f"kernel: feature shapes differ: X {X.shape}, Z {Z.shape}. "
                f"Apply the same preprocessing to both.{hint}"
            )
    fields = tuple(name for name in FIELDS if name in asked)
    engine = make_engine(
        network,
        X.shape[1:],
        dtype=dtype if is_mixed(dtype) else X.dtype,
        fields=fields,
        variants=variants,
        symmetry=symmetry,
        backend=backend,
    )
    networks = variant_networks(network, variants) if isinstance(network, Architecture) else network
    inputs = [X] if Z is None else [X, Z]
    engine = in_range(engine, networks, inputs, normalized=normalize is not None)
    return GramWork(network, X, Z, engine, variants, normalize, symmetry)
