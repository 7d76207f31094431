"""Eight optimisers by name, in optax, and the settings of a training run."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import optax

from ntkreg.errors import SpecError
from ntkreg.finite.losses import LOSSES

__all__ = ["OPTIMIZERS", "Optimizer", "Training"]


MOST_STEPS = 2**31 - 2
"""Steps that compiled loops count, in 32 bits."""


@dataclass(frozen=True)
class Optimizer:
    """An optimiser.

    Attributes
    ----------
    make : callable
        (learning_rate, **options) -> optax transformation, linear in the learning rate.
    options : dict
        Names and defaults.
    normalized : bool
        Whether steps do not grow with the gradient: `mup` then takes Adam's rates.
    """

    make: Callable[..., optax.GradientTransformation]
    options: Mapping[str, float]
    normalized: bool


def _nesterov(learning_rate: float, momentum: float) -> optax.GradientTransformation:
    return optax.sgd(learning_rate, momentum, nesterov=True)


def _rmsprop(learning_rate: float, decay: float, eps: float) -> optax.GradientTransformation:
    return optax.rmsprop(learning_rate, decay=decay, eps=eps, eps_in_sqrt=False)


_MOMENTUM = {"momentum": 0.9}

OPTIMIZERS: dict[str, Optimizer] = {
    "gradient_descent": Optimizer(optax.sgd, {}, False),
    "sgd": Optimizer(optax.sgd, {}, False),
    "momentum": Optimizer(optax.sgd, _MOMENTUM, False),
    "nesterov": Optimizer(_nesterov, _MOMENTUM, False),
    "rmsprop": Optimizer(_rmsprop, {"decay": 0.9, "eps": 1e-8}, True),
    "adam": Optimizer(optax.adam, {"b1": 0.9, "b2": 0.999, "eps": 1e-8}, True),
    # From zero and with a small eps (it stands under the root): gradients of wide networks
    # are small, and anything added to them would make the step depend on the width.
    "adagrad": Optimizer(optax.adagrad, {"initial_accumulator_value": 0.0, "eps": 1e-14}, True),
    "adadelta": Optimizer(optax.adadelta, {"rho": 0.9, "eps": 1e-6}, True),
}
"""Every optimiser by name. Options are optax's; see there for what they mean."""


@dataclass(frozen=True)
class Training:
    """How to train.

    Parameters
    ----------
    learning_rate : float, > 0
        Of one step, for a loss that is a mean over examples (`ntkreg.finite.losses`). In
        `mup` layers multiply it by their own rates (`ntkreg.finite.scaling`).
    n_steps : int, >= 0
    optimizer : str, default="gradient_descent"
        Full-batch ``gradient_descent``, ``sgd``, ``momentum``, ``nesterov``, ``rmsprop``,
        ``adam``, ``adagrad`` or ``adadelta``.
    loss : {"squared", "cross_entropy"}, default="squared"
    batch_size : int or None, default=None
        Examples of a step, drawn without replacement within an epoch; what is left over of
        an epoch's shuffle is not used. None for all; ``sgd`` needs a number.
    options : mapping, default={}
        The optimiser's own settings, e.g. ``{"momentum": 0.95}``.

    Raises
    ------
    SpecError
        If a setting makes no sense.

    Examples
    --------
    >>> from ntkreg.finite import Training
    >>> Training(0.5, 100, "momentum").options
    (('momentum', 0.9),)
    """

    learning_rate: float
    n_steps: int
    optimizer: str = "gradient_descent"
    loss: str = "squared"
    batch_size: int | None = None
    options: Any = field(default_factory=dict)

    def __post_init__(self) -> None:
        _positive("learning_rate", self.learning_rate)
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        _one_of("loss", self.loss, LOSSES)
        _integer("n_steps", self.n_steps, 0)
        if self.n_steps > MOST_STEPS:
            raise SpecError(
                f"Training: n_steps must be at most {MOST_STEPS:,}; got {self.n_steps!r}."
            )
        if self.batch_size is not None:
            _integer("batch_size", self.batch_size, 1)
        if self.optimizer == "sgd" and self.batch_size is None:
            raise SpecError(
                "Training: sgd needs a batch_size. Without batches it is "
                'optimizer="gradient_descent".'
            )
        if self.optimizer == "gradient_descent" and self.batch_size is not None:
            raise SpecError(
                f"Training: gradient_descent takes all examples; got batch_size="
                f'{self.batch_size}. With batches it is optimizer="sgd".'
            )
        known = OPTIMIZERS[self.optimizer].options
        try:
            given = dict(self.options)
        except (TypeError, ValueError):
            raise SpecError(
                f"Training: options must be a mapping of names to numbers; got {self.options!r}."
            ) from None
        for name, value in given.items():
            if name not in known:
                names = f"its options are {', '.join(known)}" if known else "it has no options"
                raise SpecError(f"Training: {self.optimizer} has no option {name!r}; {names}.")
            if not isinstance(value, Real) or not math.isfinite(value) or value < 0:
                raise SpecError(f"Training: option {name} must be a float >= 0; got {value!r}.")
        # As pairs in the optimiser's order: hashable, and equal if they mean the same.
        merged = {**known, **{name: float(value) for name, value in given.items()}}
        object.__setattr__(self, "options", tuple(merged.items()))
        object.__setattr__(self, "learning_rate", float(self.learning_rate))
        object.__setattr__(self, "n_steps", int(self.n_steps))

    @property
    def transformation(self) -> optax.GradientTransformation:
        """The optax transformation for a learning rate of 1 (multiply its updates)."""
        return OPTIMIZERS[self.optimizer].make(1.0, **dict(self.options))

    @property
    def normalized(self) -> bool:
        """Whether the optimiser's steps do not grow with the gradient."""
        return OPTIMIZERS[self.optimizer].normalized


def _one_of(name: str, value: Any, known: Mapping[str, Any]) -> None:
    if not isinstance(value, str) or value not in known:
        raise SpecError(f"Training: {name} must be one of {', '.join(known)}; got {value!r}.")


def _integer(name: str, value: Any, least: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise SpecError(f"Training: {name} must be an integer >= {least}; got {value!r}.")


def _positive(name: str, value: Any) -> None:
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 < float(value) < math.inf:
        raise SpecError(f"Training: {name} must be a finite float > 0; got {value!r}.")
