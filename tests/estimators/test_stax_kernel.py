"""A stax kernel_fn goes through kernel, compute_gram and the estimators like an architecture."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score

from ntkreg import NTKClassifier, NTKRegressor, cntk, compute_gram, kernel
from ntkreg.errors import SpecError
from ntkreg.kernels import StaxNetwork, import_neural_tangents, to_stax


@pytest.fixture(scope="module")
def erf():
    """A network with an activation that no architecture has."""
    stax = import_neural_tangents().stax
    return stax.serial(stax.Dense(1, W_std=1.5, b_std=0.1), stax.Erf(), stax.Dense(1))[2]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:60] / 16, y[:60]


def test_kernel_gives_the_values_of_the_kernel_fn(erf, digits):
    X = digits[0].astype(np.float32)
    nngp, ntk = kernel(erf, X, X[:7], get=("nngp", "ntk"))
    wanted = erf(X, X[:7], ("nngp", "ntk"))
    np.testing.assert_allclose(nngp, wanted.nngp, rtol=1e-5)
    np.testing.assert_allclose(ntk, wanted.ntk, rtol=1e-5)
    np.testing.assert_array_equal(kernel(erf, X, diag=True), np.diag(kernel(erf, X)))


def test_a_folder_takes_a_named_kernel_fn_only(erf, digits, tmp_path):
    X, _ = digits
    with pytest.raises(SpecError, match=r"StaxNetwork\(kernel_fn, name="):
        compute_gram(erf, X, folder=tmp_path / "unnamed")
    stored = compute_gram(StaxNetwork(erf, "erf"), X, folder=tmp_path / "named")
    np.testing.assert_array_equal(np.asarray(stored.values["ntk"]), kernel(erf, X))


def test_estimators_learn_digits_with_a_kernel_fn(erf, digits):
    X, y = digits
    classifier = NTKClassifier(architecture=StaxNetwork(erf, "erf"))
    assert cross_val_score(clone(classifier), X, y, cv=3).mean() > 0.8
    values = NTKRegressor(architecture=erf).fit(X[:40], y[:40]).predict(X[40:])
    assert np.corrcoef(values, y[40:])[0, 1] > 0.8


def test_estimators_take_images_and_flat_rows_alike_with_a_kernel_fn(digits):
    X, y = digits
    X, y = X[:20], y[:20]
    kernel_fn = to_stax(cntk(1, "flatten"))[2]
    flat = NTKClassifier(architecture=kernel_fn, image_shape=(8, 8, 1)).fit(X, y)
    images = NTKClassifier(architecture=kernel_fn).fit(X.reshape(-1, 8, 8, 1), y)
    ours = NTKClassifier(architecture=cntk(1, "flatten"), image_shape=(8, 8, 1)).fit(X, y)
    np.testing.assert_array_equal(flat.dual_coef_, images.dual_coef_)
    np.testing.assert_allclose(flat.dual_coef_, ours.dual_coef_, rtol=1e-4, atol=1e-5)
