"""Ready-made networks that keep their arguments."""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

from ntkreg.architecture.activations import ACTIVATIONS, Activation
from ntkreg.architecture.base import Layer, check_bool, check_int
from ntkreg.architecture.layers import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LocalAvgPool,
)
from ntkreg.architecture.network import Architecture
from ntkreg.architecture.residual import Residual
from ntkreg.errors import SpecError

__all__ = ["RECIPES", "cntk", "fully_connected", "myrtle", "resnet"]

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


def _activation(recipe: str, value: Any) -> Activation:
    """Return the activation of a name, or the one given."""
    if isinstance(value, Activation):
        return value
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise SpecError(
            f"{recipe}: activation must be an Activation or one of {', '.join(ACTIVATIONS)}; "
            f"got {value!r}."
        )
    return ACTIVATIONS[value]


def _n_frozen(recipe: str, train_first: Any, frozen: Any) -> int:
    """Return how many first hidden layers are not trained, from the two ways to say it."""
    frozen = check_int(recipe, "frozen", frozen, 0)
    if check_bool(recipe, "train_first", train_first):
        return frozen
    if frozen:
        raise SpecError(
            f"{recipe}: train_first=False is the same as frozen=1, and frozen={frozen} came "
            "beside it. Give one of the two."
        )
    return 1


@_recipe
def fully_connected(
    depth: int = 3,
    *,
    weight_std: float = math.sqrt(2),
    bias_std: float = 0.0,
    activation: str | Activation = "relu",
    train_first: bool = True,
    train_last: bool = True,
    frozen: int = 0,
) -> list[Layer]:
    """Fully connected network: `depth` hidden layers, then a linear read-out.

    Parameters
    ----------
    depth : int, default=3
        Number of hidden layers (dense + activation), >= 0; 0 is the linear kernel.
    weight_std, bias_std : float
        Of the hidden layers; the read-out has weight_std 1 and no bias.
    activation : str or Activation, default="relu"
        A name ("relu", "leaky_relu", "erf", "gelu", "sin", "cos", "gaussian",
        "normalized_gaussian", "identity") or a layer, e.g. ``LeakyRelu(0.2)``.
    train_first, train_last : bool, default=True
        Whether the first hidden layer and the read-out contribute to the NTK.
    frozen : int, default=0
        How many first hidden layers do not contribute to the NTK; 1 is
        ``train_first=False``, `depth` or more are all of them.

    Returns
    -------
    Architecture

    References
    ----------
    Jacot et al. 2018 (arXiv 1806.07572); Lee et al. 2019 (arXiv 1902.06720); untrained first
    layers: Arora et al. 2020 (arXiv 1910.01663).

    Examples
    --------
    >>> from ntkreg import fully_connected
    >>> fully_connected(2).layers[-1]
    Dense(weight_std=1.0, bias_std=0.0, trainable=True)
    """
    check_int("fully_connected", "depth", depth, 0)
    between = _activation("fully_connected", activation)
    first = _n_frozen("fully_connected", train_first, frozen)
    layers: list[Layer] = []
    for i in range(depth):
        layers += [Dense(weight_std, bias_std, trainable=i >= first), between]
    return [*layers, Dense(1.0, 0.0, trainable=train_last)]


@_recipe
def cntk(
    depth: int = 5,
    readout: str = "gap",
    *,
    half_width: int = 4,
    window: int = 3,
    padding: str = "SAME",
    weight_std: float = math.sqrt(2),
    bias_std: float = 0.0,
    activation: str | Activation = "relu",
    train_first: bool = True,
    train_last: bool = True,
    frozen: int = 0,
) -> list[Layer]:
    """Convolutional network: `depth` times (conv + activation), a pooling, a linear read-out.

    Networks that differ in depth alone begin alike: ``depths=`` computes them in one pass.

    Parameters
    ----------
    depth : int, default=5
        Number of hidden layers (conv + activation), >= 1. Papers often count the read-out
        too: "depth 11" of Arora et al. 2019 is ``depth=10`` here.
    readout : {"flatten", "gap", "lap"}, default="gap"
        No pooling (CNTK-V), global average pooling (CNTK-GAP) or local average pooling.
    half_width : int, default=4
        c of local average pooling, used with ``readout="lap"`` only.
    window : int, default=3
        Side of the convolution window, odd.
    padding : {"SAME", "CIRCULAR", "VALID"}, default="SAME"
        What a window sees outside the image: zeros, the other side, or it stays inside.
    weight_std, bias_std : float
        Of the hidden layers; the read-out has weight_std 1 and no bias.
    activation : str or Activation, default="relu"
        As in `fully_connected`.
    train_first, train_last : bool, default=True
        Whether the first hidden layer and the read-out contribute to the NTK
        (Arora et al. 2019 train neither for CNTK-GAP).
    frozen : int, default=0
        How many first hidden layers do not contribute to the NTK; 1 is
        ``train_first=False``, `depth` or more are all of them.

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
    check_int("cntk", "depth", depth, 1)
    if readout == "flatten":
        tail: list[Layer] = [Flatten()]
    elif readout == "gap":
        tail = [GlobalAvgPool()]
    elif readout == "lap":
        tail = [LocalAvgPool(half_width), Flatten()]
    else:
        raise SpecError(f'cntk: readout must be "flatten", "gap" or "lap"; got {readout!r}.')
    between = _activation("cntk", activation)
    first = _n_frozen("cntk", train_first, frozen)
    layers: list[Layer] = []
    for i in range(depth):
        layers += [Conv(window, weight_std, bias_std, i >= first, padding=padding), between]
    return [*layers, *tail, Dense(1.0, 0.0, trainable=train_last)]


_MYRTLE = {5: (2, 1, 1), 7: (2, 2, 2), 10: (3, 3, 3)}
"""Convolutions of each of the three blocks, by what the papers call the depth."""


@_recipe
def myrtle(
    depth: int = 10,
    *,
    activation: str | Activation = "relu",
    weight_std: float = math.sqrt(2),
    bias_std: float = 0.0,
) -> list[Layer]:
    """Myrtle network of Shankar et al.: three blocks of convolutions with poolings after each.

    Each block is a few times (3 x 3 convolution + activation); the first two end in 2 x 2
    average pooling, the last one in global average pooling (8 x 8 of CIFAR-10's 32 x 32
    pixels), then a linear read-out. Blocks of 2, 1, 1 convolutions make Myrtle-5, 2, 2, 2
    Myrtle-7, 3, 3, 3 Myrtle-10. Images need at least 4 x 4 pixels.

    Parameters
    ----------
    depth : {5, 7, 10}, default=10
        As the paper counts: the convolutions and the read-out.
    activation : str or Activation, default="relu"
        As in `fully_connected`. ``"normalized_gaussian"`` gives the paper's Gaussian kernels.
    weight_std, bias_std : float
        Of the convolutions. Without bias, ReLU and the normalised Gaussian let weight_std only
        scale the kernel. The read-out has weight_std 1 and no bias.

    Returns
    -------
    Architecture

    Notes
    -----
    The paper uses the NNGP, without the read-out, which changes nothing there, and divides
    K(x, z) by sqrt(K(x, x) K(z, z)); images go through regularised ZCA first.

    References
    ----------
    Shankar et al. 2020, Neural Kernels Without Tangents (arXiv 2003.02237); layers as
    in the configuration files published with it.

    Examples
    --------
    >>> from ntkreg.architecture import Conv, myrtle
    >>> sum(isinstance(layer, Conv) for layer in myrtle(7).layers)
    6
    """
    if check_int("myrtle", "depth", depth, 1) not in _MYRTLE:
        raise SpecError(f"myrtle: depth must be 5, 7 or 10; got {depth!r}.")
    step = [Conv(3, weight_std, bias_std), _activation("myrtle", activation)]
    first, second, third = (step * n for n in _MYRTLE[depth])
    layers = [*first, AvgPool(2), *second, AvgPool(2), *third, GlobalAvgPool()]
    return [*layers, Dense(1.0, 0.0)]


@_recipe
def resnet(
    block_size: int = 4,
    *,
    groups: int = 3,
    activation: str | Activation = "relu",
    weight_std: float = math.sqrt(2),
    bias_std: float = 0.0,
) -> list[Layer]:
    """Wide residual network with global average pooling and a linear read-out.

    A 3 x 3 convolution, then `groups` groups of `block_size` blocks. A block adds
    (activation, conv, activation, conv) to its input; the first block of a group adds it to
    a 3 x 3 convolution of its input, and in every group but the first both have stride 2
    there. With ``weight_std=1.0`` these are the kernels of the "Infinitely WideResnet" of
    neural-tangents' README.

    Parameters
    ----------
    block_size : int, default=4
        Blocks in a group, >= 1; 4 make the WRN-28 of CIFAR-10 with three groups.
    groups : int, default=3
        Groups, >= 1; each after the first halves the image. 1 keeps its size.
    activation : str or Activation, default="relu"
        As in `fully_connected`.
    weight_std, bias_std : float
        Of all convolutions; the read-out has weight_std 1 and no bias.

    Returns
    -------
    Architecture

    References
    ----------
    Zagoruyko and Komodakis 2016 (arXiv 1605.07146); Novak et al. 2020, Neural Tangents
    (arXiv 1912.02803).

    Examples
    --------
    >>> from ntkreg.architecture import resnet
    >>> [type(layer).__name__ for layer in resnet(1, groups=2).layers]
    ['Conv', 'Residual', 'Residual', 'GlobalAvgPool', 'Dense']
    """
    check_int("resnet", "block_size", block_size, 1)
    check_int("resnet", "groups", groups, 1)
    between, conv = _activation("resnet", activation), Conv(3, weight_std, bias_std)
    layers: list[Layer] = [conv]
    for group in range(groups):
        entry = Conv(3, weight_std, bias_std, stride=1 if group == 0 else 2)
        layers.append(Residual((between, entry, between, conv), (entry,)))
        layers += [Residual((between, conv, between, conv))] * (block_size - 1)
    return [*layers, GlobalAvgPool(), Dense(1.0, 0.0)]
