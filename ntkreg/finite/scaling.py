r"""Parametrisations: what multiplies a parameter, how wide it is drawn, how fast it moves.

A layer's weights act as ``multiplier * w`` with ``w ~ N(0, init_std^2)``; n is the fan-in
and m the fan-out. Input layers have a fan-in that the data fix, the read-out has a fan-out
that the task fixes, hidden layers have neither.

============ =============================== ==================== ===============
weights      multiplier                      init_std             Adam rate
============ =============================== ==================== ===============
ntk          weight_std / sqrt(n)            1                    1
standard     1                               weight_std / sqrt(n) 1
mup, input   sqrt(m)                         weight_std/sqrt(n m) 1 / sqrt(m)
mup, hidden  1                               weight_std / sqrt(n) 1 / n
mup, output  1 / sqrt(n)                     weight_std / sqrt(n) 1 / sqrt(n)
============ =============================== ==================== ===============

Rates for gradient descent (with and without momentum) are 1 in every row: `mup` is written
in the form of Yang and Hu 2021 (arXiv 2011.14522, section 3, c = 0), which is table 9 of
Yang et al. 2022 (arXiv 2203.03466), so that the empirical kernel ``J J^T`` is the one that
gradient descent follows. It has the same training as their table 3. Biases of layers before
the read-out scale as input weights with n = 1; that of the read-out is left as it is.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["PARAMETRIZATIONS", "Parametrization", "Role", "Scale", "bias_scale", "weight_scale"]

Parametrization = Literal["ntk", "standard", "mup"]
Role = Literal["input", "hidden", "output", "only"]

PARAMETRIZATIONS: tuple[str, ...] = get_args(Parametrization)
"""Every parametrisation by name."""


@dataclass(frozen=True)
class Scale:
    """How one parameter array is used, drawn and trained.

    Attributes
    ----------
    multiplier : float
        What it is multiplied with in the forward pass.
    init_std : float
        Standard deviation of its entries at the start.
    adam_rate : float
        Factor on the learning rate of optimisers that normalise gradients (Adam, RMSProp,
        AdaGrad, Adadelta); that of gradient descent is 1.
    """

    multiplier: float
    init_std: float
    adam_rate: float = 1.0


def weight_scale(
    parametrization: Parametrization, role: Role, fan_in: int, fan_out: int, weight_std: float
) -> Scale:
    """Return the scale of a layer's weights; ``role="only"`` is a network of one layer."""
    drawn = weight_std / math.sqrt(fan_in)
    if parametrization == "ntk":
        return Scale(drawn, 1.0)
    if parametrization == "standard" or role == "only":
        return Scale(1.0, drawn)
    if role == "input":
        return Scale(math.sqrt(fan_out), drawn / math.sqrt(fan_out), 1 / math.sqrt(fan_out))
    if role == "hidden":
        return Scale(1.0, drawn, 1 / fan_in)
    return Scale(1 / math.sqrt(fan_in), drawn, 1 / math.sqrt(fan_in))


def bias_scale(
    parametrization: Parametrization, role: Role, fan_out: int, bias_std: float
) -> Scale:
    """Return the scale of a layer's biases."""
    if parametrization == "ntk":
        return Scale(bias_std, 1.0)
    if parametrization == "standard" or role in ("output", "only"):
        return Scale(1.0, bias_std)
    return weight_scale("mup", "input", 1, fan_out, bias_std)
