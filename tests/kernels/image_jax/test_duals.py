"""The duals in jax.numpy against those in NumPy, on a grid of covariances."""

import jax
import numpy as np
import pytest

from ntkreg import (
    Cos,
    Erf,
    Gaussian,
    Gelu,
    Identity,
    LeakyRelu,
    NormalizedGaussian,
    Relu,
    Sin,
)
from ntkreg.errors import SpecError
from ntkreg.kernels import duals
from ntkreg.kernels.image_jax.duals import dual

ACTIVATIONS = (
    Relu(),
    LeakyRelu(0.2),
    LeakyRelu(-1.0),
    Erf(),
    Gelu(),
    Sin(),
    Cos(),
    Gaussian(0.7),
    NormalizedGaussian(0.5),
)
TABLES = {
    "Relu": lambda q, phi: (1 / np.sqrt(q), np.sqrt(q / 2)),
    "LeakyRelu": lambda q, phi: (1 / np.sqrt(q), np.sqrt(q / 2)),
    "Erf": lambda q, phi: (1 / np.sqrt(1 + 2 * q), 0 * q),
    "Gelu": lambda q, phi: (1 / np.sqrt(1 + q), q / np.sqrt(1 + q)),
    "Sin": lambda q, phi: (q / 2, np.exp(-q / 2)),
    "Cos": lambda q, phi: (q / 2, np.exp(-q / 2)),
    "Gaussian": lambda q, phi: (phi.gamma * q, 0 * q),
    "NormalizedGaussian": lambda q, phi: (1 / np.sqrt(q), np.sqrt(q)),
}
"""What the compiled loops store of a variance, as their docstrings say."""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_duals_are_those_of_numpy(activation, dtype):
    q, r, c = np.meshgrid([0.1, 1.0, 3.0], [0.2, 2.5], np.linspace(-0.999, 0.999, 41))
    s = c * np.sqrt(q * r)
    table = TABLES[type(activation).__name__]
    arguments = [np.asarray(a, dtype) for a in (s, *table(q, activation), *table(r, activation))]
    with jax.enable_x64(True):
        got = [np.asarray(v) for v in jax.jit(dual(activation))(*arguments)]
    rtol = 3e-5 if dtype == "float32" else 1e-12
    for value, wanted in zip(got, duals.dual(activation, s, q, r), strict=True):
        assert value.dtype == dtype
        np.testing.assert_allclose(value, wanted, rtol=rtol, atol=rtol * 0.1)


def test_an_activation_without_a_dual_here_is_refused_with_the_engine_that_has_it():
    with pytest.raises(SpecError, match=r'backend="jax" has no dual for Identity.*backend=None'):
        dual(Identity())
