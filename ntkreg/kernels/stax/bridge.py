"""Bridge from neural-tangents: any ``stax`` kernel as an `Engine`."""

import functools
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkreg.architecture import Architecture
from ntkreg.architecture.recipe import uncalled_hint
from ntkreg.errors import SpecError
from ntkreg.kernels.engine import Engine, mirror_upper
from ntkreg.kernels.stax.compatibility import enable_x64, import_jax, import_neural_tangents

__all__ = ["KernelFn", "StaxEngine", "StaxNetwork", "as_network"]

KernelFn = Callable[..., Any]
"""The third member of a ``stax`` triple: ``kernel_fn(x1, x2, get)``."""

_BLOCK_BYTES = 64 * 2**20
"""What the covariances of one block may take."""

_FIELDS_HELD = 4
"""Arrays of a block's size that XLA holds at once: NNGP, NTK and two intermediate ones."""


@dataclass(frozen=True)
class StaxNetwork:
    """A ``stax`` kernel_fn, with a name if it is to be told from others.

    Goes wherever an `Architecture` goes. A kernel_fn is a closure: nothing in it says
    which network it is. So only one with a `name` has a fingerprint and may fill a kernel
    folder, and it is on the user to give different networks different names.

    Parameters
    ----------
    kernel_fn : callable
        From ``stax.serial(...)``; ends in a vector (Flatten, GlobalAvgPool or dense layers).
    name : str or None, default=None
        What stands for the network in fingerprints, e.g. ``"myrtle5, erf, 2026-05"``.

    Raises
    ------
    SpecError
        If kernel_fn cannot be called (a stax triple has its own message), or name is empty.
    """

    kernel_fn: KernelFn
    name: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.kernel_fn, tuple) and len(self.kernel_fn) == 3:
            raise SpecError(
                "StaxNetwork: kernel_fn is a whole (init_fn, apply_fn, kernel_fn) triple; "
                "pass its third member."
            )
        if not callable(self.kernel_fn):
            raise SpecError(
                f"StaxNetwork: kernel_fn must be a stax kernel function; got {self.kernel_fn!r}."
            )
        if self.name is not None and (not isinstance(self.name, str) or not self.name.strip()):
            raise SpecError(
                f"StaxNetwork: name must be a non-empty string or None; got {self.name!r}."
            )

    @property
    def reads(self) -> str:
        """Always ``"any"``: the kernel_fn alone knows whether it wants images."""
        return "any"

    @property
    def fingerprint(self) -> str | None:
        """SHA-256 of the name, or None without one: not to be compared with anything."""
        if self.name is None:
            return None
        return hashlib.sha256(f"stax:{self.name}".encode()).hexdigest()

    def __sklearn_clone__(self) -> "StaxNetwork":
        return self  # immutable: a copy would be the same

    def __repr__(self) -> str:
        return f"StaxNetwork({self.kernel_fn!r})" if self.name is None else f"stax:{self.name}"


def as_network(network: Any) -> Architecture | StaxNetwork:
    """Return an `Architecture` or `StaxNetwork` as it is, and wrap a bare ``stax`` kernel_fn.

    Raises
    ------
    SpecError
        If `network` is neither.
    """
    if isinstance(network, Architecture | StaxNetwork):
        return network
    hint = uncalled_hint(network)
    if not hint and (callable(network) or isinstance(network, tuple)):
        return StaxNetwork(network)
    raise SpecError(
        "network must be an Architecture (e.g. ntkreg.cntk(depth=5)) or a stax kernel_fn; "
        f"got {network!r}.{hint}"
    )


_FLOAT64_OPTIONS = {"xla_backend_optimization_level": 1}
"""For jit in float64. At its default level XLA's CPU code for float64 convolutions (jaxlib
0.10.2, AVX-512) reads past the end of a buffer and crashes the process, e.g. at 32 x 32
pixels; at level 1 it does not vectorise that read and costs up to a quarter more time."""


@functools.lru_cache(maxsize=16)
def _compiled(kernel_fn: KernelFn, fields: tuple[str, ...], double: bool) -> tuple[Any, Any]:
    """Return jitted functions: (x, z) -> values of all pairs, x -> values of each with itself.

    Cached, so that a second engine on the same kernel_fn does not compile again.
    """
    import_neural_tangents()
    jax = import_jax()

    def cross(x: Any, z: Any) -> Any:
        values = kernel_fn(x, z, fields)
        for field, value in zip(fields, values, strict=True):
            if value.shape != (len(x), len(z)):
                raise SpecError(
                    f"stax kernel_fn: its {field} for {len(x)} x {len(z)} inputs has the shape "
                    f"{value.shape}. End the network with stax.Flatten() or "
                    "stax.GlobalAvgPool(), so that one value comes per pair."
                )
        return jax.numpy.stack(values)

    def diagonal(x: Any) -> Any:
        return jax.vmap(lambda one: cross(one[None], one[None])[:, 0, 0], out_axes=1)(x)

    options = _FLOAT64_OPTIONS if double else None
    return jax.jit(cross, compiler_options=options), jax.jit(diagonal, compiler_options=options)


@dataclass(frozen=True)
class StaxEngine(Engine):
    """Kernel values from a ``stax`` kernel_fn, jitted, in blocks of one fixed shape.

    Rows are padded to the block, so that each network compiles twice at most (pairs and
    diagonal) and a pair's value does not depend on how many rows came with it.

    Attributes
    ----------
    kernel_fn : callable
        See `StaxNetwork`. Called as ``kernel_fn(x, z, ("nngp", "ntk"))``.

    Raises
    ------
    BackendError
        On the first use, if JAX or neural-tangents cannot be imported.
    SpecError
        On the first use, if the network ends in images.

    Notes
    -----
    A block holds about 64 MB; XLA brings its own threads. float64 is switched on for
    this thread while the engine works, never globally. The precision is that of
    neural-tangents: near perfectly correlated inputs its NTK is off by up to 3e-8
    (float64) or 6e-4 (float32), relative to the diagonal.

    References
    ----------
    Novak et al. 2020, Neural Tangents (arXiv 1912.02803).
    """

    NAME = "StaxEngine"

    kernel_fn: KernelFn

    @property
    def block(self) -> int:
        """Rows of a block: as many as fit 64 MB if every pair of pixels is held, 1 to 256."""
        # Networks that flatten need pairs of equal pixels only, and say so.
        wants = getattr(self.kernel_fn, "input_req", {})
        pixels = math.prod(self.shape[:-1])
        held = pixels if wants.get("diagonal_spatial") else pixels**2
        return int(
            np.clip(math.isqrt(_BLOCK_BYTES // (_FIELDS_HELD * self.dtype.itemsize * held)), 1, 256)
        )

    def explain(self) -> str:
        """Return who runs it: a kernel_fn cannot be looked into."""
        side, dtype = self.block, self.dtype.name
        return (
            "neural-tangents runs this kernel_fn, through JAX and compiled by XLA, in blocks of "
            f"{side} x {side} pairs ({dtype}).\n"
            "ntkreg sees only its values: there is no program to print."
        )

    @property
    def columns_at_once(self) -> int:
        """A block's: fewer are padded to it."""
        return self.block

    @property
    def _functions(self) -> tuple[Any, Any]:
        return _compiled(self.kernel_fn, self.fields, self.dtype == np.float64)

    def _padded(self, X: np.ndarray) -> np.ndarray:
        """Return up to a block of rows as a whole block; the last row fills it."""
        return np.concatenate([X, np.repeat(X[-1:], self.block - len(X), axis=0)])

    def cross(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Values of all pairs: (n_fields, 1, len(X), len(Z))."""
        run, _ = self._functions
        K = np.empty((len(self.fields), 1, len(X), len(Z)), self.dtype)
        b = self.block
        with enable_x64(self.dtype == np.float64):
            for i in range(0, len(X), b):
                x = self._padded(X[i : i + b])
                for j in range(0, len(Z), b):
                    tile = np.asarray(run(x, self._padded(Z[j : j + b])))
                    K[:, 0, i : i + b, j : j + b] = tile[:, : len(X) - i, : len(Z) - j]
        return K

    def symmetric(self, X: np.ndarray) -> np.ndarray:
        """Values of all pairs within X, only the lower blocks computed, then mirrored."""
        b = self.block
        K = np.empty((len(self.fields), 1, len(X), len(X)), self.dtype)
        for i in range(0, len(X), b):
            K[..., i : i + b, : i + b] = self.cross(X[i : i + b], X[: i + b])
        mirror_upper(K.swapaxes(-1, -2))
        K[..., np.arange(len(X)), np.arange(len(X))] = self.diagonal(X)
        return K

    def diagonal(self, X: np.ndarray) -> np.ndarray:
        """Values of each input with itself: (n_fields, 1, n)."""
        _, run = self._functions
        d = np.empty((len(self.fields), 1, len(X)), self.dtype)
        b = self.block
        with enable_x64(self.dtype == np.float64):
            for i in range(0, len(X), b):
                d[:, 0, i : i + b] = np.asarray(run(self._padded(X[i : i + b])))[:, : len(X) - i]
        return d
