"""`NTKFeatures` as a transformer; its numbers are tested with the random features."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from ntkreg import NTKFeatures, NTKRegressor, StreamingRidge, cntk, fully_connected, kernel
from ntkreg.architecture import NormalizedGaussian
from ntkreg.errors import SpecError


@pytest.fixture
def X():
    return np.random.default_rng(0).standard_normal((300, 8))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inner_products_approximate_the_kernel(dtype, X):
    features = NTKFeatures(fully_connected(2), n_components=4000, random_state=0)
    A = features.fit_transform(X[:40].astype(dtype))
    assert A.dtype == dtype
    assert A.shape == (40, 4000)
    K = kernel(fully_connected(2), X[:40])
    off = np.abs(A @ A.T - K) / np.sqrt(np.outer(np.diag(K), np.diag(K)))
    assert 0.005 < np.sqrt((off**2).mean()) < 0.05


def test_rows_have_the_same_bits_alone_and_any_number_of_threads(X):
    features = NTKFeatures(n_components=256, random_state=0, n_jobs=1).fit(X)
    together = features.transform(X)
    for i in (0, 1, 57, 130, 299):
        np.testing.assert_array_equal(features.transform(X[i : i + 1]), together[i : i + 1])
    np.testing.assert_array_equal(features.set_params(n_jobs=3).transform(X), together)


def test_ridge_comes_near_to_kernel_ridge_with_more_features(X):
    y = np.sin(X[:, 0])
    exact = NTKRegressor(alpha=1e-2, center_y=False).fit(X[:200], y[:200]).predict(X[200:])

    def off(n):
        features = NTKFeatures(n_components=n, random_state=0)
        model = StreamingRidge(features, alpha=1e-2, fit_intercept=False).fit(X[:200], y[:200])
        return np.abs(model.predict(X[200:]) - exact).mean()

    assert off(4096) < 0.6 * off(256)


def test_sizes_that_float32_holds_keep_the_scale(X):
    features = NTKFeatures(n_components=128, random_state=0)
    plain = features.fit_transform(X.astype("float32"))
    for size in (2.0**90, 2.0**-90):
        scaled = features.fit_transform((X * size).astype("float32"))
        np.testing.assert_allclose(scaled / np.float32(size), plain, rtol=1e-6, atol=1e-9)
    steep = NTKFeatures(fully_connected(1, weight_std=1e10), random_state=0)
    with pytest.raises(SpecError, match="NTKFeatures: features overflow float32"):
        steep.fit_transform((X * 1e30).astype("float32"))
    with pytest.raises(SpecError, match="NTKFeatures: X does not fit float32"):
        features.fit(X.astype("float32")).transform(X * 1e100)


def test_images_are_read_as_vectors_and_pickles_are_the_same(X):
    features = NTKFeatures(n_components=64, random_state=0).fit(X)
    wanted = features.transform(X)
    images = NTKFeatures(n_components=64, random_state=0).fit(X.reshape(300, 2, 2, 2))
    np.testing.assert_array_equal(images.transform(X.reshape(300, 2, 2, 2)), wanted)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(features)).transform(X), wanted)
    assert features.get_feature_names_out()[-1] == "ntkfeatures63"


def test_what_has_no_features_is_said(X):
    with pytest.raises(SpecError, match=r"NTKFeatures: Conv.*Use NTKNystroem"):
        NTKFeatures(cntk(1)).fit(X)
    network = fully_connected(1, activation=NormalizedGaussian())
    with pytest.raises(SpecError, match=r"NTKFeatures: NormalizedGaussian.*Use NTKNystroem"):
        NTKFeatures(network).fit(X)
    with pytest.raises(ValueError, match="'architecture' parameter of NTKFeatures"):
        NTKFeatures(lambda x1, x2, get: None).fit(X)
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        NTKFeatures().fit(csr_matrix(X))
