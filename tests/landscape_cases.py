"""One table of small networks with every layer, and dense curvature of their losses by hand."""

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from ntkreg import (
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LocalAvgPool,
    Residual,
    fully_connected,
)
from ntkreg.architecture.activations import ACTIVATIONS
from ntkreg.finite import finite_network, linearize
from ntkreg.landscape import LossSurface

N, OUTPUTS = 6, 2

_erf = ACTIVATIONS["erf"]
_gelu = ACTIVATIONS["gelu"]
_biased = {"weight_std": 1.4, "bias_std": 0.4}
_images = (4, 4, 2)

NETWORKS = {
    "dense": (fully_connected(1, activation="erf", bias_std=0.3), (3,), 5),
    "deep": (fully_connected(2, activation="gelu", bias_std=0.3), (3,), 4),
    "first layer fixed": (fully_connected(2, activation="erf", train_first=False), (3,), 4),
    "read-out with bias": (Architecture([Dense(**_biased), _erf, Dense(1.0, 0.5)]), (3,), 4),
    "pool, flatten": (
        Architecture([Conv(**_biased), _erf, AvgPool(), Flatten(), Dense(**_biased)]),
        _images,
        3,
    ),
    "local pool": (
        Architecture([Conv(**_biased), _gelu, LocalAvgPool(1), Flatten(), Dense(1.0, 0.2)]),
        _images,
        3,
    ),
    "global pool": (
        Architecture([Conv(**_biased), _erf, GlobalAvgPool(), Dense(1.0, 0.2)]),
        _images,
        3,
    ),
    "residual": (
        Architecture(
            [
                Conv(**_biased),
                Residual((_erf, Conv(**_biased))),
                Residual((_erf, Conv(**_biased)), (Conv(window=1, bias_std=0.1),)),
                _erf,
                Flatten(),
                Dense(**_biased),
                _gelu,
                Dense(1.0, 0.2),
            ]
        ),
        _images,
        3,
    ),
    **{
        f"activation {name}": (fully_connected(1, activation=name, bias_std=0.3), (3,), 4)
        for name in sorted(ACTIVATIONS)
        if name != "erf"
    },
}
"""By name: architecture, shape, width."""


def network_of(name):
    """Return the network of a case; "linearized" is the first one's expansion."""
    if name == "linearized":
        return linearize(network_of("dense"))
    architecture, shape, width = NETWORKS[name]
    return finite_network(architecture, shape, width=width, n_outputs=OUTPUTS)


def task_of(name, loss="squared", seed=0):
    """Return inputs, and targets or class probabilities."""
    rng = np.random.default_rng(seed)
    shape = network_of(name).shape
    y = rng.normal(size=(N, OUTPUTS))
    if loss == "cross_entropy":
        y = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    return rng.normal(size=(N, *shape)), y


def surface_of(name="dense", loss="squared", seeds=(0, 1)):
    """Return the surface of a case, in float64; a linearised network is moved from its origin."""
    network = network_of(name)
    params = network.init_seeds(seeds, "float64")
    if name == "linearized":
        moved = jax.tree.map(lambda p: 0.3 * np.cos(np.asarray(p)), params["origin"])
        params = {**params, "moved": moved}
    return LossSurface(network, params, *task_of(name, loss), loss=loss)


def dense_curvature(surface, seed):
    """Return (Hessian, Gauss-Newton matrix) from the network's own derivatives, in NumPy sums.

    H = (1/n) sum_i J_i' A_i J_i + (1/n) sum_i,o r_io Hess f_io, with A and r in closed form.
    """
    with jax.enable_x64(True):
        one = jax.tree.map(lambda leaf: leaf[seed], surface.params(surface.theta))
        trained, fixed = surface.network.split(one)
        flat, unflatten = ravel_pytree(trained)

        def outputs(theta):
            return surface.network.apply(surface.network.join(unflatten(theta), fixed), surface.X)

        f, J, second = (
            np.asarray(run(flat))
            for run in map(jax.jit, (outputs, jax.jacrev(outputs), jax.jacfwd(jax.jacrev(outputs))))
        )
    if surface.loss == "squared":
        r, A = f - surface.y, np.tile(np.eye(f.shape[1]), (len(f), 1, 1))
    else:
        p = np.exp(f - f.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        r = p - surface.y
        A = np.stack([np.diag(q) - np.outer(q, q) for q in p])
    G = np.einsum("ioa,iok,ikb->ab", J, A, J) / len(f)
    return G + np.einsum("io,ioab->ab", r, second) / len(f), G
