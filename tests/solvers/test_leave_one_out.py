"""Leave-one-out errors and criteria, against refits, repeated rows and dense linear algebra."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from ntkreg.errors import NotPSDError
from ntkreg.solvers import CholeskySolver, Solver, SpectralSolver
from ntkreg.solvers.leave_one_out import means_of_others

SOLVERS = pytest.mark.parametrize("kind", [CholeskySolver, SpectralSolver])


def _task(n=24, outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    K = np.exp(X @ X.T / 4)
    return K, 5 + np.sin(X[:, :outputs]) + 0.1 * rng.normal(size=(n, outputs))


def _refit(K, y, alpha, weights, center, i):
    """Return y_i less what a fit of all other rows says, with dense solves alone."""
    others = np.flatnonzero((np.arange(len(y)) != i) & (weights > 0))
    w = weights[others]
    mean = np.average(y[others], axis=0, weights=w) if center else 0 * y[0]
    A = K[np.ix_(others, others)] + alpha * np.diag(1 / w)
    return y[i] - mean - K[i, others] @ np.linalg.solve(A, y[others] - mean)


@SOLVERS
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [1e-4, 0.3, 50.0])
def test_errors_are_those_of_refits(kind, center, weighted, alpha):
    K, y = _task()
    weights = np.random.default_rng(1).uniform(0.2, 3, 24) if weighted else np.ones(24)
    if weighted:
        weights[3] = 0
    solver = kind(K, sample_weight=weights if weighted else None)
    found = solver.leave_one_out(y, alpha=alpha, center=center)
    wanted = [_refit(K, y, alpha, weights, center, i) for i in range(24)]
    np.testing.assert_allclose(found.errors, wanted, rtol=0, atol=1e-8)
    if center:  # what leaving the full mean in would give is another thing
        wrong = kind(K, sample_weight=weights).leave_one_out(found.targets, alpha=alpha).errors
        assert np.abs(wrong - wanted).max() > 1e-3 or alpha < 1e-3


@SOLVERS
def test_the_ridge_keeps_its_absolute_value(kind):
    K, y = _task()
    K = K * np.linspace(1, 2, 24) * np.linspace(1, 2, 24)[:, None]
    found = kind(K).leave_one_out(y, alpha=0.1, alpha_scale="mean_diagonal")
    alpha = 0.1 * np.trace(K) / 24
    wanted = [_refit(K, y, alpha, np.ones(24), False, i) for i in range(24)]
    np.testing.assert_allclose(found.errors, wanted, atol=1e-8)
    assert found.solution.alpha == pytest.approx(alpha)


@SOLVERS
@pytest.mark.parametrize("center", [False, True])
def test_the_solution_is_that_of_the_targets_less_their_mean(kind, center):
    K, y = _task()
    found = kind(K).leave_one_out(y[:, 0], alpha=0.1, center=center)
    wanted = kind(K).solve(y[:, 0] - center * y[:, 0].mean(), alpha=0.1)
    np.testing.assert_allclose(found.solution.dual_coef, wanted.dual_coef, rtol=1e-10)
    assert found.errors.shape == found.targets.shape == (24,)
    assert found.solution.residual < 1e-10
    assert found.solution.min_eigenvalue == pytest.approx(np.linalg.eigvalsh(K)[0], abs=2e-3)


@SOLVERS
@pytest.mark.parametrize("weighted", [False, True])
def test_diagonal_and_determinant_are_those_of_the_inverse(kind, weighted):
    K, y = _task()
    weights = np.random.default_rng(1).uniform(0.2, 3, 24) if weighted else np.ones(24)
    A = 1e3 * K + 0.7 * np.diag(1 / weights)
    found = kind(1e3 * K, sample_weight=weights).leave_one_out(y, alpha=0.7)
    np.testing.assert_allclose(found.inverse_diagonal, np.diag(np.linalg.inv(A)), rtol=1e-8)
    np.testing.assert_allclose(found.of_ones, np.linalg.solve(A, np.ones(24)), rtol=1e-6)
    assert found.log_determinant == pytest.approx(np.linalg.slogdet(A)[1], rel=1e-12)


@SOLVERS
@pytest.mark.parametrize("center", [False, True])
def test_kare_is_generalised_cross_validation(kind, center):
    K, y = _task()
    n, alpha = len(K), 0.2
    found = kind(K).leave_one_out(y, alpha=alpha, center=center)
    fit = K @ np.linalg.inv(K + alpha * np.eye(n))
    mean = np.full((n, n), 1 / n) if center else np.zeros((n, n))
    hat = mean + fit @ (np.eye(n) - mean)
    wrong = y - hat @ y
    wanted = np.mean(wrong**2, axis=0) / np.mean(np.diag(np.eye(n) - hat)) ** 2
    np.testing.assert_allclose(found.kare(), wanted, rtol=1e-8)
    if not center:  # Jacot et al. 2020, definition of the estimator, at lambda = alpha / n
        inverse = np.linalg.inv(K / n + alpha / n * np.eye(n))
        published = (y * (inverse @ inverse @ y)).sum(0) / n / (np.trace(inverse) / n) ** 2
        np.testing.assert_allclose(found.kare(), published, rtol=1e-8)


@SOLVERS
def test_the_marginal_likelihood_is_that_of_a_normal_law_at_its_likeliest_scale(kind):
    K, y = _task()
    found = kind(K).leave_one_out(y, alpha=0.2, center=True)
    covariance = K + 0.2 * np.eye(24)
    for target, value in zip((y - y.mean(axis=0)).T, found.log_marginal_likelihood(), strict=True):
        scale = target @ np.linalg.solve(covariance, target) / 24
        at = [multivariate_normal(cov=s * scale * covariance).logpdf(target) for s in (0.9, 1, 1.1)]
        assert value == pytest.approx(at[1], rel=1e-10)
        assert at[1] > max(at[0], at[2])
    scaled = kind(7 * K).leave_one_out(3 * y, alpha=1.4, center=True).log_marginal_likelihood()
    np.testing.assert_allclose(scaled, found.log_marginal_likelihood() - 24 * np.log(3), rtol=1e-9)


@SOLVERS
@pytest.mark.parametrize("center", [False, True])
def test_in_criteria_a_weight_is_that_many_rows(kind, center):
    K, y = _task()
    weights = np.arange(24) % 4
    rows = np.repeat(np.arange(24), weights)
    found = kind(K, sample_weight=weights).leave_one_out(y, alpha=0.3, center=center)
    wanted = kind(K[np.ix_(rows, rows)]).leave_one_out(y[rows], alpha=0.3, center=center)
    np.testing.assert_allclose(found.kare(), wanted.kare(), rtol=1e-9)
    np.testing.assert_allclose(
        found.log_marginal_likelihood(), wanted.log_marginal_likelihood(), rtol=1e-9
    )
    little = kind(K, sample_weight=weights / 1000).leave_one_out(y, alpha=1e-4)
    assert np.isinf(little.kare()).all()


@SOLVERS
@pytest.mark.parametrize("power", [-900, -500, 500, 900])
def test_targets_of_any_size(kind, power):
    K, y = _task()
    ordinary = kind(K).leave_one_out(y, alpha=0.1, center=True)
    found = kind(K).leave_one_out(np.ldexp(y, power), alpha=0.1, center=True)
    np.testing.assert_allclose(np.ldexp(found.errors, -power), ordinary.errors, rtol=1e-12)


@SOLVERS
def test_one_sample_cannot_be_left_out(kind):
    with pytest.raises(ValueError, match="at least two samples with a weight; got n_samples = 1"):
        kind([[1.0]]).leave_one_out([1.0], alpha=1.0)
    with pytest.raises(ValueError, match="n_samples = 1"):
        kind(np.eye(2), sample_weight=[1, 0]).leave_one_out([1.0, 2.0], alpha=1.0)


@SOLVERS
def test_an_indefinite_kernel_is_doubted_only(kind, recwarn):
    K = np.diag([1.0, 2.0, -0.5])
    found = kind(K).leave_one_out([1.0, 1.0, 1.0], alpha=0.6)
    assert "least eigenvalue is -5.00e-01" in found.doubt
    assert not recwarn.list
    assert kind(K).leave_one_out([1.0, 1.0, 1.0], alpha=100.0).doubt is None
    with pytest.raises(NotPSDError, match=r"alpha=0\.4"):
        kind(K).leave_one_out([1.0, 1.0, 1.0], alpha=0.4)


def test_a_solver_without_an_inverse_says_so():
    class Other(Solver):
        name = "Other"

        def _solve(self, targets, alphas, unit):
            raise AssertionError

    with pytest.raises(NotImplementedError, match="Other has no leave-one-out"):
        Other(np.eye(2)).leave_one_out([1.0, 2.0], alpha=1.0)


def test_bits_depend_on_no_number_of_threads():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 5))
    K, y = np.exp(X @ X.T / 5), rng.normal(size=700)
    one, four = (CholeskySolver(K, n_jobs=j).leave_one_out(y, alpha=0.1) for j in (1, 4))
    np.testing.assert_array_equal(one.errors, four.errors)
    wanted = SpectralSolver(K).leave_one_out(y, alpha=0.1).errors
    np.testing.assert_allclose(one.errors, wanted, atol=1e-9)


def test_the_mean_of_others_is_right_where_one_row_outweighs_them():
    y, weights = np.array([[1.0], [2.0], [4.0]]), np.array([1e-20, 1.0, 1e-20])
    found = means_of_others(y, weights)
    np.testing.assert_allclose(found[:, 0], [2.0, 2.5, 2.0])
