import hashlib
import io
import json
import os
import shutil
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ntkreg.architecture import cntk, fully_connected
from ntkreg.data import ChannelStandardizer, ZCAWhitener
from ntkreg.errors import DataError, SpecError
from ntkreg.estimators import FiniteNetworkClassifier, NTKClassifier, NTKRegressor
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
        ({"format": True}, "not a model of format 1"),
        ({"format": 1.0}, "not a model of format 1"),
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
        ({"preprocessing.parameters.image_shape": [4, 4, 4]}, "image_shape must be of 48 values"),
        ({"preprocessing.parameters.image_shape": [4, 3, 4]}, "in 3 channels; found .4, 3, 4"),
        ({"parameters.image_shape": [1, 2]}, "parameters.image_shape must be three integers"),
        ({"parameters.image_shape": [4, 3, 4]}, r"image_shape must be \(4, 4, 3\), as X_fit has"),
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
        ("images", "channel_scale_", lambda a: a * 0, "channel_scale_ must be .* found 0.0"),
        ("images", "channel_scale_", lambda a: [1, -7, 0.0], "channel_scale_ must be .* found -7"),
        ("images", "channel_scale_", lambda a: a[:2], "channel_scale_ must be .* shape"),
        ("numbers", "y_mean", lambda a: a + np.inf, "y_mean must be finite"),
        ("numbers", "y_mean", lambda a: np.array([a, a]), "y_mean must be"),
        ("numbers", "y_mean", lambda a: a.astype(str), "y_mean must be"),
        ("whitened images", "zca_components_", lambda a: a[:, 1:], "zca_components_ must be"),
        ("whitened images", "zca_eigenvalues_", lambda a: -a, "zca_eigenvalues_ must be >= 0; .* -"),
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
    newer = ("dtype", "parameters.symmetry", "parameters.backend", "parameters.image_shape")
    rewritten(folder, dict.fromkeys(newer, ...))
    assert load_model(folder)[-1].symmetry is None
    assert load_model(folder)[-1].image_shape is None


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
def test_labels_that_no_file_holds_are_refused_and_an_earlier_model_stays_whole(copy_of, labels):
    folder = copy_of("images")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model = NTKClassifier(fully_connected(1)).fit(ROWS, LABELS)
    model.classes_ = labels
    with pytest.raises(SpecError, match="classes_ of NTKClassifier must be numbers or text; got"):
        save_model(model, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_setting_that_json_cannot_hold_is_refused_and_an_earlier_model_stays_whole(copy_of):
    folder = copy_of("numbers")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model = NTKRegressor(fully_connected(1)).fit(ROWS, ROWS[:, 0]).set_params(alpha=Fraction(1, 4))
    with pytest.raises(SpecError, match=r"cannot be written as JSON: Fraction Fraction\(1, 4\)"):
        save_model(model, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "mixed"}, 'dtype="mixed" is for networks that read images'),
        ({"parameters.symmetry": "flip"}, 'symmetry="flip" needs a network that reads images'),
        ({"parameters.backend": "jax"}, 'backend="jax" runs networks that read images'),
        ({"parameters.image_shape": [1, 5, 1]}, r"image_shape must be \(5,\), as X_fit has"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_settings_that_a_dense_network_cannot_run_are_refused_when_loading(
    copy_of, change, message
):
    folder = copy_of("numbers")
    rewritten(folder, change)
    with pytest.raises(DataError, match=message) as caught:
        load_model(folder)
    assert str(folder / "model.json") in str(caught.value) or "X_fit" in message


def test_a_whitener_of_other_images_is_refused(copy_of):
    folder = copy_of("whitened images")
    rewritten(folder, {"preprocessing.fitted.image_shape_": [4, 4, 4]})
    with pytest.raises(DataError, match=r"image_shape_ must be of 48 values; found .4, 4, 4"):
        load_model(folder)


def test_a_dtype_that_no_kernel_has_is_refused_when_loading(copy_of):
    folder = copy_of("numbers")
    rewritten(folder, {"dtype": ...}, {"X_fit": lambda a: a.astype(np.float16)})
    with pytest.raises(DataError, match="dtype must be float32 or float64"):
        load_model(folder)


@pytest.mark.parametrize(
    ("row", "value", "message"),
    [(0, 3000.0, "found 3000.0"), (2, -2.0, "found -2.0")],
)
def test_a_bad_power_or_scale_of_huge_channels_is_named(tmp_path, row, value, message):
    X = ROWS * 1e160
    save_model(make_pipeline(ChannelStandardizer(), NTKClassifier()).fit(X, LABELS), tmp_path)

    def change(units):
        units[row, 1] = value
        return units

    rewritten(tmp_path, {}, {"channel__in_units": change})
    with pytest.raises(DataError, match=f"channel__in_units must be .*; {message}"):
        load_model(tmp_path)


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
    for change, message in (
        (lambda a: a[1:], "feature_names_in must be 5 names"),
        (lambda a: np.arange(5), "feature_names_in must be an array of text"),
    ):
        rewritten(tmp_path, {}, {"feature_names_in": change})
        with pytest.raises(DataError, match=message):
            load_model(tmp_path)
        save_model(model, tmp_path)
