"""Our JAX code runs where JAX may promote neither ranks nor dtypes, to the same values."""

import jax
import numpy as np
import pytest

from ntkreg import Architecture, AvgPool, Conv, Dense, GlobalAvgPool, Relu, cntk, kernel, resnet
from ntkreg.architecture.activations import ACTIVATIONS
from ntkreg.finite import (
    LayerDrifts,
    LayerNorms,
    ObserveKernel,
    Training,
    empirical_kernels,
    finite_network,
    linear_dynamics,
    linearize,
    readout_features,
    stable_learning_rate,
    train,
)
from ntkreg.finite.optimizers import OPTIMIZERS

rng = np.random.default_rng(0)
IMAGES = rng.normal(size=(3, 4, 4, 2))
Y = rng.normal(size=(3, 2))
POOLED = Architecture(
    [Conv(bias_std=0.1), Relu(), AvgPool(), Conv(), Relu(), GlobalAvgPool(), Dense(1.0, 0.2)]
)
NETWORKS = {
    "pool": POOLED,
    "lap": cntk(2, "lap", half_width=1, padding="CIRCULAR"),
    "blocks": resnet(1, groups=2),
}


def same_when_strict(run):
    """Run twice, first as JAX comes, and compare bits."""
    wanted = jax.tree.leaves(run())
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        got = jax.tree.leaves(run())
    assert wanted
    for one, other in zip(got, wanted, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_image_engine(name, dtype):
    X = IMAGES.astype(dtype)
    same_when_strict(lambda: kernel(NETWORKS[name], X, get=("nngp", "ntk"), backend="jax"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    network = cntk(1, activation=name, bias_std=0.1)
    X = IMAGES.astype(np.float32)
    same_when_strict(lambda: kernel(network, X, backend="jax"))
    finite = finite_network(network, (4, 4, 2), width=3)
    same_when_strict(lambda: finite.predict(finite.init(0), X))


@pytest.mark.slow
@pytest.mark.parametrize("outputs", ["trace", "full", "sum"])
@pytest.mark.parametrize("method", ["jacobian", "products", "structured"])
def test_empirical_kernels(method, outputs):
    network = finite_network(POOLED, (4, 4, 2), width=3, n_outputs=2)
    params = network.init(0, np.float64)
    how = {"method": method, "outputs": outputs}
    same_when_strict(lambda: tuple(empirical_kernels(network, params, IMAGES, **how)))


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training(optimizer):
    network = finite_network(POOLED, (4, 4, 2), width=3, n_outputs=2)
    batch = None if optimizer == "gradient_descent" else 2
    training = Training(1e-3, 4, optimizer, batch_size=batch)
    watch = {"norms": LayerNorms(), "drifts": LayerDrifts(), "kernel": ObserveKernel()}

    def run():
        done = train(network, training, IMAGES, Y, seeds=(0, 1), observers=watch)
        return done.params, done.observed

    same_when_strict(run)


@pytest.mark.slow
def test_what_is_around_training():
    network = finite_network(POOLED, (4, 4, 2), width=3, n_outputs=2)
    params = network.init(0)
    classes = Training(1e-3, 3, "adam", "cross_entropy")
    same_when_strict(lambda: train(network, classes, IMAGES, [0, 1, 1], dtype=float).params)
    same_when_strict(lambda: train(linearize(network), classes, IMAGES, [0, 1, 1]).params)
    same_when_strict(lambda: stable_learning_rate(network, params, IMAGES, classes))
    same_when_strict(lambda: readout_features(network, params, IMAGES))
    same_when_strict(lambda: linear_dynamics(network, params, IMAGES, Y).f0)
