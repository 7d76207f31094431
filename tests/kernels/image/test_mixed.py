"""dtype="mixed": float32 arithmetic on images, values in float64."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from ntkreg import (
    NTKClassifier,
    NTKRegressor,
    cntk,
    compute_gram,
    fully_connected,
    kernel,
    myrtle,
    plan_gram,
)
from ntkreg.errors import SpecError, StoreMismatchError
from ntkreg.estimators.saved_model import load_model, save_model
from ntkreg.kernels import solve_dtype

BOTH = ("nngp", "ntk")
NETWORKS = {"gap": cntk(3), "flatten": cntk(2, "flatten"), "myrtle": myrtle(5)}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=(9, 8, 8, 3)).astype(np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_float32_values_are_mixed_ones_rounded(images, name):
    wide = kernel(NETWORKS[name], images[:5], images[5:], get=BOTH, dtype="mixed")
    narrow = kernel(NETWORKS[name], images[:5], images[5:], get=BOTH, dtype="float32")
    for K, rounded in zip(wide, narrow, strict=True):
        assert K.dtype == np.float64
        np.testing.assert_array_equal(K.astype(np.float32), rounded)
        assert (rounded != K).any()


def test_mixed_is_nearer_to_float64_under_global_pooling(images):
    K, mixed, single = (kernel(cntk(3), images, get="nngp", dtype=d) for d in
                        ("float64", "mixed", "float32"))  # fmt: skip
    spread = [np.std((A - K) / K) for A in (mixed, single)]  # a common factor harms nothing
    assert spread[0] < spread[1] / 3


@pytest.mark.parametrize("normalize", [None, "unit_diagonal"])
@pytest.mark.parametrize("symmetry", [None, "flip"])
def test_mixed_grams_are_symmetric_with_the_diagonal_of_their_own(images, normalize, symmetry):
    options = {"dtype": "mixed", "normalize": normalize, "symmetry": symmetry}
    K = kernel(cntk(2), images, **options)
    np.testing.assert_array_equal(K, K.T)
    diagonal = kernel(cntk(2), images, diag=True, **options)
    assert diagonal.dtype == np.float64
    np.testing.assert_allclose(np.diag(K), diagonal, rtol=1e-7)
    exact = kernel(cntk(2), images, **{**options, "dtype": "float64"})
    np.testing.assert_allclose(K, exact, rtol=1e-5)


def test_a_folder_keeps_mixed_values_and_tells_them_from_others(images, tmp_path):
    gram = compute_gram(cntk(2), images, dtype="mixed", folder=tmp_path)
    assert gram.dtype == np.float64
    np.testing.assert_array_equal(gram.values["ntk"], kernel(cntk(2), images, dtype="mixed"))
    for other in ("float32", "float64"):
        with pytest.raises(StoreMismatchError, match=f"stored 'mixed', asked '{other}'"):
            compute_gram(cntk(2), images, dtype=other, folder=tmp_path)


def test_a_plan_counts_float64_values(images):
    plan = plan_gram(cntk(1), images, dtype="mixed")
    assert plan.result_bytes == 8 * 9 * 9
    assert "mixed" in str(plan)


def test_networks_on_vectors_have_no_mixed_kernel(images):
    with pytest.raises(SpecError, match=r'dtype="mixed" is for networks that read images'):
        kernel(fully_connected(2), images, dtype="mixed")
    with pytest.raises(ValueError, match="float32 or float64, or \"mixed\"; got 'mixes'"):
        kernel(cntk(2), images, dtype="mixes")


@pytest.mark.parametrize(
    ("network", "given", "asked", "wanted"),
    [
        (cntk(1), np.uint8, None, "mixed"),
        (cntk(1), np.float32, None, "mixed"),
        (cntk(1), np.float64, None, "float64"),
        (cntk(1), np.float64, "mixed", "mixed"),
        (cntk(1), np.float32, "float32", "float32"),
        (fully_connected(1), np.float32, None, "float32"),
    ],
)
def test_solves_take_mixed_where_it_costs_nothing(network, given, asked, wanted):
    assert solve_dtype(network, np.zeros(1, given), asked) == wanted


@pytest.mark.parametrize("asked", [None, "mixed"])
def test_an_estimator_fits_and_saves_a_mixed_kernel(images, tmp_path, asked):
    y = np.arange(9) % 3
    model = NTKClassifier(cntk(2), alpha=1e-3, alpha_scale="absolute", dtype=asked).fit(images, y)
    assert (model.dtype_, model.X_fit_.dtype) == ("mixed", np.float32)
    K = kernel(cntk(2), images, dtype="mixed")
    targets = np.eye(3)[y] - 1 / 3
    np.testing.assert_allclose(
        model.dual_coef_, np.linalg.solve(K + 1e-3 * np.eye(9), targets), rtol=1e-8
    )
    save_model(make_pipeline(model), tmp_path)
    again = load_model(tmp_path)
    np.testing.assert_array_equal(again.decision_function(images), model.decision_function(images))
    assert again[-1].dtype_ == "mixed"


def test_a_table_keeps_the_precision_it_came_in():
    X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    assert NTKRegressor(alpha=0.1).fit(X, X[:, 0]).dtype_ == "float32"
