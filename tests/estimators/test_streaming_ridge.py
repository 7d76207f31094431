"""Streaming ridge: parts are the whole, beside scikit-learn's Ridge and within memory."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV

from ntkreg import (
    NTKFeatures,
    NTKNystroem,
    StreamingRidge,
    StreamingRidgeClassifier,
    cntk,
    fully_connected,
)
from ntkreg.errors import NotPSDError, ShapeError


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((250, 12)) + 2
    Y = np.column_stack([X[:, 0] + 0.1 * rng.standard_normal(250), np.sin(X[:, 1])])
    return X, Y, rng.uniform(0.1, 2, 250)


@pytest.mark.parametrize("columns", [None, 1, 2])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_same_as_ridge(columns, fit_intercept, data):
    X, Y, weights = data
    y = Y[:, 0] if columns is None else Y[:, :columns]
    wanted = Ridge(0.7, fit_intercept=fit_intercept, solver="svd").fit(X, y, weights)
    options = {"alpha": 0.7, "alpha_scale": "absolute", "fit_intercept": fit_intercept}
    found = StreamingRidge(**options, batch_size=64).fit(X, y, weights)
    assert np.shape(found.coef_) == np.shape(wanted.coef_) or columns == 1
    np.testing.assert_allclose(found.coef_, np.reshape(wanted.coef_, found.coef_.shape), rtol=1e-9)
    np.testing.assert_allclose(found.intercept_, wanted.intercept_, rtol=1e-9, atol=1e-12)
    assert found.predict(X).shape == y.shape
    np.testing.assert_allclose(found.predict(X).ravel(), wanted.predict(X).ravel(), rtol=1e-9)


def test_parts_are_the_whole_and_each_alpha_costs_no_samples(data):
    X, Y, weights = data
    features = NTKFeatures(fully_connected(1), n_components=60, random_state=0)
    whole = StreamingRidge(features).fit(X, Y, weights)
    parts = StreamingRidge(features)
    for part in (slice(0, 1), slice(1, 100), slice(100, 250)):
        parts.partial_fit(X[part], Y[part], weights[part])
    np.testing.assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-8)
    other = StreamingRidge(features, alpha=[1e-1, 10.0]).fit(X, Y, weights).predict(X)
    np.testing.assert_allclose(parts.set_params(alpha=[1e-1, 10.0]).predict(X), other, rtol=1e-8)
    assert np.abs(other - whole.predict(X)).max() > 1e-2


def test_weights_are_rows_repeated(data):
    X, Y, _ = data
    counts = np.random.default_rng(1).integers(0, 3, 250)
    one = StreamingRidge().fit(X, Y, counts)
    two = StreamingRidge().fit(np.repeat(X, counts, axis=0), np.repeat(Y, counts, axis=0))
    np.testing.assert_allclose(one.coef_, two.coef_, rtol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_are_those_of_ridge_classifier(n_classes, data):
    X, _, weights = data
    y = np.array(["a", "b", "c"])[np.digitize(X[:, 0] - X[:, 1], [-1.0, 0.5][: n_classes - 1])]
    wanted = RidgeClassifier(0.5, solver="svd").fit(X, y, weights)
    found = StreamingRidgeClassifier(alpha=0.5, alpha_scale="absolute").fit(X, y, weights)
    # Labels are coded 1 apart here, 2 apart there.
    np.testing.assert_allclose(2 * found.coef_, np.atleast_2d(wanted.coef_), rtol=1e-8)
    np.testing.assert_array_equal(found.predict(X), wanted.predict(X))
    assert found.decision_function(X).shape == ((250,) if n_classes == 2 else (250, 3))
    parts = StreamingRidgeClassifier(alpha=0.5, alpha_scale="absolute")
    for part in (slice(0, 3), slice(3, 250)):  # the first has not all classes
        parts.partial_fit(X[part], y[part], classes=np.unique(y), sample_weight=weights[part])
    np.testing.assert_allclose(parts.coef_, found.coef_, rtol=1e-8)


def test_what_partial_fit_gets_must_fit(data):
    X, Y, _ = data
    model = StreamingRidge().partial_fit(X, Y)
    with pytest.raises(ShapeError, match=r"StreamingRidge: y must have the shape.*\('n', 2\); got"):
        model.partial_fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, 1:], Y)
    y = np.arange(250) % 3
    classifier = StreamingRidgeClassifier()
    with pytest.raises(ValueError, match="classes must list all labels in the first"):
        classifier.partial_fit(X, y)
    classifier.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"out of classes, \[0, 1, 2\]; got 7"):
        classifier.partial_fit(X, y + 7)
    with pytest.raises(ValueError, match="classes must be those of the first"):
        classifier.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="labels of the kind seen"):
        classifier.partial_fit(X, y.astype(str))
    np.testing.assert_array_equal(classifier.partial_fit(X, y).classes_, [0, 1, 2])


def test_sparse_features_are_the_dense_ones(data):
    X, Y, _ = data
    sparse = csr_matrix(np.where(X > 2, X, 0))
    dense = StreamingRidge(batch_size=40).fit(sparse.toarray(), Y)
    found = StreamingRidge(batch_size=40).fit(sparse, Y)
    np.testing.assert_allclose(found.predict(sparse), dense.predict(sparse.toarray()), rtol=1e-12)
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        StreamingRidge(NTKFeatures()).fit(sparse, Y)


def test_images_go_through_their_features():
    X = np.random.default_rng(0).standard_normal((60, 4, 4, 1)).astype("float32")
    y = X[:, 1, 1, 0]
    model = StreamingRidge(NTKNystroem(cntk(1, "flatten"), n_components=50, random_state=0))
    assert model.fit(X, y).score(X, y) > 0.9
    flat = model.set_params(features__image_shape=(4, 4, 1)).fit(X.reshape(60, -1), y)
    assert flat.score(X.reshape(60, -1), y) > 0.9
    with pytest.raises(ShapeError, match=r"StreamingRidge: X must be .* without features"):
        StreamingRidge().fit(X, y)


def test_memory_does_not_grow_with_the_samples():
    features = NTKFeatures(fully_connected(1), n_components=200, random_state=0)
    model = StreamingRidge(features, batch_size=100)
    X = np.random.default_rng(0).standard_normal((8_000, 4)).astype("float32")
    model.fit(X[:200], X[:200, 0])
    tracemalloc.start()
    model.fit(X, X[:, 0])
    model.predict(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All features at once would take 13 MB in float64.
    assert peak < 20 * 8 * 200**2 * 0.5


def test_search_pickles_and_frames(data):
    X, Y, _ = data
    features = NTKFeatures(fully_connected(1), random_state=0)
    grid = {"features__n_components": [20, 200], "alpha": [1e-4, 1e-2]}
    search = GridSearchCV(StreamingRidge(features), grid, cv=3).fit(X, Y[:, 0])
    assert search.best_score_ > 0.9
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(12)])
    model = StreamingRidge().partial_fit(frame, Y)
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(frame[frame.columns[::-1]], Y)
    wanted = model.predict(frame)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(frame), wanted)
    copy.sums_ = None
    small = pickle.loads(pickle.dumps(copy))
    np.testing.assert_array_equal(small.predict(frame), wanted)
    with pytest.raises(ValueError, match="sums_ were dropped"):
        small.partial_fit(frame, Y)


def test_what_cannot_be_solved_is_said(data):
    X, Y, weights = data
    with pytest.raises(NotPSDError, match="Raise alpha"):
        StreamingRidge(alpha=0).fit(np.hstack([X, X]), Y)
    with pytest.raises(ValueError, match="'alpha' parameter of StreamingRidge"):
        StreamingRidge(alpha=-1.0).fit(X, Y)
    with pytest.raises(
        ValueError, match="StreamingRidge: alpha must be a finite float >= 0, or one for each of 2"
    ):
        StreamingRidge(alpha=[1.0, 2.0, 3.0]).fit(X, Y)
    with pytest.raises(ValueError, match="StreamingRidge: alpha must be a finite float"):
        StreamingRidge(alpha=["a", "b"]).fit(X, Y)
    with pytest.raises(ValueError, match="sample_weight must be >= 0"):
        StreamingRidge().fit(X, Y, -weights)
    with pytest.raises(ValueError, match="StreamingRidge: X is a masked array"):
        StreamingRidge().fit(np.ma.masked_less(X, 2), Y)
    with pytest.raises(AttributeError):
        _ = StreamingRidge().coef_
