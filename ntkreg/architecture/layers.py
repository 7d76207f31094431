"""Linear layers and poolings as frozen dataclasses: parameters and checks, no arithmetic.

A layer knows what it reads and what it gives: ``"image"`` (h, w, channels) or
``"vector"`` (features). Activations are in `activations`, sums of branches in `residual`.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from ntkreg.architecture.base import (
    ADDED_LATER,
    Domain,
    Layer,
    check_bool,
    check_int,
    check_std,
)
from ntkreg.errors import SpecError

__all__ = ["PADDINGS", "AvgPool", "Conv", "Dense", "Flatten", "GlobalAvgPool", "LocalAvgPool"]

PADDINGS = ("SAME", "CIRCULAR", "VALID")
"""What a convolution may do at the image's edge."""


@dataclass(frozen=True)
class Dense(Layer):
    r"""Fully connected layer of infinite width in the NTK parametrisation.

    Maps the covariance to :math:`\sigma_w^2 K + \sigma_b^2` (Jacot et al. 2018,
    Lee et al. 2019, arXiv 1902.06720, eq. 1).

    Parameters
    ----------
    weight_std : float, default=sqrt(2)
        Standard deviation of the weights before the 1/sqrt(fan-in) factor; > 0.
    bias_std : float, default=0.0
        Standard deviation of the biases; 0 for no bias.
    trainable : bool, default=True
        Whether the layer's weights and biases contribute to the NTK.
    """

    weight_std: float = math.sqrt(2)
    bias_std: float = 0.0
    trainable: bool = True

    reads: ClassVar[Domain] = "vector"
    gives: ClassVar[Domain] = "vector"

    def __post_init__(self) -> None:
        self._keep(
            weight_std=check_std("Dense", "weight_std", self.weight_std, positive=True),
            bias_std=check_std("Dense", "bias_std", self.bias_std, positive=False),
            trainable=check_bool("Dense", "trainable", self.trainable),
        )


@dataclass(frozen=True)
class Conv(Layer):
    r"""Convolution with infinitely many channels and a square odd window.

    Its covariance is the average over the window, the same shift for both pixels, zeros
    outside the image included (Arora et al. 2019, arXiv 1904.11955, section 4).

    Parameters
    ----------
    window : int, default=3
        Side of the window in pixels; odd, so that it has a centre.
    weight_std, bias_std, trainable
        As in `Dense`; the fan-in is window * window * channels.
    stride : int, default=1
        Pixels from one window to the next, along both axes; >= 1.
    padding : {"SAME", "CIRCULAR", "VALID"}, default="SAME"
        Zeros around the image, the image itself around itself, or windows inside the image
        only. `shapes.window_origin` says where the first window lies: where XLA puts it.
    """

    window: int = 3
    weight_std: float = math.sqrt(2)
    bias_std: float = 0.0
    trainable: bool = True
    stride: int = field(default=1, metadata=ADDED_LATER)
    padding: str = field(default="SAME", metadata=ADDED_LATER)

    reads: ClassVar[Domain] = "image"
    gives: ClassVar[Domain] = "image"

    def __post_init__(self) -> None:
        self._keep(
            window=check_int("Conv", "window", self.window, 1),
            weight_std=check_std("Conv", "weight_std", self.weight_std, positive=True),
            bias_std=check_std("Conv", "bias_std", self.bias_std, positive=False),
            trainable=check_bool("Conv", "trainable", self.trainable),
            stride=check_int("Conv", "stride", self.stride, 1),
        )
        if self.window % 2 == 0:
            raise SpecError(f"Conv: window must be odd; got {self.window}.")
        if self.padding not in PADDINGS:
            raise SpecError(f"Conv: padding must be one of {PADDINGS}; got {self.padding!r}.")


@dataclass(frozen=True)
class AvgPool(Layer):
    """Mean over squares of pixels side by side; rows and columns left over are dropped.

    Its kernel is the mean over all pairs of pixels of the two squares. As
    ``stax.AvgPool((window, window), (window, window), "VALID")``.

    Parameters
    ----------
    window : int, default=2
        Side of the squares in pixels, and the stride; >= 1.
    """

    window: int = 2

    reads: ClassVar[Domain] = "image"
    gives: ClassVar[Domain] = "image"

    def __post_init__(self) -> None:
        self._keep(window=check_int("AvgPool", "window", self.window, 1))


@dataclass(frozen=True)
class Flatten(Layer):
    """Image to vector: the kernel is the mean over pixels p = p' (CNTK-V of Arora et al.)."""

    reads: ClassVar[Domain] = "image"
    gives: ClassVar[Domain] = "vector"


@dataclass(frozen=True)
class GlobalAvgPool(Layer):
    """Mean over all pixels: the kernel is the mean over all pixel pairs (CNTK-GAP)."""

    reads: ClassVar[Domain] = "image"
    gives: ClassVar[Domain] = "vector"


@dataclass(frozen=True)
class LocalAvgPool(Layer):
    """Stride-1 mean over a (2c+1) x (2c+1) box, zeros outside (Li et al. 2019, 1911.00809).

    Parameters
    ----------
    half_width : int
        c >= 0 in pixels. 0 changes nothing; from c = max(h, w) - 1 on, `Flatten` after
        it gives global average pooling times ((h w) / (2c+1)^2)^2.
    """

    half_width: int

    reads: ClassVar[Domain] = "image"
    gives: ClassVar[Domain] = "image"

    def __post_init__(self) -> None:
        self._keep(half_width=check_int("LocalAvgPool", "half_width", self.half_width, 0))
