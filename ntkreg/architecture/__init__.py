"""The network as plain data: layers, their checks, ready-made recipes, YAML."""

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
from ntkreg.architecture.recipes import cntk, fully_connected
from ntkreg.architecture.serialize import from_dict, from_yaml, to_dict, to_yaml

__all__ = [
    "Architecture",
    "Conv",
    "Dense",
    "Flatten",
    "GlobalAvgPool",
    "Layer",
    "LocalAvgPool",
    "Relu",
    "cntk",
    "from_dict",
    "from_yaml",
    "fully_connected",
    "to_dict",
    "to_yaml",
]
