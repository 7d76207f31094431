"""Settings of the optimiser study."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ntkreg.architecture.activations import ACTIVATIONS
from ntkreg.errors import SpecError
from ntkreg.studies.shared.config import (
    PREPROCESSINGS,
    check_choice,
    check_int,
    check_ints,
    check_number,
    check_positive,
    check_source,
)

__all__ = ["DEFAULT_RATES", "REFERENCE", "OptimizersConfig"]

REFERENCE = "gradient_descent"
"""What the other optimisers are compared with; always among them."""

DEFAULT_RATES = {
    "gradient_descent": 0.25,
    "sgd": 0.25,
    "momentum": 0.02,
    "nesterov": 0.02,
    "rmsprop": 0.01,
    "adam": 0.03,
    "adagrad": 0.3,
    "adadelta": 0.1,
}
"""See `OptimizersConfig.rates` for their units. Small enough that what is compared are the
optimisers, not their oscillations; the learning rates themselves are a question of its own."""


@dataclass(frozen=True)
class OptimizersConfig:
    """Settings of `run_optimizers`; every key of the YAML file.

    Attributes
    ----------
    data : str
        Path of an npz file with x_train, y_train, x_test, y_test.
    positive : tuple of int
        Labels that are +1; all others are -1.
    n_train : int
        Training inputs, class-balanced: a multiple of the number of labels in the file.
    n_test : int
        First so many test inputs.
    depth : int
        Hidden layers of the dense network.
    activation : str
        As in `ntkreg.fully_connected`.
    bias_std : float
        As in `ntkreg.fully_connected`.
    widths : tuple of int
        Units of a hidden layer, over which the distance from the kernel trajectory is followed.
    width : int or None
        One of them, at which all other questions are asked; None for the largest.
    seeds : tuple of int
        Of the starts, of the order of batches and of random labels; the spread is over them.
    optimizers : tuple of str
        Which to compare; gradient_descent must be among them.
    rates : dict or None
        Learning rates by optimiser, over the defaults. Of gradient_descent, sgd, momentum and
        nesterov in units of the largest stable one at the start; of rmsprop, adam, adagrad and
        adadelta the share of the loss that a first step of that size and the gradient's signs
        takes away, to first order: it means the same at every width.
    batch_size : int
        Of sgd among the others, which take all examples.
    batch_sizes : tuple of int
        Of sgd, where its noise is the question.
    batch_rates : tuple of float
        Its learning rates there, in units of the stable one of gradient descent.
    levels : tuple of float
        Training losses, falling, at which functions are compared; runs end at the last one.
        The loss is half the mean square: 0.5 for a network that always says 0.
    max_steps : int
        Where runs end that do not reach the last level.
    noise : float
        Share of training labels that are flipped where stopping early is the question.
    preprocessing : {"channel", "zca", "none"}
        As in the few-samples study; statistics from the training inputs.
    zca_regularization : float
        Of "zca", > 0.
    data_seed : int
        Of the draw of training inputs.
    """

    recorded_as: ClassVar[str] = "Optimizers"

    data: str
    positive: tuple[int, ...] = (1, 3, 5, 7, 9)
    n_train: int = 150
    n_test: int = 500
    depth: int = 2
    activation: str = "erf"
    bias_std: float = 0.0
    widths: tuple[int, ...] = (64, 256, 1024)
    width: int | None = None
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    optimizers: tuple[str, ...] = tuple(DEFAULT_RATES)
    rates: dict[str, Any] | None = None
    batch_size: int = 30
    batch_sizes: tuple[int, ...] = (5, 15, 50)
    batch_rates: tuple[float, ...] = (0.05, 0.1, 0.2)
    levels: tuple[float, ...] = (0.1, 0.03, 0.01)
    max_steps: int = 20_000
    noise: float = 0.2
    preprocessing: str = "channel"
    zca_regularization: float = 0.1
    data_seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", check_source("data", self.data))
        self._set("positive", check_ints("positive", self.positive, 0))
        for key in ("n_train", "n_test", "depth", "batch_size", "max_steps"):
            check_int(key, getattr(self, key), 1)
        check_int("data_seed", self.data_seed, 0)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        self._set("bias_std", check_number("bias_std", self.bias_std, 0))
        self._set("widths", tuple(sorted(check_ints("widths", self.widths, 1))))
        if self.width is None:
            self._set("width", self.widths[-1])
        check_choice("width", self.width, self.widths)
        self._set("seeds", check_ints("seeds", self.seeds, 0))
        self._set("optimizers", _optimizers(self.optimizers))
        self._set("rates", _rates(self.rates))
        self._set("batch_sizes", check_ints("batch_sizes", self.batch_sizes, 1))
        for key, size in (("batch_size", self.batch_size), ("batch_sizes", max(self.batch_sizes))):
            if size > self.n_train:
                raise SpecError(f"{key} must be at most n_train ({self.n_train}); got {size}.")
        self._set("batch_rates", _positives("batch_rates", self.batch_rates))
        self._set("levels", _positives("levels", self.levels))
        if list(self.levels) != sorted(self.levels, reverse=True) or self.levels[0] >= 0.5:
            raise SpecError(f"levels must fall, from below 0.5; got {list(self.levels)}.")
        self._set("noise", check_number("noise", self.noise, 0))
        if self.noise >= 0.5:
            raise SpecError(f"noise must be below 0.5; got {self.noise:g}.")
        check_choice("preprocessing", self.preprocessing, PREPROCESSINGS)
        self._set(
            "zca_regularization", check_positive("zca_regularization", self.zca_regularization)
        )

    def _set(self, key: str, value: Any) -> None:
        object.__setattr__(self, key, value)


def _positives(key: str, values: Any) -> tuple[float, ...]:
    """Return a list of different numbers above 0 as a tuple."""
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise SpecError(f"{key} must be a list of numbers above 0; got {values!r}.")
    numbers = tuple(check_positive(f"{key}[{i}]", v) for i, v in enumerate(values))
    if len(set(numbers)) < len(numbers):
        raise SpecError(f"{key} must be distinct; got {list(numbers)}.")
    return numbers


def _optimizers(names: Any) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise SpecError(f"optimizers must be a list of names; got {names!r}.")
    for name in names:
        check_choice("optimizers", name, tuple(DEFAULT_RATES))
    if REFERENCE not in names or len(set(names)) < len(names):
        raise SpecError(f"optimizers must be distinct, {REFERENCE} among them; got {list(names)}.")
    return tuple(names)


def _rates(given: Any) -> dict[str, float]:
    if not isinstance(given, dict | None):
        raise SpecError(f"rates must map optimisers to numbers; got {given!r}.")
    for name in given or {}:
        check_choice("rates", name, tuple(DEFAULT_RATES))
    laid = {**DEFAULT_RATES, **(given or {})}
    return {name: check_positive(f"rates.{name}", rate) for name, rate in laid.items()}
