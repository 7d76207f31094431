"""`NTKTransformer` in pipelines and searches: the right columns, and one Gram for all folds."""

import pickle
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from scipy.sparse import csr_matrix
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, SVR

from ntkreg import NTKTransformer, cntk, fully_connected, kernel
from ntkreg.errors import ShapeError
from ntkreg.gram import shared


@pytest.fixture(autouse=True)
def _empty_cache():
    NTKTransformer.clear_cache()
    yield
    NTKTransformer.clear_cache()


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 6))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


@pytest.fixture
def computed(monkeypatch):
    """Count the pairs that are computed, by depth."""
    pairs: Counter = Counter()

    def counting(spec, X, Z=None, **how):
        depth = spec.network.get_params()["depth"]
        pairs[depth] += len(X) * (len(X) + 1) // 2 if Z is None else len(X) * len(Z)
        return whole(spec, X, Z, **how)

    whole = shared.kernel_of
    monkeypatch.setattr(shared, "kernel_of", counting)
    return pairs


def test_columns_are_those_of_kernel(data):
    X, _ = data
    for options in ({}, {"get": "nngp"}, {"normalize": "unit_diagonal"}):
        columns = NTKTransformer(fully_connected(2), **options)
        K = columns.fit_transform(X[:60])
        np.testing.assert_array_equal(K, kernel(fully_connected(2), X[:60], **options))
        held_out = columns.transform(X[60:])
        wanted = kernel(fully_connected(2), X[60:], X[:60], **options)
        np.testing.assert_array_equal(held_out, wanted)
        np.testing.assert_array_equal(columns.transform(X[:60]), K)


@pytest.mark.parametrize("cv", [2, 5, KFold(5, shuffle=True, random_state=0)])
def test_a_grid_over_depth_and_c_computes_one_gram_a_depth(cv, data, computed):
    X, y = data
    pipeline = make_pipeline(NTKTransformer(), SVC(kernel="precomputed"))
    grid = {"ntktransformer__architecture__depth": [1, 2, 4], "svc__C": [0.1, 1, 10]}
    search = GridSearchCV(pipeline, grid, cv=cv, return_train_score=True).fit(X, y)
    assert computed == dict.fromkeys((1, 2, 4), 90 * 91 // 2)
    # The same scores as from kernels computed beside scikit-learn.
    for depth, C, score in zip(
        search.cv_results_["param_ntktransformer__architecture__depth"],
        search.cv_results_["param_svc__C"],
        search.cv_results_["mean_test_score"],
        strict=True,
    ):
        K = kernel(fully_connected(depth), X)
        wanted = cross_val_score(SVC(kernel="precomputed", C=C), K, y, cv=cv).mean()
        assert score == wanted


def test_a_new_sample_is_predicted_as_by_a_kernel_computed_aside(data):
    X, y = data
    model = make_pipeline(NTKTransformer(fully_connected(2)), SVR(kernel="precomputed"))
    model.fit(X[:60], y[:60])
    aside = SVR(kernel="precomputed").fit(kernel(fully_connected(2), X[:60]), y[:60])
    wanted = aside.predict(kernel(fully_connected(2), X[60:], X[:60]))
    np.testing.assert_allclose(model.predict(X[60:]), wanted, rtol=1e-10)
    one = [model.predict(X[i : i + 1])[0] for i in range(60, 90)]
    np.testing.assert_allclose(one, wanted, rtol=1e-10)


def test_nothing_is_kept_or_shared_with_no_cache(data, computed):
    X, y = data
    model = make_pipeline(NTKTransformer(cache_size=0), SVC(kernel="precomputed"))
    cross_val_score(model, X, y, cv=3)
    assert computed == {3: 3 * (60 * 61 // 2 + 30 * 60)}
    assert shared.shared_grams.nbytes == 0


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_threads_and_processes_find_the_same_scores(backend, data):
    X, y = data
    pipeline = make_pipeline(NTKTransformer(), SVC(kernel="precomputed"))
    search = GridSearchCV(pipeline, {"ntktransformer__architecture__depth": [1, 2]}, cv=3)
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    NTKTransformer.clear_cache()
    with parallel_config(backend, n_jobs=2):
        together = search.fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(together, alone)


def test_images_flat_and_not_share_values(computed):
    X = np.random.default_rng(0).standard_normal((20, 4, 5, 1)).astype("float32")
    columns = NTKTransformer(cntk(1))
    K = columns.fit_transform(X)
    assert K.dtype == np.float64
    np.testing.assert_array_equal(K, kernel(cntk(1), X, dtype="mixed"))
    flat = NTKTransformer(cntk(1), image_shape=(4, 5, 1)).fit(X.reshape(20, -1))
    np.testing.assert_array_equal(flat.transform(X[:7].reshape(7, -1)), K[:7])
    assert computed == {1: 20 * 21 // 2}
    with pytest.raises(ShapeError, match="NTKTransformer: X holds samples of shape"):
        columns.transform(X.transpose(0, 2, 1, 3))
    with pytest.raises(ShapeError, match="image_shape"):
        NTKTransformer(cntk(1)).fit(X.reshape(20, -1))


def test_frames_get_names_and_keep_their_index(data):
    X, _ = data
    frame = pd.DataFrame(X, columns=list("abcdef")).iloc[::2]
    columns = NTKTransformer().set_output(transform="pandas")
    found = columns.fit_transform(frame)
    assert list(found.columns[:2]) == ["ntktransformer0", "ntktransformer1"]
    assert list(found.columns) == list(columns.get_feature_names_out())
    assert found.index.equals(frame.index)
    with pytest.raises(ValueError, match="feature names"):
        columns.transform(frame[list("bacdef")])


def test_pickled_it_computes_the_same(data):
    X, _ = data
    columns = NTKTransformer().fit(X[:60])
    copy = pickle.loads(pickle.dumps(columns))
    np.testing.assert_array_equal(copy.transform(X[60:]), columns.transform(X[60:]))


def test_sparse_masked_and_wrong_parameters_are_refused(data):
    X, _ = data
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        NTKTransformer().fit(csr_matrix(X))
    with pytest.raises(ValueError, match="NTKTransformer: X is a masked array"):
        NTKTransformer().fit(np.ma.masked_less(X, 0))
    with pytest.raises(ValueError, match="'cache_size' parameter of NTKTransformer"):
        NTKTransformer(cache_size=-1).fit(X)
