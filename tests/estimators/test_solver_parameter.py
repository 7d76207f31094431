"""`solver` of the kernel estimators: which is taken, what it gives, and Grams in a folder."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from ntkreg import NTKClassifier, NTKRegressor, compute_gram, fully_connected, kernel, open_gram
from ntkreg.errors import PlanError, PrecisionWarning, ShapeError
from ntkreg.estimators.saved_model import load_model, save_model
from ntkreg.solvers import memory

NETWORK = fully_connected(2)
RNG = np.random.default_rng(0)
X, Z = RNG.standard_normal((90, 5)), RNG.standard_normal((12, 5))
Y = np.column_stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2]])
LABELS = np.array(["a", "b", "c"])[np.argmax(X[:, :3], axis=1)]


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 8 * 90 * 90)


def test_both_solvers_predict_the_same():
    exact = NTKRegressor(NETWORK).fit(X, Y)
    iterated = NTKRegressor(NETWORK, solver="conjugate_gradient").fit(X, Y)
    assert exact.n_iter_ is None
    assert iterated.n_iter_ >= 1
    assert exact.solver_result_.status == "exact"
    assert iterated.solver_result_.residual <= 1e-6
    np.testing.assert_allclose(iterated.predict(Z), exact.predict(Z), atol=1e-4)
    closer = clone(iterated).set_params(tol=1e-12).fit(X, Y)
    assert closer.n_iter_ > iterated.n_iter_
    np.testing.assert_allclose(closer.predict(Z), exact.predict(Z), atol=1e-9)
    classes = [
        NTKClassifier(NETWORK, solver=s).fit(X, LABELS) for s in ("auto", "conjugate_gradient")
    ]
    assert classes[1].n_iter_ >= 1
    assert np.array_equal(*(model.predict(Z) for model in classes))


def test_auto_is_exact_where_it_fits_and_iterates_where_it_does_not(little_memory):
    float32 = NTKRegressor(NETWORK, dtype="float32").fit(X, Y)
    assert float32.n_iter_ >= 1
    # A float64 Gram of the estimator's own is factorised where it lies.
    assert NTKRegressor(NETWORK).fit(X, Y).n_iter_ is None
    with pytest.raises(PlanError, match=r'NTKRegressor: .*solver="conjugate_gradient"'):
        NTKRegressor(NETWORK, dtype="float32", solver="cholesky").fit(X, Y)
    with pytest.raises(PlanError, match="NTKRegressor: a Cholesky factor"):
        NTKRegressor(NETWORK, store_covariance=True).fit(X, Y)


def test_bits_of_an_exact_fit_are_those_of_a_copy():
    K = kernel(NETWORK, X)
    own = NTKRegressor(NETWORK).fit(X, Y)
    given = NTKRegressor(kernel="precomputed").fit(K, Y)
    assert np.array_equal(own.dual_coef_, given.dual_coef_)
    assert np.array_equal(K, kernel(NETWORK, X))  # a user's matrix is not written into


@pytest.mark.parametrize("solver", ["auto", "conjugate_gradient"])
def test_a_gram_in_a_folder_is_fitted_and_predicted_from(solver, tmp_path):
    compute_gram(NETWORK, X, get="ntk", folder=tmp_path / "train", tile=32)
    cross = compute_gram(NETWORK, Z, X, get="ntk", folder=tmp_path / "cross", tile=32)
    other = compute_gram(NETWORK, Z, get="ntk", folder=tmp_path / "other")
    stored = open_gram(tmp_path / "train").values["ntk"]
    wanted = NTKRegressor(NETWORK, dtype="float64").fit(X, Y)
    model = NTKRegressor(kernel="precomputed", solver=solver).fit(stored, Y)
    assert model.n_features_in_ == 90
    assert (model.n_iter_ is None) == (solver == "auto")
    tolerance = 1e-9 if solver == "auto" else 1e-4
    for K in (cross.values["ntk"], np.asarray(cross.values["ntk"])):
        np.testing.assert_allclose(model.predict(K), wanted.predict(Z), atol=tolerance)
    assert model.score(cross.values["ntk"], wanted.predict(Z)) > 0.999
    labelled = NTKClassifier(kernel="precomputed", solver=solver).fit(stored, LABELS)
    assert (labelled.predict(stored) == LABELS).mean() > 0.9
    with pytest.raises(ShapeError, match=r"cross kernel \(m, 90\)"):
        model.predict(other.values["ntk"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(stored, Y[:5])
    with pytest.raises(ValueError, match="NaN"):
        model.fit(stored, np.full(90, np.nan))
    with pytest.raises(ShapeError, match="square"):
        model.fit(cross.values["ntk"], Y[:12])


def test_what_needs_a_factor_or_eigenvectors_says_so():
    model = NTKRegressor(NETWORK, solver="conjugate_gradient", get="nngp")
    with pytest.raises(ValueError, match="store_covariance=True needs a factor"):
        clone(model).set_params(store_covariance=True).fit(X, Y)
    fitted = model.fit(X, Y)
    assert not hasattr(fitted, "log_marginal_likelihood_value_")
    with pytest.raises(ValueError, match=r"return_std=True .* needs a factor"):
        fitted.predict(Z, return_std=True)
    with pytest.raises(ValueError, match="probability=True needs a factor"):
        NTKClassifier(NETWORK, solver="conjugate_gradient", probability=True).fit(X, LABELS)
    for solver in ("cholesky", "conjugate_gradient"):
        with pytest.raises(ValueError, match="solver has no effect where training stops"):
            NTKRegressor(NETWORK, train_time=1.0, solver=solver).fit(X, Y)
    with pytest.raises(ValueError, match="'solver' parameter"):
        NTKRegressor(NETWORK, solver="lu").fit(X, Y)


def test_no_convergence_is_a_warning_and_its_coefficients_are_kept():
    repeated = np.repeat(X[:10], 9, axis=0)
    with pytest.warns(PrecisionWarning, match=r"ConjugateGradientSolver: .* not tol = 1e-15"):
        model = NTKRegressor(NETWORK, alpha=1e-9, solver="conjugate_gradient", tol=1e-15).fit(
            repeated, Y
        )
    assert model.solver_result_.status.startswith("not converged after")
    assert np.isfinite(model.predict(Z)).all()


def test_pickles_and_saved_models_of_before_still_work(tmp_path):
    model = NTKRegressor(NETWORK, solver="conjugate_gradient").fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    assert again.n_iter_ == model.n_iter_
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)[-1]
    assert np.array_equal(loaded.predict(Z), model.predict(Z))
    assert loaded.n_iter_ is None  # as of a model saved before there were iterations
    old = model.__getstate__()
    for name in ("solver", "tol"):
        del old[name]
    restored = NTKRegressor.__new__(NTKRegressor)
    restored.__setstate__(old)
    assert restored.get_params()["solver"] == "auto"
    assert np.array_equal(restored.predict(Z), model.predict(Z))
