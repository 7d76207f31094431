"""Folders of saved models that are damaged, a stranger's, or older."""

import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from ntkreg.architecture import cntk, fully_connected
from ntkreg.data import ChannelStandardizer, ZCAWhitener
from ntkreg.errors import DataError
from ntkreg.estimators import NTKClassifier, NTKRegressor
from ntkreg.estimators.saved_model import load_model, save_model

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 4, 4, 3), dtype=np.uint8)
ROWS = RNG.normal(size=(12, 5))
LABELS = np.arange(12) % 3
TABLE = pd.DataFrame(ROWS, columns=list("abcde"))

MODELS = {
    "images": (make_pipeline(ChannelStandardizer(), NTKClassifier(cntk(2, "gap"))), IMAGES),
    "whitened images": (
        make_pipeline(ZCAWhitener(regularization=0.3), NTKClassifier(cntk(1, "gap"))),
        IMAGES,
    ),
    "numbers": (make_pipeline(ChannelStandardizer(), NTKRegressor(fully_connected(1))), TABLE),
}


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
    """Return the folder of each model."""
    folders = {}
    for name, (model, X) in MODELS.items():
        folders[name] = tmp_path_factory.mktemp("model")
        save_model(model.fit(X, LABELS), folders[name])
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
        ("numbers", "feature_names_in", lambda a: a[1:], "feature_names_in must be 5 names"),
        ("numbers", "feature_names_in", lambda a: a == "a", "_in must be an array of text"),
        ("whitened images", "zca_components_", lambda a: a[:, 1:], "zca_components_ must be"),
        ("whitened images", "zca_eigenvalues_", lambda a: -a, "zca_eigenvalues_ must be .* -"),
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
