"""Which engine computes which network."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ntkreg.architecture import Architecture, Dense, Relu, commutes_with_flip
from ntkreg.architecture.recipe import check_frozen
from ntkreg.errors import SpecError
from ntkreg.kernels.backends import BACKENDS, load_backend
from ntkreg.kernels.dense.engine import DenseEngine
from ntkreg.kernels.dense.plain import PlainDenseEngine
from ntkreg.kernels.engine import FIELDS, Engine
from ntkreg.kernels.flip import average_over_flip
from ntkreg.kernels.image.engine import ImageEngine
from ntkreg.kernels.inputs import is_mixed
from ntkreg.kernels.passes import PassesEngine, group_networks
from ntkreg.kernels.stax.bridge import KernelFn, StaxEngine, StaxNetwork, as_network
from ntkreg.kernels.variants import as_variants, variant_networks

__all__ = ["SYMMETRIES", "make_engine"]

SYMMETRIES = (None, "flip")
"""What kernels can be averaged over."""


def make_engine(
    architecture: Architecture | StaxNetwork | KernelFn,
    shape: tuple[int, ...],
    *,
    dtype: Any,
    fields: Sequence[str] = FIELDS,
    depths: Sequence[int] | None = None,
    variants: Sequence[Mapping[str, Any]] | None = None,
    symmetry: str | None = None,
    backend: str | None = None,
) -> Engine:
    """Return the fastest engine for a network and inputs of a shape.

    Parameters
    ----------
    architecture : Architecture, StaxNetwork or stax kernel_fn
    shape : tuple of int
        Of one input, (d,) or (h, w, c).
    dtype : float32, float64 or "mixed"
        "mixed": float32 arithmetic, float64 values; for networks that read images.
    fields : sequence of {"nngp", "ntk"}
    depths : sequence of int or None
        Short for ``variants=[{"depth": d} for d in depths]``.
    variants : sequence of mappings or None
        Options of the network's recipe to change, for each of several networks to return at
        once, in as few passes as they need; None for the network itself.
    symmetry : {None, "flip"}
        "flip": the kernel averaged over the horizontal flip (`ntkreg.kernels.flip`); of a
        stax network, about which nothing is known, over both arguments.
    backend : {None, "jax"}
        None: compiled loops for the CPU (a stax network runs through JAX anyway). "jax": the
        same tile programs in jax.numpy, on whatever JAX runs on; of image networks only.

    Raises
    ------
    SpecError
        Unknown fields, symmetry or backend; depths or variants that are none; a flip for inputs
        that are not images; "mixed" or ``backend="jax"`` for a network without images; layers
        that no engine has.
    BackendError
        ``backend="jax"`` where JAX cannot be imported.
    """
    for name in fields:
        if name not in FIELDS:
            raise ValueError(f'get must be "nngp", "ntk" or a tuple of them; got {name!r}.')
    network = as_network(architecture)
    variants = as_variants(network, depths, variants)
    _check_symmetry(symmetry, network, shape)
    _check_backend(backend, network)
    mixed = is_mixed(dtype)
    if mixed and (isinstance(network, StaxNetwork) or network.reads == "vector"):
        raise SpecError(
            f'dtype="mixed" is for networks that read images, such as cntk(); got {network!r}. '
            "Use float64."
        )
    dtype = np.dtype(np.float32 if mixed else dtype)
    if isinstance(network, StaxNetwork):
        stax = StaxEngine(shape, dtype, tuple(fields), 1, network.kernel_fn)
        return stax if symmetry is None else average_over_flip(stax, commutes=False)
    networks = variant_networks(network, variants)
    check_frozen(networks)
    for each in networks:
        each.check_shape(shape)

    def one_pass(members: Sequence[Architecture]) -> Engine:
        common = (shape, dtype, tuple(fields), len(members), tuple(members))
        if members[0].reads == "image":
            return ImageEngine(*common, mixed, load_backend(backend))
        return _dense_kind(members[0])(*common)

    engine = _in_passes(networks, one_pass)
    if symmetry is None:
        return engine
    commutes = all(commutes_with_flip(each, shape) for each in networks)
    return average_over_flip(engine, commutes=commutes)


def _check_symmetry(
    symmetry: str | None, network: Architecture | StaxNetwork, shape: tuple[int, ...]
) -> None:
    if symmetry not in SYMMETRIES:
        raise SpecError(f'symmetry must be None or "flip"; got {symmetry!r}.')
    if symmetry is not None and (network.reads == "vector" or len(shape) != 3):
        raise SpecError(
            f'symmetry="flip" needs a network that reads images (n, h, w, c), such as cntk(); '
            f"got {network!r} for inputs of shape {shape}. Use symmetry=None."
        )


def _check_backend(backend: str | None, network: Architecture | StaxNetwork) -> None:
    if backend not in BACKENDS:
        known = " or ".join("None" if name is None else f'"{name}"' for name in BACKENDS)
        raise SpecError(f"backend must be {known}; got {backend!r}.")
    if backend is not None and network.reads != "image":
        raise SpecError(
            f'backend="{backend}" runs networks that read images, such as cntk(); got {network!r}. '
            "Use backend=None: it runs dense networks in compiled loops, and a stax kernel_fn "
            "through JAX."
        )


def _in_passes(
    networks: tuple[Architecture, ...], one_pass: Callable[[Sequence[Architecture]], Engine]
) -> Engine:
    """Return one engine for all networks, of as many passes as they need."""

    def cost(members: Sequence[Architecture]) -> float:
        engines = {type(one_pass([network])) for network in members}
        return _cost(one_pass(members)) if len(engines) == 1 else math.inf

    if len(networks) == 1:
        return one_pass(networks)
    places = group_networks(networks, cost)
    engines = tuple(one_pass([networks[k] for k in members]) for members in places)
    one = engines[0]
    if len(engines) == 1:
        return one
    numbers = tuple(tuple(members) for members in places)
    return PassesEngine(one.shape, one.dtype, one.fields, len(networks), engines, numbers)


def _cost(engine: Engine) -> float:
    """Work of a pass in units of its engine; infinite if its networks cannot share one."""
    try:
        if isinstance(engine, ImageEngine):
            return engine.runnable.work
        if isinstance(engine, DenseEngine):
            # The product takes most of the time, and it is the same for all.
            return 1.0 if engine.program.steps else 0.0
    except SpecError:
        # Or a network that no engine runs: its own engine says so when it is used.
        return math.inf
    return 1.0


def _dense_kind(network: Architecture) -> type[DenseEngine | PlainDenseEngine]:
    compiled = all(isinstance(layer, Dense | Relu) for layer in network.layers)
    return DenseEngine if compiled else PlainDenseEngine
