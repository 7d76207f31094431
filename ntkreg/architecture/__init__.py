"""The network as plain data: layers, their checks, ready-made recipes, YAML."""

from typing import NoReturn

from ntkreg.architecture.activations import (
    Activation,
    Cos,
    Erf,
    Gaussian,
    Gelu,
    Identity,
    LeakyRelu,
    NormalizedGaussian,
    Relu,
    Sin,
)
from ntkreg.architecture.base import Layer
from ntkreg.architecture.flips import commutes_with_flip
from ntkreg.architecture.layers import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LocalAvgPool,
)
from ntkreg.architecture.network import Architecture
from ntkreg.architecture.recipes import cntk, fully_connected
from ntkreg.architecture.recipes_blocks import myrtle, resnet
from ntkreg.architecture.registry import BRIDGE_ONLY, no_native_form
from ntkreg.architecture.residual import Residual
from ntkreg.architecture.serialize import from_dict, from_yaml, to_dict, to_yaml
from ntkreg.architecture.shapes import output_size, window_origin
from ntkreg.errors import SpecError

__all__ = [
    "Activation",
    "Architecture",
    "AvgPool",
    "Conv",
    "Cos",
    "Dense",
    "Erf",
    "Flatten",
    "Gaussian",
    "Gelu",
    "GlobalAvgPool",
    "Identity",
    "Layer",
    "LeakyRelu",
    "LocalAvgPool",
    "NormalizedGaussian",
    "Relu",
    "Residual",
    "Sin",
    "cntk",
    "commutes_with_flip",
    "from_dict",
    "from_yaml",
    "fully_connected",
    "myrtle",
    "output_size",
    "resnet",
    "to_dict",
    "to_yaml",
    "window_origin",
]


def __getattr__(name: str) -> NoReturn:
    if name in BRIDGE_ONLY:
        raise SpecError(f"ntkreg.architecture: {no_native_form(name)}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
