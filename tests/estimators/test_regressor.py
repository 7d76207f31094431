"""NTKRegressor against closed forms, scikit-learn's ridge, and its own promises."""

import tracemalloc

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from ntkreg import NTKRegressor, cntk, fully_connected, kernel
from ntkreg.errors import NotPSDError


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(20, 4)), rng.normal(size=(7, 4))
    return X, np.sin(X[:, 0]) + X[:, 1] ** 2 + 3, Z


def test_equals_kernel_ridge_of_scikit_learn_on_the_same_gram(data):
    X, y, Z = data
    network = fully_connected(2)
    ours = (
        NTKRegressor(network, alpha=0.1, alpha_scale="absolute", center_y=False)
        .fit(X, y)
        .predict(Z)
    )
    ridge = KernelRidge(kernel="precomputed", alpha=0.1).fit(kernel(network, X), y)
    np.testing.assert_allclose(ours, ridge.predict(kernel(network, Z, X)), rtol=1e-10)


def test_depth_zero_is_linear_ridge(data):
    X, y, Z = data
    # K = x.z / d, so the penalty on the weights of x is alpha * d.
    ours = NTKRegressor(fully_connected(0), alpha=0.1, alpha_scale="absolute", center_y=False).fit(
        X, y
    )
    ridge = Ridge(alpha=0.1 * X.shape[1], fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(ours.predict(Z), ridge.predict(Z), rtol=1e-10)


def test_precomputed_kernel_gives_the_same_predictions(data):
    X, y, Z = data
    network = fully_connected(2)
    direct = NTKRegressor(network).fit(X, y)
    precomputed = NTKRegressor(kernel="precomputed").fit(kernel(network, X), y)
    np.testing.assert_allclose(
        precomputed.predict(kernel(network, Z, X)), direct.predict(Z), rtol=1e-12
    )
    assert precomputed.X_fit_ is None


def test_default_network_is_three_hidden_dense_layers(data):
    X, y, Z = data
    model = NTKRegressor().fit(X, y)
    assert model.architecture_ == fully_connected(3)
    assert model.architecture is None
    np.testing.assert_array_equal(
        model.predict(Z), NTKRegressor(fully_connected(3)).fit(X, y).predict(Z)
    )


def test_nngp_and_ntk_differ_and_each_interpolates_at_a_tiny_ridge(data):
    X, y, Z = data
    ntk = NTKRegressor(get="ntk", alpha=1e-9).fit(X, y)
    nngp = NTKRegressor(get="nngp", alpha=1e-9).fit(X, y)
    assert np.abs(ntk.predict(Z) - nngp.predict(Z)).max() > 1e-3
    for model in (ntk, nngp):
        np.testing.assert_allclose(model.predict(X), y, atol=1e-5)


def test_centring_makes_predictions_move_with_the_targets(data):
    X, y, Z = data
    centred = NTKRegressor(alpha=1.0)
    np.testing.assert_allclose(
        centred.fit(X, y + 100).predict(Z), centred.fit(X, y).predict(Z) + 100
    )
    plain = NTKRegressor(alpha=1.0, center_y=False)
    moved = plain.fit(X, y + 100).predict(Z) - plain.fit(X, y).predict(Z)
    assert np.abs(moved - 100).max() > 1
    assert plain.y_mean_ == 0


@pytest.mark.parametrize("alpha_scale", ["absolute", "mean_diagonal"])
@pytest.mark.parametrize("normalize", [None, "unit_diagonal"])
def test_sample_weights_equal_repeated_and_removed_rows(data, alpha_scale, normalize):
    X, y, Z = data
    weights = np.random.default_rng(1).integers(0, 4, size=len(X))
    assert (weights == 0).any()
    model = NTKRegressor(alpha=1.0, alpha_scale=alpha_scale, normalize=normalize)
    weighted = model.fit(X, y, sample_weight=weights).predict(Z)
    repeated = model.fit(X.repeat(weights, axis=0), y.repeat(weights)).predict(Z)
    # Kernel values of equal rows are good to sqrt(eps), infinite slope of kappa0 at 1.
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6)
    assert np.abs(weighted - model.fit(X, y).predict(Z)).max() > 1e-3


def test_several_targets_equal_one_fit_each(data):
    X, y, Z = data
    Y = np.column_stack([y, y**2, -y])
    together = NTKRegressor().fit(X, Y)
    assert together.dual_coef_.shape == (20, 3)
    assert together.y_mean_.shape == (3,)
    alone = [NTKRegressor().fit(X, target).predict(Z) for target in Y.T]
    np.testing.assert_allclose(together.predict(Z), np.column_stack(alone), rtol=1e-9)


def test_alpha_in_units_of_the_mean_diagonal_does_not_see_the_scale_of_X(data):
    X, y, Z = data
    relative = NTKRegressor(alpha=0.1, alpha_scale="mean_diagonal")
    np.testing.assert_allclose(
        relative.fit(X, y).predict(Z), relative.fit(10 * X, y).predict(10 * Z), rtol=1e-9
    )
    mean = np.mean(kernel(fully_connected(3), X, diag=True))
    assert float(relative.fit(X, y).solver_result_.alpha) == pytest.approx(0.1 * mean)
    absolute = NTKRegressor(alpha=0.1 * mean, alpha_scale="absolute").fit(X, y)
    np.testing.assert_allclose(relative.predict(Z), absolute.predict(Z), rtol=1e-9)


def test_unit_diagonal_uses_the_normalised_kernel(data):
    X, y, Z = data
    network = fully_connected(2)
    ours = NTKRegressor(network, normalize="unit_diagonal").fit(X, y)
    same = NTKRegressor(kernel="precomputed").fit(kernel(network, X, normalize="unit_diagonal"), y)
    cross = kernel(network, Z, X, normalize="unit_diagonal")
    np.testing.assert_allclose(ours.predict(Z), same.predict(cross), rtol=1e-10)
    assert not np.allclose(ours.predict(Z), NTKRegressor(network).fit(X, y).predict(Z), rtol=1e-3)


@pytest.mark.parametrize(
    ("given", "asked", "expected"),
    [
        ("float32", None, "float32"),
        ("uint8", None, "float32"),
        ("float64", None, "float64"),
        ("float64", "float32", "float32"),
        ("float32", np.float64, "float64"),
    ],
)
def test_kernel_takes_the_dtype_of_X_or_the_one_asked_for(data, given, asked, expected):
    X, y, Z = data
    X, Z = ((A * 10 + 100).astype(given) for A in (X, Z))
    model = NTKRegressor(dtype=asked, alpha=1.0).fit(X, y)
    assert model.X_fit_.dtype == expected
    assert model.kernel_(Z, model.X_fit_).dtype == expected
    assert model.dual_coef_.dtype == model.predict(Z).dtype == np.float64


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("architecture", [fully_connected(1), fully_connected(10)])
def test_default_ridge_copes_with_repeated_rows(data, dtype, architecture):
    X, y, _ = data
    X, y = np.tile(X, (10, 1)).astype(dtype), np.tile(y, 10)
    repeated = NTKRegressor(architecture).fit(X, y).predict(X[:20])
    np.testing.assert_allclose(repeated, y[:20], atol=0.1)


def test_repeated_rows_without_ridge_raise(data):
    X, y, _ = data
    with pytest.raises(NotPSDError, match="Raise alpha"):
        NTKRegressor(alpha=0).fit(np.vstack([X, X]), np.append(y, -y))


def test_one_sample_is_fitted(data):
    X, y, Z = data
    model = NTKRegressor().fit(X[:1], y[:1])
    np.testing.assert_array_equal(model.predict(Z), np.full(7, y[0]))


def test_constant_features_and_black_rows_are_fitted(data):
    X, y, _ = data
    X = X.copy()
    X[:, 2] = 1.0
    X[3] = 0.0  # K(x, x) = 0: without bias this row says nothing but the mean
    model = NTKRegressor().fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    assert model.predict(X[3:4]) == pytest.approx(y.mean())


def test_prediction_is_the_same_in_many_small_batches(data, monkeypatch):
    X, y, Z = data
    model = NTKRegressor().fit(X, y)
    whole = model.predict(Z)
    sizes = []
    cross = model.kernel_

    def counted(A, B):
        sizes.append(len(A))
        return cross(A, B)

    model.kernel_ = counted
    monkeypatch.setattr("ntkreg.estimators.kernel_base.CROSS_BYTES", 3 * 20 * 8 + 1)
    assert np.array_equal(model.predict(Z), whole)
    assert sizes == [3, 3, 1]
    sizes.clear()
    monkeypatch.setattr("ntkreg.estimators.kernel_base.CROSS_BYTES", 1)
    model.predict(Z)
    assert sizes == [1] * 7


def test_prediction_never_holds_the_whole_cross_kernel(monkeypatch):
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(400, 2)), rng.normal(size=(6000, 2))
    model = NTKRegressor(fully_connected(1), n_jobs=1).fit(X, X[:, 0])
    model.predict(Z[:1])  # compiles
    monkeypatch.setattr("ntkreg.estimators.kernel_base.CROSS_BYTES", 2**20)
    tracemalloc.start()
    model.predict(Z)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20 < 6000 * 400 * 8 / 4


def test_fit_copies_X_and_changes_nothing_it_was_given(data):
    X, y, Z = data
    weights = np.linspace(0, 1, 20)
    given = X.copy(), y.copy(), weights.copy()
    model = NTKRegressor(fully_connected(1))
    params = model.get_params()
    model.fit(X, y, sample_weight=weights)
    for now, before in zip((X, y, weights), given, strict=True):
        np.testing.assert_array_equal(now, before)
    assert model.get_params() == params
    before = model.predict(Z)
    X[:] = 0
    np.testing.assert_array_equal(model.predict(Z), before)


def test_changed_parameters_wait_for_the_next_fit(data):
    X, y, Z = data
    model = NTKRegressor(fully_connected(1)).fit(X, y)
    before = model.predict(Z)
    model.set_params(architecture__depth=4, get="nngp", normalize="unit_diagonal")
    np.testing.assert_array_equal(model.predict(Z), before)
    assert np.abs(model.fit(X, y).predict(Z) - before).max() > 1e-3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": -0.1}, "'alpha' parameter of NTKRegressor must be .* Got -0.1"),
        ({"alpha": np.nan}, "'alpha' parameter of NTKRegressor must be .* Got nan"),
        ({"get": "both"}, "'get' parameter of NTKRegressor must be .* Got 'both'"),
        ({"kernel": "rbf"}, "'kernel' parameter of NTKRegressor must be .* Got 'rbf'"),
        ({"architecture": "cntk"}, "'architecture' parameter of NTKRegressor .* Got 'cntk'"),
        ({"alpha_scale": "trace"}, "'alpha_scale' parameter of NTKRegressor .* Got 'trace'"),
        ({"normalize": True}, "'normalize' parameter of NTKRegressor must be .* Got True"),
        ({"dtype": "float16"}, "'dtype' parameter of NTKRegressor must be .* Got 'float16'"),
        ({"dtype": np.int32}, "dtype must be float32 or float64"),
        ({"n_jobs": 1.5}, "'n_jobs' parameter of NTKRegressor must be .* Got 1.5"),
        ({"n_jobs": 0}, "n_jobs must be .* got 0"),
        ({"center_y": "yes"}, "'center_y' parameter of NTKRegressor must be .* Got 'yes'"),
    ],
)
def test_parameters_out_of_range_are_named_in_fit(data, parameters, message):
    X, y, _ = data
    model = NTKRegressor(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_refused(data, bad):
    X, y, Z = data
    model = NTKRegressor().fit(X, y)
    Z[1, 2] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        model.predict(Z)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        NTKRegressor().fit(Z, y[:7])
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        NTKRegressor().fit(X, np.append(y[1:], bad))
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        NTKRegressor().fit(X, y, sample_weight=np.append(y[1:], bad))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(20), "zero everywhere"),
        (np.linspace(-1, 1, 20), "least value of -1.0"),
        (np.ones(19), r"must have shape \(20,\); got \(19,\)"),
    ],
)
def test_impossible_sample_weights_are_refused(data, weights, message):
    X, y, _ = data
    with pytest.raises(ValueError, match=message):
        NTKRegressor().fit(X, y, sample_weight=weights)


@pytest.mark.parametrize(
    "parameters",
    [
        {"architecture": cntk(1)},
        {"normalize": "unit_diagonal"},
        {"image_shape": (2, 2, 1)},
    ],
)
def test_precomputed_kernel_refuses_parameters_that_would_do_nothing(data, parameters):
    X, y, _ = data
    [name] = parameters
    with pytest.raises(ValueError, match=f"NTKRegressor: {name} has no effect"):
        NTKRegressor(kernel="precomputed", **parameters).fit(X @ X.T, y)


def test_precomputed_kernel_must_be_square(data):
    X, y, _ = data
    with pytest.raises(ValueError, match=r"square kernel matrix .* got shape \(20, 4\)"):
        NTKRegressor(kernel="precomputed").fit(X, y)
