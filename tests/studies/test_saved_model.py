import io
import json

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from ntkreg.architecture import cntk, fully_connected
from ntkreg.data import ChannelStandardizer, ZCAWhitener
from ntkreg.errors import DataError
from ntkreg.estimators import NTKClassifier, NTKRegressor
from ntkreg.studies.saved_model import load_model, save_model

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
        ({"estimator": "SVC"}, "not a sound model"),
        ({"parameters": {"gett": "ntk"}}, "not a sound model"),
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
