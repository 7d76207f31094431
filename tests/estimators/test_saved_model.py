import io
import json
import os
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ntkreg.architecture import Architecture, Dense, Relu, cntk, fully_connected
from ntkreg.data import ChannelStandardizer, ZCAWhitener
from ntkreg.errors import DataError, SpecError
from ntkreg.estimators import FiniteNetworkClassifier, NTKClassifier, NTKRegressor
from ntkreg.estimators.saved_model import load_model, save_model

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 4, 4, 3), dtype=np.uint8)
ROWS = RNG.normal(size=(12, 5))
NEW_IMAGES = RNG.integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
NEW_ROWS = RNG.normal(size=(5, 5))

MODELS = {
    "images": (
        make_pipeline(ChannelStandardizer(), NTKClassifier(cntk(2, "gap"), get="nngp")),
        (IMAGES, np.arange(12) % 3, NEW_IMAGES),
    ),
    "whitened images": (
        make_pipeline(
            ZCAWhitener(regularization=0.3, center_features=True), NTKClassifier(cntk(1, "gap"))
        ),
        (IMAGES, np.arange(12) % 3, NEW_IMAGES),
    ),
    "rows with two classes of strings": (
        make_pipeline(NTKClassifier(fully_connected(2), normalize="unit_diagonal")),
        (ROWS, np.array(["no", "yes"] * 6), NEW_ROWS),
    ),
    "numbers": (
        make_pipeline(ChannelStandardizer(), NTKRegressor(fully_connected(1), alpha=0.1)),
        (ROWS, ROWS[:, 0] + 5, NEW_ROWS),
    ),
    "several targets": (
        make_pipeline(NTKRegressor(fully_connected(1), dtype="float32")),
        (ROWS, ROWS[:, :2] + 5, NEW_ROWS),
    ),
}


@pytest.fixture(params=list(MODELS))
def saved(request, tmp_path):
    model, (X, y, X_new) = MODELS[request.param]
    model.fit(X, y)
    save_model(model, tmp_path)
    return model, X_new, tmp_path


def test_a_loaded_model_predicts_the_same_bits(saved):
    model, X_new, folder = saved
    loaded = load_model(folder)
    np.testing.assert_array_equal(loaded.predict(X_new), model.predict(X_new))
    assert loaded.predict(X_new).dtype == model.predict(X_new).dtype
    if hasattr(model, "decision_function"):
        np.testing.assert_array_equal(
            loaded.decision_function(X_new), model.decision_function(X_new)
        )


def test_a_loaded_model_keeps_its_settings_and_how_its_solve_went(saved):
    model, _, folder = saved
    ours, theirs = load_model(folder)[-1], model[-1]
    assert ours.architecture == theirs.architecture
    for name in ("get", "alpha", "alpha_scale", "normalize"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.solver_result_.condition == theirs.solver_result_.condition
    assert float(ours.solver_result_.alpha) == float(theirs.solver_result_.alpha)


def test_a_loaded_pipeline_keeps_how_inputs_are_prepared(saved):
    model, X_new, folder = saved
    loaded = load_model(folder)
    assert [type(step) for step in loaded] == [type(step) for step in model]
    if len(model) > 1:
        ours, theirs = loaded[0], model[0]
        assert ours.get_params() == theirs.get_params()
        assert vars(ours).keys() == vars(theirs).keys()
        np.testing.assert_array_equal(ours.transform(X_new), theirs.transform(X_new))


def test_inputs_of_another_shape_are_refused(saved):
    _, X_new, folder = saved
    with pytest.raises(ValueError, match="features"):
        load_model(folder).predict(X_new[:, :2])


def test_nothing_in_the_folder_is_a_pickle(saved):
    folder = saved[2]
    assert {p.name for p in folder.iterdir()} == {"model.json", "model.npz"}
    with np.load(folder / "model.npz", allow_pickle=False) as archive:
        assert all(archive[key].dtype != object for key in archive.files)


@pytest.fixture
def earlier(tmp_path):
    """Return the folder of a saved model of images."""
    model, (X, y, _) = MODELS["images"]
    save_model(model.fit(X, y), tmp_path / "model")
    return tmp_path / "model"


def test_damage_is_noticed(saved):
    folder = saved[2]
    arrays, text = folder / "model.npz", folder / "model.json"
    content, described = arrays.read_bytes(), json.loads(text.read_text())
    arrays.write_bytes(content[:-30])
    with pytest.raises(DataError, match=r"model\.npz: not a sound"):
        load_model(folder)
    with np.load(io.BytesIO(content)) as whole:
        changed = {k: whole[k] + 1 if k == "dual_coef" else whole[k] for k in whole}
    np.savez(arrays, **changed)
    with pytest.raises(DataError, match="is not the file that"):
        load_model(folder)
    arrays.write_bytes(content)
    for change, message in (
        ({"format": 99}, "not a model of format 1"),
        ({"format": True}, "not a model of format 1"),
        ({"format": 1.0}, "not a model of format 1"),
        (
            {"estimator": "SVC"},
            "estimator must be NTKClassifier or .* or NTKRegressorCV; found 'SVC'",
        ),
        ({"parameters": {"gett": "ntk"}}, "parameters must be an object with alpha, get"),
        ({"solution": None}, "not a sound model"),
        ({"preprocessing": {"name": "pca"}}, "not a sound model"),
    ):
        text.write_text(json.dumps(described | change))
        with pytest.raises(DataError, match=message):
            load_model(folder)
    text.write_text('{"format": 1')
    with pytest.raises(DataError, match="not sound JSON"):
        load_model(folder)


def test_a_folder_without_model_is_told(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match="holds no fitted model"):
            load_model(folder)


def test_a_planted_link_and_a_full_disk_leave_what_was_there(earlier, tmp_path, monkeypatch):
    folder = earlier
    model, (X, y, X_new) = MODELS["images"]
    before = load_model(folder).predict(X_new)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        save_model(model.fit(X, (y + 1) % 3), folder)
    np.testing.assert_array_equal(load_model(folder).predict(X_new), before)
    monkeypatch.undo()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("model.json", "model.npz"):
        (folder / name).unlink()
        (folder / name).symlink_to(victim)
    save_model(model.fit(X, y), folder)
    assert victim.read_text() == "precious"
    np.testing.assert_array_equal(load_model(folder).predict(X_new), before)


@pytest.mark.parametrize("alpha", [np.float32(0.5), np.int64(1), np.float64(0.25)])
def test_numpys_numbers_as_settings_are_saved(tmp_path, alpha):
    X, y = ROWS, ROWS[:, 0]
    model = make_pipeline(NTKRegressor(fully_connected(np.int64(1)), alpha=alpha)).fit(X, y)
    save_model(model, tmp_path)
    np.testing.assert_array_equal(load_model(tmp_path).predict(X), model.predict(X))


@pytest.mark.parametrize("scale", [1e160, 1e-170, 1e-310])
def test_a_model_of_huge_or_tiny_channels_predicts_the_same_bits_after_loading(tmp_path, scale):
    X = np.random.default_rng(0).normal(size=(12, 3))
    X[:, 1] *= scale
    model = make_pipeline(ChannelStandardizer(), NTKRegressor(fully_connected(1))).fit(X, X[:, 0])
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded[0].transform(X)[:, 1].std() == pytest.approx(1)


def test_an_ordinary_fit_after_a_huge_one_is_ordinary():
    X = np.random.default_rng(0).normal(size=(12, 3))
    again = ChannelStandardizer().fit(X * 1e160).fit(X)
    np.testing.assert_array_equal(again.transform(X), ChannelStandardizer().fit_transform(X))
    assert vars(again).keys() == vars(ChannelStandardizer().fit(X)).keys()


class OwnRelu(Relu):
    """Somebody's own layer."""


def test_a_layer_that_no_saved_model_can_name_is_refused(tmp_path):
    network = Architecture([Dense(), OwnRelu(), Dense()])
    with pytest.raises(SpecError, match=r"cannot be saved as plain data: .*'OwnRelu'"):
        save_model(NTKClassifier(network).fit(ROWS, LABELS), tmp_path / "model")
    assert not (tmp_path / "model").exists()


class Mine(NTKClassifier):
    """Somebody's own estimator."""


LABELS = np.arange(12) % 2
NOT_A_MODEL = {
    "None": None,
    "a class": NTKClassifier,
    "another estimator": FiniteNetworkClassifier(),
    "a subclass": Mine().fit(ROWS, LABELS),
    "a pipeline of a subclass": make_pipeline(Mine()).fit(ROWS, LABELS),
    "another scaler": make_pipeline(StandardScaler(), NTKClassifier()).fit(ROWS, LABELS),
    "passthrough": make_pipeline("passthrough", NTKClassifier()).fit(ROWS, LABELS),
    "three steps": make_pipeline(ChannelStandardizer(), PCA(2), NTKClassifier()).fit(ROWS, LABELS),
    "two scalers": make_pipeline(ChannelStandardizer(), ZCAWhitener(), NTKClassifier()).fit(
        ROWS, LABELS
    ),
    "an empty pipeline": Pipeline([]),
    "no estimator": make_pipeline(ChannelStandardizer()).fit(ROWS),
    "a nested pipeline": make_pipeline(make_pipeline(NTKClassifier())).fit(ROWS, LABELS),
    "a pipeline of passthrough": make_pipeline("passthrough"),
}


@pytest.mark.parametrize("kind", NOT_A_MODEL)
def test_what_is_no_such_model_is_refused_before_anything_is_made(tmp_path, kind):
    with pytest.raises(SpecError, match=r"model must be a fitted NTKClassifier or NTK.*; got"):
        save_model(NOT_A_MODEL[kind], tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_refusal_names_every_step(tmp_path):
    with pytest.raises(SpecError, match="Pipeline of ChannelStandardizer, PCA, NTKClassifier"):
        save_model(NOT_A_MODEL["three steps"], tmp_path)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (NTKClassifier(), "its NTKClassifier is not"),
        (make_pipeline(NTKRegressor()), "its NTKRegressor is not"),
        (
            Pipeline([("s", ZCAWhitener()), ("e", NTKClassifier().fit(ROWS, LABELS))]),
            "its ZCAWhitener is not",
        ),
        (
            NTKClassifier(kernel="precomputed").fit(np.eye(12), LABELS),
            "NTKClassifier must be .* got a precomputed kernel",
        ),
    ],
    ids=["bare", "pipeline", "scaler", "precomputed"],
)
def test_models_that_are_not_fitted_or_have_no_network_are_refused(tmp_path, model, message):
    with pytest.raises(SpecError, match=message):
        save_model(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_fit_that_failed_halfway_is_not_fitted(tmp_path):
    model = NTKRegressor(fully_connected(1), alpha=0)
    with pytest.raises(ArithmeticError):
        model.fit(np.ones((4, 2)), np.arange(4.0))
    with pytest.raises(SpecError, match="its NTKRegressor is not"):
        save_model(model, tmp_path)


@pytest.mark.parametrize("model", [NTKClassifier(), NTKRegressor()])
def test_an_estimator_is_saved_as_the_pipeline_of_itself(tmp_path, model):
    save_model(model.fit(ROWS, LABELS), tmp_path)
    loaded = load_model(tmp_path)
    assert len(loaded) == 1
    np.testing.assert_array_equal(loaded.predict(NEW_ROWS), model.predict(NEW_ROWS))


@pytest.mark.parametrize("given", [(2, 2, 1), [2, 2, 1], tuple(np.array([2, 2, 1]))])
@pytest.mark.parametrize("scaler", [None, ChannelStandardizer, ZCAWhitener])
def test_flat_rows_are_read_as_images_after_loading(tmp_path, scaler, given):
    X = ROWS[:, :4]
    steps = [] if scaler is None else [scaler()]
    if scaler is ChannelStandardizer:
        steps[0].set_params(image_shape=given)
    model = make_pipeline(*steps, NTKClassifier(cntk(1, readout="flatten"), image_shape=given))
    save_model(model.fit(X, LABELS), tmp_path)
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.decision_function(X), model.decision_function(X))
    assert loaded[-1].image_shape == (2, 2, 1)
    if scaler is ChannelStandardizer:
        assert loaded[0].image_shape == (2, 2, 1)
        assert type(loaded[0].image_shape) is tuple


def test_labels_that_pandas_gives_as_objects_are_saved_as_text(tmp_path):
    y = pd.Series(["no", "yes", "perhaps"] * 4, dtype=object)
    model = NTKClassifier(fully_connected(1)).fit(ROWS, y)
    assert model.classes_.dtype == object
    save_model(model, tmp_path)
    predicted = load_model(tmp_path).predict(NEW_ROWS)
    assert predicted.tolist() == model.predict(NEW_ROWS).tolist()


@pytest.mark.parametrize(
    "labels",
    [
        np.array([b"no", b"yes"]),
        np.array(["2020-01-01", "2020-01-02"], dtype="M8[D]"),
        np.array([(1,), None], dtype=object),
        np.array(["a", "a\0"], dtype=object),
    ],
    ids=["bytes", "dates", "objects", "zero characters"],
)
def test_labels_that_no_file_holds_are_refused_and_an_earlier_model_stays_whole(earlier, labels):
    before = {path.name: path.read_bytes() for path in earlier.iterdir()}
    model = NTKClassifier(fully_connected(1)).fit(ROWS, LABELS)
    model.classes_ = labels
    with pytest.raises(SpecError, match="classes_ of NTKClassifier must be numbers or text; got"):
        save_model(model, earlier)
    assert {path.name: path.read_bytes() for path in earlier.iterdir()} == before


def test_a_setting_that_json_cannot_hold_is_refused_and_an_earlier_model_stays_whole(earlier):
    before = {path.name: path.read_bytes() for path in earlier.iterdir()}
    model = NTKRegressor(fully_connected(1)).fit(ROWS, ROWS[:, 0]).set_params(alpha=Fraction(1, 4))
    with pytest.raises(
        SpecError, match=r"cannot be saved as plain data: Fraction Fraction\(1, 4\)"
    ):
        save_model(model, earlier)
    assert {path.name: path.read_bytes() for path in earlier.iterdir()} == before


@pytest.mark.parametrize("scaler", [None, ChannelStandardizer(), ZCAWhitener()])
def test_names_of_columns_are_kept(tmp_path, scaler):
    table = pd.DataFrame(ROWS, columns=list("abcde"))
    model = make_pipeline(*([] if scaler is None else [scaler]), NTKClassifier())
    save_model(model.fit(table, LABELS), tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.feature_names_in_.tolist() == list("abcde")
    assert loaded.feature_names_in_.dtype == model.feature_names_in_.dtype
    np.testing.assert_array_equal(loaded.predict(table), model.predict(table))
    with pytest.raises(ValueError, match="feature names should match"):
        loaded.predict(table[list("edcba")])
