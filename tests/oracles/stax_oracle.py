"""neural-tangents kernels, jitted, in float64, of a network given as the tuples of `layer_sums`.

Takes neural-tangents as an argument: how to import it on a current JAX is the business
of the caller. Never imports ntkreg.
"""

import jax
import numpy as np


def stax_kernel_fn(neural_tangents, network):
    """Return the kernel_fn of a network; every layer must be trained."""
    stax = neural_tangents.stax
    layers = []
    for kind, *p in network:
        if kind == "dense":
            weight_std, bias_std, trained = p
            layers.append(stax.Dense(1, W_std=weight_std, b_std=bias_std or None))
        elif kind == "conv":
            window, weight_std, bias_std, trained = p
            shape = (window, window)
            std = {"W_std": weight_std, "b_std": bias_std or None}
            layers.append(stax.Conv(1, shape, padding="SAME", **std))
        elif kind == "lap":
            box = (2 * p[0] + 1,) * 2
            layers.append(stax.AvgPool(box, (1, 1), "SAME", normalize_edges=False))
        else:
            make = {"relu": "Relu", "flatten": "Flatten", "gap": "GlobalAvgPool"}[kind]
            layers.append(getattr(stax, make)())
        if kind in ("dense", "conv") and not trained:
            raise ValueError("neural-tangents has no untrained layers")
    return stax.serial(*layers)[2]


def stax_kernels(neural_tangents, network, X, Z):
    """Return NNGP and NTK, (n, m) each, in float64."""
    kernel_fn = stax_kernel_fn(neural_tangents, network)
    # Level 1: above it, jaxlib 0.10.2 reads past the end of float64 convolutions and crashes.
    options = {"xla_backend_optimization_level": 1}
    run = jax.jit(lambda x, z: tuple(kernel_fn(x, z, ("nngp", "ntk"))), compiler_options=options)
    with jax.enable_x64(True):
        nngp, ntk = run(np.asarray(X, np.float64), np.asarray(Z, np.float64))
        return np.array(nngp), np.array(ntk)
