"""Estimators stopped in training, against neural-tangents, explicit descent and the ridge."""

import json
import pickle

import jax
import numpy as np
import pytest

from ntkreg import NTKClassifier, NTKRegressor, fully_connected, kernel, load_model, save_model
from ntkreg.errors import SpecError
from ntkreg.kernels import import_neural_tangents

NETWORK = fully_connected(2, bias_std=0.2)
PLAIN = {"alpha_scale": "absolute", "center_y": False}


def _data(n=25, outputs=None):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 4)), rng.normal(size=(n,) if outputs is None else (n, outputs))


@pytest.mark.parametrize("outputs", [None, 1, 3])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_a_time_is_that_of_neural_tangents(outputs, alpha):
    X, y = _data(outputs=outputs)
    X_test = X[:7] + 0.3
    K, K_test = kernel(NETWORK, X), kernel(NETWORK, X_test, X)
    nt = import_neural_tangents()
    jax_before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        predict = nt.predict.gradient_descent_mse(
            K, y.reshape(len(y), -1), diag_reg=alpha, diag_reg_absolute_scale=True
        )
        for t in (0.0, 0.7, 60.0, 1e4):
            zero = np.zeros((len(y), y.size // len(y)))
            _, wanted = predict(t, zero, zero[:7], K_test)
            model = NTKRegressor(NETWORK, alpha=alpha, train_time=t, **PLAIN).fit(X, y)
            found = model.predict(X_test)
            np.testing.assert_allclose(found, np.reshape(wanted, found.shape), atol=1e-6)
    finally:
        jax.config.update("jax_enable_x64", jax_before)


def test_steps_are_an_explicit_loop():
    X, y = _data(outputs=3)
    K, alpha, steps = kernel(NETWORK, X), 0.1, 40
    rate = y.size / np.linalg.eigvalsh(K)[-1]
    coef = np.zeros_like(y)
    for _ in range(steps):
        coef -= rate / y.size * (K @ coef + alpha * coef - y)
    asked = {"alpha": alpha, "train_steps": steps, **PLAIN}
    model = NTKRegressor(NETWORK, learning_rate=rate, **asked).fit(X, y)
    np.testing.assert_allclose(model.dual_coef_, coef, atol=1e-10)
    assert model.solver_result_.status == "stopped at step 40"
    off = np.linalg.norm(K @ coef + alpha * coef - y, axis=0) / np.linalg.norm(y, axis=0)
    assert model.solver_result_.residual == pytest.approx(off.max())
    with pytest.raises(SpecError, match=r"learning_rate must be > 0 and at most .* diverges"):
        NTKRegressor(NETWORK, learning_rate=2.1 * rate, **asked).fit(X, y)


@pytest.mark.parametrize("Estimator", [NTKRegressor, NTKClassifier])
def test_in_the_end_it_is_the_ridge(Estimator):
    X, y = _data()
    y = y if Estimator is NTKRegressor else (y > 0) + (y > 0.6)
    end = Estimator(NETWORK, alpha=0.01).fit(X, y)
    late = Estimator(NETWORK, alpha=0.01, train_time=1e6).fit(X, y)
    np.testing.assert_allclose(late.dual_coef_, end.dual_coef_, atol=1e-8)
    early = Estimator(NETWORK, alpha=0.01, train_time=0).fit(X, y)
    assert not early.dual_coef_.any()
    assert early.solver_result_.residual == pytest.approx(1)
    assert early.solver_result_.status == "stopped at time 0"


def test_before_the_end_it_shrinks_as_a_ridge_does():
    X, y = _data(40)
    K = kernel(NETWORK, X)
    norms = []
    for t in (1.0, 10.0, 100.0):
        model = NTKRegressor(NETWORK, alpha=0, train_time=t).fit(X, y)
        norms.append(model.dual_coef_ @ K @ model.dual_coef_)
    assert norms == sorted(norms)


def test_repeated_rows_need_no_ridge_when_stopped():
    X, y = _data()
    X[1], y[1] = X[0], y[0] + 1
    model = NTKRegressor(NETWORK, alpha=0, train_time=1e3).fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    assert 1 <= model.solver_result_.condition < 1e17


def test_weights_are_repeated_rows():
    X, y = _data()
    weights = np.arange(25) % 3
    asked = {"alpha": 0.1, "train_time": 9.0}
    found = NTKRegressor(NETWORK, **asked).fit(X, y, weights)
    wanted = NTKRegressor(NETWORK, **asked).fit(np.repeat(X, weights, 0), np.repeat(y, weights))
    np.testing.assert_allclose(found.predict(X), wanted.predict(X), rtol=1e-8)


@pytest.mark.parametrize(
    ("stop", "match"),
    [
        ({"train_time": -1.0}, "'train_time' parameter of NTKRegressor must be"),
        ({"train_time": np.inf}, "'train_time' parameter of NTKRegressor must be"),
        ({"train_time": "1"}, "'train_time' parameter"),
        ({"train_steps": 1.5, "learning_rate": 1.0}, "'train_steps' parameter"),
        ({"train_steps": 3}, "train_steps and learning_rate go together; got 3 and None"),
        ({"learning_rate": 0.1}, "train_steps and learning_rate go together; got None and 0.1"),
        ({"learning_rate": 0.0, "train_steps": 1}, "'learning_rate' parameter"),
        ({"train_time": 1.0, "train_steps": 1, "learning_rate": 1e-3}, "say the same thing twice"),
    ],
)
def test_bad_parameters_are_named(stop, match):
    with pytest.raises(ValueError, match=match):
        NTKRegressor(NETWORK, **stop).fit(*_data())


def test_a_stopped_model_is_saved_and_loaded(tmp_path):
    X, y = _data()
    for name, stop in (("time", {"train_time": 3.0}), ("steps", {"train_steps": 4})):
        rate = {"learning_rate": 1e-2} if name == "steps" else {}
        model = NTKRegressor(NETWORK, **stop, **rate).fit(X, y)
        save_model(model, tmp_path / name)
        again = load_model(tmp_path / name)
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        loaded = again[-1]
        assert loaded.get_params(deep=False) == {**model.get_params(deep=False), "dtype": "float64"}
        assert loaded.solver_result_.status == model.solver_result_.status


def test_models_that_are_not_stopped_are_saved_as_ever(tmp_path):
    save_model(NTKRegressor(NETWORK).fit(*_data()), tmp_path)
    described = json.loads((tmp_path / "model.json").read_text())
    assert not {"train_time", "train_steps", "learning_rate"} & set(described["parameters"])
    assert "status" not in described["solution"]


def test_old_pickles_know_of_no_stop(tmp_path):
    X, y = _data()
    model = NTKRegressor(NETWORK).fit(X, y)
    wanted = model.predict(X)
    for name in ("train_time", "train_steps", "learning_rate"):
        del model.__dict__[name]
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), wanted)
    assert again.get_params()["train_time"] is None
    assert again.fit(X, y).solver_result_.status == "exact"
    save_model(again, tmp_path)
