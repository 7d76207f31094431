"""Activations as functions of single numbers in NumPy, with their slopes: what features need."""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import erf

from ntkreg.architecture import Activation, Cos, Erf, Gaussian, Gelu, LeakyRelu, Relu, Sin
from ntkreg.errors import SpecError

__all__ = ["Function", "pointwise"]

Function = Callable[[np.ndarray], np.ndarray]
"""Maps an array to one of its shape and dtype."""


def pointwise(layer: Activation) -> tuple[Function, Function]:
    """Return an activation and its derivative.

    Raises
    ------
    SpecError
        If it is no function of single numbers, as `NormalizedGaussian`, or not known here.
    """
    match layer:
        case Relu():
            return lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(x.dtype)
        case LeakyRelu(slope):
            return (
                lambda x: np.where(x > 0, x, slope * x),
                lambda x: np.where(x > 0, x.dtype.type(1), x.dtype.type(slope)),
            )
        case Erf():
            return erf, lambda x: 2 / math.sqrt(math.pi) * np.exp(-x * x)
        case Gelu():
            return lambda x: x * _normal(x), lambda x: _normal(x) + x * _density(x)
        case Sin():
            return np.sin, np.cos
        case Cos():
            return np.cos, lambda x: -np.sin(x)
        case Gaussian(gamma):
            rate = math.sqrt(2 * gamma)
            return (
                lambda x: math.sqrt(2) * np.sin(rate * x + math.pi / 4),
                lambda x: math.sqrt(2) * rate * np.cos(rate * x + math.pi / 4),
            )
    raise SpecError(
        f"{layer!r} has no random features, as it is no function of single numbers known here. "
        "Use NTKNystroem, which takes every network."
    )


def _normal(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + erf(x / math.sqrt(2)))


def _density(x: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
