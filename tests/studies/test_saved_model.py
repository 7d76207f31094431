import hashlib
import io
import json
import os
import shutil

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
        ({"estimator": "SVC"}, "estimator must be NTKClassifier or NTKRegressor; found 'SVC'"),
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


def rewritten(folder, change, arrays=None):
    """Change entries of the description, by dots, and arrays, so that hashes fit."""
    path = folder / "model.npz"
    if arrays is not None:
        with np.load(path) as whole:
            changed = {k: arrays.get(k, lambda a: a)(whole[k]) for k in whole}
        np.savez(path, **changed)
    described = json.loads((folder / "model.json").read_text())
    described["sha256_of_arrays"] = hashlib.sha256(path.read_bytes()).hexdigest()
    for key, value in change.items():
        *outer, last = key.split(".")
        inner = described
        for name in outer:
            inner = inner[name]
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    (folder / "model.json").write_text(json.dumps(described))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return folders of a classifier of images and of a whitened regressor."""
    folders = {}
    for name in ("images", "numbers", "whitened images"):
        model, (X, y, _) = MODELS[name]
        folders[name] = tmp_path_factory.mktemp("model")
        save_model(model.fit(X, y), folders[name])
    return folders


@pytest.fixture
def copy_of(whole, tmp_path):
    def make(name):
        return shutil.copytree(whole[name], tmp_path / "model")

    return make


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimator": ["NTKClassifier"]}, "estimator must be"),
        ({"estimator": {}}, "estimator must be"),
        ({"estimator": "NTKRegressor"}, "no array named y_mean"),
        ({"estimator": ...}, "the file must be an object with format"),
        ({"extra": 1}, "the file must be an object with format"),
        ({"preprocessing": ...}, "the file must be an object with format"),
        ({"dtype": "complex64"}, "dtype must be null or float32"),
        ({"dtype": 3}, "dtype must be"),
        ({"architecture": None}, "architecture: expected a mapping"),
        ({"architecture.recipe": "x" * 5000}, "unknown recipe"),
        ({"architecture.depth": 10**9}, "cntk: depth must be at most 10,000"),
        ({"architecture.depth": -1}, "depth must be"),
        ({"architecture.depth": NAN}, "depth must be"),
        ({"architecture.weight_std": INF}, "weight_std"),
        ({"architecture.depth": "2"}, "depth must be"),
        ({"architecture": {"layers": ["Flatten"] * 3}}, "not a sound model"),
        ({"parameters": []}, "parameters must be an object"),
        ({"parameters.alpha": NAN}, "parameters.alpha must be a finite number >= 0; found nan"),
        ({"parameters.alpha": INF}, "parameters.alpha must be"),
        ({"parameters.alpha": -1}, "parameters.alpha must be"),
        ({"parameters.alpha": "1"}, "parameters.alpha must be .* found str"),
        ({"parameters.alpha": True}, "parameters.alpha must be .* found bool"),
        ({"parameters.alpha": [1]}, "parameters.alpha must be"),
        ({"parameters.get": ["ntk"]}, "parameters.get must be ntk or nngp"),
        ({"parameters.normalize": 1}, "parameters.normalize must be"),
        ({"parameters.kernel": "precomputed"}, "parameters must be an object"),
        ({"solution.alpha": NAN}, "solution.alpha must be"),
        ({"solution.condition": -1}, "solution.condition must be"),
        ({"solution.residual": "small"}, "solution.residual must be"),
        ({"solution.residual": ...}, "solution must be an object"),
        ({"solution.min_eigenvalue": NAN}, "solution.min_eigenvalue must be"),
        ({"solution.dual_coef": 1}, "solution must be an object"),
        ({"preprocessing.name": "pca"}, "preprocessing.name must be channel or zca"),
        ({"preprocessing.name": ["channel"]}, "preprocessing.name must be"),
        ({"preprocessing.name": "zca"}, "preprocessing.parameters must be an object"),
        ({"preprocessing.fitted": {}}, "preprocessing.fitted must be an object"),
        ({"preprocessing.fitted.n_features_in_": 4.5}, "n_features_in_ must be an integer"),
        ({"preprocessing.fitted.n_features_in_": 5}, "n_features_in_ must be 48"),
        ({"preprocessing.parameters.image_shape": [1, 2]}, "image_shape must be three integers"),
        ({"preprocessing.parameters.image_shape": "abc"}, "image_shape must be three integers"),
        ({"sha256_of_arrays": None}, "sha256_of_arrays must be 64"),
        ({"sha256_of_arrays": "0" * 64}, "is not the file that"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_tampered_description_is_refused_by_the_name_of_its_entry(copy_of, change, message):
    folder = copy_of("images")
    rewritten(folder, change)
    with pytest.raises(DataError, match=message) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)
    assert len(str(caught.value)) < 900


@pytest.mark.parametrize(
    ("name", "array", "change", "message"),
    [
        ("images", "dual_coef", lambda a: a * np.nan, "dual_coef must be finite"),
        ("images", "dual_coef", lambda a: a + 0j, "dual_coef must be .* found complex128"),
        ("images", "dual_coef", lambda a: a.astype(str), "dual_coef must be .* found <U"),
        ("images", "dual_coef", lambda a: a.astype("S"), "dual_coef must be .* found"),
        ("images", "dual_coef", lambda a: a.astype(int), "dual_coef must be .* found int64"),
        ("images", "dual_coef", lambda a: a.astype("M8[s]"), "dual_coef must be .* found"),
        ("images", "dual_coef", lambda a: a[:-1], "dual_coef must be"),
        ("images", "dual_coef", lambda a: a[..., None], "dual_coef must be"),
        ("images", "dual_coef", lambda a: a[:, :2], "classes must be 2 labels"),
        ("images", "dual_coef", lambda a: a[:, :0], "dual_coef must be"),
        ("images", "X_fit", lambda a: a / 0, "X_fit must be finite"),
        ("images", "X_fit", lambda a: a[:, 0], "X_fit must be rows"),
        ("images", "X_fit", lambda a: a.reshape(len(a), -1), "X_fit must be images"),
        ("images", "X_fit", lambda a: a[:, :, :3], "n_features_in_ must be 36"),
        ("images", "classes", lambda a: a[:2], "classes must be 3 labels"),
        ("images", "classes", lambda a: a[:, None], "classes must be 3 labels"),
        ("images", "classes", lambda a: a * 0, "classes must be 3 labels"),
        ("images", "classes", lambda a: np.array([0, 1, np.nan]), "classes must be finite"),
        ("images", "channel_mean_", lambda a: a[:2, None], "channel_mean_ must be"),
        ("images", "channel_scale_", lambda a: a * 0, "channel_scale_ must be"),
        ("images", "channel_scale_", lambda a: a[:2], "channel_scale_ must be"),
        ("numbers", "y_mean", lambda a: a + np.inf, "y_mean must be finite"),
        ("numbers", "y_mean", lambda a: np.array([a, a]), "y_mean must be"),
        ("numbers", "y_mean", lambda a: a.astype(str), "y_mean must be"),
        ("whitened images", "zca_components_", lambda a: a[:, 1:], "zca_components_ must be"),
        ("whitened images", "zca_eigenvalues_", lambda a: -a, "zca_eigenvalues_ must be >= 0"),
        ("whitened images", "zca_mean_", lambda a: a[1:], "zca_mean_ must be"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_tampered_arrays_are_refused_by_name(copy_of, name, array, change, message):
    folder = copy_of(name)
    rewritten(folder, {}, {array: change})
    with pytest.raises(DataError, match=message) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "[" * 100_000,
        '{"format": 1, "format": 1}',
        " " * 2_000_000,
        '{"format": [1]}',
    ],
    ids=lambda text: text[:20],
)
def test_a_description_that_is_no_description_is_refused(copy_of, text):
    folder = copy_of("images")
    (folder / "model.json").write_text(text)
    with pytest.raises(DataError, match=r"model\.json: .*(Fit|fit)"):
        load_model(folder)


def test_older_models_are_read(copy_of):
    folder = copy_of("images")
    rewritten(folder, {"dtype": ..., "parameters.symmetry": ..., "parameters.backend": ...})
    assert load_model(folder)[-1].symmetry is None


def test_a_planted_link_and_a_full_disk_leave_what_was_there(copy_of, tmp_path, monkeypatch):
    folder = copy_of("images")
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
