"""Metadata given to a fit that chooses reach scorer and splitter, as in scikit-learn."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import RidgeCV
from sklearn.metrics import get_scorer, make_scorer
from sklearn.model_selection import GroupKFold, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntkreg import NTKClassifierCV, NTKRegressorCV

ALPHAS = [0.1, 1.0, 10.0]
N = 24


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 3))
    return X, X[:, 0] + rng.normal(size=N), rng.uniform(0.1, 3, size=N), np.arange(N) % 4


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def _pair(X, **params):
    """Ours on a linear kernel and RidgeCV, which are one model."""
    shared = {"alphas": ALPHAS, **params}
    ours = NTKRegressorCV(kernel="precomputed", alpha_scale="absolute", center_y=False, **shared)
    return (ours, X @ X.T), (RidgeCV(fit_intercept=False, **shared), X)


def test_without_routing_other_metadata_are_refused_as_by_ridge(data):
    X, y, _, _ = data
    for model, Z in _pair(X):
        with pytest.raises(ValueError, match="enable_metadata_routing=True"):
            model.fit(Z, y, price=np.ones(N))


@pytest.mark.parametrize(
    ("scoring", "cv"),
    # With neither, RidgeCV's score is no weighted mean: it squares errors times roots of weights.
    [("neg_mean_absolute_error", None), ("neg_mean_absolute_error", KFold(3)), (None, KFold(3))],
)
def test_weights_reach_the_scorer_that_asks_for_them(data, routing, scoring, cv):
    X, y, weights, _ = data
    if scoring is not None:
        scoring = get_scorer(scoring).set_score_request(sample_weight=True)
    (ours, K), (ridge, _) = _pair(X, scoring=scoring, cv=cv)
    ours.fit(K, y, sample_weight=weights)
    ridge.fit(X, y, sample_weight=weights)
    assert ours.alpha_ == ridge.alpha_
    assert ours.best_score_ == pytest.approx(ridge.best_score_, rel=1e-8)


def test_weights_do_not_reach_the_scorer_that_does_not_want_them(data, routing):
    X, y, weights, _ = data
    found = []
    for asked in (False, True):
        scorer = get_scorer("neg_mean_absolute_error")
        scorer.set_score_request(sample_weight=asked)
        (ours, K), (ridge, _) = _pair(X, scoring=scorer)
        found.append(ours.fit(K, y, sample_weight=weights).best_score_)
        assert found[-1] == pytest.approx(ridge.fit(X, y, weights).best_score_, rel=1e-8)
    assert abs(found[0] - found[1]) > 1e-3


def test_a_scorer_that_does_not_say_is_an_error_as_with_ridge(data, routing):
    X, y, weights, _ = data
    for model, Z in _pair(X, scoring="r2"):
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            model.fit(Z, y, sample_weight=weights)


@pytest.mark.parametrize("routed", [False, True])
def test_groups_reach_the_splitter(data, routed):
    X, y, _, groups = data
    (ours, K), (ridge, _) = _pair(X, cv=GroupKFold(4), scoring="neg_mean_squared_error")
    with config_context(enable_metadata_routing=routed):
        ours.fit(K, y, groups=groups)
    with config_context(enable_metadata_routing=True):
        ridge.fit(X, y, groups=groups)
    assert ours.best_score_ == pytest.approx(ridge.best_score_, rel=1e-8)


def test_metadata_that_nobody_asks_for_are_refused(data, routing):
    X, y, _, groups = data
    for model, Z in _pair(X, cv=KFold(3)):
        with pytest.raises(TypeError, match=r"unexpected argument.*groups"):
            model.fit(Z, y, groups=groups)


def _cost(y, predicted, price, rate):
    assert len(price) == len(y)
    return rate * np.average((y - predicted) ** 2, weights=price)


@pytest.mark.parametrize("cv", [None, KFold(3)])
def test_a_scorers_own_metadata_reach_it_row_by_row(data, routing, cv):
    X, y, price, _ = data
    scorer = make_scorer(_cost, greater_is_better=False).set_score_request(price=True, rate=True)
    scores = []
    for model, Z in _pair(X, scoring=scorer, cv=cv):
        model.fit(Z, y, price=price, rate=2.0)
        scores.append((model.alpha_, model.best_score_))
    assert scores[0] == pytest.approx(scores[1], rel=1e-8)


def test_labels_and_a_pipeline_within_cross_validation(data, routing):
    X, y, weights, groups = data
    scorer = get_scorer("accuracy").set_score_request(sample_weight=True)
    model = NTKClassifierCV(cv=GroupKFold(2), scoring=scorer, alphas=ALPHAS)
    model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    found = cross_validate(
        make_pipeline(scaler, model),
        X,
        np.where(y > 0, "up", "down"),
        cv=GroupKFold(2),
        scoring=scorer,
        params={"sample_weight": weights, "groups": groups},
        error_score="raise",
        return_estimator=True,
    )
    for pipeline in found["estimator"]:
        assert 0 < pipeline[-1].best_score_ <= 1
