"""`Engine`: what the rest of the package asks of anything that computes kernel values."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

__all__ = ["FIELDS", "Engine", "OuterEngine", "mirror_upper"]

FIELDS: tuple[str, ...] = ("nngp", "ntk")
"""Every kernel a network has, in the order in which engines return them."""


@dataclass(frozen=True)
class Engine(ABC):
    """Kernel values for blocks of inputs: one thread, no files, no state, nogil inside.

    Inputs come checked and cast (`ntkreg.kernels.inputs`): X (n, *shape), C-contiguous,
    finite, of the engine's dtype, of a size whose variances that dtype holds
    (`ntkreg.kernels.ranges`). Values never depend on which block a pair is in.

    Attributes
    ----------
    shape : tuple of int
        Of one input: (d,) or (h, w, c).
    dtype : numpy.dtype
        float32 or float64, of inputs and of the arithmetic.
    fields : tuple of str
        Which of "nngp", "ntk" come back, in this order, on axis 0.
    n_variants : int
        Length of axis 1: how many networks it computes.
    """

    NAME: ClassVar[str]
    """In plans, in `Gram.engine`, and in the manifests of folders: so it stays the same for good,
    whatever becomes of the class."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fields: tuple[str, ...]
    n_variants: int

    @property
    def name(self) -> str:
        """What plans and manifests call the engine: `NAME`, and what it works with."""
        return self.NAME

    @property
    def value_dtype(self) -> np.dtype:
        """Of the values that come back: `dtype`, or float64 with dtype="mixed"."""
        return self.dtype

    @property
    def terms(self) -> int:
        """Values of the network's kernel that one value here takes."""
        return 1

    @property
    @abstractmethod
    def block(self) -> int:
        """Rows and columns of the block that this engine computes best in one call."""

    @property
    def columns_at_once(self) -> int:
        """Columns that take no longer than one."""
        return 1

    @property
    def rows_at_once(self) -> int:
        """Rows that take no longer than one."""
        return 1

    def prepare(self, X: np.ndarray) -> Any:
        """Return X with whatever this engine needs of each input, computed once.

        Slices of the result can be given to the other methods in place of arrays, to the
        same bits; who calls them block by block saves the repeated work. Here: X itself.
        """
        return X

    def explain(self) -> str:
        """Return what will run for a block, as text. Computes no value."""
        return f"{self.name} runs the network layer by layer."

    @abstractmethod
    def cross(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Values of all pairs: (n_fields, n_variants, len(X), len(Z))."""

    @abstractmethod
    def symmetric(self, X: np.ndarray) -> np.ndarray:
        """Values of all pairs within X, exactly symmetric: (n_fields, n_variants, n, n)."""

    @abstractmethod
    def diagonal(self, X: np.ndarray) -> np.ndarray:
        """Values of each input with itself: (n_fields, n_variants, n)."""


@dataclass(frozen=True)
class OuterEngine(Engine):
    """An engine that changes the values of another, `engine`, in blocks that suit that one."""

    engine: Engine

    @property
    def name(self) -> str:
        """Its own, and the inner engine's."""
        return f"{self.NAME}({self.engine.name})"

    @property
    def value_dtype(self) -> np.dtype:
        """That of the inner engine."""
        return self.engine.value_dtype

    @property
    def terms(self) -> int:
        """Those of the inner engine."""
        return self.engine.terms

    @property
    def block(self) -> int:
        """That of the inner engine."""
        return self.engine.block

    @property
    def columns_at_once(self) -> int:
        """Those of the inner engine."""
        return self.engine.columns_at_once

    @property
    def rows_at_once(self) -> int:
        """Those of the inner engine."""
        return self.engine.rows_at_once


def mirror_upper(values: np.ndarray) -> None:
    """Write the upper triangle of square matrices (..., n, n) into the lower one, mirrored."""
    lower = np.tri(values.shape[-1], k=-1, dtype=bool)
    np.copyto(values, values.swapaxes(-1, -2), where=lower)
