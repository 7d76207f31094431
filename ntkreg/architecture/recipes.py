"""Ready-made networks that keep their arguments."""

import functools
import inspect
import math
from collections.abc import Callable
from numbers import Integral
from typing import Any

from ntkreg.architecture.layers import (
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    LocalAvgPool,
    Relu,
)
from ntkreg.architecture.network import Architecture
from ntkreg.errors import SpecError

__all__ = ["RECIPES", "cntk", "fully_connected"]

RECIPES: dict[str, Callable[..., Architecture]] = {}
"""Every recipe by name; `@_recipe` fills it."""


def _recipe(build: Callable[..., list[Layer]]) -> Callable[..., Architecture]:
    """Turn a function that lists layers into one that returns an `Architecture`.

    The network remembers the arguments, defaults included.
    """
    signature = inspect.signature(build)
    name = build.__name__

    @functools.wraps(build)
    def make(*args: Any, **kwargs: Any) -> Architecture:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            known = ", ".join(signature.parameters)
            raise SpecError(f"{name}: {error}. Its arguments are: {known}.") from None
        bound.apply_defaults()
        layers = tuple(build(*bound.args, **bound.kwargs))
        # NumPy's numbers (a grid from np.arange) become plain ones, which YAML can hold.
        kept = ((k, v.item() if hasattr(v, "item") else v) for k, v in bound.arguments.items())
        return Architecture(layers, name, tuple(kept))

    make.__annotations__["return"] = Architecture
    RECIPES[name] = make
    return make


def _check_depth(name: str, depth: Any, least: int) -> None:
    if not isinstance(depth, Integral) or isinstance(depth, bool) or depth < least:
        raise SpecError(f"{name}: depth must be an integer >= {least}; got {depth!r}.")


@_recipe
def fully_connected(
    depth: int = 3,
    *,
    weight_std: float = math.sqrt(2),
    bias_std: float = 0.0,
    train_first: bool = True,
    train_last: bool = True,
) -> list[Layer]:
    """Fully connected ReLU network: `depth` hidden layers, then a linear read-out.

    Parameters
    ----------
    depth : int, default=3
        Number of hidden layers (dense + ReLU), >= 0; 0 is the linear kernel.
    weight_std, bias_std : float
        Of the hidden layers; the read-out has weight_std 1 and no bias.
    train_first, train_last : bool, default=True
        Whether the first hidden layer and the read-out contribute to the NTK.

    Returns
    -------
    Architecture

    References
    ----------
    Jacot et al. 2018 (arXiv 1806.07572); Lee et al. 2019 (arXiv 1902.06720).

    Examples
    --------
    >>> from ntkreg import fully_connected
    >>> fully_connected(2).layers[-1]
    Dense(weight_std=1.0, bias_std=0.0, trainable=True)
    """
    _check_depth("fully_connected", depth, 0)
    layers: list[Layer] = []
    for i in range(depth):
        layers += [Dense(weight_std, bias_std, trainable=train_first or i > 0), Relu()]
    return [*layers, Dense(1.0, 0.0, trainable=train_last)]


@_recipe
def cntk(
    depth: int = 5,
    readout: str = "gap",
    *,
    half_width: int = 4,
    window: int = 3,
    weight_std: float = math.sqrt(2),
    bias_std: float = 0.0,
    train_first: bool = True,
    train_last: bool = True,
) -> list[Layer]:
    """Convolutional ReLU network: `depth` times (conv + ReLU), a pooling, a linear read-out.

    Parameters
    ----------
    depth : int, default=5
        Number of hidden layers (conv + ReLU), >= 1. Papers often count the read-out too:
        "depth 11" of Arora et al. 2019 is ``depth=10`` here.
    readout : {"flatten", "gap", "lap"}, default="gap"
        No pooling (CNTK-V), global average pooling (CNTK-GAP) or local average pooling.
    half_width : int, default=4
        c of local average pooling, used with ``readout="lap"`` only.
    window : int, default=3
        Side of the convolution window, odd.
    weight_std, bias_std : float
        Of the hidden layers; the read-out has weight_std 1 and no bias.
    train_first, train_last : bool, default=True
        Whether the first hidden layer and the read-out contribute to the NTK
        (Arora et al. 2019 train neither for CNTK-GAP).

    Returns
    -------
    Architecture

    References
    ----------
    Arora et al. 2019 (arXiv 1904.11955), section 4; Li et al. 2019 (arXiv 1911.00809).

    Examples
    --------
    >>> from ntkreg import cntk
    >>> cntk(depth=10).replace(depth=2, readout="flatten").layers[-2]
    Flatten()
    """
    _check_depth("cntk", depth, 1)
    if readout == "flatten":
        tail: list[Layer] = [Flatten()]
    elif readout == "gap":
        tail = [GlobalAvgPool()]
    elif readout == "lap":
        tail = [LocalAvgPool(half_width), Flatten()]
    else:
        raise SpecError(f'cntk: readout must be "flatten", "gap" or "lap"; got {readout!r}.')
    layers: list[Layer] = []
    for i in range(depth):
        layers += [Conv(window, weight_std, bias_std, trainable=train_first or i > 0), Relu()]
    return [*layers, *tail, Dense(1.0, 0.0, trainable=train_last)]
