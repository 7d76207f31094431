"""`NTKNystroem`: dense linear algebra's features, whose error falls with the landmarks."""

import pickle

import numpy as np
import polars
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from ntkreg import NTKNystroem, NTKRegressor, StreamingRidge, cntk, fully_connected, kernel
from ntkreg.errors import PlanError
from ntkreg.estimators import nystroem

LANDMARKS = pytest.mark.parametrize("landmarks", ["uniform", "rpcholesky"])


@pytest.fixture
def X():
    """A large cluster, and small ones far away."""
    rng = np.random.default_rng(0)
    centres = 2 * rng.standard_normal((8, 10))
    centres[0] /= 4
    cluster = np.r_[np.zeros(200, int), np.repeat(np.arange(1, 8), 5)]
    return centres[cluster] + 0.2 * rng.standard_normal((235, 10))


def _off(features, X, network=None):
    A = features.fit_transform(X)
    K = kernel(network or fully_connected(3), X)
    return np.linalg.norm(K - A @ A.T, "nuc") / np.trace(K)


@LANDMARKS
def test_inner_products_are_those_of_dense_linear_algebra(landmarks, X):
    network = fully_connected(2, bias_std=0.3)
    features = NTKNystroem(network, n_components=20, landmarks=landmarks, random_state=1).fit(X)
    S = features.component_indices_
    assert len(set(S.tolist())) == 20
    np.testing.assert_array_equal(features.components_, X[S])
    K = kernel(network, X)
    wanted = K[:, S] @ np.linalg.solve(K[np.ix_(S, S)], K[S])
    A = features.transform(X)
    assert A.shape == (235, 20)
    np.testing.assert_allclose(A @ A.T, wanted, atol=1e-6 * K.max())
    np.testing.assert_allclose(A @ A[S].T, K[:, S], atol=1e-6 * K.max())


@LANDMARKS
def test_the_error_falls_with_the_number_of_landmarks(landmarks, X):
    errors = [
        np.mean([_off(NTKNystroem(n_components=k, landmarks=landmarks, random_state=s), X)
                 for s in range(3)])
        for k in (4, 16, 64, 235)
    ]  # fmt: skip
    K = kernel(fully_connected(3), X)
    values = np.linalg.eigvalsh(K)[::-1]
    best = [values[k:].sum() / values.sum() for k in (4, 16, 64)]
    assert errors[0] > 1.5 * errors[1] > 1.5 * 1.5 * errors[2]
    assert errors[3] < 1e-6
    assert all(error >= least for error, least in zip(errors, best, strict=False))


def test_pivots_find_small_clusters_that_uniform_landmarks_miss(X):
    def mean_off(landmarks):
        features = [
            NTKNystroem(n_components=12, landmarks=landmarks, random_state=s) for s in range(8)
        ]
        return np.mean([_off(each, X) for each in features])

    assert mean_off("rpcholesky") < 0.7 * mean_off("uniform")


@LANDMARKS
def test_images(landmarks):
    X = np.random.default_rng(0).standard_normal((40, 5, 4, 2)).astype("float32")
    features = NTKNystroem(cntk(2), n_components=40, landmarks=landmarks, random_state=0)
    A = features.fit_transform(X)
    assert A.dtype == np.float32
    assert features.components_.shape == (40, 5, 4, 2)
    K = kernel(cntk(2), X, dtype="float64")
    assert np.abs(A @ A.T - K).max() < 1e-3 * K.max()
    flat = NTKNystroem(cntk(2), n_components=40, image_shape=(5, 4, 2), random_state=0)
    assert flat.set_params(landmarks=landmarks).fit_transform(X.reshape(40, -1)).shape == (40, 40)


def test_repeated_rows_leave_directions_out():
    X = np.random.default_rng(0).standard_normal((10, 4))
    twice = np.concatenate([X, X])
    A = NTKNystroem(n_components=20, random_state=0).fit_transform(twice)
    K = kernel(fully_connected(3), twice)
    np.testing.assert_allclose(A @ A.T, K, atol=1e-6 * K.max())
    assert np.linalg.matrix_rank(A, tol=1e-4) == 10


def test_ridge_on_all_landmarks_is_kernel_ridge(X):
    y = np.sin(X[:, 0])
    exact = NTKRegressor(alpha=1e-2, center_y=False).fit(X[::2], y[::2])
    features = NTKNystroem(n_components=118, random_state=0)
    model = StreamingRidge(features, alpha=1e-2, fit_intercept=False).fit(X[::2], y[::2])
    np.testing.assert_allclose(model.predict(X[1::2]), exact.predict(X[1::2]), atol=1e-5)
    assert make_pipeline(features, Ridge(1e-3)).fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.9


def test_rows_have_the_same_bits_alone_and_any_number_of_threads(X, monkeypatch):
    features = NTKNystroem(n_components=50, random_state=0, n_jobs=1).fit(X)
    together = features.transform(X)
    np.testing.assert_array_equal(features.transform(X[:1]), together[:1])
    np.testing.assert_array_equal(features.set_params(n_jobs=2).transform(X), together)
    # Batches of 32 rows.
    monkeypatch.setattr(nystroem, "CROSS_BYTES", 8 * 50 * 32)
    np.testing.assert_allclose(features.transform(X), together, rtol=1e-9, atol=1e-12)


def test_names_frames_and_pickles(X):
    features = NTKNystroem(n_components=3, random_state=0).fit(X)
    assert list(features.get_feature_names_out()) == [
        "ntknystroem0",
        "ntknystroem1",
        "ntknystroem2",
    ]
    found = features.set_output(transform="polars").transform(X)
    assert isinstance(found, polars.DataFrame)
    assert found.columns == list(features.get_feature_names_out())
    copy = pickle.loads(pickle.dumps(features))
    np.testing.assert_array_equal(copy.transform(X).to_numpy(), found.to_numpy())


def test_what_cannot_be_is_said(X, monkeypatch):
    with pytest.warns(
        UserWarning, match="NTKNystroem: n_components=500 is more than the 235 samples"
    ):
        assert NTKNystroem(n_components=500).fit(X).normalization_.shape == (235, 235)
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        NTKNystroem().fit(csr_matrix(X))
    monkeypatch.setattr(nystroem, "free_memory", lambda: 1000)
    with pytest.raises(PlanError, match=r'landmarks="rpcholesky" needs .* 235 samples and 100'):
        NTKNystroem(landmarks="rpcholesky").fit(X)
