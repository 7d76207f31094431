"""Saved models that had chosen their ridge and network."""

import json

import numpy as np
import pytest
from saved_models import replace_array
from sklearn.pipeline import make_pipeline

from ntkreg import (
    NTKClassifierCV,
    NTKRegressorCV,
    NTKTransformer,
    StreamingRidge,
    cntk,
    fully_connected,
    load_model,
    save_model,
)
from ntkreg.data import ChannelStandardizer
from ntkreg.errors import DataError, SpecError

RNG = np.random.default_rng(0)
X, X_NEW = RNG.normal(size=(12, 5)), RNG.normal(size=(4, 5))
IMAGES = RNG.normal(size=(12, 3, 3, 1)).astype(np.float32)
LABELS = np.array(["no", "yes"] * 6)
NETWORK = fully_connected(1, bias_std=0.3)
ALPHAS = [0.01, 0.1, 1.0]
MODELS = {
    "regressor": (NTKRegressorCV(NETWORK, alphas=ALPHAS), X, X[:, 0]),
    "two targets": (
        NTKRegressorCV(NETWORK, alphas=ALPHAS, alpha_per_target=True),
        X,
        np.c_[X[:, 0], LABELS == "yes"],
    ),
    "of networks": (
        NTKRegressorCV(
            NETWORK, alphas=ALPHAS, variants=[{"depth": 1}, {"depth": 2, "train_first": False}]
        ),
        X,
        X[:, 0],
    ),
    "probabilities": (NTKClassifierCV(NETWORK, alphas=ALPHAS, probability=True), X, LABELS),
    "images": (
        make_pipeline(ChannelStandardizer(), NTKClassifierCV(cntk(1, "gap"), alphas=ALPHAS)),
        IMAGES,
        LABELS,
    ),
}
FITTED = ("alpha_", "alphas_", "scores_", "best_score_", "best_params_")


@pytest.mark.parametrize("kind", MODELS)
def test_a_loaded_choice_is_the_one_that_was_saved(tmp_path, kind):
    model, rows, y = MODELS[kind]
    save_model(model.fit(rows, y), tmp_path)
    loaded = load_model(tmp_path)
    new = rows[:4] + np.float32(0.5)
    names = ("predict", "predict_proba") if kind == "probabilities" else ("predict",)
    for name in names:
        np.testing.assert_array_equal(getattr(loaded, name)(new), getattr(model, name)(new))
    estimator = model[-1] if kind == "images" else model
    ours, theirs = (vars(each) for each in (loaded[-1], estimator))
    for name in FITTED:
        np.testing.assert_equal(ours[name], theirs[name])
        assert type(ours[name]) is type(theirs[name])
    assert repr(loaded[-1].architecture_) == repr(estimator.architecture_)
    if kind in ("regressor", "two targets", "of networks"):
        for a, b in zip(*(m.predict(new, return_std=True) for m in (loaded, model)), strict=True):
            np.testing.assert_array_equal(a, b)
    assert loaded[-1].fit(rows, y).alphas_.tolist() == ALPHAS  # a choice can be made again


def _change(folder, change):
    described = json.loads((folder / "model.json").read_text())
    change(described)
    (folder / "model.json").write_text(json.dumps(described))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(varied=["depth", "depth"]), "varied must be a list of arguments"),
        (lambda d: d.update(varied=[["depth"]]), "varied must be a list of arguments"),
        (lambda d: d.update(varied=["__class__"]), "varied must name arguments of the network"),
        (lambda d: d.pop("varied"), "the file must be an object with .* varied"),
        (lambda d: d.update(estimator="NTKRegressor"), "the file must be an object with"),
        (lambda d: d["solution"].update(status="stopped"), "status must be .exact. after a choice"),
        (lambda d: d["parameters"].update(train_time=1.0), "not a sound model"),
        (lambda d: d["parameters"].update(alpha=[1.0, 2.0]), "alpha must be one number for each"),
    ],
)
def test_a_description_that_no_choice_has_is_refused(tmp_path, change, message):
    save_model(MODELS["regressor"][0].fit(X, X[:, 0]), tmp_path)
    _change(tmp_path, change)
    with pytest.raises(DataError, match=message):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("alphas", np.array([[1.0]]), "alphas must be a list of ridges"),
        ("alphas", -np.ones(3), "alphas must be >= 0"),
        ("scores", np.zeros(4), r"scores must be of shape \(3,\)"),
        ("scores", np.array([0.0, np.nan, 0.0]), "scores must be below infinity"),
        ("best_score", np.zeros(2), r"best_score must be of shape \(\)"),
        ("best_score", np.array("a" * 9), "best_score must be an array of floating-point"),
    ],
)
def test_arrays_that_no_choice_has_are_refused(tmp_path, entry, value, message):
    save_model(MODELS["regressor"][0].fit(X, X[:, 0]), tmp_path)
    replace_array(tmp_path, entry, value)
    with pytest.raises(DataError, match=message):
        load_model(tmp_path)


@pytest.mark.parametrize("model", [StreamingRidge(), NTKTransformer()], ids=lambda m: repr(m)[:9])
def test_what_has_no_saved_form_says_what_to_do(tmp_path, model):
    with pytest.raises(SpecError, match=r"model must be .* Of others keep a pickle"):
        save_model(model.fit(X, X[:, 0]), tmp_path / "model")
    assert not (tmp_path / "model").exists()
