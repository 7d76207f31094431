"""What y may be, in fit and in score: the right value, or a word that says what is wrong."""

import numpy as np
import pandas as pd
import pytest

from ntkreg import (
    FiniteNetworkClassifier,
    FiniteNetworkRegressor,
    NTKClassifier,
    NTKRegressor,
    fully_connected,
)

X = np.random.default_rng(0).standard_normal((12, 3))
LABELS = np.arange(12) % 3
NAMES = np.array(["cat", "dog", "owl"])[LABELS]
TARGETS = X[:, 0]
FINITE = {"width": 8, "n_steps": 2, "random_state": 0}


@pytest.fixture(scope="module")
def numbers():
    return NTKClassifier(fully_connected(1)).fit(X, LABELS)


@pytest.fixture(scope="module")
def names():
    return NTKClassifier(fully_connected(1)).fit(X, NAMES)


@pytest.fixture(scope="module")
def regressor():
    return NTKRegressor(fully_connected(1)).fit(X, TARGETS)


def test_labels_that_fit_did_not_see_count_as_wrong(numbers, names):
    assert numbers.score(X, LABELS) == 1
    assert numbers.score(X, np.where(np.arange(12) < 3, 99, LABELS)) == 0.75
    assert numbers.score(X, np.where(np.arange(12) < 3, -7.0, LABELS)) == 0.75
    assert numbers.score(X, np.full(12, 99)) == 0
    assert names.score(X, np.where(np.arange(12) < 3, "yak", NAMES)) == 0.75
    assert numbers.score(X, np.where(np.arange(12) < 3, 99, LABELS), np.arange(12) < 6) == 0.5


@pytest.mark.parametrize(
    "wrap",
    [list, pd.Series, lambda y: y.astype(object), lambda y: y[:, None], lambda y: y.tolist()],
    ids=["list", "Series", "objects", "column", "Python"],
)
def test_the_same_labels_however_they_come(numbers, names, wrap):
    assert numbers.score(X, wrap(LABELS)) == 1
    assert names.score(X, wrap(NAMES)) == 1


def test_objects_that_are_numbers_are_fitted_as_numbers():
    model = NTKClassifier(fully_connected(1)).fit(X, LABELS.astype(object))
    assert model.classes_.dtype == LABELS.dtype
    assert model.score(X, LABELS) == 1


BAD_LABELS = [
    (NAMES, r"of the kind seen in fit, numbers such as 0; got text such as 'cat'"),
    (NAMES.astype(object), "got text such as 'cat'"),
    (NAMES.astype("S"), "got bytes24 values such as b'cat'"),
    (np.full(12, "2020-01-01", "M8[D]"), "numbers such as 0; got datetime64"),
    (np.array(["a", 1] * 6, object), "of one kind, all numbers or all text; got 'a' and 1"),
    (np.array(["a", None] * 6, object), "y contains None; leave out samples without a label"),
    (np.array([1, np.nan] * 6, object), "y contains nan; leave out"),
    (np.array([1, pd.NA] * 6, object), "y contains <NA>; leave out"),
    (np.where(LABELS == 1, np.nan, 1.0), "y contains NaN or infinity"),
    (TARGETS, r"Unknown label type: y must hold classes; got continuous values such as 0\.1"),
    (LABELS[:5], "one entry for each of the 12 samples in X; got 5"),
    (np.zeros((12, 2)), r"one label a sample; got shape \(12, 2\)"),
    ([], "one entry for each of the 12 samples in X; got 0"),
    (None, r"one label a sample; got shape \(\)"),
    (3, r"one label a sample; got shape \(\)"),
    (np.array([1j] * 12), "numbers such as 0; got complex128 values"),
    (np.array([{}] * 12), "numbers or text; got {}"),
]


@pytest.mark.parametrize(("y", "message"), BAD_LABELS)
def test_score_names_what_is_wrong_with_labels(numbers, y, message):
    with pytest.raises(ValueError, match="NTKClassifier: .*" + message):
        numbers.score(X, y)


def test_numbers_are_not_the_text_that_fit_saw(names):
    with pytest.raises(ValueError, match="text such as 'cat'; got numbers such as 0"):
        names.score(X, LABELS)
    with pytest.raises(ValueError, match="text such as 'cat'; got numbers such as False"):
        names.score(X, LABELS > 0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [([1, 2], r"must have shape \(12,\); got \(2,\)"), (-np.ones(12), "must be >= 0")],
)
def test_weights_of_a_score_are_checked(numbers, regressor, weights, message):
    with pytest.raises(ValueError, match=message):
        numbers.score(X, LABELS, weights)
    with pytest.raises(ValueError, match=message):
        regressor.score(X, TARGETS, weights)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array(["a", 1] * 6, object), "of one kind, all numbers or all text; got 'a' and 1"),
        (np.array(["a", None, "b"] * 4, object), "y contains None"),
        (TARGETS, "continuous"),
    ],
)
@pytest.mark.parametrize("Estimator", [NTKClassifier, FiniteNetworkClassifier])
def test_fit_names_what_is_wrong_with_labels(Estimator, y, message):
    with pytest.raises(ValueError, match=f"{Estimator.__name__}: .*{message}"):
        Estimator().fit(X, y)


BAD_TARGETS = [
    (NAMES, "must hold real numbers; could not convert string to float"),
    (np.array([1, "b"] * 6, object), "must hold real numbers; could not convert"),
    (np.full(12, "2020-01-01", "M8[D]"), r"must hold real numbers; got dtype datetime64\[D\]"),
    (np.array([1j] * 12), "must hold real numbers; got dtype complex128"),
    (np.ones((12, 1, 1)), r"or \(n_samples, n_targets\); got \(12, 1, 1\)"),
]


@pytest.mark.parametrize(("y", "message"), BAD_TARGETS)
@pytest.mark.parametrize("Estimator", [NTKRegressor, FiniteNetworkRegressor])
def test_fit_names_what_is_wrong_with_targets(Estimator, y, message):
    with pytest.raises(ValueError, match=f"{Estimator.__name__}: y .*{message}"):
        Estimator().fit(X, y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        *BAD_TARGETS,
        (TARGETS[:5], "one entry for each of the 12 samples in X; got 5"),
        (np.ones((12, 2)), r"1 target\(s\) a sample, as in fit; got shape \(12, 2\)"),
        (3.0, r"got \(\)"),
    ],
)
def test_score_names_what_is_wrong_with_targets(regressor, y, message):
    with pytest.raises(ValueError, match="NTKRegressor: y .*" + message):
        regressor.score(X, y)


def test_targets_that_are_no_numbers_at_all(regressor):
    with pytest.raises(ValueError, match="Input y contains NaN"):
        regressor.score(X, np.full(12, np.nan))
    with pytest.raises(ValueError, match=r"got \(\)"):
        regressor.score(X, None)


def test_columns_and_rows_of_targets_are_the_same(regressor):
    value = regressor.score(X, TARGETS)
    assert value > 0.9
    assert regressor.score(X, TARGETS[:, None]) == value
    several = NTKRegressor(fully_connected(1)).fit(X, X[:, :2])
    assert several.score(X, X[:, :2]) > 0.9
    with pytest.raises(ValueError, match=r"2 target\(s\)"):
        several.score(X, TARGETS)


def test_finite_networks_say_the_same():
    model = FiniteNetworkClassifier(fully_connected(1), **FINITE).fit(X, LABELS)
    assert model.score(X, np.full(12, 99)) == 0
    with pytest.raises(ValueError, match=r"FiniteNetworkClassifier: .* got text such as 'cat'"):
        model.score(X, NAMES)
    model = FiniteNetworkRegressor(fully_connected(1), **FINITE).fit(X, TARGETS)
    with pytest.raises(ValueError, match=r"FiniteNetworkRegressor: .* samples in X; got 5"):
        model.score(X, TARGETS[:5])


def test_huge_weights_still_have_a_mean():
    weighted = NTKRegressor(fully_connected(1)).fit(X, TARGETS, np.full(12, 1e308))
    assert weighted.y_mean_ == pytest.approx(TARGETS.mean())
    assert weighted.score(X, TARGETS) > 0.99


@pytest.mark.parametrize("model", [NTKRegressor, NTKClassifier])
@pytest.mark.parametrize("masked", ["X", "y", "sample_weight"])
def test_what_is_masked_is_no_datum(model, masked):
    y = LABELS if model is NTKClassifier else TARGETS
    given = {"X": X, "y": y, "sample_weight": np.ones(12)}
    hidden = np.zeros(given[masked].shape, bool)
    hidden[3] = True
    for fill, refused in ((hidden, True), (np.zeros_like(hidden), False)):
        arguments = {**given, masked: np.ma.masked_array(given[masked], fill)}
        fitted = model(fully_connected(1)).fit(X, y)
        for method in (model(fully_connected(1)).fit, fitted.score):
            if refused:
                with pytest.raises(ValueError, match=rf"{masked} is a masked array with "):
                    method(**arguments)
            else:
                method(**arguments)
