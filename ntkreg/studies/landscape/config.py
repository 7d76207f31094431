"""Settings of the landscape study."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ntkreg.errors import SpecError
from ntkreg.studies.shared.config import (
    check_int,
    check_ints,
    check_number,
    check_source,
    shortened,
)

__all__ = ["GAUSSIAN", "LandscapeConfig"]

GAUSSIAN = "gaussian"
"""What `surface` is called where inputs are drawn."""


@dataclass(frozen=True)
class LandscapeConfig:
    """Settings of `run_landscape`; every key of the YAML file.

    Attributes
    ----------
    surface : str
        gaussian: Gaussian inputs, and targets from a small random network. digits, or the path of
        an .npz file or of CIFAR-10: inputs on their leading principal components, targets +1 for
        labels in `positive` and -1 for others.
    positive : tuple of int or None
        Of real data; null for the odd digits.
    n_features : int
        Of an input.
    n_train, n_test : int
    depths : tuple of int
        Hidden layers; activations are erf, the parametrisation is that of the NTK.
    widths : tuple of int
        Units of each hidden layer, at least 3 widths.
    n_seeds : int
        Starts, even, at least 4: barriers are between pairs.
    levels : tuple of float
        Losses, in units of that of zero outputs, at which networks are compared, from the highest.
    rate : float
        Learning rate in units of the largest stable one of the infinitely wide network.
    max_steps : int
        Of training, where the least level is not reached.
    n_batches : int
        Mini-batches of which landscapes are compared, and which SGD takes.
    sgd_steps : int
        Of two runs from the same start with batches in two orders.
    curve_steps : int
        Of the search for a curve.
    skip_depth, skip_width : int
        Of the networks with and without skip connections, looked at as they are drawn.
    n_basin_starts, basin_width : int
        Starts and units of a student whose teacher has the same number of units.
    seed : int
        Of data and starts.
    """

    recorded_as: ClassVar[str] = "Landscape"

    surface: str
    positive: tuple[int, ...] | None = None
    n_features: int = 10
    n_train: int = 64
    n_test: int = 256
    depths: tuple[int, ...] = (1, 2)
    widths: tuple[int, ...] = (8, 16, 32, 64, 128, 256)
    n_seeds: int = 8
    levels: tuple[float, ...] = (0.5, 0.1, 0.01, 0.001)
    rate: float = 0.5
    max_steps: int = 20_000
    n_batches: int = 4
    sgd_steps: int = 2000
    curve_steps: int = 500
    skip_depth: int = 16
    skip_width: int = 32
    n_basin_starts: int = 200
    basin_width: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        self._set("surface", check_source("surface", self.surface, "gaussian, digits or a path"))
        if self.positive is not None:
            if self.surface == GAUSSIAN:
                raise SpecError("positive are labels of real data; leave it at null for gaussian.")
            self._set("positive", check_ints("positive", self.positive, 0))
        least = {"n_features": 1, "n_train": 4, "n_test": 1, "max_steps": 1, "n_batches": 2}
        least |= {"sgd_steps": 1, "curve_steps": 1, "skip_depth": 2, "skip_width": 1}
        least |= {"n_basin_starts": 20, "basin_width": 1, "seed": 0}
        for key, low in least.items():
            self._set(key, check_int(key, getattr(self, key), low))
        if 2 * self.n_batches > self.n_train:
            raise SpecError(
                f"n_batches must be at most half of n_train, {self.n_train // 2}: two examples or "
                f"more each; got {self.n_batches}."
            )
        self._set("depths", tuple(sorted(check_ints("depths", self.depths, 1))))
        self._set("widths", tuple(sorted(check_ints("widths", self.widths, 1))))
        if len(self.widths) < 3:
            raise SpecError(f"widths must be at least 3, for a trend; got {list(self.widths)}.")
        check_int("n_seeds", self.n_seeds, 4)
        if self.n_seeds % 2:
            raise SpecError(
                f"n_seeds must be even: barriers are between pairs; got {self.n_seeds}."
            )
        self._set("levels", _levels(self.levels))
        rate = check_number("rate", self.rate, 0)
        if not 0 < rate < 1:
            raise SpecError(f"rate must be between 0 and 1, in stable rates; got {self.rate!r}.")
        self._set("rate", rate)

    def _set(self, key: str, value: Any) -> None:
        object.__setattr__(self, key, value)


def _levels(given: Any) -> tuple[float, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) < 2:
        raise SpecError(f"levels must be a list of two losses or more; got {shortened(given)}.")
    levels = [check_number(f"levels[{i}]", v, 0) for i, v in enumerate(given)]
    if min(levels) <= 0 or max(levels) >= 1 or len(set(levels)) < len(levels):
        raise SpecError(f"levels must be distinct, between 0 and 1; got {shortened(given)}.")
    return tuple(sorted(levels, reverse=True))
