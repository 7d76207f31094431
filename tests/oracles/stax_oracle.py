"""neural-tangents kernels, jitted, in float64, of a network given as the tuples of `layer_sums`.

Takes neural-tangents as an argument: how to import it on a current JAX is the business
of the caller. Never imports ntkreg.
"""

import jax
import numpy as np

_ACTIVATIONS = {
    "relu": "Relu",
    "leaky_relu": "LeakyRelu",
    "erf": "Erf",
    "gelu": "Gelu",
    "sin": "Sin",
    "cos": "Cos",
    "gaussian": "Rbf",
    "normalized_gaussian": "ExpNormalized",
    "identity": "Identity",
}


def stax_kernel_fn(neural_tangents, network):
    """Return the kernel_fn of a network; every layer must be trained."""
    return _serial(neural_tangents.stax, network)[2]


def _serial(stax, network):
    return stax.serial(*(_layer(stax, kind, p) for kind, *p in network))


def _layer(stax, kind, p):
    if kind == "residual":
        branches = (_serial(stax, branch or (("identity",),)) for branch in p)
        return stax.serial(stax.FanOut(2), stax.parallel(*branches), stax.FanInSum())
    if kind in ("dense", "conv"):
        weight_std, bias_std, trained = p[-3:] if kind == "dense" else p[1:4]
        if not trained:
            raise ValueError("neural-tangents has no untrained layers")
        std = {"W_std": weight_std, "b_std": bias_std or None}
        if kind == "dense":
            return stax.Dense(1, **std)
        stride, padding = (*p, 1, "SAME")[4:6]
        return stax.Conv(1, (p[0], p[0]), (stride, stride), padding, **std)
    if kind == "lap":
        box = (2 * p[0] + 1,) * 2
        return stax.AvgPool(box, (1, 1), "SAME", normalize_edges=False)
    if kind == "avgpool":
        return stax.AvgPool((p[0], p[0]), (p[0], p[0]), "VALID")
    make = {"flatten": "Flatten", "gap": "GlobalAvgPool", **_ACTIVATIONS}[kind]
    return getattr(stax, make)(*p)


def stax_kernels(neural_tangents, network, X, Z):
    """Return NNGP and NTK, (n, m) each, in float64."""
    kernel_fn = stax_kernel_fn(neural_tangents, network)
    # Level 1: above it, jaxlib 0.10.2 reads past the end of float64 convolutions and crashes.
    options = {"xla_backend_optimization_level": 1}
    run = jax.jit(lambda x, z: tuple(kernel_fn(x, z, ("nngp", "ntk"))), compiler_options=options)
    with jax.enable_x64(True):
        nngp, ntk = run(np.asarray(X, np.float64), np.asarray(Z, np.float64))
        return np.array(nngp), np.array(ntk)
