"""NTKClassifier: label coding, labels of any kind, and what it refuses."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntkreg import NTKClassifier, NTKRegressor, fully_connected, kernel
from ntkreg.errors import NotPSDError


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = np.arange(30) % 3
    centres = np.array([[2.0, 0, 0], [0, 2.0, 0], [0, 0, 2.0]])
    return centres[y] + 0.3 * rng.normal(size=(30, 3)), y


def test_several_classes_are_regressed_on_centred_one_hot_codes(data):
    X, y = data
    model = NTKClassifier().fit(X, y)
    codes = np.eye(3)[y] - 1 / 3
    same = NTKRegressor(center_y=False).fit(X, codes)
    np.testing.assert_allclose(model.decision_function(X), same.predict(X), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), same.predict(X).argmax(axis=1))


def test_two_classes_are_regressed_on_plus_and_minus_one_half(data):
    X, y = data
    model = NTKClassifier().fit(X, y > 0)
    same = NTKRegressor(center_y=False).fit(X, np.where(y > 0, 0.5, -0.5))
    assert model.decision_function(X).shape == (30,)
    np.testing.assert_allclose(model.decision_function(X), same.predict(X), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), same.predict(X) > 0)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["cat", "dog", "owl"]),
        np.array(["cat", "dog", "owl"], dtype=object),
        np.array([-7, 3, 1000]),
        np.array([2.0, 3.0, 5.0]),
        np.array([True, False]),
        np.array(["yes", "no"]),
    ],
    ids=["strings", "objects", "integers", "floats", "booleans", "two strings"],
)
def test_labels_of_any_kind_come_back(data, labels):
    X, y = data
    y = labels[y % len(labels)]
    model = NTKClassifier(alpha=1e-6).fit(X, y)
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    predicted = model.predict(X)
    np.testing.assert_array_equal(predicted, y)
    assert predicted.dtype == model.classes_.dtype
    assert model.score(X, y) == 1


def test_sample_weights_equal_repeated_rows(data):
    X, y = data
    weights = np.random.default_rng(1).integers(1, 4, size=len(X))
    weighted = NTKClassifier().fit(X, y, sample_weight=weights).decision_function(X)
    repeated = NTKClassifier().fit(X.repeat(weights, axis=0), y.repeat(weights))
    np.testing.assert_allclose(weighted, repeated.decision_function(X), atol=1e-6)


def test_one_class_is_refused_by_name(data):
    X, _ = data
    with pytest.raises(ValueError, match=r"at least two classes; got 1 class: 'owl'"):
        NTKClassifier().fit(X, ["owl"] * 30)
    with pytest.raises(ValueError, match=r"got 1 class: .*'b'"):
        NTKClassifier().fit(X, ["a", "b"] * 15, sample_weight=[0, 1] * 15)


def test_one_sample_is_one_class(data):
    X, y = data
    with pytest.raises(ValueError, match="1 class"):
        NTKClassifier().fit(X[:1], y[:1])


def test_continuous_targets_and_missing_labels_are_refused(data):
    X, _ = data
    with pytest.raises(ValueError, match="continuous"):
        NTKClassifier().fit(X, X[:, 0])
    with pytest.raises(ValueError, match=r"got continuous values such as 1e\+30"):
        NTKClassifier().fit(X, np.where(np.arange(30) == 4, 1e30, 1.0))
    with pytest.raises(ValueError, match="NaN"):
        NTKClassifier().fit(X, np.where(np.arange(30) == 4, np.nan, 1.0))


def test_repeated_rows_need_a_ridge_and_the_default_is_one(data):
    X, y = data
    X, y = np.vstack([X, X]), np.append(y, y)
    assert NTKClassifier().fit(X, y).score(X, y) == 1
    with pytest.raises(NotPSDError, match="Raise alpha"):
        NTKClassifier(alpha=0).fit(X, y)


def test_contradicting_labels_of_one_point_share_its_value(data):
    X, y = data
    X, y = np.vstack([X, X[:1]]), np.append(y, 1)  # X[0] is of class 0 too
    values = NTKClassifier(alpha=1e-5).fit(X, y).decision_function(X[:1])[0]
    np.testing.assert_allclose(values, [1 / 6, 1 / 6, -1 / 3], atol=1e-2)


def test_cross_validation_splits_both_axes_of_a_precomputed_kernel(data):
    X, y = data
    network = fully_connected(2)
    direct = cross_val_score(NTKClassifier(network), X, y, cv=3)
    precomputed = cross_val_score(
        NTKClassifier(kernel="precomputed"), kernel(network, X), y, cv=3, error_score="raise"
    )
    np.testing.assert_array_equal(precomputed, direct)


def test_works_behind_a_scaler_in_a_grid_search_on_digits():
    X, y = load_digits(return_X_y=True)
    X, y = X[:120], y[:120]
    X[:, 0] = np.arange(120) * 1e4  # drowns the others unless scaled
    search = GridSearchCV(
        make_pipeline(StandardScaler(), NTKClassifier(fully_connected(1))),
        {
            "ntkclassifier__architecture__depth": [1, 2],
            "ntkclassifier__alpha": [1e-2, 1e3],
        },
        cv=3,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_["ntkclassifier__alpha"] == 1e-2
    assert search.best_score_ > 0.7
