"""Ridges and networks chosen on one Gram: what is chosen, why, and what it costs."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.metrics import accuracy_score, log_loss, make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneOut, cross_val_predict

import ntkreg.gram.gram
from ntkreg import (
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
    cntk,
    fully_connected,
    kernel,
)
from ntkreg.errors import NotPSDError, PrecisionWarning
from ntkreg.estimators.alpha_grid import DEFAULT_ALPHAS
from ntkreg.solvers import CholeskySolver, SpectralSolver, solver_for

ALPHAS = [1e-3, 1.0, 0.03]
NETWORK = fully_connected(2, bias_std=0.3)


def _data(n=30, outputs=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    shape = (n,) if outputs is None else (n, outputs)
    return X, 3 + np.sin(X[:, :1] if outputs else X[:, 0]) + 0.3 * rng.normal(size=shape)


def _labels(n=40, classes=3):
    X, y = _data(n)
    return X, np.array(["a", "b", "c"])[np.digitize(y, [2.6, 3.3][: classes - 1])]


def _left_out(model, X, y):
    return cross_val_predict(model, X, y, cv=LeaveOneOut())


@pytest.mark.parametrize("center_y", [False, True])
@pytest.mark.parametrize("outputs", [None, 2])
def test_leave_one_out_is_refitting(center_y, outputs):
    X, y = _data(outputs=outputs)
    model = NTKRegressorCV(
        NETWORK, alphas=ALPHAS, alpha_scale="absolute", center_y=center_y, store_cv_results=True
    ).fit(X, y)
    for i, alpha in enumerate(ALPHAS):
        one = NTKRegressor(NETWORK, alpha=alpha, alpha_scale="absolute", center_y=center_y)
        wanted = (y - _left_out(one, X, y)) ** 2
        np.testing.assert_allclose(model.cv_results_[..., i], wanted, atol=1e-8)
        assert model.scores_[i] == pytest.approx(-wanted.mean(), abs=1e-8)
    assert model.best_score_ == model.scores_.max()
    assert model.alpha_ == ALPHAS[model.scores_.argmax()] == model.best_params_["alpha"]
    assert model.solver_result_.alpha == model.alpha_


def test_after_the_choice_it_is_the_estimator_at_that_ridge():
    X, y = _data(outputs=2)
    model = NTKRegressorCV(NETWORK, alphas=ALPHAS).fit(X, y)
    one = NTKRegressor(NETWORK).set_params(**model.best_params_).fit(X, y)
    np.testing.assert_allclose(model.predict(X + 0.1), one.predict(X + 0.1), rtol=1e-9)
    X, y = _labels()
    model = NTKClassifierCV(NETWORK).fit(X, y)
    one = NTKClassifier(NETWORK, alpha=model.alpha_).fit(X, y)
    np.testing.assert_allclose(
        model.decision_function(X + 0.1), one.decision_function(X + 0.1), atol=1e-9
    )
    assert (model.predict(X) == one.predict(X)).all()


def test_the_default_alphas_are_in_units_of_the_mean_diagonal():
    X, y = _data()
    relative = NTKRegressorCV(NETWORK).fit(X, y)
    absolute = NTKRegressorCV(NETWORK, alpha_scale="absolute").fit(X, y)
    unit = np.mean(kernel(NETWORK, X, diag=True))
    np.testing.assert_array_equal(relative.alphas_, DEFAULT_ALPHAS)
    np.testing.assert_allclose(absolute.alphas_, DEFAULT_ALPHAS * unit)
    assert absolute.alpha_ == pytest.approx(relative.alpha_ * unit)
    assert DEFAULT_ALPHAS[[0, -1]] == pytest.approx([1e-4, 10])


def test_the_same_as_ridge_cv_on_a_linear_kernel():
    X, y = _data(outputs=2)
    weights = np.random.default_rng(1).uniform(0.2, 2, len(X))
    asked = {"alphas": [0.1, 1.0, 10.0], "store_cv_results": True, "alpha_per_target": True}
    theirs = RidgeCV(fit_intercept=False, **asked).fit(X, y, weights)
    ours = NTKRegressorCV(kernel="precomputed", alpha_scale="absolute", center_y=False, **asked)
    ours.fit(X @ X.T, y, weights)
    np.testing.assert_array_equal(ours.alpha_, theirs.alpha_)
    # It weights errors and divides by their number, not by the sum of weights.
    np.testing.assert_allclose(
        weights[:, None, None] * ours.cv_results_, theirs.cv_results_, rtol=1e-6
    )
    np.testing.assert_allclose(ours.best_score_ * weights.sum() / len(X), theirs.best_score_)
    np.testing.assert_allclose(ours.predict(X @ X.T), theirs.predict(X), rtol=1e-7)


def test_the_same_as_ridge_classifier_cv_on_a_linear_kernel():
    X, y = _labels()
    asked = {"alphas": [0.1, 1.0, 10.0]}
    ours = NTKClassifierCV(kernel="precomputed", alpha_scale="absolute", **asked)
    K = X @ X.T
    for cv in (None, 4):
        theirs = RidgeClassifierCV(fit_intercept=False, cv=cv, **asked).fit(X, y)
        if cv:  # codes differ from theirs by a constant, which a fit without intercept sees
            assert ours.set_params(cv=cv).fit(K, y).best_score_ == pytest.approx(
                theirs.best_score_, abs=0.1
            )
        assert ours.fit(K, y).alphas_.tolist() == asked["alphas"]


@pytest.mark.parametrize("cv", [3, KFold(4, shuffle=True, random_state=0), "pairs"])
def test_folds_are_refits_of_the_others_at_the_same_absolute_ridge(cv):
    X, y = _data(outputs=2)
    if cv == "pairs":
        cv = [(np.arange(20), np.arange(20, 30)), (np.arange(10, 30), np.arange(10))]
    model = NTKRegressorCV(NETWORK, alphas=ALPHAS, alpha_scale="absolute", cv=cv).fit(X, y)
    one = NTKRegressor(NETWORK, alpha_scale="absolute")
    grid = GridSearchCV(one, {"alpha": ALPHAS}, cv=cv).fit(X, y)
    np.testing.assert_allclose(model.scores_, grid.cv_results_["mean_test_score"], atol=1e-8)
    assert model.alpha_ == grid.best_params_["alpha"]
    unit = np.mean(kernel(NETWORK, X, diag=True))
    relative = NTKRegressorCV(NETWORK, alphas=np.divide(ALPHAS, unit), cv=cv).fit(X, y)
    np.testing.assert_allclose(relative.scores_, model.scores_, atol=1e-10)


def test_folds_of_labels_are_stratified_and_scored_by_accuracy():
    X, y = _labels()
    model = NTKClassifierCV(NETWORK, alphas=ALPHAS, alpha_scale="absolute", cv=4).fit(X, y)
    one = NTKClassifier(NETWORK, alpha_scale="absolute")
    grid = GridSearchCV(one, {"alpha": ALPHAS}, cv=4).fit(X, y)
    np.testing.assert_allclose(model.scores_, grid.cv_results_["mean_test_score"])


def test_groups_stay_together():
    X, y = _data()
    groups = np.arange(30) // 5
    model = NTKRegressorCV(NETWORK, alphas=ALPHAS, alpha_scale="absolute", cv=GroupKFold(3))
    one = NTKRegressor(NETWORK, alpha_scale="absolute")
    grid = GridSearchCV(one, {"alpha": ALPHAS}, cv=GroupKFold(3)).fit(X, y, groups=groups)
    found = model.fit(X, y, groups=groups).scores_
    np.testing.assert_allclose(found, grid.cv_results_["mean_test_score"], atol=1e-8)


@pytest.mark.parametrize("scoring", ["r2", make_scorer(r2_score), lambda e, X, y: r2_score(y, X)])
def test_a_scorer_gets_the_values_left_out(scoring):
    X, y = _data(outputs=2)
    model = NTKRegressorCV(
        NETWORK, alphas=[0.1], alpha_scale="absolute", scoring=scoring, store_cv_results=True
    ).fit(X, y, np.ones(30))
    wanted = _left_out(NTKRegressor(NETWORK, alpha=0.1, alpha_scale="absolute"), X, y)
    np.testing.assert_allclose(model.cv_results_[..., 0], wanted, atol=1e-8)
    assert model.best_score_ == pytest.approx(r2_score(y, wanted))


@pytest.mark.parametrize("classes", [2, 3])
def test_a_scorer_of_labels_gets_labels(classes):
    X, y = _labels(classes=classes)
    one = NTKClassifier(NETWORK, alpha=0.1, alpha_scale="absolute")
    model = NTKClassifierCV(NETWORK, alphas=[0.1], alpha_scale="absolute", scoring="accuracy")
    wanted = accuracy_score(y, _left_out(one, X, y))
    assert model.fit(X, y).best_score_ == pytest.approx(wanted)
    model.set_params(scoring="f1" if classes == 2 else "f1_macro")
    if classes == 2:
        with pytest.raises(ValueError, match="pos_label"):
            model.fit(X, y)
        y = (y == "a").astype(int)
    assert 0.2 < model.fit(X, y).best_score_ <= 1


def test_scores_are_weighted_where_a_scorer_takes_weights():
    X, y = _data()
    weights = np.where(np.arange(30) < 3, 1.0, 1e-9)
    model = NTKRegressorCV(NETWORK, alphas=[0.1], store_cv_results=True).fit(X, y, weights)
    assert -model.best_score_ == pytest.approx(model.cv_results_[:3].mean(), rel=1e-6)
    model.set_params(scoring="neg_mean_squared_error").fit(X, y, weights)
    wrong = (model.cv_results_[:3, 0] - y[:3]) ** 2
    assert -model.best_score_ == pytest.approx(wrong.mean(), rel=1e-6)


def test_each_target_has_its_own_ridge():
    X, y = _data(60, outputs=2)
    y[:, 1] = np.random.default_rng(5).normal(size=60)  # nothing but noise
    model = NTKRegressorCV(NETWORK, alpha_per_target=True).fit(X, y)
    assert model.alpha_[1] > model.alpha_[0]
    assert model.best_score_.shape == (2,)
    assert model.scores_.shape == (11, 2)
    for k in range(2):
        one = NTKRegressorCV(NETWORK).fit(X, y[:, k])
        assert one.alpha_ == model.alpha_[k]
        np.testing.assert_allclose(one.predict(X), model.predict(X)[:, k], rtol=1e-8)
    folds = NTKRegressorCV(NETWORK, alpha_per_target=True, cv=3).fit(X, y)
    assert folds.alpha_.shape == (2,)


@pytest.mark.parametrize("selection", ["kare", "marginal_likelihood"])
def test_criteria_without_held_out_samples_choose_as_leaving_out_does(selection):
    X, y = _data(80, outputs=2, seed=1)
    model = NTKRegressorCV(NETWORK, selection=selection).fit(X, y)
    loo = NTKRegressorCV(NETWORK).fit(X, y)
    assert abs(np.log10(model.alpha_ / loo.alpha_)) <= 1
    assert model.best_score_ == model.scores_.max()
    assert 0 < model.scores_.argmax() < 10  # neither the least nor the greatest ridge
    assert NTKClassifierCV(NETWORK, selection=selection).fit(*_labels()).score(*_labels()) > 0.7


def test_variants_come_from_one_pass_and_the_best_is_kept(monkeypatch):
    passes, compute = [], ntkreg.gram.gram._compute_in_memory
    monkeypatch.setattr(
        ntkreg.gram.gram, "_compute_in_memory", lambda *a: passes.append(1) or compute(*a)
    )
    X, y = _data()
    variants = [{"depth": 1}, {"depth": 4}, {"depth": 2, "train_last": False}]
    model = NTKRegressorCV(NETWORK, variants=variants, store_cv_results=True).fit(X, y)
    assert len(passes) == 1
    each = [NTKRegressorCV(NETWORK.replace(**v), store_cv_results=True).fit(X, y) for v in variants]
    best = int(np.argmax([one.best_score_ for one in each]))
    np.testing.assert_allclose(model.scores_, [one.scores_ for one in each], rtol=1e-9)
    np.testing.assert_allclose(model.cv_results_, [one.cv_results_ for one in each], rtol=1e-6)
    assert model.architecture_ == NETWORK.replace(**variants[best])
    assert model.best_score_ == pytest.approx(each[best].best_score_)
    np.testing.assert_allclose(model.predict(X + 1), each[best].predict(X + 1), rtol=1e-9)
    one = NTKRegressor(NETWORK).set_params(**model.best_params_).fit(X, y)
    np.testing.assert_allclose(model.predict(X + 1), one.predict(X + 1), rtol=1e-9)
    worst = NTKRegressorCV(NETWORK, variants=[variants[best], variants[best - 1]]).fit(X, y)
    assert worst.architecture_ == model.architecture_


def test_read_outs_of_images_are_chosen_among():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 4, 4, 1))
    y = X.mean(axis=(1, 2, 3)) > 0
    variants = [{"readout": "flatten"}, {"readout": "gap"}]
    model = NTKClassifierCV(cntk(2), variants=variants, selection="kare").fit(X, y)
    assert model.best_params_["architecture__readout"] in ("flatten", "gap")
    assert model.scores_.shape == (2, 11)


def test_a_precomputed_kernel_is_the_same():
    X, y = _data()
    K = kernel(NETWORK, X)
    for cv in (None, 3):
        ours = NTKRegressorCV(kernel="precomputed", cv=cv).fit(K, y)
        wanted = NTKRegressorCV(NETWORK, cv=cv).fit(X, y)
        assert ours.alpha_ == wanted.alpha_
        np.testing.assert_allclose(ours.predict(K), wanted.predict(X), rtol=1e-9)


def test_ridges_that_are_too_small_are_left_out_and_told():
    X, y = _data()
    K = kernel(NETWORK, X)
    K -= 0.1 * np.eye(len(K))  # eigenvalues down to -0.1
    for cv in (None, 3):
        model = NTKRegressorCV(kernel="precomputed", alpha_scale="absolute", cv=cv)
        model.set_params(alphas=[1e-3, 2e-3, 50.0])
        with pytest.warns(PrecisionWarning, match="2 of 3 alphas, up to 0.002, are too small") as w:
            model.fit(K, y)
        assert model.alpha_ == 50.0
        assert w[0].filename == __file__
        assert np.isneginf(model.scores_[:2]).all()
        with pytest.raises(NotPSDError, match="Raise alpha"):
            model.set_params(alphas=[1e-3]).fit(K, y)


def test_weights_of_zero_are_as_without_the_samples():
    X, y = _data()
    weights = np.arange(30) % 3
    model = NTKRegressorCV(NETWORK).fit(X, y, weights)
    wanted = NTKRegressorCV(NETWORK).fit(X[weights > 0], y[weights > 0], weights[weights > 0])
    np.testing.assert_allclose(model.scores_, wanted.scores_, rtol=1e-8)


def test_constant_targets_have_a_fit():
    X, _ = _data()
    for selection in ("cv", "kare", "marginal_likelihood"):
        model = NTKRegressorCV(NETWORK, selection=selection).fit(X, np.full(30, 2.0))
        np.testing.assert_allclose(model.predict(X), 2.0)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"alphas": [-1.0]}, r"NTKRegressorCV: alphas must be finite numbers >= 0.*\[-1.0\]"),
        ({"alphas": []}, r"alphas must be finite numbers >= 0, at least one"),
        ({"alphas": [np.nan]}, r"alphas must be finite numbers"),
        ({"alphas": ["1"]}, r"alphas must be finite numbers"),
        ({"alphas": [[1.0]]}, r"alphas must be finite numbers"),
        ({"alphas": np.ma.masked_array([1.0, 2.0], [0, 1])}, r"alphas is a masked array"),
        ({"selection": "aic"}, r"'selection' parameter of NTKRegressorCV must be"),
        ({"selection": "kare", "cv": 3}, r'cv has no effect with selection="kare"'),
        ({"selection": "kare", "scoring": "r2"}, r"scoring has no effect"),
        ({"store_cv_results": True, "cv": 3}, r"store_cv_results=True keeps leave-one-out"),
        ({"variants": []}, r"variants must hold at least one mapping"),
        ({"variants": [{"width": 3}]}, r"has no option 'width'"),
        ({"kernel": "precomputed", "variants": [{"depth": 1}]}, r"variants has no effect"),
        ({"scoring": "r3"}, r"'scoring' parameter of NTKRegressorCV must be"),
        ({"cv": 1}, r"n_splits"),
    ],
)
def test_bad_parameters_are_named(changed, match):
    X, y = _data()
    with pytest.raises(ValueError, match=match):
        NTKRegressorCV(**changed).fit(X @ X.T, y)


def test_scorers_that_need_probabilities_say_so():
    scoring = make_scorer(log_loss, response_method="predict_proba")
    for asked in (scoring, "neg_log_loss", lambda model, X, y: model.predict_proba(X)):
        with pytest.raises(AttributeError, match=r"^NTKClassifierCV: scoring asks.*predict_proba"):
            NTKClassifierCV(NETWORK, scoring=asked).fit(*_labels())


@pytest.mark.parametrize("score", [None, "good", [1.0, 2.0]])
def test_a_score_that_is_no_number_is_refused(score):
    with pytest.raises(ValueError, match="NTKRegressorCV: scoring must return one number; got"):
        NTKRegressorCV(NETWORK, scoring=lambda *given: score).fit(*_data())


def test_of_equal_scores_the_first_alpha_wins():
    for cv in (None, 2):
        model = NTKRegressorCV(NETWORK, alphas=ALPHAS, cv=cv, scoring=lambda *given: 1.0)
        assert model.fit(*_data()).alpha_ == ALPHAS[0]


def test_groups_without_a_splitter_are_refused():
    X, y = _data()
    for selection in ("cv", "kare"):
        with pytest.raises(ValueError, match=r"groups has no effect with cv=None.*GroupKFold"):
            NTKRegressorCV(NETWORK, selection=selection).fit(X, y, groups=np.arange(30) // 2)


def test_it_can_be_cloned_and_searched():
    X, y = _data()
    model = NTKRegressorCV(NETWORK, alphas=ALPHAS)
    assert clone(model).get_params()["alphas"] == ALPHAS
    grid = GridSearchCV(model, {"architecture__depth": [1, 3]}, cv=2).fit(X, y)
    assert grid.best_estimator_.alpha_ in ALPHAS


def test_the_solver_is_chosen_by_what_it_costs():
    assert solver_for(1) is solver_for(6) is CholeskySolver
    assert solver_for(7) is SpectralSolver
    assert solver_for(7, np.array([1.0, 0.0, 1e3])) is SpectralSolver
    assert solver_for(7, np.array([1.0, 0.0, 1e9])) is CholeskySolver
    X, y = _data(60)
    K = kernel(NETWORK, X)
    for alpha in ALPHAS:
        a, b = (kind(K).leave_one_out(y, alpha=alpha) for kind in (CholeskySolver, SpectralSolver))
        np.testing.assert_allclose(a.errors, b.errors, atol=1e-9)
