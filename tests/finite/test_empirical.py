"""Empirical kernels: by hand, against neural-tangents, and in the mean the analytic ones."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from ntkreg import Architecture, Dense, cntk, fully_connected, kernel
from ntkreg.architecture import NormalizedGaussian
from ntkreg.errors import ShapeError
from ntkreg.finite import (
    Training,
    empirical_kernels,
    finite_network,
    readout_features,
    stable_learning_rate,
)
from ntkreg.finite.empirical_jacobian import gradients
from ntkreg.kernels import to_stax


def inputs(n, shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(dtype)


def draws(network, X, n_draws, seed=0):
    """Return the empirical NTKs (n_draws, n, n) of independent draws."""

    def run(seed):
        found = gradients(network, "trace", network.init(jax.random.key(seed)), X)
        rows = [g.reshape(len(X), -1) for g in jax.tree.leaves(found)]
        return sum(row @ row.T for row in rows)

    seeds = np.arange(seed, seed + n_draws)
    return np.asarray(jax.jit(lambda s: jax.lax.map(run, s))(seeds), float)


def z_scores(samples, wanted):
    """Return how many standard errors each mean is off, upper triangle only."""
    rows, columns = np.triu_indices(samples.shape[1])
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return ((samples.mean(axis=0) - wanted) / error)[rows, columns]


def test_linear_network_has_the_kernel_that_one_writes_down():
    x, z = inputs(3, (4,), dtype=float), inputs(2, (4,), 1, dtype=float)
    network = finite_network(
        Architecture((Dense(1.5, 0.5, trainable=False), Dense(2.0))), (4,), width=3, n_outputs=2
    )
    params = network.init(0, float)
    first, second = jax.tree.map(np.asarray, params)
    hidden = [1.5 / 2 * a @ first["w"] + 0.5 * first["b"] for a in (x, z)]
    outputs = [2 / np.sqrt(3) * h @ second["w"] for h in hidden]
    found = empirical_kernels(network, params, x, z)
    np.testing.assert_allclose(found.ntk, 4 / 3 * hidden[0] @ hidden[1].T, rtol=1e-12)
    np.testing.assert_allclose(found.nngp, outputs[0] @ outputs[1].T / 2, rtol=1e-12)
    full = empirical_kernels(network, params, x, z, outputs="full").ntk
    np.testing.assert_allclose(full, found.ntk[..., None, None] * np.eye(2), atol=1e-12)


@pytest.mark.parametrize("parametrization", ["ntk", "standard", "mup"])
def test_full_kernel_is_the_product_of_finite_differences(parametrization):
    network = finite_network(
        cntk(1, bias_std=0.1), (3, 3, 1), width=3, n_outputs=2, parametrization=parametrization
    )
    params, x = network.init(0, float), inputs(2, (3, 3, 1), dtype=float)
    leaves, structure = jax.tree.flatten(jax.tree.map(np.array, params))
    columns = []
    for leaf in leaves:
        for j in np.ndindex(leaf.shape):
            here, at = leaf[j], {}
            for step in (1e-6, -1e-6):
                leaf[j] = here + step
                at[step] = network.predict(jax.tree.unflatten(structure, leaves), x)
            leaf[j] = here
            columns.append((at[1e-6] - at[-1e-6]) / 2e-6)
    jacobian = np.array(columns)
    full = empirical_kernels(network, params, x, outputs="full").ntk
    np.testing.assert_allclose(full, np.einsum("pno,pmq->nmoq", jacobian, jacobian), atol=1e-6)


def test_the_mean_of_empirical_kernels_is_the_analytic_kernel_to_within_its_error():
    # One hidden layer: the mean is exact at any width, so z-scores are those of noise; with
    # as many as draws allow they must neither be large nor all small.
    X = inputs(6, (5,), seed=3)
    architecture = fully_connected(1, bias_std=0.3)
    network = finite_network(architecture, (5,), width=32)
    analytic = kernel(architecture, X.astype(float), get="ntk")
    samples = draws(network, X, 1600)
    z = z_scores(samples, analytic)
    assert np.abs(z).max() < 4
    assert 0.2 < np.mean(z**2) < 4
    # The same bounds tell a kernel that is off by five per cent, either way.
    for factor in (0.95, 1.05):
        assert np.abs(z_scores(samples, factor * analytic)).max() > 4


@pytest.mark.parametrize(
    ("architecture", "shape", "width"),
    [
        (fully_connected(3, bias_std=0.2, train_first=False), (5,), 128),
        (cntk(2), (3, 3, 2), 64),
    ],
    ids=["deep", "conv"],
)
def test_deep_networks_meet_the_analytic_kernel_up_to_one_over_width(architecture, shape, width):
    X = inputs(3, shape, seed=3)
    network = finite_network(architecture, shape, width=width)
    samples = draws(network, X, 100)
    analytic = kernel(architecture, X.astype(float), get="ntk")
    rows = np.sqrt(np.outer(np.diag(analytic), np.diag(analytic)))
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    assert np.all(np.abs(samples.mean(axis=0) - analytic) < 4 * error + rows / width)
    assert np.all(error > 0.02 * rows / np.sqrt(width))


def test_kernels_of_draws_spread_as_one_over_the_root_of_the_width():
    X = inputs(2, (5,), seed=3)
    spread = [
        draws(finite_network(fully_connected(1), (5,), width=w), X, 150).std(axis=0)
        for w in (16, 256)
    ]
    assert np.all(np.abs(spread[0] / spread[1] - 4) < 1.2)


def test_the_normalised_gaussian_tends_to_its_kernel():
    architecture = Architecture((Dense(1.2), NormalizedGaussian(0.7), Dense(1.0)))
    X = inputs(3, (4,), seed=5)
    kernel_fn = to_stax(architecture)[2]
    nngp, ntk = (np.array(kernel_fn(X, X, get)) for get in ("nngp", "ntk"))
    network = finite_network(architecture, (4,), width=5000)
    params = network.init(0)
    features = np.asarray(network.activations(params, X)[1], float)
    np.testing.assert_allclose(features @ features.T / 5000, nngp, rtol=0.1, atol=0.05)
    np.testing.assert_allclose(empirical_kernels(network, params, X).ntk, ntk, rtol=0.1, atol=0.05)


def test_kernels_are_symmetric_and_leave_the_global_precision_alone():
    network = finite_network(cntk(1, "lap", half_width=1), (3, 3, 2), width=4, n_outputs=3)
    x = inputs(3, (3, 3, 2))
    params = network.init(0, float)
    found = empirical_kernels(network, params, x)
    again = empirical_kernels(network, params, x, x)
    assert found.ntk.dtype == found.nngp.dtype == np.float64
    np.testing.assert_allclose(found.ntk, found.ntk.T, rtol=1e-12)
    np.testing.assert_allclose(found.ntk, again.ntk, rtol=1e-12)
    np.testing.assert_allclose(found.nngp, again.nngp, rtol=1e-12)
    assert not jax.config.jax_enable_x64


@pytest.mark.parametrize(
    ("who", "call"),
    [
        ("predict", lambda network, params, X: network.predict(params, X)),
        ("predict", lambda network, params, X: network.predict_seeds(params, X)),
        ("empirical_kernels", empirical_kernels),
        ("readout_features", readout_features),
        ("stable_learning_rate", lambda *given: stable_learning_rate(*given, Training(0.1, 1))),
    ],
)
def test_parameters_of_another_network_are_refused_by_name(who, call):
    network = finite_network(fully_connected(2), (3,), width=4)
    other = finite_network(fully_connected(2), (3,), width=5)
    X = np.ones((2, 3))
    for params in (other.init(0), other.init_seeds([0, 1]), {"a": 3}, None, "text"):
        with pytest.raises(ShapeError, match=f"{who}: params must be"):
            call(network, params, X)


def test_what_has_the_shapes_of_parameters_alone_is_refused():
    network = finite_network(fully_connected(2), (3,), width=4)
    tables = jax.tree.map(lambda p: SimpleNamespace(shape=p.shape), network.init(0))
    with pytest.raises(ShapeError, match=r"predict: params must be arrays, .* got a Simple"):
        network.predict(tables, np.ones((2, 3)))


def test_one_draw_is_no_stack_of_draws():
    network = finite_network(fully_connected(2), (3,), width=4)
    X = np.ones((2, 3))
    with pytest.raises(ShapeError, match="not stacked"):
        empirical_kernels(network, network.init_seeds([0, 1]), X)
    with pytest.raises(ShapeError, match="first axis of every array"):
        network.predict_seeds(network.init(0), X)
