"""Finite networks as estimators: what they train, predict and refuse."""

import pickle

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from ntkreg import FiniteNetworkClassifier, FiniteNetworkRegressor, cntk, fully_connected
from ntkreg.errors import DivergenceError, ShapeError, SpecError
from ntkreg.estimators import OPTIMIZERS
from ntkreg.finite import Training, finite_network, stable_learning_rate, train
from ntkreg.finite.optimizers import OPTIMIZERS as TRAINED

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3))
Y = 50 * X[:, 0] + 7
LABELS = np.array(["ant", "bee", "cow"])[np.arange(12) % 3]
SMALL = {"width": 32, "n_networks": 2, "n_steps": 20, "random_state": 0}
BOTH = pytest.mark.parametrize("Estimator", [FiniteNetworkRegressor, FiniteNetworkClassifier])


def regressor(**changes):
    return FiniteNetworkRegressor(fully_connected(1), **{**SMALL, **changes})


def classifier(**changes):
    return FiniteNetworkClassifier(fully_connected(1), **{**SMALL, **changes})


@pytest.fixture(scope="module")
def fitted():
    return regressor().fit(X, Y)


@pytest.fixture(scope="module")
def softmax_model():
    return classifier(loss="cross_entropy", learning_rate=0.3).fit(X, LABELS)


def test_it_trains_the_networks_that_train_gives_for_its_seeds(fitted):
    network = finite_network(fully_connected(1), (3,), width=32)
    training = Training(fitted.learning_rate_, 20, "momentum")
    y = (Y - Y.mean()) / Y.std()
    run = train(network, training, X, y, seeds=fitted.seeds_.tolist(), dtype=np.float64)
    expected = run.predict(X)[:, :, 0] * Y.std() + Y.mean()
    np.testing.assert_allclose(fitted.predict_networks(X), expected, rtol=1e-12)
    np.testing.assert_allclose(fitted.predict(X), expected.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(fitted.loss_curve_, run.observed["loss"], rtol=1e-12)
    assert fitted.loss_steps_[-1] == fitted.n_steps_ == 20


def test_auto_is_a_tenth_of_the_least_stable_rate_of_its_networks(fitted):
    network = fitted.network_
    starts = [network.init(int(seed), np.float64) for seed in fitted.seeds_]
    bounds = [stable_learning_rate(network, p, X, Training(1, 1, "momentum")) for p in starts]
    assert bounds[0] != pytest.approx(bounds[1], rel=0.01)
    # Rounding moves the round at which the power iteration stops.
    assert fitted.learning_rate_ == pytest.approx(min(bounds) / 10, rel=1e-3)


def test_networks_differ_and_their_mean_is_predicted(fitted):
    each = fitted.predict_networks(X)
    assert np.abs(each[0] - each[1]).max() > 0.1
    np.testing.assert_allclose(fitted.predict(X), each.mean(axis=0))


def test_predictions_follow_the_unit_and_the_origin_of_y(fitted):
    other = regressor().fit(X, 1000 * Y - 5)
    np.testing.assert_allclose(other.predict(X), 1000 * fitted.predict(X) - 5, rtol=1e-8)


def test_several_targets_keep_their_axis_and_constant_ones_their_value():
    y = np.column_stack([Y, np.full(12, 3.0)])
    model = regressor().fit(X, y)
    assert model.predict(X[:4]).shape == (4, 2)
    np.testing.assert_allclose(model.y_scale_, [Y.std(), 1.0])
    np.testing.assert_allclose(model.predict(X)[:, 1], 3.0, atol=2.0)


def test_a_random_state_repeats_the_networks_and_another_one_draws_others(fitted):
    np.testing.assert_array_equal(regressor().fit(X, Y).predict(X), fitted.predict(X))
    other = regressor(random_state=1).fit(X, Y)
    assert not set(other.seeds_) & set(fitted.seeds_)
    state = np.random.RandomState(0)
    first, second = (regressor(random_state=state).fit(X, Y).seeds_ for _ in range(2))
    assert not np.array_equal(first, second)


def test_pickles_hold_numpy_and_predict_the_same_bits(fitted):
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))
    assert all(type(value) is np.ndarray for layer in copy.params_ for value in layer.values())


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_arithmetic_follows_the_dtype_of_x_and_predictions_are_float64(dtype):
    pixels = RNG.integers(0, 200, size=(12, 3)).astype(dtype)
    model = regressor(n_steps=1, learning_rate=1e-6).fit(pixels, Y)
    wanted = np.float64 if dtype is np.float64 else np.float32
    assert model.params_[0]["w"].dtype == wanted
    assert model.predict(pixels).dtype == np.float64


def test_black_inputs_are_fitted_by_the_mean():
    model = regressor().fit(np.zeros((12, 3)), Y)
    np.testing.assert_allclose(model.predict(np.zeros((2, 3))), Y.mean())


def test_squared_loss_codes_labels_as_the_kernel_classifier_does():
    model = classifier(learning_rate=0.3).fit(X, LABELS)
    targets = np.eye(3)[np.arange(12) % 3] - 1 / 3
    training = Training(0.3, 20, "momentum")
    seeds = model.seeds_.tolist()
    run = train(model.network_, training, X, targets, seeds=seeds, dtype=np.float64)
    np.testing.assert_allclose(model.decision_function(X), run.predict(X).mean(0), rtol=1e-10)
    assert list(model.classes_) == ["ant", "bee", "cow"]
    votes = model.classes_[run.predict(X).argmax(axis=-1)]
    np.testing.assert_array_equal(model.predict_networks(X), votes)
    assert not hasattr(model, "predict_proba")


def test_two_classes_have_one_output_with_the_sign_of_the_second():
    y = np.arange(12) % 2
    model = classifier(n_steps=100).fit(X, y)
    assert model.network_.n_outputs == 1
    values = model.decision_function(X)
    np.testing.assert_array_equal(model.predict(X), values > 0)
    np.testing.assert_array_equal(model.predict_networks(X).shape, (2, 12))
    assert np.corrcoef(values, y)[0, 1] > 0.3


def test_probabilities_are_the_mean_of_those_of_the_networks(softmax_model):
    model = softmax_model
    outputs = model.network_.predict_seeds(model.params_, X)
    expected = softmax(outputs, axis=-1).mean(axis=0)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-10)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(expected), rtol=1e-9)
    np.testing.assert_allclose(model.decision_function(X), np.log(expected), rtol=1e-9)
    np.testing.assert_array_equal(model.predict(X), model.classes_[expected.argmax(axis=1)])
    assert model.loss_curve_[-1].max() < model.loss_curve_[0].min()


def test_a_loss_that_was_changed_after_the_fit_gives_no_probabilities(softmax_model):
    model = classifier(learning_rate=0.3).fit(X, LABELS).set_params(loss="cross_entropy")
    with pytest.raises(ValueError, match=r"fitted with loss='squared'.*Fit again"):
        model.predict_proba(X)


def test_flat_rows_and_images_are_the_same_to_an_image_network():
    images = RNG.normal(size=(6, 2, 2, 1))
    settings = SMALL | {"learning_rate": 0.1, "n_steps": 3}
    flat = FiniteNetworkRegressor(cntk(1, "flatten"), image_shape=(2, 2, 1), **settings)
    flat.fit(images.reshape(6, 4), Y[:6])
    whole = FiniteNetworkRegressor(cntk(1, "flatten"), **settings).fit(images, Y[:6])
    np.testing.assert_array_equal(flat.predict(images.reshape(6, 4)), whole.predict(images))
    assert whole.n_features_in_ == 4
    with pytest.raises(ShapeError, match=r"samples of shape \(1, 4, 1\).*fitted on.*\(2, 2, 1\)"):
        whole.predict(images.reshape(6, 1, 4, 1))


def test_the_depth_of_the_recipe_is_searched():
    model = regressor(n_steps=2, learning_rate=0.1)
    search = GridSearchCV(model, {"architecture__depth": [1, 2]}, cv=2, refit=False)
    scores = search.fit(np.vstack([X, X]), np.hstack([Y, Y])).cv_results_["mean_test_score"]
    # One fold trains on the rows that the other one tests: the first score is that of `model`.
    assert scores[0] == pytest.approx(model.fit(X, Y).score(X, Y))
    assert abs(scores[0] - scores[1]) > 1e-3
    assert clone(model).set_params(architecture__depth=2).architecture == fully_connected(2)
    assert model.architecture == fully_connected(1)


def test_batches_and_the_optimisers_own_settings_reach_the_training():
    settings = {"learning_rate": 0.01, "n_steps": 4}
    whole = regressor(**settings).fit(X, Y)
    batches = regressor(**settings, batch_size=5).fit(X, Y)
    plain = regressor(**settings, optimizer_options={"momentum": 0.0}).fit(X, Y)
    assert np.abs(whole.predict(X) - batches.predict(X)).max() > 1e-6
    assert np.abs(whole.predict(X) - plain.predict(X)).max() > 1e-6


def test_the_known_optimisers_are_those_of_training():
    assert {name: not o.normalized for name, o in TRAINED.items()} == OPTIMIZERS


def test_a_rate_that_is_too_high_is_named():
    with pytest.raises(DivergenceError, match=r"FiniteNetworkRegressor: .*diverged.*stable bound"):
        regressor(learning_rate=1e4).fit(X, Y)


@BOTH
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"optimizer": "adam"}, ValueError, 'learning_rate="auto".*adam.*Give a number'),
        ({"optimizer": "Adam"}, ValueError, "'optimizer' parameter"),
        ({"optimizer": "sgd"}, SpecError, "sgd needs a batch_size"),
        ({"batch_size": 13, "learning_rate": 1.0}, SpecError, "batch_size is 13.* 12 samples"),
        ({"optimizer_options": {"b1": 0.5}}, SpecError, "momentum has no option 'b1'"),
        ({"width": [4, 4]}, SpecError, "one number for each of the 1 hidden"),
        ({"width": 0}, ValueError, "'width' parameter"),
        ({"learning_rate": 0}, ValueError, "'learning_rate' parameter"),
        ({"n_networks": 0}, ValueError, "'n_networks' parameter"),
        ({"architecture": "cntk"}, ValueError, "'architecture' parameter"),
        ({"architecture": cntk(1)}, ShapeError, r"reads images.*\(12, 3\).*image_shape"),
        ({"image_shape": (2, 2, 1)}, ShapeError, "X has 3 features"),
        ({"dtype": "float16"}, ValueError, "'dtype' parameter"),
    ],
)
def test_settings_that_make_no_sense_are_refused(Estimator, changes, error, message):
    model = Estimator(**{"architecture": fully_connected(1), **SMALL, **changes})
    with pytest.raises(error, match=message):
        model.fit(X, np.arange(12) % 2)


@BOTH
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.full((12, 3), np.nan), "NaN"),
        (np.full((12, 3), np.inf), "infinity"),
        (np.empty((0, 3)), "0 sample"),
        (np.zeros(12), "2D array"),
        (np.zeros((12, 3, 3)), "Grey images need a channel axis"),
        (np.zeros((11, 3)), "inconsistent numbers"),
    ],
)
def test_rows_that_are_none_are_refused(Estimator, rows, message):
    with pytest.raises(ValueError, match=message):
        Estimator(fully_connected(1), **SMALL).fit(rows, np.arange(12) % 2)


def test_one_class_and_an_early_prediction_are_refused(fitted):
    with pytest.raises(ValueError, match=r"at least two classes; got 1 class: .*'ant'"):
        classifier().fit(X, ["ant"] * 12)
    with pytest.raises(NotFittedError):
        regressor().predict(X)
    with pytest.raises(ValueError, match="3 features"):
        fitted.predict(X[:, :2])


@BOTH
def test_training_stops_when_every_network_has_fitted(Estimator):
    y = (X[:, 0] > np.median(X[:, 0])).astype(int)
    settings = {**SMALL, "n_steps": 300}
    whole = Estimator(fully_connected(1), **settings, tol=0).fit(X, y)
    model = Estimator(fully_connected(1), **settings, tol=0.2).fit(X, y)
    assert whole.n_steps_ == whole.loss_steps_[-1] == 300
    assert 1 < model.n_steps_ == model.loss_steps_[-1] < 300
    # Up to there it is the same run.
    silent = 0.5 if Estimator is FiniteNetworkRegressor else 0.125  # variance 1, labels ±1/2
    above = whole.loss_curve_.max(axis=1) >= 0.2 * silent
    np.testing.assert_array_equal(model.loss_curve_, whole.loss_curve_[: above.argmin() + 1])
    assert model.loss_curve_[-1].max() < 0.2 * silent <= model.loss_curve_[-2].max()


def test_networks_of_images_are_narrower_unless_a_width_is_given():
    images = RNG.normal(size=(6, 2, 2, 1))
    settings = {"n_networks": 1, "n_steps": 0, "random_state": 0}
    model = FiniteNetworkRegressor(cntk(1, "flatten"), **settings).fit(images, Y[:6])
    assert model.network_.init(0)[0]["w"].shape[-1] == 32
    model = FiniteNetworkRegressor(fully_connected(1), **settings).fit(X, Y)
    assert model.network_.init(0)[0]["w"].shape[-1] == 128
    model = FiniteNetworkRegressor(cntk(1, "flatten"), width=8, **settings).fit(images, Y[:6])
    assert model.network_.init(0)[0]["w"].shape[-1] == 8


def test_a_model_pickled_before_there_was_a_tol_is_whole():
    model = FiniteNetworkRegressor(fully_connected(1), width=4, n_steps=1, n_networks=1)
    state = model.__getstate__()
    del state["tol"]
    old = FiniteNetworkRegressor.__new__(FiniteNetworkRegressor)
    old.__setstate__(state)
    assert old.get_params()["tol"] == 0
    assert "FiniteNetworkRegressor" in repr(clone(old))


WEIGHTS = np.array([1, 2, 0, 1, 3, 1, 1, 0, 2, 1, 1, 1])


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
@pytest.mark.parametrize("optimizer", ["gradient_descent", "momentum"])
def test_a_weight_counts_as_the_sample_repeated(optimizer, loss):
    times = np.repeat(np.arange(12), WEIGHTS)
    order = np.random.default_rng(5).permutation(12)
    model = classifier(loss=loss, optimizer=optimizer)
    found = clone(model).fit(X[order], LABELS[order], WEIGHTS[order])
    wanted = clone(model).fit(X[times], LABELS[times])
    assert found.learning_rate_ == pytest.approx(wanted.learning_rate_, rel=1e-12)
    np.testing.assert_allclose(found.decision_function(X), wanted.decision_function(X), rtol=1e-9)
    np.testing.assert_allclose(found.loss_curve_, wanted.loss_curve_, rtol=1e-9)


def test_targets_are_standardised_by_weighted_means():
    times = np.repeat(np.arange(12), WEIGHTS)
    found, wanted = regressor().fit(X, Y, WEIGHTS), regressor().fit(X[times], Y[times])
    assert found.y_mean_ == pytest.approx(Y[times].mean())
    assert found.y_scale_ == pytest.approx(Y[times].std())
    np.testing.assert_allclose(found.predict(X), wanted.predict(X), rtol=1e-9)


@pytest.mark.parametrize("batch_size", [None, 4])
def test_weights_of_zero_drop_samples_and_equal_ones_change_no_bit(batch_size):
    model = regressor(batch_size=batch_size)
    shown = WEIGHTS > 0
    dropped = clone(model).fit(X[shown], Y[shown]).predict(X)
    assert np.array_equal(clone(model).fit(X, Y, 0.3 * shown).predict(X), dropped)


def test_weights_of_classes_multiply_those_of_samples():
    of_class = {"bee": 3.0, "cow": 0.5}
    own = np.array([of_class.get(label, 1.0) for label in LABELS])
    found = classifier(class_weight=of_class).fit(X, LABELS, WEIGHTS)
    wanted = classifier().fit(X, LABELS, WEIGHTS * own)
    assert np.array_equal(found.decision_function(X), wanted.decision_function(X))
    balanced = classifier(class_weight="balanced").fit(X, LABELS, WEIGHTS)
    sums = {label: WEIGHTS[label == LABELS].sum() for label in set(LABELS)}
    wanted = classifier().fit(
        X, LABELS, [w / sums[c] for w, c in zip(WEIGHTS, LABELS, strict=True)]
    )
    np.testing.assert_allclose(balanced.decision_function(X), wanted.decision_function(X))


@BOTH
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([-1.0] + 11 * [1.0], "sample_weight must be >= 0"),
        ([np.nan] + 11 * [1.0], "sample_weight contains NaN"),
        (["heavy"] * 12, "sample_weight must be numbers, one a sample; got text"),
        (np.zeros(12), "not zero everywhere"),
        (np.ones(11), r"sample_weight must have shape \(12,\)"),
        ([1.0] + 11 * [0.0], "at least two classes|12 samples have a positive"),
    ],
)
def test_weights_that_are_none_are_refused(Estimator, weights, message):
    model = Estimator(fully_connected(1), batch_size=4)
    with pytest.raises(ValueError, match=message):
        model.fit(X, LABELS if Estimator is FiniteNetworkClassifier else Y, weights)


def test_weights_are_routed_through_a_search():
    with config_context(enable_metadata_routing=True):
        model = (
            regressor().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        )
        search = GridSearchCV(model, {"tol": [0.5]}, cv=2).fit(X, Y, sample_weight=WEIGHTS)
    wanted = regressor(tol=0.5).fit(X, Y, WEIGHTS)
    assert np.array_equal(search.predict(X), wanted.predict(X))
