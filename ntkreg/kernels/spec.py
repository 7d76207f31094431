"""`KernelSpec`: everything that says which kernel, in one value that is passed on whole.

A new option is a field of `KernelOptions` with its line in `OPTIONS`, what acts on it
(`ntkreg.kernels.select`), and a keyword where users ask: `ntkreg.gram.compute` and the two kernel
estimators. Checks, folders, saved models and configurations take it from here.
"""

from collections.abc import Collection, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field, replace
from typing import Any

import numpy as np

from ntkreg.architecture import Architecture
from ntkreg.architecture.recipe import check_frozen
from ntkreg.errors import SpecError
from ntkreg.kernels.backends import BACKENDS
from ntkreg.kernels.engine import FIELDS
from ntkreg.kernels.inputs import MIXED, kernel_dtype, precision_name
from ntkreg.kernels.stax.bridge import StaxNetwork, as_network
from ntkreg.kernels.variants import as_variants, variant_networks

__all__ = ["LATER", "OPTIONS", "PRECISIONS", "STORED", "KernelOptions", "KernelSpec"]

PRECISIONS = (None, "float32", "mixed", "float64")
"""What `dtype` can be where only text can be written; None for that of the inputs."""

OPTIONS: dict[str, Collection[str | None]] = {
    "normalize": (None, "unit_diagonal"),
    "symmetry": (None, "flip"),
    "backend": BACKENDS,
}
"""What each of `KernelOptions` can be."""

STORED = tuple(name for name in OPTIONS if name != "backend")
"""Options that a kernel folder names, as values depend on them; its engine says the backend."""

LATER = tuple(name for name in OPTIONS if name != "normalize")
"""Options that stored things of the first version have not, which reads as None."""


@dataclass(frozen=True, kw_only=True)
class KernelOptions:
    """Options of a kernel beside its network; None is the kernel as it is.

    Attributes
    ----------
    normalize : {None, "unit_diagonal"}
        Whether K(x, z) is divided by sqrt(K(x, x) K(z, z)).
    symmetry : {None, "flip"}
        "flip": the kernel averaged over the horizontal flip of images. At ridge alpha it
        predicts what training on images and flips predicts at 2 alpha (absolute).
    backend : {None, "jax", "cuda"}
        What computes the kernel of an image network: compiled loops, JAX on its device,
        or NVIDIA cards.
    """

    normalize: str | None = None
    symmetry: str | None = None
    backend: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options by name."""
        return {name: getattr(self, name) for name in OPTIONS}


@dataclass(frozen=True)
class KernelSpec(KernelOptions):
    """Which kernel: a network, which of its kernels, in which precision, with which options.

    Equal if it says the same; it pickles, and can be hashed, where its network can.

    Parameters
    ----------
    network : Architecture, StaxNetwork or stax kernel_fn
    get : {"nngp", "ntk"} or collection of them, default="ntk"
    depths : sequence of int or None
        Short for ``variants=[{"depth": d} for d in depths]``; not kept.
    variants : sequence of mappings or None
        Options of the network's recipe to change, for each of several networks.
    dtype : float32, float64, "mixed" or None
        None for that of the inputs (`with_dtype_of`).
    **options
        Those of `KernelOptions`.

    Attributes
    ----------
    network : Architecture or StaxNetwork
    get : str or tuple of str
        As asked.
    variants : tuple of dict or None
    dtype : {None, "float32", "mixed", "float64"}

    Raises
    ------
    SpecError
        No network; unknown `get` or options; depths or variants that are none; `frozen` of more
        layers than there are; "mixed" or a backend for a network without images.
    ValueError
        Another dtype.
    """

    # Any: what may come is more than what remains after the checks.
    network: Any
    _: KW_ONLY
    get: Any = "ntk"
    depths: InitVar[Sequence[int] | None] = None
    variants: Any = field(default=None, hash=False)
    dtype: Any = None

    def __post_init__(self, depths: Sequence[int] | None) -> None:
        network = as_network(self.network)
        variants = as_variants(network, depths, self.variants)
        checked = {
            "network": network,
            # Copies: the caller's mappings may change.
            "variants": None if variants is None else tuple(dict(each) for each in variants),
            "get": _check_get(self.get),
        }
        for name, choices in OPTIONS.items():
            _check_option(name, getattr(self, name), choices)
        if self.backend is not None and network.reads != "image":
            raise SpecError(
                f'backend="{self.backend}" runs networks that read images, such as cntk(); got '
                f"{network!r}. Use backend=None: it runs dense networks in compiled loops, and a "
                "stax kernel_fn through JAX."
            )
        if self.dtype is not None:
            checked["dtype"] = _check_precision(self.dtype, network)
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if isinstance(network, Architecture):
            check_frozen(self.networks)

    @property
    def fields(self) -> tuple[str, ...]:
        """What `get` names, in the order of `FIELDS`."""
        asked = (self.get,) if isinstance(self.get, str) else self.get
        return tuple(name for name in FIELDS if name in asked)

    @property
    def networks(self) -> tuple[Any, ...]:
        """The network of each variant; the network alone if there are none."""
        if isinstance(self.network, StaxNetwork):
            return (self.network,)
        return variant_networks(self.network, self.variants)

    def with_dtype_of(self, *inputs: np.ndarray) -> "KernelSpec":
        """Return the same kernel with the widest of the inputs' dtypes, if it has none yet."""
        if self.dtype is not None:
            return self
        return replace(self, dtype=np.result_type(*map(kernel_dtype, inputs)).name)

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise unless inputs of a shape, (d,) or (h, w, c), have this kernel.

        Raises
        ------
        SpecError
            A flip of what is no image.
        ShapeError
            Inputs too small for a network's windows.
        """
        if self.symmetry is not None and (self.network.reads == "vector" or len(shape) != 3):
            raise SpecError(
                f'symmetry="{self.symmetry}" needs a network that reads images (n, h, w, c), such '
                f"as cntk(); got {self.network!r} for inputs of shape {shape}. Use symmetry=None."
            )
        for network in self.networks:
            if isinstance(network, Architecture):
                network.check_shape(shape)


def _check_get(get: Any) -> str | tuple[str, ...]:
    asked = [get] if isinstance(get, str) else list(get) if isinstance(get, Collection) else []
    if not asked or any(asked.count(name) > 1 or name not in FIELDS for name in asked):
        raise SpecError(f'get must be "nngp", "ntk" or both in a tuple; got {get!r}.')
    return get if isinstance(get, str) else tuple(asked)


def _check_option(name: str, value: Any, choices: Collection[str | None]) -> None:
    if not isinstance(value, str | None) or value not in choices:
        known = " or ".join("None" if choice is None else f'"{choice}"' for choice in choices)
        raise SpecError(f"{name} must be {known}; got {value!r}.")


def _check_precision(dtype: Any, network: Architecture | StaxNetwork) -> str:
    name = precision_name(dtype)
    if name == MIXED and (isinstance(network, StaxNetwork) or network.reads == "vector"):
        raise SpecError(
            f'dtype="mixed" is for networks that read images, such as cntk(); got {network!r}. '
            "Use float64."
        )
    return name
