"""README, "Precision": the default ridge is safe on inputs that repeat, whatever their scale."""

import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from ntkreg import NTKClassifier, NTKRegressor, cntk, fully_connected, resnet

ROOT = Path(__file__).resolve().parents[2]
CIFAR = ROOT.parent / "shared" / "data" / "cifar10_raw.npz"
DIGITS, LABELS = load_digits(return_X_y=True)
PIXELS = (DIGITS * 255 / 16).astype(np.uint8)


def _default(name):
    found = {inspect.signature(E).parameters[name].default for E in (NTKClassifier, NTKRegressor)}
    assert len(found) == 1
    return found.pop()


def test_the_readme_says_what_the_default_is():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    repeat = text.split("- inputs that repeat: ")[1].split("\n\n")[0]
    least, exact, default = (float(f) for f in re.findall(r"1e-\d", repeat))
    assert _default("alpha") == default > least > exact
    assert _default("alpha_scale") == "mean_diagonal"


DENSE = [(fully_connected(3), 1e-6), (fully_connected(3), 1.0), (fully_connected(30), 1e5)]
IMAGES = [(cntk(5, "gap"), 1.0), (cntk(5, "flatten"), 1e-4), (resnet(1), 1.0), (resnet(2), 1e3)]


@pytest.mark.parametrize("get", ["ntk", "nngp"])
@pytest.mark.parametrize(
    ("network", "scale", "dtype"),
    [
        (*case, dtype)
        for dtype in ("float32", "mixed", "float64")
        for case in (IMAGES if dtype == "mixed" else DENSE + IMAGES)
    ],
)
def test_repeated_rows_are_fitted_without_a_word_on_every_scale(network, scale, dtype, get):
    dense = network.reads != "image"
    X = PIXELS[:20].astype(np.float64) * scale
    X = np.tile(X if dense else X.reshape(-1, 8, 8, 1), (3, *[1] * (1 if dense else 3)))
    y = np.tile(LABELS[:20], 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = NTKClassifier(network, get=get, dtype=dtype).fit(X, y)
    assert model.score(X, y) == 1


@pytest.mark.parametrize("repeats", [1, 2])
@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
def test_many_features_of_raw_pixels(kind, repeats):
    rng = np.random.default_rng(0)
    X = np.tile(rng.integers(0, 256, (150, 3000)).astype(kind), (repeats, 1))
    y = np.tile(rng.standard_normal(150), repeats)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert NTKRegressor().fit(X, y).score(X, y) > 0.99


def test_raw_pixels_lose_no_accuracy_against_the_best_ridge_of_a_sweep():
    X, y, Z, labels = PIXELS[:300], LABELS[:300], PIXELS[300:600], LABELS[300:600]
    swept = [NTKClassifier(alpha=10.0**k).fit(X, y).score(Z, labels) for k in range(-7, 1)]
    assert NTKClassifier().fit(X, y).score(Z, labels) > max(swept) - 0.01


@pytest.mark.slow
@pytest.mark.skipif(not CIFAR.exists(), reason="needs shared/data/cifar10_raw.npz beside this tree")
@pytest.mark.parametrize("dtype", ["float32", None])
def test_a_residual_network_on_raw_cifar_images_that_repeat(dtype):
    with np.load(CIFAR) as archive:
        X, y = archive["x_train"][:12], archive["y_train"][:12].ravel()
    X, y = np.concatenate([X, X]), np.tile(y, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = NTKClassifier(resnet(4), dtype=dtype).fit(X, y)
    assert model.score(X, y) == 1
    # What the default once was, 1e-2 of K's units, is nothing beside this diagonal.
    assert float(model.solver_result_.alpha) / model.alpha > 1e7
