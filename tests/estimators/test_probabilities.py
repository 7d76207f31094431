"""Probabilities of classes: calibrated, in the order of the scores, and only if asked for."""

import pickle

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score

from ntkreg import (
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressor,
    fully_connected,
    kernel,
    load_model,
    save_model,
)
from ntkreg.solvers.temperature import fit_temperature


@pytest.fixture(params=[2, 3])
def data(request):
    rng = np.random.default_rng(0)
    y = rng.integers(0, request.param, 70)
    centres = np.eye(3)
    return centres[y] + 0.6 * rng.normal(size=(70, 3)), np.array(["b", "a", "c"])[y]


def held_out_scores(model, X, y, weights):
    """Return for each sample the codes of a fit with one less of its weight, by as many fits."""
    alpha = float(model.solver_result_.alpha)
    other = NTKClassifier(fully_connected(3), alpha=alpha, alpha_scale="absolute")
    scores = []
    for i in range(len(X)):
        rest = weights.copy()
        rest[i] = max(rest[i] - 1, 0)
        scores.append(other.fit(X, y, rest).decision_function(X[i : i + 1])[0])
    scores = np.array(scores)
    return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores


def test_the_temperature_is_that_of_scores_of_samples_left_out(data):
    X, y = data
    weights = np.random.default_rng(1).uniform(0.5, 3, len(X))
    model = NTKClassifier(probability=True, alpha=0.05).fit(X, y, weights)
    codes = np.searchsorted(model.classes_, y)
    wanted = fit_temperature(held_out_scores(model, X, y, weights), codes, weights)
    assert model.temperature_ == pytest.approx(wanted, rel=1e-5)
    scores = model.decision_function(X)
    scores = np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
    p = model.predict_proba(X)
    np.testing.assert_allclose(p, softmax(scores / model.temperature_, axis=1), rtol=1e-12)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p, rtol=1e-12)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(model.classes_[p.argmax(axis=1)], model.predict(X))


def test_labels_do_not_change_where_probabilities_are_asked_for(data):
    X, y = data
    plain, asked = (NTKClassifier(probability=p).fit(X, y) for p in (False, True))
    np.testing.assert_allclose(asked.dual_coef_, plain.dual_coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(asked.predict(X), plain.predict(X))


@pytest.mark.parametrize("Estimator", [NTKClassifier, NTKClassifierCV])
def test_a_fit_that_was_not_asked_has_none_and_says_so(data, Estimator):
    X, y = data
    for model in (Estimator(), Estimator().fit(X, y)):
        for name in ("predict_proba", "predict_log_proba"):
            assert not hasattr(model, name)
            with pytest.raises(AttributeError) as caught:
                getattr(model, name)(X)
            assert "needs a fit with probability=True" in str(caught.value.__cause__)
    assert hasattr(Estimator(probability=True), "predict_proba")
    # What counts is the fit, not a parameter set since.
    assert not hasattr(model.set_params(probability=True), "predict_proba")
    assert hasattr(model.fit(X, y), "predict_proba")
    assert not hasattr(model.set_params(probability=False).fit(X, y), "predict_proba")


def test_the_chosen_ridge_has_the_temperature_of_a_fit_at_it(data):
    X, y = data
    for choice in ({}, {"cv": 3}, {"selection": "kare"}):
        chosen = NTKClassifierCV(probability=True, **choice).fit(X, y)
        same = NTKClassifier(probability=True, alpha=chosen.alpha_).fit(X, y)
        assert chosen.temperature_ == pytest.approx(same.temperature_, rel=1e-6)
        np.testing.assert_allclose(chosen.predict_proba(X), same.predict_proba(X), rtol=1e-6)


def test_soft_voting_takes_the_mean_of_probabilities(data):
    X, y = data
    members = [
        ("ntk", NTKClassifier(probability=True)),
        ("forest", RandomForestClassifier(20, random_state=0)),
    ]
    vote = VotingClassifier(members, voting="soft").fit(X, y)
    mean = np.mean([member.predict_proba(X) for member in vote.estimators_], axis=0)
    np.testing.assert_allclose(vote.predict_proba(X), mean)
    np.testing.assert_array_equal(vote.predict(X), vote.classes_[mean.argmax(axis=1)])
    unasked = VotingClassifier([("ntk", NTKClassifier())], voting="soft")
    with pytest.raises(AttributeError, match="predict_proba"):
        unasked.fit(X, y).predict_proba(X)


@pytest.mark.parametrize("probability", [False, True])
def test_scikit_learn_can_calibrate_it_instead(data, probability):
    X, y = data
    model = CalibratedClassifierCV(NTKClassifier(probability=probability), cv=3).fit(X, y)
    assert model.score(X, y) > 0.7
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_probabilities_of_digits_are_better_than_those_of_the_codes_and_not_overconfident():
    X, y = load_digits(return_X_y=True)
    X, y = X / 16, y
    rng = np.random.default_rng(0)
    y = np.where(rng.uniform(size=len(y)) < 0.15, rng.integers(0, 10, len(y)), y)
    model = NTKClassifier(fully_connected(1), probability=True, alpha=0.01).fit(X[:500], y[:500])
    p = model.predict_proba(X[500:])
    loss = log_loss(y[500:], p)
    scores = model.decision_function(X[500:])
    for factor in (0.3, 3):  # sharper and flatter
        other = softmax(scores / (factor * model.temperature_), axis=1)
        assert loss < log_loss(y[500:], other) - 0.05
    # Codes that one temperature suits less, as labels are wrong; sure of less than it gets right.
    assert -0.12 < p.max(axis=1).mean() - model.score(X[500:], y[500:]) < 0
    folds = CalibratedClassifierCV(NTKClassifier(fully_connected(1), alpha=0.01), cv=5)
    assert loss < log_loss(y[500:], folds.fit(X[:500], y[:500]).predict_proba(X[500:])) + 0.01
    scored = cross_val_score(model, X[:200], y[:200], scoring="neg_log_loss", error_score="raise")
    assert (scored > -2).all()


def test_a_precomputed_kernel_has_probabilities(data):
    X, y = data
    K = kernel(fully_connected(3), X)
    direct = NTKClassifier(probability=True).fit(X, y)
    given = NTKClassifier(kernel="precomputed", probability=True).fit(K, y)
    np.testing.assert_allclose(given.predict_proba(K), direct.predict_proba(X), rtol=1e-7)


def test_pickles_and_saved_models_keep_their_temperature(data, tmp_path):
    X, y = data
    model = NTKClassifier(probability=True).fit(X, y)
    save_model(model, tmp_path / "asked")
    for again in (pickle.loads(pickle.dumps(model)), load_model(tmp_path / "asked")):
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    save_model(NTKClassifier().fit(X, y), tmp_path / "plain")
    assert not hasattr(load_model(tmp_path / "plain"), "predict_proba")


@pytest.mark.parametrize("Estimator", [NTKClassifier, NTKClassifierCV])
def test_class_weights_are_weights_of_samples_and_what_far_samples_get(data, Estimator, tmp_path):
    X, y = data
    given = {"a": 2.0, "b": 0.5}
    own = np.random.default_rng(0).uniform(0.5, 2, len(y))
    model = Estimator(class_weight=given).fit(X, y, own)
    weights = own * np.select([y == "a", y == "b"], [2.0, 0.5], 1.0)
    mean = np.average(
        np.eye(len(model.classes_)), axis=0, weights=[2, 0.5, 1][: len(model.classes_)]
    )
    k = len(mean)
    codes = np.eye(k)[np.searchsorted(model.classes_, y)] - mean
    alpha = float(model.solver_result_.alpha)
    same = NTKRegressor(alpha=alpha, alpha_scale="absolute", center_y=False).fit(X, codes, weights)
    wanted = same.predict(X) + mean - 1 / k
    wanted = wanted[:, 1] if k == 2 else wanted
    np.testing.assert_allclose(model.decision_function(X), wanted, atol=1e-9)
    assert (
        model.predict(np.zeros((1, 3))) == "a"
    )  # a dense network without bias knows nothing there
    if Estimator is NTKClassifier:
        save_model(model, tmp_path)
        loaded = load_model(tmp_path).decision_function(X)
        np.testing.assert_array_equal(loaded, model.decision_function(X))


def test_equal_class_weights_are_none(data):
    X, y = data
    plain = NTKClassifier(probability=True).fit(X, y)
    for given in ({}, {"a": 1, "b": 1.0}):
        same = NTKClassifier(class_weight=given, probability=True).fit(X, y)
        np.testing.assert_allclose(same.dual_coef_, plain.dual_coef_, atol=1e-9)
        np.testing.assert_allclose(same.predict_proba(X), plain.predict_proba(X), atol=1e-9)


def test_probabilities_of_whole_weights_are_those_of_repeated_samples(data):
    X, y = data
    weights = np.random.default_rng(0).integers(0, 4, len(y))
    for given in (None, "balanced", {"a": 3.0}):
        model = NTKClassifier(class_weight=given, probability=True)
        one = model.fit(X, y, weights).predict_proba(X)
        other = model.fit(X.repeat(weights, axis=0), y.repeat(weights)).predict_proba(X)
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_balanced_classes_have_the_same_sum_of_weights_repeated_or_weighted(data):
    X, y = data
    X, y = np.concatenate([X, X[y == "a"]]), np.concatenate([y, y[y == "a"]])
    classes, counts = np.unique(y, return_counts=True)
    weights = (len(y) / (len(classes) * counts))[np.searchsorted(classes, y)]
    balanced = NTKClassifier(class_weight="balanced").fit(X, y)
    same = NTKClassifier().fit(X, y, weights)
    np.testing.assert_allclose(balanced.dual_coef_, same.dual_coef_)
    own = np.random.default_rng(0).integers(0, 3, len(y))
    own[:6] = 1  # of every class something
    weighted = NTKClassifier(class_weight="balanced").fit(X, y, own)
    repeated = NTKClassifier(class_weight="balanced").fit(X.repeat(own, axis=0), y.repeat(own))
    np.testing.assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), atol=1e-5
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("even", "'class_weight' parameter of NTKClassifier must be"),
        ({"a": -1}, "class_weight must hold finite numbers >= 0; got -1 for class 'a'"),
        ({"a": np.nan}, "got nan for class 'a'"),
        ({"a": "1"}, "got '1' for class 'a'"),
        ({"A": 1}, "class_weight names 'A', which is no class of y, and leaves out 'a'"),
        ({"a": 1, "b": 0, "c": 0}, "class_weight must leave samples of at least two classes"),
    ],
)
def test_class_weights_that_are_none_are_refused(data, given, message):
    X, y = data
    with pytest.raises(ValueError, match=message):
        NTKClassifier(class_weight=given).fit(X, y)


def test_a_class_that_a_fold_lacks_may_have_a_weight(data):
    X, y = data
    given = {"a": 1.0, "b": 2.0, "c": 1.0, "rare": 5.0}
    NTKClassifier(class_weight=given).fit(X, y)
