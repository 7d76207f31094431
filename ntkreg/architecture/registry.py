"""Every layer by name, and the names of those that only neural-tangents can run."""

from ntkreg.architecture.activations import ACTIVATIONS
from ntkreg.architecture.base import Layer
from ntkreg.architecture.layers import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LocalAvgPool,
)
from ntkreg.architecture.residual import Residual

__all__ = ["BRIDGE_ONLY", "LAYERS", "no_native_form"]

LAYERS: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in (
        Dense,
        Conv,
        AvgPool,
        LocalAvgPool,
        GlobalAvgPool,
        Flatten,
        Residual,
        *map(type, ACTIVATIONS.values()),
    )
}
"""Every layer by the name that YAML files use."""

BRIDGE_ONLY: dict[str, str] = {
    "MaxPool": "has no closed form",
    "BatchNorm": "has no closed form",
    "Tanh": "has no closed form",
    "LayerNorm": "is not native",
    "GlobalSelfAttention": "is not native",
    "SumPool": "is not native",
    "Dropout": "is not native",
    "Elementwise": "is not native",
}
"""Layers that people look for here, and why there are none."""


def no_native_form(name: str) -> str:
    """Return what to say to someone who asks for a layer of `BRIDGE_ONLY`."""
    return (
        f"{name} {BRIDGE_ONLY[name]}. Build the network in neural_tangents.stax (what has no "
        "closed form there: sample it with nt.monte_carlo_kernel_fn) and pass its kernel_fn "
        "in place of an Architecture."
    )
