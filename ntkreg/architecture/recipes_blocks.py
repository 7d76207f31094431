"""Ready-made networks of blocks that keep their arguments: `myrtle`, `resnet`."""

import math

from ntkreg.architecture.activations import Activation
from ntkreg.architecture.base import Layer, check_int
from ntkreg.architecture.layers import AvgPool, Conv, Dense, GlobalAvgPool
from ntkreg.architecture.recipe import as_activation, recipe
from ntkreg.architecture.residual import Residual
from ntkreg.errors import SpecError

__all__ = ["myrtle", "resnet"]

_MYRTLE = {5: (2, 1, 1), 7: (2, 2, 2), 10: (3, 3, 3)}
"""Convolutions of each of the three blocks, by what the papers call the depth."""


@recipe
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
    step = [Conv(3, weight_std, bias_std), as_activation("myrtle", activation)]
    first, second, third = (step * n for n in _MYRTLE[depth])
    layers = [*first, AvgPool(2), *second, AvgPool(2), *third, GlobalAvgPool()]
    return [*layers, Dense(1.0, 0.0)]


@recipe
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
    # Before they are listed.
    check_int("resnet", "block_size times groups", block_size * groups, 1)
    between, conv = as_activation("resnet", activation), Conv(3, weight_std, bias_std)
    layers: list[Layer] = [conv]
    for group in range(groups):
        entry = Conv(3, weight_std, bias_std, stride=1 if group == 0 else 2)
        layers.append(Residual((between, entry, between, conv), (entry,)))
        layers += [Residual((between, conv, between, conv))] * (block_size - 1)
    return [*layers, GlobalAvgPool(), Dense(1.0, 0.0)]
