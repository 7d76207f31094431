"""What saved models keep of deviations, weights and probabilities."""

import json

import numpy as np
import pytest
from saved_models import replace_array

from ntkreg import NTKClassifier, NTKRegressor, fully_connected, load_model, save_model
from ntkreg.errors import DataError

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(12, 5))
NEW_ROWS = RNG.normal(size=(5, 5))
LABELS = np.arange(12) % 2


@pytest.mark.parametrize("get", ["nngp", "ntk"])
@pytest.mark.parametrize("weights", [None, np.linspace(0.0, 2.0, 12)])
def test_a_loaded_regressor_says_how_sure_it_is(tmp_path, get, weights):
    model = NTKRegressor(fully_connected(1), get=get).fit(ROWS, ROWS[:, 0], weights)
    save_model(model, tmp_path)
    ours, theirs = (
        each.predict(NEW_ROWS, return_std=True) for each in (load_model(tmp_path), model)
    )
    np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(AttributeError):
        load_model(tmp_path)[-1].log_marginal_likelihood()


def test_a_model_of_before_says_why_it_knows_no_deviation(tmp_path):
    model = NTKRegressor(fully_connected(1)).fit(ROWS, ROWS[:, 0])
    del model.sample_weight_
    save_model(model, tmp_path)
    with np.load(tmp_path / "model.npz") as stored:
        assert "sample_weight" not in stored
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.predict(NEW_ROWS), model.predict(NEW_ROWS))
    with pytest.raises(ValueError, match="need the sample weights of the fit"):
        loaded.predict(NEW_ROWS, return_std=True)


def test_a_ridge_for_each_target_is_kept(tmp_path):
    model = NTKRegressor(fully_connected(1), alpha=np.array([0.1, 0.2])).fit(ROWS, ROWS[:, :2])
    save_model(model, tmp_path)
    ours, theirs = (
        each.predict(NEW_ROWS, return_std=True) for each in (load_model(tmp_path), model)
    )
    np.testing.assert_array_equal(ours, theirs)
    described = json.loads((tmp_path / "model.json").read_text())
    described["solution"]["alpha"] = [0.1]
    (tmp_path / "model.json").write_text(json.dumps(described))
    with pytest.raises(DataError, match=r"solution\.alpha must be one number for each target"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("sample_weight", np.ones(3), "sample_weight must be a number for each of 12 samples"),
        ("sample_weight", -np.ones(12), "sample_weight must be >= 0; found -1.0"),
        ("sample_weight", np.zeros(12), "sample_weight must be > 0 somewhere"),
        ("temperature", np.array(1.0), "temperature must be absent from an NTKRegressor"),
    ],
)
def test_weights_that_no_fit_has_are_refused(tmp_path, entry, value, message):
    save_model(NTKRegressor(fully_connected(1)).fit(ROWS, ROWS[:, 0]), tmp_path)
    replace_array(tmp_path, entry, value)
    with pytest.raises(DataError, match=message):
        load_model(tmp_path)


@pytest.mark.parametrize("value", [np.array(0.0), np.array(-1.0), np.ones(2)])
def test_temperatures_that_no_fit_has_are_refused(tmp_path, value):
    model = NTKClassifier(fully_connected(1), probability=True).fit(ROWS, LABELS)
    save_model(model, tmp_path)
    replace_array(tmp_path, "temperature", value)
    with pytest.raises(DataError, match="temperature must be"):
        load_model(tmp_path)
