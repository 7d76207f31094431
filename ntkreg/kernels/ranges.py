r"""Whether a dtype holds the variances of inputs on their way through a network.

|S| <= sqrt(q q'), for the NTK likewise: where the variances q of the smallest and the largest input
stay in range at every layer, so does every entry of a kernel. A walk over numbers that stand for
the inputs says so before any kernel value is computed. It knows no pixels, but for what zeros
around an image and the poolings of `LocalAvgPool` take away; the ranges leave room for the rest.
"""

import math
from collections.abc import Sequence

import numpy as np

from ntkreg.architecture import (
    Activation,
    Architecture,
    Conv,
    Dense,
    Identity,
    Layer,
    LeakyRelu,
    LocalAvgPool,
    NormalizedGaussian,
    Relu,
    Residual,
    output_size,
)
from ntkreg.architecture.shapes import Size
from ntkreg.errors import SpecError
from ntkreg.kernels.duals import dual
from ntkreg.kernels.engine import Engine
from ntkreg.kernels.scaled import ScaledEngine, largest_values, scale_of
from ntkreg.kernels.spec import KernelSpec
from ntkreg.kernels.stax.bridge import StaxNetwork

__all__ = ["check_values", "in_range", "is_homogeneous"]

_RANGE = {"float32": (2.0**-100, 2.0**110), "float64": (2.0**-400, 2.0**240)}
"""Variances whose duals neither overflow nor lose digits: products of four of them in float64."""

_DROWNED = 1e-9
"""Share of a kernel that an input may add without being there: squares of it leave no trace."""

_HOMOGENEOUS = Relu | LeakyRelu | NormalizedGaussian | Identity
"""Activations with phi(c x) = c phi(x) for c > 0."""


def in_range(engine: Engine, spec: KernelSpec, inputs: Sequence[np.ndarray]) -> Engine:
    """Return an engine that is right for inputs of their size: the one given, for ordinary ones.

    Of a homogeneous network, where K(c x, z) = c K(x, z), inputs are scaled by powers of two and
    values scaled back, which costs no digit.

    Parameters
    ----------
    engine : Engine
    spec : KernelSpec
        What it computes. With `normalize` values will be divided by those of the diagonal: scales
        then drop out.
    inputs : sequence of ndarray (n, *shape)
        Checked.

    Raises
    ------
    SpecError
        If nothing can help; says which variances there are, and what would.
    """
    largest = np.concatenate([largest_values(X) for X in inputs])
    if isinstance(spec.network, StaxNetwork):
        _check_unknown(spec.network, engine, largest)
        return engine
    networks = spec.networks
    if all(_holds(engine, network, largest) for network in networks):
        return engine
    if all(is_homogeneous(network.layers) for network in networks):
        scaled = np.ldexp(largest, -scale_of(largest))
        for network in networks:
            if not _holds(engine, network, scaled):
                raise _refusal(engine, network, largest)
        common = (engine.shape, engine.dtype, engine.fields, engine.n_variants)
        return ScaledEngine(*common, engine, spec.normalize is None)
    raise next(
        _refusal(engine, network, largest)
        for network in networks
        if not _holds(engine, network, largest)
    )


def check_values(values: np.ndarray) -> None:
    """Raise `SpecError` if a kernel value is infinite or NaN; one sum over them where none is."""
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum()) or np.isfinite(values).all():
            return
    raise SpecError(
        f"kernel: values overflow {values.dtype}. Inputs that are too large, or weight_std, "
        "bias_std or slopes over many layers, make them so: rescale X, use less of these"
        + ("." if values.dtype == np.float64 else ', or use dtype="float64".')
    )


def is_homogeneous(layers: Sequence[Layer]) -> bool:
    """Whether layers without biases and with such activations make K(c x, z) = c K(x, z)."""
    for layer in layers:
        if isinstance(layer, Residual):
            if not is_homogeneous((*layer.body, *layer.shortcut)):
                return False
        elif isinstance(layer, Activation):
            if not isinstance(layer, _HOMOGENEOUS):
                return False
        elif isinstance(layer, Dense | Conv) and layer.bias_std > 0:
            return False
    return True


State = tuple[np.ndarray, np.ndarray]
"""Variances and NTKs of inputs with themselves."""


def _walk(layers: Sequence[Layer], state: State, size: Size, seen: list[State]) -> State:
    """Return the state after layers on images of a size; `seen` gets it after each."""
    for layer in layers:
        if isinstance(layer, Residual):
            branches = (_walk(b, state, size, seen) for b in (layer.body, layer.shortcut))
            (q, t), (q_other, t_other) = branches
            state = q + q_other, t + t_other
        else:
            state = _after(layer, state, size)
        size = output_size(layer, size)
        seen.append(state)
    return state


def _after(layer: Layer, state: State, size: Size) -> State:
    q, t = state
    match layer:
        case Activation():
            value, slope = dual(layer, q, q, q)
            return value, t * slope
        case Dense() | Conv():
            w2, b2 = layer.weight_std**2, layer.bias_std**2
            if isinstance(layer, Conv) and layer.padding == "SAME":
                w2 *= _seen_by(layer.window, size)
            q = w2 * q + b2
            return q, w2 * t + (q if layer.trainable else 0)
        case LocalAvgPool():
            share = _seen_by(2 * layer.half_width + 1, size) ** 2
            return share * q, share * t
    return state


def _seen_by(window: int, size: Size) -> float:
    """Return the share of a window in the middle that is not zeros around the image."""
    return min(1.0, size[0] / window) * min(1.0, size[1] / window)


def _states(engine: Engine, network: Architecture, largest: np.ndarray) -> list[State]:
    """Return the states of a black input, the smallest and the largest, at first and after layers.

    The latter two from the largest values of all inputs.
    """
    image = network.reads == "image"
    n = engine.shape[-1] if image else math.prod(engine.shape)
    size = (engine.shape[0], engine.shape[1]) if image else (1, 1)
    lit = largest[largest > 0] if largest.any() else np.ones(1)
    # A mean of n squares of which the largest is known.
    small, large = np.clip([lit.min(), lit.max()], 2.0**-500, 2.0**500)
    q = np.array([0.0, small**2 / n, large**2])
    seen = [(q, np.zeros(3))]
    with np.errstate(all="ignore"):
        _walk(network.layers, seen[0], size, seen)
    return seen


def _holds(engine: Engine, network: Architecture, largest: np.ndarray) -> bool:
    """Whether all variances are in range, of inputs given by their largest values."""
    states = _states(engine, network, largest)
    qs, ts = (np.array(v) for v in zip(*states, strict=True))
    least, most = _RANGE[_arithmetic(engine, network)]
    # Dense loops are on correlations; norms go in with the read-out, the last layer.
    out = np.concatenate([qs[-2:], ts[-1:]])
    least_out, most_out = _RANGE[engine.value_dtype.name]
    large = ~np.all((qs <= most) & (ts <= most), axis=0) | ~np.all(out <= most_out, axis=0)
    nothing = np.array([True, False, False])  # may have no variance
    small = np.any((qs < least) & ~(nothing & (qs == 0)), axis=0)
    small |= np.any((out < least_out) & (out > 0), axis=0)
    # Where a bias or a cosine drowns an input, it may be taken for black.
    drowned = np.all(np.abs(out - out[:, :1]) <= _DROWNED * out, axis=0) & (qs[-1] > 0)
    small &= ~drowned | small[0]
    present = [not largest.all(), largest.any(), largest.any()]
    return not np.any((large | small) & present)


def _arithmetic(engine: Engine, network: Architecture) -> str:
    """Return the dtype of variances on the way: vectors know theirs in float64."""
    return engine.dtype.name if network.reads == "image" else "float64"


def _refusal(engine: Engine, network: Architecture, largest: np.ndarray) -> SpecError:
    qs = np.concatenate([q[1:] for q, _ in _states(engine, network, largest)[1:]])
    qs = np.nan_to_num(qs, nan=np.inf, posinf=np.inf)
    lit = largest[largest > 0]
    dtype = engine.value_dtype if network.reads == "vector" else engine.dtype
    least, most = _RANGE[dtype.name]
    return SpecError(
        f"kernel: variances in {network!r} are {qs.min():.2g} to {qs.max():.2g} for inputs with "
        f"largest values from {lit.min(initial=np.inf):.2g} to {largest.max():.2g}; "
        f"{dtype} kernels are right from {least:.0e} to {most:.0e}. Rescale X, e.g. with "
        "ChannelStandardizer, or bring weight_std nearer to sqrt(2)"
        + ("." if dtype == np.float64 else ', or use dtype="float64".')
    )


def _check_unknown(network: StaxNetwork, engine: Engine, largest: np.ndarray) -> None:
    least, most = (v**0.5 for v in _RANGE[engine.dtype.name])
    if np.any((largest > most) | ((largest > 0) & (largest < least))):
        raise SpecError(
            f"kernel: the largest values of inputs are {largest[largest > 0].min():.2g} to "
            f"{largest.max():.2g}; between {least:.0e} and {most:.0e} their products stay in range "
            f"of {engine.dtype} in {network!r}. Rescale X, e.g. with ChannelStandardizer."
        )
