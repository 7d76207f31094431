r"""`ScaledEngine`: kernels of inputs so small or large that their squares leave the dtype.

Where K(c x, z) = c K(x, z) for c > 0, as of ReLU networks without bias, such inputs are multiplied
by powers of two, and values by theirs: not a digit is lost on the way, and other inputs keep their
bits.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkreg.errors import SpecError
from ntkreg.kernels.engine import OuterEngine

__all__ = ["ScaledEngine", "ScaledInputs", "largest_values", "scale_of"]

_LEFT_ALONE = 20
"""Inputs whose largest value is between 2^-20 and 2^20 are."""


def largest_values(X: np.ndarray) -> np.ndarray:
    """Return the largest absolute value of each input, float64 (n,)."""
    rows = X.reshape(len(X), -1)
    return np.maximum(rows.max(axis=1), -rows.min(axis=1)).astype(np.float64)


def scale_of(largest: np.ndarray) -> np.ndarray:
    """Return k of each input, (n,): times 2^-k its largest value is near 1."""
    _, k = np.frexp(largest)
    return np.where((np.abs(k) > _LEFT_ALONE) & (largest > 0), k, 0)


@dataclass(frozen=True, eq=False)
class ScaledInputs:
    """Inputs times 2^-scale, prepared by the inner engine; slices are their own kind."""

    inputs: Any
    scale: np.ndarray

    def __len__(self) -> int:
        return len(self.scale)

    def __getitem__(self, part: slice) -> "ScaledInputs":
        return ScaledInputs(self.inputs[part], self.scale[part])


@dataclass(frozen=True)
class ScaledEngine(OuterEngine):
    """Values of another engine from scaled inputs.

    Attributes
    ----------
    engine : Engine
        Of homogeneous networks.
    back : bool
        Whether values are scaled back. Not where they will be divided by the diagonal's.

    Raises
    ------
    SpecError
        When inputs are prepared, if a K(x, x) cannot be scaled back within the dtype.
    """

    NAME = "ScaledEngine"

    back: bool

    def explain(self) -> str:
        """Say what is scaled, and what the inner engine runs."""
        return f"Very small and large inputs are scaled by powers of two.\n{self.engine.explain()}"

    def prepare(self, X: np.ndarray) -> ScaledInputs:
        """Scale inputs and prepare them with the inner engine."""
        x = self._scaled(X)
        self._diagonal(x)
        return x

    def cross(self, X: Any, Z: Any) -> np.ndarray:
        """Values of all pairs."""
        x, z = self._prepared(X), self._prepared(Z)
        return self._scaled_back(self.engine.cross(x.inputs, z.inputs), x, z)

    def symmetric(self, X: Any) -> np.ndarray:
        """Values of all pairs within X."""
        x = self._prepared(X)
        return self._scaled_back(self.engine.symmetric(x.inputs), x, x)

    def diagonal(self, X: Any) -> np.ndarray:
        """Values of each input with itself."""
        return self._diagonal(X if isinstance(X, ScaledInputs) else self._scaled(X))

    def _scaled(self, X: np.ndarray) -> ScaledInputs:
        scale = scale_of(largest_values(X))
        scaled = np.ldexp(X, -scale.reshape(-1, *[1] * (X.ndim - 1)))
        return ScaledInputs(self.engine.prepare(scaled), scale)

    def _diagonal(self, x: ScaledInputs) -> np.ndarray:
        values = self.engine.diagonal(x.inputs)
        if not self.back:
            return values
        self._check_back(values, x.scale)
        return np.ldexp(values, 2 * x.scale)

    def _prepared(self, X: Any) -> ScaledInputs:
        return X if isinstance(X, ScaledInputs) else self.prepare(X)

    def _scaled_back(self, values: np.ndarray, x: ScaledInputs, z: ScaledInputs) -> np.ndarray:
        if not self.back:
            return values
        return np.ldexp(values, x.scale[:, None] + z.scale[None, :])

    def _check_back(self, diagonal: np.ndarray, scale: np.ndarray) -> None:
        """Raise unless every K(x, x) keeps its digits; all others are then in range too."""
        limits = np.finfo(self.value_dtype)
        with np.errstate(all="ignore"):
            values = np.abs(np.ldexp(diagonal, 2 * scale))
        bad = (diagonal != 0) & ((values < limits.tiny) | ~np.isfinite(values))
        if bad.any():
            field, variant, i = (int(k) for k in np.argwhere(bad)[0])
            size = np.log10(abs(float(diagonal[field, variant, i]))) + 2 * scale[i] * np.log10(2)
            raise SpecError(
                f"kernel: K(x, x) of an input x is about 1e{size:+.0f}, which {self.value_dtype} "
                f"does not hold. Rescale X, e.g. with ChannelStandardizer, or ask for "
                'normalize="unit_diagonal"'
                + ("." if self.value_dtype == np.float64 else ' or dtype="float64".')
            )
