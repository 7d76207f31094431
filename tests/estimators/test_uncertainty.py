"""How sure the regressors are: neural-tangents, scikit-learn's Gaussian process, wide networks."""

import pickle
from functools import cache

import numpy as np
import pytest
from oracles import ensembles
from sklearn.datasets import load_diabetes
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import DotProduct
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntkreg import Architecture, Dense, NTKRegressor, NTKRegressorCV, cntk, fully_connected, kernel
from ntkreg.finite import Training, finite_network, train
from ntkreg.kernels.stax.compatibility import enable_x64, import_neural_tangents

NETWORK = fully_connected(2, bias_std=0.3)
BOTH = ("nngp", "ntk")


@pytest.fixture
def data():
    return _data()


def _data():
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(25, 4)), rng.normal(size=(40, 4))
    return X, np.sin(X[:, 0]) + X[:, 1] ** 2 + 3, Z


def dense(X, Z, weights, alpha, get, **options):
    """Return the covariance at Z by dense linear algebra, of Grams of ours."""
    N, T = kernel(NETWORK, X, get=BOTH, **options)
    NX, TX = kernel(NETWORK, Z, X, get=BOTH, **options)
    NZ = kernel(NETWORK, Z, get="nngp", **options)
    noise = alpha / weights
    if get == "nngp":
        return ensembles.posterior(N, NX, NZ, noise)
    A = TX @ np.linalg.inv(T + np.diag(noise))
    return NZ - A @ NX.T - NX @ A.T + A @ N @ A.T


@cache
def neural_tangents_ensemble(alpha, n_targets, t):
    """Return mean and covariance at Z under either kernel."""
    X, y, Z = _data()
    nt = import_neural_tangents()
    with enable_x64():
        layers = [nt.stax.Dense(1, np.sqrt(2), 0.3), nt.stax.Relu()] * 2
        kernel_fn = nt.stax.serial(*layers, nt.stax.Dense(1))[2]
        ensemble = nt.predict.gradient_descent_mse_ensemble(
            kernel_fn, X, targets(y, n_targets), diag_reg=alpha, diag_reg_absolute_scale=True
        )
        found = ensemble(t, x_test=Z, get=BOTH, compute_cov=True)
        return {g: (np.array(v.mean), np.array(v.covariance)) for g, v in found._asdict().items()}


def targets(y, n_targets):
    return np.column_stack([y, -y, y**2])[:, :n_targets]


# Both kernels one after the other: neural-tangents is asked once for both.
@pytest.mark.parametrize("get", BOTH)
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("t", [None, 0.0, 5.0, 300.0])
def test_equals_the_ensemble_of_neural_tangents(data, get, alpha, n_targets, t):
    X, y, Z = data
    Y = targets(y, n_targets)
    mean, cov = neural_tangents_ensemble(alpha, n_targets, t)[get]
    model = NTKRegressor(
        NETWORK, get=get, alpha=alpha, alpha_scale="absolute", center_y=False, train_time=t
    ).fit(X, Y)
    ours, std = model.predict(Z, return_std=True)
    np.testing.assert_allclose(ours, mean, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(std, np.tile(np.sqrt(np.diag(cov))[:, None], n_targets), rtol=1e-6)
    whole = model.predict(Z, return_cov=True)[1]
    assert whole.shape == (40, 40, n_targets)
    np.testing.assert_allclose(whole, np.repeat(cov[..., None], n_targets, 2), atol=1e-8)


@pytest.mark.parametrize("get", BOTH)
@pytest.mark.parametrize("store", [False, True])
@pytest.mark.parametrize("stop", [{"train_time": 0.0}, {"train_steps": 0, "learning_rate": 0.1}])
def test_before_training_it_is_the_prior(data, get, store, stop):
    X, y, Z = data
    model = NTKRegressor(NETWORK, get=get, store_covariance=store, **stop).fit(X, y)
    mean, cov = model.predict(Z, return_cov=True)
    np.testing.assert_array_equal(mean, np.full(40, y.mean()))
    np.testing.assert_array_equal(cov, kernel(NETWORK, Z, get="nngp"))
    assert not hasattr(model, "log_marginal_likelihood")


@pytest.mark.parametrize("get", BOTH)
def test_long_training_is_as_sure_as_the_ridge_solution_and_steps_as_flow(data, get):
    X, y, Z = data
    weights = np.linspace(0.5, 2, 25)

    def std(**stop):
        return NTKRegressor(NETWORK, get=get, **stop).fit(X, y, weights).predict(Z, return_std=True)

    for one, other in zip(std(train_time=1e9), std(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7)
    flow = std(train_time=20.0)[1]
    np.testing.assert_allclose(std(train_steps=2000, learning_rate=0.01)[1], flow, rtol=2e-3)
    assert (flow > std()[1]).all()


@pytest.mark.parametrize("n_targets", [None, 2])
def test_nngp_is_the_gaussian_process_of_scikit_learn(data, n_targets):
    X, y, Z = data
    Y = y if n_targets is None else np.column_stack([y, y**2])
    # A network of a read-out alone is the linear kernel, x.z w^2 / d + b^2.
    gp = GaussianProcessRegressor(DotProduct(0.6, "fixed"), alpha=0.3, optimizer=None)
    ours = NTKRegressor(
        Architecture([Dense(2.0, 0.6)]), get="nngp", alpha=0.3,
        alpha_scale="absolute", center_y=False,
    ).fit(X, Y)  # fmt: skip
    gp.fit(X, Y)  # weight_std^2 / d = 1
    for asked in ({"return_std": True}, {"return_cov": True}):
        for one, other in zip(ours.predict(Z, **asked), gp.predict(Z, **asked), strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-10)
    assert ours.log_marginal_likelihood() == pytest.approx(gp.log_marginal_likelihood())
    many = ours.sample_y(Z[:3], 40_000)
    assert many.shape == gp.sample_y(Z[:3], 40_000).shape
    mean, cov = ours.predict(Z[:3], return_cov=True)
    if n_targets is None:
        mean, cov, many = mean[:, None], cov[..., None], many[:, None]
    np.testing.assert_allclose(many.mean(axis=-1), mean, atol=0.02)
    for k in range(n_targets or 1):
        np.testing.assert_allclose(np.cov(many[:, k]), cov[..., k], atol=0.02)


def test_samples_repeat_with_their_seed_and_differ_without(data):
    X, y, Z = data
    model = NTKRegressor(NETWORK).fit(X, y)
    first = model.sample_y(Z, 2, random_state=3)
    np.testing.assert_array_equal(first, model.sample_y(Z, 2, random_state=3))
    assert np.abs(first - model.sample_y(Z, 2, random_state=4)).max() > 0.01
    assert np.abs(first[:, 0] - first[:, 1]).max() > 0.01


@pytest.mark.parametrize("get", BOTH)
@pytest.mark.parametrize("normalize", [None, "unit_diagonal"])
@pytest.mark.parametrize("scale", ["absolute", "mean_diagonal"])
def test_weights_and_options_equal_dense_linear_algebra(data, get, normalize, scale):
    X, y, Z = data
    weights = np.random.default_rng(1).uniform(0.2, 3, len(X))
    model = NTKRegressor(
        NETWORK, get=get, alpha=0.05, alpha_scale=scale, normalize=normalize, store_covariance=True
    ).fit(X, y, weights)
    alpha = float(model.solver_result_.alpha)
    assert (alpha == 0.05) == (scale == "absolute" or normalize is not None)
    wanted = dense(X, Z, weights, alpha, get, normalize=normalize)
    np.testing.assert_allclose(model.predict(Z, return_cov=True)[1], wanted, atol=1e-9)
    std = model.predict(Z, return_std=True)[1]
    np.testing.assert_allclose(std, np.sqrt(np.diag(wanted)), rtol=1e-7)


@pytest.mark.parametrize("get", BOTH)
def test_a_weight_is_a_repeated_row_and_zero_is_none(data, get):
    X, y, Z = data
    weights = np.random.default_rng(1).integers(0, 4, len(X))
    model = NTKRegressor(NETWORK, get=get, alpha=0.1)
    _, weighted = model.fit(X, y, weights).predict(Z, return_std=True)
    evidence = getattr(model, "log_marginal_likelihood_value_", None)
    _, repeated = model.fit(X.repeat(weights, axis=0), y.repeat(weights)).predict(
        Z, return_std=True
    )
    np.testing.assert_allclose(weighted, repeated, rtol=1e-5)
    if get == "nngp":
        assert model.log_marginal_likelihood() == pytest.approx(evidence, rel=1e-6)


@pytest.mark.parametrize("get", BOTH)
def test_flipped_images_are_as_uncertain_as_images(get):
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(9, 4, 4, 2)), rng.normal(size=(5, 4, 4, 2))
    model = NTKRegressor(cntk(1), get=get, symmetry="flip").fit(X, X[:, 0, 0, 0])
    std = model.predict(Z, return_std=True)[1]
    np.testing.assert_allclose(model.predict(Z[:, :, ::-1], return_std=True)[1], std, rtol=1e-7)
    plain = NTKRegressor(cntk(1), get=get).fit(X, X[:, 0, 0, 0]).predict(Z, return_std=True)[1]
    assert (std < plain).all()


def test_each_target_has_the_deviation_of_its_own_ridge(data):
    X, y, Z = data
    Y = np.column_stack([y, -y, 2 * y])
    alphas = np.array([0.1, 0.001, 0.1])
    together = NTKRegressor(NETWORK, alpha=alphas, get="nngp").fit(X, Y)
    for asked in ({"return_std": True}, {"return_cov": True}):
        mean, spread = together.predict(Z, **asked)
        for k, alpha in enumerate(alphas):
            one = NTKRegressor(NETWORK, alpha=alpha, get="nngp").fit(X, Y[:, k])
            alone = one.predict(Z, **asked)
            np.testing.assert_allclose(mean[:, k], alone[0], rtol=1e-9)
            np.testing.assert_allclose(spread[..., k], alone[1], rtol=1e-7, atol=1e-12)
    with pytest.raises(ValueError, match=r"alpha must be .* one for each of 3 target"):
        NTKRegressor(alpha=[0.1, 0.2]).fit(X, Y)


@pytest.mark.parametrize("store", [False, True])
def test_the_chosen_ridge_and_network_say_how_sure_they_are(data, store):
    X, y, Z = data
    Y = np.column_stack([y, np.random.default_rng(0).normal(size=25)])
    for get in BOTH:
        chosen = NTKRegressorCV(
            NETWORK, get=get, variants=[{"depth": 1}, {"depth": 3}], alpha_per_target=True,
            store_covariance=store,
        ).fit(X, Y, np.linspace(0.5, 2, 25))  # fmt: skip
        assert len(set(chosen.alpha_)) == 2
        same = NTKRegressor(chosen.architecture_, get=get, alpha=chosen.alpha_)
        same.fit(X, Y, np.linspace(0.5, 2, 25))
        for one, other in zip(
            chosen.predict(Z, return_cov=True), same.predict(Z, return_cov=True), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-10)
        if get == "nngp":
            found = same.log_marginal_likelihood()
            assert chosen.log_marginal_likelihood() == pytest.approx(found)


@pytest.mark.slow
def test_wide_networks_trained_to_the_end_spread_as_it_says():
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
    y = rng.normal(size=4)
    n = 200
    network = finite_network(NETWORK, (3,), width=256)
    fits = train(network, Training(0.5, 400), X, y[:, None], seeds=tuple(range(n)))
    found = np.asarray(fits.predict(Z), float)[..., 0]
    mean, std = (
        NTKRegressor(NETWORK, alpha=1e-9, center_y=False).fit(X, y).predict(Z, return_std=True)
    )
    # Four standard errors of 200 networks either way, and as much again for the finite width.
    np.testing.assert_allclose(found.mean(axis=0), mean, atol=0.1 + 4 * std.max() / np.sqrt(n))
    ratio = found.std(axis=0, ddof=1) / std
    assert (abs(ratio - 1) < 8 / np.sqrt(2 * n)).all()
    _, posterior = (
        NTKRegressor(NETWORK, get="nngp", alpha=1e-9).fit(X, y).predict(Z, return_std=True)
    )
    assert np.abs(posterior / std - 1).max() > 0.03


@pytest.mark.parametrize("get", BOTH)
def test_what_is_kept_in_fit_is_what_is_computed_when_asked(data, get, monkeypatch):
    X, y, Z = data
    late = NTKRegressor(NETWORK, get=get).fit(X, y)
    early = NTKRegressor(NETWORK, get=get, store_covariance=True).fit(X, y)
    np.testing.assert_array_equal(early.dual_coef_, late.dual_coef_)
    assert late._covariance is None
    asked = late.predict(Z, return_std=True)
    monkeypatch.setattr("ntkreg.estimators.kernel_base.ridge_solver", None)  # no factorisation more
    for model in (late, early, pickle.loads(pickle.dumps(early))):
        mean, std = model.predict(Z, return_std=True)
        np.testing.assert_array_equal(mean, asked[0])
        np.testing.assert_array_equal(std, asked[1])
        np.testing.assert_array_equal(mean, model.predict(Z))


@pytest.mark.parametrize("get", BOTH)
def test_deviations_come_a_batch_at_a_time_to_the_same_bits(data, get, monkeypatch):
    X, y, Z = data
    model = NTKRegressor(NETWORK, get=get, n_jobs=2).fit(X, y)
    whole = model.predict(Z, return_std=True)
    monkeypatch.setattr("ntkreg.estimators.latent.CROSS_BYTES", 7 * 25 * 8 * 2)
    for n_jobs in (1, 3):
        model.set_params(n_jobs=n_jobs)
        for one, other in zip(model.predict(Z, return_std=True), whole, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_mean_of_y_moves_no_deviation(data):
    X, y, Z = data
    one, other = (NTKRegressor(NETWORK).fit(X, y + c).predict(Z, return_std=True) for c in (0, 50))
    np.testing.assert_array_equal(one[1], other[1])
    np.testing.assert_allclose(other[0], one[0] + 50)


@pytest.mark.parametrize("get", BOTH)
def test_float32_kernels_have_their_deviations_to_their_digits(data, get):
    X, y, Z = data
    X, Z = X.astype(np.float32), Z.astype(np.float32)
    narrow = NTKRegressor(NETWORK, get=get).fit(X, y).predict(Z, return_std=True)[1]
    wide = NTKRegressor(NETWORK, get=get, dtype="float64").fit(X, y).predict(Z, return_std=True)[1]
    assert narrow.dtype == np.float64
    np.testing.assert_allclose(narrow, wide, rtol=1e-3)


def test_a_precomputed_covariance_is_a_gaussian_process(data):
    X, y, Z = data
    N, NX, NZ = (kernel(NETWORK, *A, get="nngp") for A in ((X,), (Z, X), (Z,)))
    model = NTKRegressor(kernel="precomputed", get="nngp", store_covariance=True).fit(N, y)
    direct = NTKRegressor(NETWORK, get="nngp").fit(X, y)
    for asked, own in (({"return_std": True}, np.diag(NZ)), ({"return_cov": True}, NZ)):
        for one, other in zip(
            model.predict(NX, **asked, test_kernel=own), direct.predict(Z, **asked), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-10)
    drawn = model.sample_y(NX, 2, test_kernel=NZ)
    np.testing.assert_allclose(drawn, direct.sample_y(Z, 2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (None, r"needs test_kernel, .* of shape \(40,\)"),
        (np.ones(3), r"test_kernel must have shape \(40,\); got \(3,\)"),
        (np.full(40, np.nan), "test_kernel contains NaN or infinity"),
        (np.full(40, "a"), "test_kernel must hold real numbers"),
    ],
)
def test_a_test_kernel_that_is_none_is_refused(data, own, message):
    X, y, Z = data
    N, NX = kernel(NETWORK, X, get="nngp"), kernel(NETWORK, Z, X, get="nngp")
    model = NTKRegressor(kernel="precomputed", get="nngp", store_covariance=True).fit(N, y)
    with pytest.raises(ValueError, match=message):
        model.predict(NX, return_std=True, test_kernel=own)


def test_what_cannot_be_told_is_refused_by_name(data):
    X, y, Z = data
    N = kernel(NETWORK, X, get="nngp")
    with pytest.raises(ValueError, match=r'store_covariance=True with kernel="precomputed" needs'):
        NTKRegressor(kernel="precomputed", store_covariance=True).fit(N, y)
    with pytest.raises(ValueError, match=r"need a fit with store_covariance=True"):
        NTKRegressor(kernel="precomputed", get="nngp").fit(N, y).predict(N, return_std=True)
    model = NTKRegressor(NETWORK).fit(X, y)
    for name, wrong in (("return_std", "yes"), ("return_cov", 1)):
        with pytest.raises(ValueError, match=f"{name} must be True or False; got {wrong!r}"):
            model.predict(Z, **{name: wrong})
    with pytest.raises(ValueError, match="must not both be True"):
        model.predict(Z, return_std=True, return_cov=True)
    for asked in ({}, {"return_std": True}):
        with pytest.raises(ValueError, match="test_kernel has no effect"):
            model.predict(Z, **asked, test_kernel=np.ones(40))
    assert not hasattr(model, "log_marginal_likelihood")
    with pytest.raises(AttributeError) as caught:
        model.log_marginal_likelihood()
    assert "NTK is not the covariance of a prior" in str(caught.value.__cause__)
    with pytest.raises(ValueError, match="'store_covariance' parameter of NTKRegressor must be"):
        NTKRegressor(store_covariance="yes").fit(X, y)


def test_a_pickle_from_before_predicts_and_says_why_it_knows_no_deviation(data):
    X, y, Z = data
    model = NTKRegressor(NETWORK).fit(X, y)
    before = model.predict(Z)
    for name in ("sample_weight_", "_covariance", "store_covariance"):
        del vars(model)[name]
    old = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(old.predict(Z), before)
    assert "store_covariance" not in repr(old)
    with pytest.raises(ValueError, match="Fit it again"):
        old.predict(Z, return_std=True)


def test_works_behind_a_scaler(data):
    X, y, Z = data
    model = make_pipeline(StandardScaler(), NTKRegressor(NETWORK)).fit(X, y)
    mean, std = model.predict(Z, return_std=True)
    assert mean.shape == std.shape == (40,)


def test_intervals_of_the_posterior_cover_what_they_say_on_diabetes():
    X, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order] / X.std(axis=0), (y[order] - y.mean()) / y.std()
    model = NTKRegressorCV(
        fully_connected(1, bias_std=0.5), get="nngp", selection="marginal_likelihood"
    ).fit(X[:300], y[:300])
    mean, std = model.predict(X[300:], return_std=True)
    # The prior's size is as likely as it gets, too: deviations alone would be too large here.
    total = np.sqrt(model.output_scale_ * (std**2 + model.solver_result_.alpha))
    for factor, share in ((1.0, 0.683), (1.645, 0.9)):
        covered = np.mean(np.abs(y[300:] - mean) < factor * total)
        # Three standard errors of 142 samples.
        assert abs(covered - share) < 3 * np.sqrt(share * (1 - share) / 142)
