"""Networks and images that gpu_check.py asks the card about."""

from typing import Any

import numpy as np

from ntkreg import cntk, myrtle, resnet
from ntkreg.architecture import (
    Architecture,
    AvgPool,
    Conv,
    Cos,
    Erf,
    Flatten,
    Gaussian,
    Gelu,
    GlobalAvgPool,
    LeakyRelu,
    NormalizedGaussian,
    Relu,
    Sin,
)

__all__ = ["CLAIMS", "RATES", "images", "kinds"]

SEED = 0


def images(n: int, side: int, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(SEED)
    return rng.normal(size=(n, side, side, channels)).astype(np.float32)


def kinds() -> dict[str, tuple[Architecture, int]]:
    """Networks that together have every kind of layer, and pixels of a side."""
    step = (Conv(3, 1.2, 0.1), Relu())

    def of(*layers: Any) -> Architecture:
        return Architecture((*layers, GlobalAvgPool()))

    each = {
        "3 x 3": (cntk(3), 32),
        "flatten": (cntk(3, "flatten"), 32),
        "LAP": (cntk(3, "lap", half_width=4), 32),
        "bias, first layer untrained": (cntk(3, bias_std=0.3, train_first=False), 32),
        "5 x 5, stride 2": (of(Conv(5, stride=2), Relu(), *step), 32),
        "VALID": (of(Conv(3, padding="VALID"), Relu(), *step), 28),
        "CIRCULAR": (of(Conv(3, padding="CIRCULAR"), Relu(), Conv(3, padding="CIRCULAR")), 32),
        "residual, strides": (resnet(1), 32),
        "poolings": (myrtle(5), 32),
        "pooling by 3": (of(*step, AvgPool(3), *step), 28),
        "two tiles a warp": (cntk(3), 16),
        "four tiles a warp": (cntk(3), 8),
        "25 layers, tables from afar": (cntk(25), 32),
    }
    for activation in (LeakyRelu(0.2), Erf(), Gelu(), Sin(), Cos(), Gaussian(0.5),
                       NormalizedGaussian(0.5)):  # fmt: skip
        layers = (Conv(3, 1.2, 0.1), activation) * 2
        each[repr(activation)] = (Architecture((*layers, Flatten())), 16)
    return each


RATES = {
    "10 conv, GAP": (cntk(10), 32, 512),
    "myrtle(10)": (myrtle(10), 32, 512),
    "21 conv, GAP": (cntk(21), 32, 384),
    "LAP 4": (cntk(10, "lap", half_width=4), 32, 512),
    "residual": (resnet(4, groups=1), 32, 384),
    "myrtle(5)": (myrtle(5), 32, 512),
    "myrtle(7)": (myrtle(7), 32, 512),
    "5 conv, GAP, 8 x 8": (cntk(5), 8, 1024),
}
"""Network, pixels of a side, images."""

CLAIMS = {"10 conv, GAP": 60_000, "myrtle(10)": 100_000}
"""Pairs a second at least, on an H100."""
