"""`NeuralTangentKernel` against what scikit-learn asks of its own kernels, and in its processes."""

import pickle
from inspect import signature

import numpy as np
import pytest
from oracles.scikit_ntk import scikit_ntk
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    CompoundKernel,
    ConstantKernel,
    DotProduct,
    WhiteKernel,
)
from sklearn.metrics.pairwise import pairwise_kernels

from ntkreg import NeuralTangentKernel, fully_connected, kernel
from ntkreg.architecture import LeakyRelu
from ntkreg.errors import ShapeError, SpecError

X = np.random.default_rng(0).normal(size=(5, 2))
Y = np.random.default_rng(1).normal(size=(6, 2))
X.flags.writeable = Y.flags.writeable = False

SIMPLE = [
    NeuralTangentKernel(),
    NeuralTangentKernel(1, 0.8, 2.0, get="nngp"),
    NeuralTangentKernel(2, weight_std_bounds="fixed"),
    NeuralTangentKernel(2, bias_std=0, bias_std_bounds="fixed"),
    NeuralTangentKernel(2, weight_std_bounds="fixed", bias_std_bounds="fixed"),
    NeuralTangentKernel(2, activation="erf"),
    NeuralTangentKernel(2, activation=LeakyRelu(0.2)),
]
COMPOSED = [
    2.0 * NeuralTangentKernel(2),
    NeuralTangentKernel(2) + DotProduct(),
    NeuralTangentKernel(2) * RBF(),
    NeuralTangentKernel(2) ** 2,
    ConstantKernel(0.5) * NeuralTangentKernel(1, get="nngp") + RBF(2.0) + NeuralTangentKernel(2),
    NeuralTangentKernel(2) + WhiteKernel(0.3),
]
KERNELS = SIMPLE + COMPOSED


@pytest.mark.parametrize("k", KERNELS, ids=repr)
def test_gradients_are_slopes_along_theta(k):
    K, gradient = k(X, eval_gradient=True)
    assert gradient.shape == (*K.shape, len(k.theta))
    np.testing.assert_allclose(K, k(X), rtol=1e-14)
    for i, move in enumerate(1e-6 * np.eye(len(k.theta))):
        ends = [k.clone_with_theta(k.theta + sign * move)(X) for sign in (1, -1)]
        slope = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(gradient[..., i], slope, atol=1e-7 * K.max())


@pytest.mark.parametrize("k", SIMPLE, ids=repr)
def test_theta_holds_the_logarithms_of_what_is_not_fixed(k):
    k = clone(k)
    names = [name for name in signature(type(k)).parameters if name.endswith("_bounds")]
    found = k.hyperparameters
    assert {each.name for each in found} == {name.removesuffix("_bounds") for name in names}
    free = [each.name for each in found if not each.fixed]
    assert np.array_equal(k.theta, np.log([getattr(k, name) for name in free]))
    assert k.bounds.size == 2 * len(free)
    for i, name in enumerate(free):
        k.theta = np.where(np.arange(len(free)) == i, np.log(0.7), k.theta)
        assert getattr(k, name) == pytest.approx(0.7)
        k.set_params(**{name: 0.6})
        assert k.theta[i] == pytest.approx(np.log(0.6))
        fixed = type(k)(**{**k.get_params(), f"{name}_bounds": "fixed"})
        rest = [j for j in range(len(free)) if j != i]
        wanted = k(X, eval_gradient=True)[1][..., rest]
        assert np.array_equal(fixed.theta, k.theta[rest])
        np.testing.assert_allclose(fixed(X, eval_gradient=True)[1], wanted, rtol=1e-12)
    with pytest.raises(ValueError, match="entries"):
        k.theta = np.zeros(len(free) + 1)


@pytest.mark.parametrize("k", KERNELS[:-1], ids=repr)
def test_auto_is_cross_and_the_diagonal_is_its_own(k):
    np.testing.assert_allclose(k(X), k(X, X), rtol=1e-7)
    np.testing.assert_allclose(k.diag(X), np.diag(k(X)), rtol=1e-14)
    np.testing.assert_allclose(k(X, Y), k(Y, X).T, rtol=1e-12)
    np.testing.assert_allclose(pairwise_kernels(X, Y, metric=k), k(X, Y), rtol=1e-12)
    assert k.requires_vector_input
    assert not k.is_stationary()


@pytest.mark.parametrize("k", KERNELS, ids=repr)
def test_copies_are_equal_and_what_differs_is_not(k):
    for copy in (clone(k), pickle.loads(pickle.dumps(k)), k.clone_with_theta(k.theta)):
        assert copy is not k
        assert repr(copy) == repr(k)
        np.testing.assert_allclose(copy(X), k(X), rtol=1e-14)
    assert clone(k) == k
    assert clone(k).get_params() == k.get_params()
    if len(k.theta):
        assert k.clone_with_theta(k.theta + 0.1) != k


def test_values_are_those_of_the_network():
    k = NeuralTangentKernel(2, 1.1, 0.3, get="nngp", activation="gelu")
    network = fully_connected(2, weight_std=1.1, bias_std=0.3, activation="gelu")
    assert np.array_equal(k(X, Y), kernel(network, X, Y, get="nngp"))
    assert k(X.astype(np.float32)).dtype == np.float64
    assert CompoundKernel([k, k])(X, eval_gradient=True)[1].shape == (5, 5, 2, 2)


def test_without_biases_it_is_the_published_kernel_up_to_its_unit():
    ours = NeuralTangentKernel(3, np.sqrt(2), 0, bias_std_bounds="fixed")
    # Published: inner products, not their mean over features, and a diagonal of |x|^2.
    np.testing.assert_allclose(ours(X) * X.shape[1] / 4, scikit_ntk(X, 3, 0.0), rtol=1e-7)


def test_regression_raises_the_marginal_likelihood_and_survives_repeated_rows():
    rng = np.random.default_rng(2)
    Z = rng.normal(size=(60, 3))
    Z[10:20] = Z[:10]
    y = np.abs(Z[:, 0]) + np.sin(Z[:, 1]) + 0.1 * rng.normal(size=60)
    start = NeuralTangentKernel(2, bias_std=0.1) + WhiteKernel(1.0)
    model = GaussianProcessRegressor(start, normalize_y=True, n_restarts_optimizer=2)
    model.set_params(random_state=0).fit(Z, y)
    fixed = GaussianProcessRegressor(start, normalize_y=True, optimizer=None).fit(Z, y)
    assert model.log_marginal_likelihood_value_ > fixed.log_marginal_likelihood_value_ + 5
    value, gradient = model.log_marginal_likelihood(model.kernel_.theta, eval_gradient=True)
    inside = np.all(np.abs(model.kernel_.bounds.T - model.kernel_.theta) > 1e-3, axis=0)
    assert np.isfinite(value)
    assert np.all(np.abs(gradient[inside]) < 0.05)
    mean, std = model.predict(Z[:4], return_std=True)
    assert mean.shape == std.shape == (4,)


def test_classification_learns_what_no_line_divides():
    Z = np.random.default_rng(3).normal(size=(80, 2))
    labels = np.where(Z[:, 0] * Z[:, 1] > 0, "same", "other")
    model = GaussianProcessClassifier(
        NeuralTangentKernel(2), n_restarts_optimizer=1, random_state=0
    ).fit(Z, labels)
    assert model.score(Z, labels) > 0.95
    assert np.allclose(model.predict_proba(Z[:3]).sum(axis=1), 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bias_std": 0}, 'bias_std must be > 0.*bias_std_bounds="fixed"'),
        ({"weight_std": -1.0}, "weight_std must be a number > 0; got -1.0"),
        ({"weight_std": "a"}, "weight_std must be a number > 0; got 'a'"),
        ({"bias_std": None}, "bias_std must be a number > 0; got None"),
        ({"weight_std_bounds": (2, 1)}, "weight_std_bounds must be"),
        ({"bias_std_bounds": "free"}, "bias_std_bounds must be"),
        ({"bias_std_bounds": (0, 1)}, "bias_std_bounds must be"),
    ],
)
def test_hyperparameters_that_have_no_logarithm_are_refused(options, message):
    k = NeuralTangentKernel(**options)
    assert "depth=3" in repr(k)
    with pytest.raises(SpecError, match=message):
        _ = k.theta


def test_rows_of_several_lengths_are_refused():
    with pytest.raises(ShapeError, match="X must have rows of one length"):
        NeuralTangentKernel()([[1.0, 2.0], [3.0]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": -1}, "depth"),
        ({"depth": 1.5}, "depth"),
        ({"weight_std": -1.0}, "weight_std"),
        ({"weight_std": "large"}, "weight_std"),
        ({"get": "both"}, "get must be"),
        ({"activation": "tanh"}, "activation"),
        ({"n_jobs": 0}, "n_jobs"),
    ],
)
def test_parameters_out_of_range_are_named(options, message):
    with pytest.raises(SpecError, match=message):
        NeuralTangentKernel(**options)(X)


def test_wrong_inputs_are_named():
    from scipy.sparse import csr_array

    k = NeuralTangentKernel(1)
    with pytest.raises(ValueError, match="leave Y at None"):
        k(X, Y, eval_gradient=True)
    with pytest.raises(TypeError, match=r"sparse one. Use X.toarray"):
        k(csr_array(X))
    with pytest.raises(ShapeError, match="shape"):
        k(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="NaN"):
        k(np.full((2, 2), np.nan))
    with pytest.raises(SpecError, match="masked"):
        k(np.ma.masked_equal(np.eye(2), 1))
    with pytest.raises(TypeError, match="real numbers"):
        k(np.array([["a"], ["b"]]))
    with pytest.raises(ShapeError, match="feature"):
        k(X, np.ones((2, 3)))
