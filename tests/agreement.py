"""One way to compare kernels, and one table of tolerances."""

import numpy as np

from ntkreg import (
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
    LeakyRelu,
    LocalAvgPool,
    NormalizedGaussian,
    Relu,
    Residual,
    Sin,
)

TOLERANCE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-10}
"""Of max |dK_ij| / sqrt(K_ii K_jj), where 1 - |lambda| > FAR at every layer."""

FAR = 1e-3


def tolerance(dtype, *, gap=1.0, depth=None):
    """Return the bound for kernels of a dtype.

    `gap` is the least 1 - |lambda| at any layer. Nearer than FAR the derivative of the
    dual has no finite slope, and the bound is depth * sqrt(eps).
    """
    dtype = np.dtype(dtype)
    return TOLERANCE[dtype] if gap > FAR else max(depth, 1) * np.sqrt(np.finfo(dtype).eps)


def deviation(got, wanted, rows, columns):
    """Return max |got - wanted| / sqrt(K_ii K_jj); inf for NaN or another shape.

    `rows` and `columns` hold K(x, x) of the rows' and columns' inputs. Where it is zero
    (a black image) any value but the exact one counts as infinitely wrong.
    """
    got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    if got.shape != wanted.shape or not np.isfinite(got).all():
        return np.inf
    norm = np.sqrt(np.asarray(rows, float)[..., :, None] * np.asarray(columns, float)[..., None, :])
    off = np.abs(got - wanted)
    zero = np.broadcast_to(norm == 0, off.shape)
    if np.any(off[zero] != 0):
        return np.inf
    return float(np.max(off / np.where(norm == 0, 1, norm), initial=0.0))


def assert_agrees(got, wanted, rows, columns, bound):
    """Raise AssertionError unless `deviation` is at most `bound`."""
    off = deviation(got, wanted, rows, columns)
    assert off <= bound, f"kernels differ by {off:.2e}, more than {bound:.2e}"


LAYERS = {
    "dense": Dense,
    "conv": Conv,
    "flatten": Flatten,
    "gap": GlobalAvgPool,
    "lap": LocalAvgPool,
    "avgpool": AvgPool,
    "relu": Relu,
    "leaky_relu": LeakyRelu,
    "erf": Erf,
    "gelu": Gelu,
    "sin": Sin,
    "cos": Cos,
    "gaussian": Gaussian,
    "normalized_gaussian": NormalizedGaussian,
    "identity": Identity,
}
"""What the kinds of the oracles' tuples are called here, but for residual blocks."""


def architecture_of(network):
    """Return the `Architecture` that the oracles' tuples describe."""
    return Architecture(_layers(network))


def _layers(network):
    return tuple(
        Residual(*map(_layers, p)) if kind == "residual" else LAYERS[kind](*p)
        for kind, *p in network
    )


def depth_of(network):
    """Return how many ReLU layers the tuples hold, those in residual blocks included."""
    return sum(
        sum(map(depth_of, p)) if kind == "residual" else kind in ("relu", "leaky_relu")
        for kind, *p in network
    )
