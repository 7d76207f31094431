"""Random features: kernels on average, at the rate that is stated, for every activation."""

import numpy as np
import pytest

from ntkreg import (
    Architecture,
    Cos,
    Dense,
    Erf,
    Gaussian,
    Gelu,
    Identity,
    LeakyRelu,
    NormalizedGaussian,
    Relu,
    Residual,
    Sin,
    cntk,
    fully_connected,
    kernel,
)
from ntkreg.errors import PlanError, SpecError
from ntkreg.kernels.features import draw_features
from ntkreg.kernels.features.pointwise import pointwise
from ntkreg.kernels.features.projection import draw_projection

ACTIVATIONS = [Relu(), LeakyRelu(-0.5), Erf(), Gelu(), Sin(), Cos(), Gaussian(0.7)]
SEEDS = 24


def _errors(network, X, n_components, get="ntk", seeds=SEEDS, dtype="float64"):
    """Errors beside sqrt(K(x, x) K(z, z)), (seeds, pairs)."""
    K = kernel(network, X, get=get)
    norm = np.sqrt(np.outer(np.diag(K), np.diag(K)))
    errors = []
    for seed in range(seeds):
        how = {"n_components": n_components, "get": get, "seed": seed, "dtype": dtype}
        A = draw_features(network, X.shape[1], **how).block(X.astype(dtype)).astype(np.float64)
        errors.append(((A @ A.T - K) / norm)[np.triu_indices(len(X))])
    return np.array(errors)


@pytest.fixture
def X():
    """Rows of several lengths, pairs with correlations near 0 and about 0.9."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((12, 10))
    X[6:] = X[:6] + 0.5 * rng.standard_normal((6, 10))
    return X * rng.uniform(0.5, 2, 12)[:, None]


@pytest.mark.parametrize("get", ["ntk", "nngp"])
@pytest.mark.parametrize("layer", ACTIVATIONS, ids=lambda layer: type(layer).__name__)
def test_the_mean_over_draws_is_the_kernel(layer, get, X):
    network = fully_connected(2, activation=layer, bias_std=0.4)
    errors = _errors(network, X, 401, get)
    spread = errors.std(axis=0, ddof=1) / np.sqrt(SEEDS)
    scores = errors.mean(axis=0) / spread
    # Scores of 78 pairs that are not independent; the bias, O(1 / n), is part of them.
    assert np.abs(scores).max() < 6
    assert 0.3 < np.sqrt((scores**2).mean()) < 2
    assert np.sqrt((errors**2).mean()) < 0.25


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("get", ["ntk", "nngp"])
def test_errors_fall_as_one_over_the_root_of_the_number(depth, get, X):
    sizes = np.array([64, 256, 1024])
    rms = [np.sqrt((_errors(fully_connected(depth), X, n, get) ** 2).mean()) for n in sizes]
    slope = np.polyfit(np.log(sizes), np.log(rms), 1)[0]
    assert -0.6 < slope < -0.4


@pytest.mark.parametrize(
    "network",
    [
        fully_connected(2, train_last=False),
        fully_connected(3, frozen=2),
        fully_connected(2, frozen=2),
        fully_connected(1, weight_std=0.8, bias_std=1.0),
        Architecture((Dense(), Relu(), Dense(0.5), Dense(2.0, 0.3))),
        Architecture((Dense(), Relu(), Identity(), Dense(), Relu())),
    ],
    ids=["last frozen", "two frozen", "all but last frozen", "bias", "two last", "ends in relu"],
)
def test_trained_and_frozen_layers_wherever_they_stand(network, X):
    errors = _errors(network, X, 600)
    scores = errors.mean(axis=0) / (errors.std(axis=0, ddof=1) / np.sqrt(SEEDS))
    assert np.abs(scores).max() < 6
    assert 0.3 < np.sqrt((scores**2).mean()) < 2


@pytest.mark.parametrize("n_components", [1, 2, 3, 64, 101])
def test_there_are_as_many_as_asked_for(n_components, X):
    for network in (fully_connected(1), fully_connected(3), fully_connected(2, train_last=False)):
        for get in ("ntk", "nngp"):
            how = {"n_components": n_components, "get": get, "seed": 0, "dtype": "float32"}
            features = draw_features(network, 10, **how)
            found = features.block(X.astype("float32"))
            assert found.shape == (12, n_components) == (12, features.n_components)
            assert found.dtype == np.float32


def test_a_network_without_activations_has_exact_features(X):
    network = fully_connected(0)
    features = draw_features(network, 10, n_components=500, get="ntk", seed=0, dtype="float64")
    A = features.block(X)
    assert A.shape == (12, 10)
    np.testing.assert_allclose(A @ A.T, kernel(network, X), rtol=1e-13)


def test_rows_have_the_same_bits_alone_and_among_others(X):
    how = {"n_components": 300, "get": "ntk", "seed": 0, "dtype": "float32"}
    features = draw_features(fully_connected(2), 10, **how)
    together = features.block(X.astype("float32"))
    np.testing.assert_array_equal(features.block(X[:1].astype("float32")), together[:1])
    np.testing.assert_array_equal(features.block(X[:5].astype("float32")), together[:5])
    np.testing.assert_array_equal(features.block(X[7:].astype("float32")), together[7:])


def test_seeds_decide(X):
    def draw(seed):
        how = {"n_components": 30, "get": "ntk", "seed": seed, "dtype": "float64"}
        return draw_features(fully_connected(2), 10, **how).block(X)

    np.testing.assert_array_equal(draw(3), draw(3))
    assert (draw(3) != draw(4)).any()


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=lambda layer: type(layer).__name__)
def test_slopes_are_those_of_the_activations(layer):
    function, slope = pointwise(layer)
    x = np.linspace(-3.05, 3, 50)
    step = 1e-6
    np.testing.assert_allclose(
        slope(x), (function(x + step) - function(x - step)) / (2 * step), atol=1e-8
    )
    narrow = x.astype("float32")
    assert function(narrow).dtype == slope(narrow).dtype == np.float32


@pytest.mark.parametrize("d", [1, 2, 3, 8, 9, 30])
def test_a_projection_to_as_many_coordinates_or_more_is_orthogonal(d):
    rng = np.random.default_rng(0)
    for m in (d, 2 * d, 3 * d + 1):
        P = draw_projection(d, m, rng, np.dtype("float64"))(np.eye(d))
        np.testing.assert_allclose(P @ P.T, np.eye(d), atol=1e-13)


def test_a_projection_to_fewer_keeps_inner_products_on_average():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 20))
    found = np.array(
        [
            np.prod(draw_projection(20, 6, rng, np.dtype("float64"))(x), axis=0).sum()
            for _ in range(4000)
        ]
    )
    assert abs(found.mean() - x[0] @ x[1]) < 4 * found.std() / np.sqrt(4000)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (fully_connected(1, activation=NormalizedGaussian()), "NormalizedGaussian.*NTKNystroem"),
        (cntk(1), "Conv.*NTKNystroem"),
        (Architecture((Dense(), Residual((Relu(), Dense()), ()))), "Residual.*NTKNystroem"),
        (fully_connected(1, frozen=1, train_last=False), 'no layer is trained. Use get="nngp"'),
    ],
)
def test_what_has_no_features_is_said(network, message):
    with pytest.raises(SpecError, match=message):
        draw_features(network, 3, n_components=10, get="ntk", seed=0, dtype="float32")


@pytest.mark.parametrize("network", [fully_connected(1), fully_connected(0)])
def test_the_mean_is_the_kernel_with_a_single_component_too(network, X):
    errors = _errors(network, X[:4], 1, seeds=2000)
    scores = errors.mean(axis=0) / (errors.std(axis=0, ddof=1) / np.sqrt(2000))
    assert np.abs(scores).max() < 5


def test_weights_that_no_memory_holds_are_refused_before_they_are_drawn():
    with pytest.raises(PlanError, match=r"n_components=1000000000000 needs .* Ask for fewer"):
        draw_features(fully_connected(3), 3, n_components=10**12, get="ntk", seed=0, dtype=float)
