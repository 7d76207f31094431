"""`symmetry="flip"` of the estimators does what training on images and their flips does."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from ntkreg import NTKClassifier, NTKRegressor, cntk, kernel
from ntkreg.estimators.saved_model import load_model, save_model

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(12, 3, 4, 2)), RNG.normal(size=(5, 3, 4, 2))
DOUBLED = np.concatenate([X, X[:, :, ::-1]])
LABELS = np.arange(12) % 3
NET = cntk(2)


@pytest.mark.parametrize("get", ["ntk", "nngp"])
@pytest.mark.parametrize("weights", [None, RNG.uniform(0.5, 2, 12)])
def test_a_regressor_predicts_what_one_of_the_doubled_set_does_at_twice_alpha(get, weights):
    y = RNG.normal(size=(12, 2)) + 3
    twice = None if weights is None else np.tile(weights, 2)
    flipped = NTKRegressor(NET, get=get, alpha=0.1, alpha_scale="absolute", symmetry="flip").fit(
        X, y, weights
    )
    doubled = NTKRegressor(NET, get=get, alpha=0.2, alpha_scale="absolute").fit(
        DOUBLED, np.tile(y, (2, 1)), twice
    )
    got = flipped.predict(T)
    np.testing.assert_allclose(got, doubled.predict(T), rtol=0, atol=1e-8)
    np.testing.assert_allclose(flipped.predict(T[:, :, ::-1]), got, rtol=0, atol=1e-8)
    # alpha is what is added to the diagonal, and is not halved for the user.
    K = kernel(NET, X, get=get, symmetry="flip")
    off = y - flipped.y_mean_
    ridge = 0.1 / (1 if weights is None else weights)
    np.testing.assert_allclose(
        K @ flipped.dual_coef_ + (ridge * flipped.dual_coef_.T).T, off, rtol=0, atol=1e-10
    )
    assert flipped.solver_result_.alpha == 0.1


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_classifier_scores_what_one_of_the_doubled_set_does_at_twice_alpha(n_classes):
    y = np.arange(12) % n_classes
    flipped = NTKClassifier(NET, alpha=0.1, alpha_scale="absolute", symmetry="flip").fit(X, y)
    doubled = NTKClassifier(NET, alpha=0.2, alpha_scale="absolute").fit(DOUBLED, np.tile(y, 2))
    scores = flipped.decision_function(T)
    np.testing.assert_allclose(scores, doubled.decision_function(T), rtol=0, atol=1e-8)
    assert np.array_equal(flipped.predict(T), doubled.predict(T))


def test_flat_rows_are_flipped_as_the_images_they_hold():
    images = NTKClassifier(NET, symmetry="flip").fit(X, LABELS)
    rows = NTKClassifier(NET, symmetry="flip", image_shape=(3, 4, 2))
    rows.fit(X.reshape(12, -1), LABELS)
    got = rows.decision_function(T.reshape(5, -1))
    assert np.array_equal(got, images.decision_function(T))


def test_symmetry_is_a_parameter_like_any_other():
    model = NTKRegressor(NET, symmetry="flip")
    assert model.get_params()["symmetry"] == "flip"
    assert clone(model).symmetry == "flip"
    assert clone(model).set_params(symmetry=None).symmetry is None


@pytest.mark.parametrize("Estimator", [NTKRegressor, NTKClassifier])
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"symmetry": "flips"}, "The 'symmetry' parameter of .* must be .*'flip'"),
        ({"symmetry": "flip"}, "needs a network that reads images"),  # the default is dense
        ({"symmetry": "flip", "kernel": "precomputed"}, 'symmetry has no effect with kernel="pre'),
    ],
)
def test_a_symmetry_that_cannot_be_is_refused(Estimator, params, message):
    with pytest.raises(ValueError, match=message):
        Estimator(**params).fit(np.eye(12), LABELS)


def test_a_saved_model_predicts_with_its_symmetry(tmp_path):
    model = make_pipeline(NTKClassifier(NET, symmetry="flip").fit(X, LABELS))
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    assert again[-1].symmetry == "flip"
    assert np.array_equal(again.decision_function(T), model.decision_function(T))
