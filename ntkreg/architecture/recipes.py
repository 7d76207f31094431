"""Ready-made networks of equal layers that keep their arguments: `fully_connected`, `cntk`."""

import math

from ntkreg.architecture.activations import Activation
from ntkreg.architecture.base import Layer, check_int
from ntkreg.architecture.layers import Conv, Dense, Flatten, GlobalAvgPool, LocalAvgPool
from ntkreg.architecture.recipe import as_activation, count_frozen, recipe
from ntkreg.errors import SpecError

__all__ = ["cntk", "fully_connected"]


@recipe
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
        ``train_first=False``, `depth` is all of them. More is refused, unless a network of that
        depth is asked for at the same time (``depths=``).

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
    between = as_activation("fully_connected", activation)
    first = count_frozen("fully_connected", train_first, frozen)
    layers: list[Layer] = []
    for i in range(depth):
        layers += [Dense(weight_std, bias_std, trainable=i >= first), between]
    return [*layers, Dense(1.0, 0.0, trainable=train_last)]


@recipe
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

    Networks that differ in depth, read-out, half_width and train_last alone begin alike:
    ``variants=`` (``depths=``) of `ntkreg.kernel` computes them in one pass.

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
        ``train_first=False``, `depth` is all of them. More is refused, unless a network of that
        depth is asked for at the same time (``depths=``).

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
    between = as_activation("cntk", activation)
    first = count_frozen("cntk", train_first, frozen)
    layers: list[Layer] = []
    for i in range(depth):
        layers += [Conv(window, weight_std, bias_std, i >= first, padding=padding), between]
    return [*layers, *tail, Dense(1.0, 0.0, trainable=train_last)]
