"""Derivatives of dense kernels against extended precision and differences of kernels."""

import numpy as np
import pytest
from oracles import closed_forms

from ntkreg import Architecture, Dense, Relu, cntk, fully_connected, kernel
from ntkreg.architecture import LeakyRelu
from ntkreg.architecture.registry import ACTIVATIONS
from ntkreg.errors import SpecError
from ntkreg.gram.gradient import kernel_gradient
from ntkreg.kernels import KernelSpec
from ntkreg.kernels.gradient.duals import dual_rates
from ntkreg.kernels.gradient.plain import HYPERPARAMETERS, PlainGradientEngine
from ntkreg.kernels.gradient.relu import ReluGradientEngine

FIELDS = "ntk", "nngp"


def gradient_of(network, X, get="ntk", **options):
    return kernel_gradient(KernelSpec(network, get=get), X, **options)


def rows(n=7, d=4, seed=0):
    """Rows, two of them equal, two opposite, one zero."""
    X = np.random.default_rng(seed).normal(size=(n, d))
    X[3], X[4], X[5] = X[2], -X[2], 0
    return X


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("bias_std", [1e-3, 0.4, 30.0])
def test_relu_gradients_are_those_of_extended_precision(depth, bias_std):
    X = rows()
    wanted = np.array(
        [
            [
                closed_forms.dense_gradients(depth, x, z, weight_std=1.3, bias_std=bias_std)
                for z in X
            ]
            for x in X
        ],
        float,
    )  # (n, n, names, nngp or ntk)
    network = fully_connected(depth, weight_std=1.3, bias_std=bias_std)
    for field, get in enumerate(("nngp", "ntk")):
        K, gradient = gradient_of(network, X, get)
        # Where rows are opposite the slope of kappa0 is infinite but for the bias.
        scale = 1e-6 if bias_std < 1e-2 else 1e-10
        np.testing.assert_allclose(gradient, wanted[..., field], atol=scale * K.max(), rtol=0)


@pytest.mark.parametrize("depth", [1, 3, 10])
def test_gradients_are_right_however_near_rows_are(depth):
    x, u = np.random.default_rng(1).normal(size=(2, 6))
    X = np.array([x + s * u for s in (0, 0, 1e-15, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3, 1e-1)])
    wanted = [
        [closed_forms.dense_gradients(depth, a, b, weight_std=1.4, bias_std=0.3) for b in X]
        for a in X
    ]
    network = fully_connected(depth, weight_std=1.4, bias_std=0.3)
    gradient = gradient_of(network, X)[1]
    wanted = np.array(wanted, float)[..., 1]
    bound = depth * np.sqrt(np.finfo(float).eps) * abs(wanted).max(axis=(0, 1))
    assert np.all(abs(gradient - wanted) <= bound)


@pytest.mark.parametrize("get", FIELDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_of_every_activation_are_the_slopes_of_its_kernel(activation, get):
    X, step = rows(seed=2), 1e-5
    start = np.log([0.9, 0.4])

    def at(theta):
        w, b = np.exp(theta)
        network = fully_connected(2, weight_std=w, bias_std=b, activation=activation)
        return kernel(network, X, get=get)

    network = fully_connected(2, weight_std=0.9, bias_std=0.4, activation=activation)
    K, gradient = gradient_of(network, X, get)
    np.testing.assert_allclose(K, at(start), rtol=1e-14)
    for k, move in enumerate(step * np.eye(2)):
        slope = (at(start + move) - at(start - move)) / (2 * step)
        np.testing.assert_allclose(gradient[..., k], slope, atol=1e-8 * abs(slope).max())


@pytest.mark.parametrize("get", FIELDS)
def test_compiled_and_plain_gradients_agree(get):
    X, network = rows(40, 9), fully_connected(4, weight_std=1.2, bias_std=0.2, frozen=2)
    common = (9,), np.dtype(float), (get, *HYPERPARAMETERS), 1
    compiled = ReluGradientEngine(*common, network)
    plain = PlainGradientEngine(*common, (network,))
    scale = compiled.diagonal(X).max()
    for ask in ("symmetric", "diagonal"):
        found, wanted = (getattr(engine, ask)(X) for engine in (compiled, plain))
        np.testing.assert_allclose(found, wanted, atol=1e-13 * scale, rtol=0)
    found, wanted = (engine.cross(X[:11], X[3:]) for engine in (compiled, plain))
    np.testing.assert_allclose(found, wanted, atol=1e-7 * scale, rtol=0)


def test_the_diagonal_is_that_of_the_variances_alone():
    X, network = rows(40, 9), fully_connected(4, weight_std=1.2, bias_std=0.2)
    common = (9,), np.dtype(float), ("ntk", *HYPERPARAMETERS), 1
    engine = ReluGradientEngine(*common, network)
    own = np.einsum("fdii->fdi", engine.symmetric(X))
    assert np.array_equal(own, engine.diagonal(X))
    # Of products of the rows, with rounding, it would be another.
    assert not np.array_equal(own, np.einsum("fdii->fdi", engine.cross(X, X)))


def test_slopes_within_rounding_of_correlation_one_are_taken_for_zero():
    one, eps = np.ones(3), np.finfo(float).eps
    moments = np.array([1 - 2 * eps, 1 - 1e-6, -1 + 2 * eps]), one, one
    _, moved = dual_rates(LeakyRelu(0.1), moments, (one, 0 * one, 0 * one))
    assert moved[0] == moved[2] == 0
    assert moved[1] == pytest.approx(0.81 / (2 * np.pi) / np.sqrt(2e-6), rel=1e-5)


@pytest.mark.parametrize("get", FIELDS)
@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_gradients_come_with_the_kernel_and_have_the_same_bits_on_any_number_of_threads(
    activation, get
):
    X = np.random.default_rng(3).normal(size=(300, 5))
    X[280] = X[3]
    network = fully_connected(2, bias_std=0.3, activation=activation)
    K, gradient = gradient_of(network, X, get, n_jobs=1)
    again, same = gradient_of(network, X, get, n_jobs=3)
    assert np.array_equal(gradient, same)
    assert np.array_equal(K, again)
    np.testing.assert_allclose(K, kernel(network, X, get=get), rtol=1e-14)
    assert np.array_equal(gradient, gradient.swapaxes(0, 1))
    one = gradient_of(network, X, get, names=("bias_std",))[1]
    np.testing.assert_allclose(one[..., 0], gradient[..., 1], rtol=1e-13)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_without_biases_the_kernel_is_a_power_of_weight_std(scale):
    X = scale * rows()
    K, gradient = gradient_of(fully_connected(3, weight_std=0.8), X)
    np.testing.assert_allclose(gradient[..., 0], 6 * K, rtol=1e-15)
    assert not gradient[..., 1].any()


def test_no_names_give_no_derivatives():
    K, gradient = gradient_of(fully_connected(2, bias_std=0.1), rows(), names=())
    assert gradient.shape == (7, 7, 0)
    assert np.array_equal(K, kernel(fully_connected(2, bias_std=0.1), rows()))


def test_a_network_without_hidden_layers_depends_on_nothing():
    assert not gradient_of(fully_connected(0), rows())[1].any()


def test_read_outs_of_any_kind_are_left_as_they_are():
    readout = Dense(0.7, 0.2, trainable=False)

    def network(w):
        return Architecture((Dense(w, 0.3), Relu(), readout))

    X, step = rows(), 1e-6
    slope = kernel(network(1.1 * np.exp(step)), X) - kernel(network(1.1 * np.exp(-step)), X)
    gradient = gradient_of(network(1.1), X, names=("weight_std",))[1]
    np.testing.assert_allclose(gradient[..., 0], slope / (2 * step), atol=1e-8)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (cntk(1), {}, "dense layers and activations"),
        (Architecture((Dense(), Relu())), {}, "dense read-out"),
        (fully_connected(), {"names": ("depth",)}, "names must be among weight_std, bias_std"),
        (fully_connected(), {"get": ("ntk", "nngp")}, "one kernel of one network"),
    ],
)
def test_what_has_no_derivative_is_refused(network, options, message):
    get = options.pop("get", "ntk")
    with pytest.raises(SpecError, match=message):
        gradient_of(network, rows(), get, **options)


def test_a_gradient_that_cannot_fit_is_refused_before_it_is_begun(monkeypatch):
    monkeypatch.setattr("ntkreg.gram.plan.free_memory", lambda: 10_000)
    with pytest.raises(MemoryError, match="memory"):
        gradient_of(fully_connected(1, bias_std=0.1), rows(40, 3))
