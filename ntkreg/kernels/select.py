"""Which engine computes which network."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ntkreg.architecture import (
    Architecture,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LocalAvgPool,
    Relu,
)
from ntkreg.errors import SpecError
from ntkreg.kernels.bridge import KernelFn, StaxEngine, StaxNetwork, as_network
from ntkreg.kernels.dense import DenseEngine
from ntkreg.kernels.engine import FIELDS, Engine
from ntkreg.kernels.image import ImageEngine

__all__ = ["make_engine"]


def make_engine(
    architecture: Architecture | StaxNetwork | KernelFn,
    shape: tuple[int, ...],
    *,
    dtype: Any,
    fields: Sequence[str] = FIELDS,
    depths: Sequence[int] | None = None,
) -> Engine:
    """Return the fastest engine for a network and inputs of a shape.

    Parameters
    ----------
    architecture : Architecture, StaxNetwork or stax kernel_fn
    shape : tuple of int
        Of one input, (d,) or (h, w, c).
    dtype : float32 or float64
    fields : sequence of {"nngp", "ntk"}
    depths : sequence of int or None
        Depths of the same recipe to return from one pass; None for the network itself.
    """
    for name in fields:
        if name not in FIELDS:
            raise ValueError(f'get must be "nngp", "ntk" or a tuple of them; got {name!r}.')
    network = as_network(architecture)
    if isinstance(network, StaxNetwork):
        if depths is not None:
            raise SpecError("depths needs a recipe with a depth; a stax kernel_fn has one only.")
        return StaxEngine(shape, np.dtype(dtype), tuple(fields), 1, network.kernel_fn)
    networks = _at_depths(network, depths)
    _check_native(network)
    kind = ImageEngine if network.reads == "image" else DenseEngine
    return kind(shape, np.dtype(dtype), tuple(fields), len(networks), networks)


_NATIVE = (Dense, Conv, Relu, Flatten, GlobalAvgPool, LocalAvgPool)


def _check_native(network: Architecture) -> None:
    """Refuse what no fast engine has an operation for."""
    for i, layer in enumerate(network.layers):
        moved = isinstance(layer, Conv) and (layer.stride, layer.padding) != (1, "SAME")
        if moved or not isinstance(layer, _NATIVE):
            raise SpecError(
                f"No engine has an operation for layer {i}, {layer!r}. Use the kernel_fn of "
                "ntkreg.kernels.to_stax(network) in the network's place."
            )


def _at_depths(
    architecture: Architecture, depths: Sequence[int] | None
) -> tuple[Architecture, ...]:
    if depths is None:
        return (architecture,)
    depths = tuple(depths)
    if not depths or len(set(depths)) < len(depths):
        raise SpecError(f"depths must be distinct integers, at least one; got {depths!r}.")
    if "depth" not in architecture.get_params():
        raise SpecError(f"depths needs a recipe with a depth; got {architecture!r}.")
    return tuple(architecture.replace(depth=d) for d in depths)
