"""Scores over training times, against scikit-learn's validation curve of refits."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, validation_curve

from ntkreg import (
    NTKClassifier,
    NTKRegressor,
    NTKRegressorCV,
    fully_connected,
    kernel,
    training_curve,
)
from ntkreg.errors import SpecError

TIMES = [0.5, 20.0, 1e4]
NETWORK = fully_connected(2, bias_std=0.3)


def _data(outputs=None):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    return X, 2 + rng.normal(size=(40,) if outputs is None else (40, outputs))


@pytest.mark.parametrize("outputs", [None, 2])
@pytest.mark.parametrize("scoring", [None, "neg_mean_squared_error"])
def test_it_is_the_validation_curve(outputs, scoring):
    X, y = _data(outputs)
    model = NTKRegressor(NETWORK, alpha=0.1, alpha_scale="absolute")
    cv = KFold(3, shuffle=True, random_state=0)
    asked = {"cv": cv, "scoring": scoring}
    wanted = validation_curve(model, X, y, param_name="train_time", param_range=TIMES, **asked)
    for ours, theirs in zip(training_curve(model, X, y, TIMES, **asked), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_a_ridge_in_units_of_the_diagonal_keeps_its_value_on_all_samples():
    X, y = _data()
    found = training_curve(NTKRegressor(NETWORK, alpha=0.1), X, y, TIMES)
    ridge = {"alpha": 0.1 * np.mean(kernel(NETWORK, X, diag=True)), "alpha_scale": "absolute"}
    wanted = training_curve(NTKRegressor(NETWORK, **ridge), X, y, TIMES)
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_of_labels_too():
    X, y = _data()
    y = np.array(["a", "b", "c"])[np.digitize(y, [1.5, 2.5])]
    model = NTKClassifier(NETWORK, alpha=0.1, alpha_scale="absolute")
    wanted = validation_curve(model, X, y, param_name="train_time", param_range=TIMES)
    for ours, theirs in zip(training_curve(model, X, y, TIMES), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs)


@pytest.mark.parametrize(
    ("model", "times", "match"),
    [
        (NTKRegressorCV(), TIMES, "estimator must be an NTKRegressor or NTKClassifier"),
        (NTKRegressor(train_time=1.0), TIMES, "train_time of the estimator must be None"),
        (NTKRegressor(), 1.0, "train_times must be a list"),
        (NTKRegressor(), [], "train_times must be a list"),
        (NTKRegressor(), [-1.0], "must be finite numbers >= 0"),
    ],
)
def test_bad_arguments_are_named(model, times, match):
    with pytest.raises(SpecError, match=match):
        training_curve(model, *_data(), times)
