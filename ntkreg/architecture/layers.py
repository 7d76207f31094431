"""Layers as frozen dataclasses: parameters and their checks, no arithmetic.

A layer knows what it reads and what it gives: ``"image"`` (h, w, channels) or
``"vector"`` (features). To add one: write its dataclass here, then give each
engine that should run it natively an entry for it (ARCHITECTURE.md says where).
"""

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

from ntkreg.errors import SpecError

__all__ = [
    "LAYERS",
    "Conv",
    "Dense",
    "Flatten",
    "GlobalAvgPool",
    "Layer",
    "LocalAvgPool",
    "Relu",
]

Domain = Literal["image", "vector", "any"]


def _std(layer: str, name: str, value: Any, *, positive: bool) -> float:
    """Return `value` as a float; raise unless it is finite and > 0, or >= 0."""
    bound = "> 0" if positive else ">= 0"
    ok = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not ok or value < 0 or (positive and value == 0):
        raise SpecError(f"{layer}: {name} must be a finite float {bound}; got {value!r}.")
    return float(value)


def _bool(layer: str, name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise SpecError(f"{layer}: {name} must be True or False; got {value!r}.")
    return value


def _int(layer: str, name: str, value: Any, least: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise SpecError(f"{layer}: {name} must be an integer >= {least}; got {value!r}.")
    return int(value)


@dataclass(frozen=True)
class Layer:
    """Base of all layers: what a layer reads and gives."""

    reads: ClassVar[Domain] = "any"
    """Kind of array the layer acts on."""
    gives: ClassVar[Domain] = "any"
    """Kind of array it returns; "any" for the kind it read."""

    def _keep(self, **checked: Any) -> None:
        """Keep parameters as plain Python numbers.

        So that equal layers have one fingerprint and one YAML, from NumPy's numbers too.
        """
        for name, value in checked.items():
            object.__setattr__(self, name, value)


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
            weight_std=_std("Dense", "weight_std", self.weight_std, positive=True),
            bias_std=_std("Dense", "bias_std", self.bias_std, positive=False),
            trainable=_bool("Dense", "trainable", self.trainable),
        )


@dataclass(frozen=True)
class Conv(Layer):
    r"""Convolution with infinitely many channels: square odd window, stride 1, zero padding.

    Its covariance is the average over the window, zeros outside the image included
    (Arora et al. 2019, arXiv 1904.11955, section 4; neural-tangents' ``padding="SAME"``).

    Parameters
    ----------
    window : int, default=3
        Side of the window in pixels; odd, so that it has a centre.
    weight_std, bias_std, trainable
        As in `Dense`; the fan-in is window * window * channels.
    """

    window: int = 3
    weight_std: float = math.sqrt(2)
    bias_std: float = 0.0
    trainable: bool = True

    reads: ClassVar[Domain] = "image"
    gives: ClassVar[Domain] = "image"

    def __post_init__(self) -> None:
        self._keep(
            window=_int("Conv", "window", self.window, 1),
            weight_std=_std("Conv", "weight_std", self.weight_std, positive=True),
            bias_std=_std("Conv", "bias_std", self.bias_std, positive=False),
            trainable=_bool("Conv", "trainable", self.trainable),
        )
        if self.window % 2 == 0:
            raise SpecError(f"Conv: window must be odd; got {self.window}.")


@dataclass(frozen=True)
class Relu(Layer):
    """Rectified linear unit, max(x, 0); its dual is the arc-cosine kernel of order 1.

    Cho and Saul 2009, eqs. 3-6; without the factor 2 that some papers put in
    (weight_std sqrt(2) in the layer before stands for it).
    """


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
        self._keep(half_width=_int("LocalAvgPool", "half_width", self.half_width, 0))


LAYERS: dict[str, type[Layer]] = {
    cls.__name__: cls for cls in (Dense, Conv, Relu, Flatten, GlobalAvgPool, LocalAvgPool)
}
"""Every layer by the name that YAML files use."""
