"""Bridge to neural-tangents: any `Architecture` as a ``stax`` network."""

import functools
import warnings
from collections.abc import Iterator
from typing import Any

from ntkreg.architecture import (
    Architecture,
    AvgPool,
    Conv,
    Cos,
    Dense,
    Erf,
    Flatten,
    Gaussian,
    Gelu,
    GlobalAvgPool,
    Identity,
    Layer,
    LeakyRelu,
    LocalAvgPool,
    NormalizedGaussian,
    Relu,
    Residual,
    Sin,
)
from ntkreg.errors import BackendError, SpecError
from ntkreg.kernels.stax.bridge import KernelFn
from ntkreg.kernels.stax.compatibility import import_neural_tangents

__all__ = ["to_stax"]


def to_stax(
    architecture: Architecture, *, width: int = 512, n_outputs: int = 1
) -> tuple[Any, Any, KernelFn]:
    """Return the network's ``stax`` twin, NTK parametrisation, same kernels.

    Parameters
    ----------
    architecture : Architecture
        Every layer trainable: neural-tangents' NTK always counts all layers.
    width : int, default=512
        Units or channels of each hidden layer of the finite network.
    n_outputs : int, default=1
        Units of the finite network's last layer; `width` where that is a residual block.

    Returns
    -------
    init_fn, apply_fn, kernel_fn : callable
        A stax triple; the kernel_fn does not depend on width and n_outputs. Dense
        networks read inputs of shape (n, d).

    Raises
    ------
    SpecError
        If some layers are not trainable (lists them), or a width is not a positive integer.
    BackendError
        If neural-tangents cannot be imported.

    Examples
    --------
    >>> from ntkreg import cntk
    >>> from ntkreg.kernels import to_stax
    >>> init_fn, apply_fn, kernel_fn = to_stax(cntk(depth=2, readout="gap"))
    """
    for name, value in (("width", width), ("n_outputs", n_outputs)):
        if not isinstance(value, int) or value < 1:
            raise SpecError(f"to_stax: {name} must be an integer >= 1; got {value!r}.")
    fixed = [
        f"{place} ({layer!r})"
        for place, layer in _weighted(architecture.layers)
        if not layer.trainable
    ]
    if fixed:
        raise SpecError(
            f"to_stax: layers that are not trained have no stax twin, since neural-tangents' "
            f"NTK counts every layer: layer {', '.join(fixed)}. Make them trainable or use "
            "ntkreg's kernel."
        )
    stax = import_neural_tangents().stax
    layers = architecture.layers
    weighted = [i for i, s in enumerate(layers) if isinstance(s, Dense | Conv | Residual)]
    outputs = {i: n_outputs for i in weighted[-1:] if not isinstance(layers[i], Residual)}
    init_fn, apply_fn, kernel_fn = stax.serial(
        *(_twin(stax, layer, outputs.get(i, width)) for i, layer in enumerate(layers))
    )
    if any(isinstance(layer, Residual) for layer in layers):
        kernel_fn = _without_doubts(kernel_fn)
    return init_fn, apply_fn, kernel_fn


def _without_doubts(kernel_fn: KernelFn) -> KernelFn:
    """Drop the warning that branches may depend on each other: `Architecture` has checked."""

    @functools.wraps(kernel_fn)  # carries along what stax notes on its functions
    def quiet(*args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`FanIn` layers assume independent inputs")
            return kernel_fn(*args, **kwargs)

    return quiet


def _weighted(layers: tuple[Layer, ...], where: str = "") -> Iterator[tuple[str, Dense | Conv]]:
    """Yield place and layer of all that have weights, those within blocks included."""
    for i, layer in enumerate(layers):
        if isinstance(layer, Dense | Conv):
            yield f"{where}{i}", layer
        elif isinstance(layer, Residual):
            yield from _weighted(layer.body, f"{where}{i}, body layer ")
            yield from _weighted(layer.shortcut, f"{where}{i}, shortcut layer ")


def _twin(stax: Any, layer: Layer, width: int) -> Any:
    """Return one layer in stax's words."""
    match layer:
        case Dense():
            return stax.Dense(width, W_std=layer.weight_std, b_std=layer.bias_std or None)
        case Conv():
            return stax.Conv(
                width,
                (layer.window, layer.window),
                (layer.stride, layer.stride),
                layer.padding,
                W_std=layer.weight_std,
                b_std=layer.bias_std or None,
            )
        case Residual():
            branches = (
                stax.serial(*(_twin(stax, inner, width) for inner in branch or (Identity(),)))
                for branch in (layer.body, layer.shortcut)
            )
            return stax.serial(stax.FanOut(2), stax.parallel(*branches), stax.FanInSum())
        case AvgPool(side):
            # The axis as Conv counts it: beside one in another branch, -1 brings a warning.
            return stax.AvgPool((side, side), (side, side), "VALID", channel_axis=3)
        case LeakyRelu(slope):
            return stax.LeakyRelu(slope)
        case Erf():
            return stax.Erf()
        case Gelu():
            return stax.Gelu()
        case Sin():
            return stax.Sin()
        case Cos():
            return stax.Cos()
        case Gaussian(gamma):
            return stax.Rbf(gamma)
        case NormalizedGaussian(gamma):
            return stax.ExpNormalized(gamma, shift=-1)
        case Identity():
            return stax.Identity()
        case Relu():
            return stax.Relu()
        case Flatten():
            return stax.Flatten()
        case GlobalAvgPool():
            return stax.GlobalAvgPool()
        case LocalAvgPool():
            side = 2 * layer.half_width + 1
            # A box is rows, then columns: on covariances 2 sums over side^2 pixels instead
            # of one over side^4. normalize_edges would divide by the pixels inside only.
            pools = (
                stax.AvgPool(box, (1, 1), "SAME", normalize_edges=False)
                for box in ((side, 1), (1, side))
            )
            return stax.serial(*pools)
    raise BackendError(f"to_stax: no stax twin is known for {layer!r}.")
