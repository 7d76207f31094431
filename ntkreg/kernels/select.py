"""Which engine computes which network."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ntkreg.architecture import Architecture, Dense, Relu, commutes_with_flip
from ntkreg.errors import SpecError
from ntkreg.kernels.backends import load_backend
from ntkreg.kernels.dense.engine import DenseEngine
from ntkreg.kernels.dense.plain import PlainDenseEngine
from ntkreg.kernels.engine import FIELDS, Engine
from ntkreg.kernels.flip import average_over_flip
from ntkreg.kernels.image.engine import ImageEngine
from ntkreg.kernels.inputs import MIXED
from ntkreg.kernels.passes import PassesEngine, group_networks
from ntkreg.kernels.spec import KernelSpec
from ntkreg.kernels.stax.bridge import KernelFn, StaxEngine, StaxNetwork

__all__ = ["engine_for", "make_engine"]


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
    backend : {None, "jax", "cuda"}
        None: compiled loops for the CPU (a stax network runs through JAX anyway). "jax": the
        same tile programs in jax.numpy, on whatever JAX runs on; "cuda": on NVIDIA
        cards, in float32 and "mixed"; both of image networks only.

    Raises
    ------
    SpecError
        Unknown fields, symmetry or backend; depths or variants that are none; a flip for inputs
        that are not images; "mixed" or a backend for a network without images; layers
        that no engine has.
    BackendError
        ``backend="jax"`` where JAX cannot be imported. Where there is no card,
        ``backend="cuda"`` says so when it is used.
    """
    return engine_for(
        KernelSpec(
            architecture,
            get=tuple(fields),
            depths=depths,
            variants=variants,
            dtype=dtype,
            symmetry=symmetry,
            backend=backend,
        ),
        shape,
    )


def engine_for(spec: KernelSpec, shape: tuple[int, ...]) -> Engine:
    """Return the fastest engine for a kernel and inputs of a shape.

    Parameters
    ----------
    spec : KernelSpec
        With a dtype. `normalize` is left to `ntkreg.gram`: no block knows the diagonals.
    shape : tuple of int
        Of one input, (d,) or (h, w, c).

    Returns
    -------
    Engine
        Its fields are those of `get`, in that order.

    Raises
    ------
    SpecError, ShapeError, BackendError
        As `make_engine`.
    """
    network, symmetry, backend = spec.network, spec.symmetry, spec.backend
    spec.check_shape(shape)
    fields = (spec.get,) if isinstance(spec.get, str) else spec.get
    mixed = spec.dtype == MIXED
    dtype = np.dtype(np.float32 if mixed else spec.dtype)
    if isinstance(network, StaxNetwork):
        stax = StaxEngine(shape, dtype, fields, 1, network.kernel_fn)
        return stax if symmetry is None else average_over_flip(stax, commutes=False)
    networks = spec.networks

    def one_pass(members: Sequence[Architecture]) -> Engine:
        common = (shape, dtype, fields, len(members), tuple(members))
        if members[0].reads == "image":
            return ImageEngine(*common, mixed, load_backend(backend))
        return _dense_kind(members[0])(*common)

    engine = _in_passes(networks, one_pass)
    if symmetry is None:
        return engine
    commutes = all(commutes_with_flip(each, shape) for each in networks)
    return average_over_flip(engine, commutes=commutes)


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
