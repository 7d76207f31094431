"""Ridge from sums: the same as from all rows at once, by other means."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from ntkreg.errors import NotPSDError, SpecError
from ntkreg.solvers.normal_equations import NormalEquations


def _sums(A, y, weights=None, *, parts=(1000,), fit_intercept=True, n_jobs=1):
    sums = NormalEquations("test", A.shape[1], y.shape[1], fit_intercept=fit_intercept)
    start = 0
    for size in parts:
        part = slice(start, start + size)
        sums.add(A[part], y[part], None if weights is None else weights[part], n_jobs)
        start += size
    return sums


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((300, 20)) + 3 * rng.standard_normal(20)
    y = A @ rng.standard_normal((20, 2)) + rng.standard_normal((300, 2)) + 5
    return A, y, rng.uniform(0.1, 3, 300)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("parts", [(300,), (100, 200), (1, 1, 7, 291)])
@pytest.mark.parametrize("alpha", [1e-3, [0.5, 20.0]])
def test_same_as_scikit_learns_ridge(weighted, fit_intercept, parts, alpha, data):
    A, y, weights = data
    weights = weights if weighted else None
    wanted = Ridge(alpha=alpha, fit_intercept=fit_intercept, solver="svd").fit(A, y, weights)
    sums = _sums(A, y, weights, parts=parts, fit_intercept=fit_intercept)
    found = sums.solve(alpha, "absolute", 1)
    np.testing.assert_allclose(found.coef.T, wanted.coef_, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found.intercept, wanted.intercept_, rtol=1e-9, atol=1e-11)
    assert found.solution.residual < 1e-10


def test_weights_are_the_rows_repeated(data):
    A, y, _ = data
    counts = np.random.default_rng(1).integers(0, 4, 300)
    one = _sums(A, y, counts.astype(float)).solve(0.3, "mean_diagonal", 1)
    two = _sums(np.repeat(A, counts, axis=0), np.repeat(y, counts, axis=0))
    two = two.solve(0.3, "mean_diagonal", 1)
    np.testing.assert_allclose(one.coef, two.coef, rtol=1e-10)
    np.testing.assert_allclose(one.intercept, two.intercept, rtol=1e-10)
    np.testing.assert_allclose(one.solution.alpha, two.solution.alpha, rtol=1e-13)


def test_the_unit_of_alpha_is_the_mean_diagonal_of_the_kernel(data):
    A, y, weights = data
    unit = np.average((A**2).sum(axis=1), weights=weights)
    for fit_intercept in (False, True):
        sums = _sums(A, y, weights, parts=(100, 200), fit_intercept=fit_intercept)
        np.testing.assert_allclose(sums.solve(0.1, "mean_diagonal", 1).solution.alpha, 0.1 * unit)


def test_means_far_from_zero_cost_no_digits(data):
    A, y, _ = data
    wanted = _sums(A, y).solve(1.0, "absolute", 1)
    # Of sums about zero, 1e16 each, nothing would be left.
    found = _sums(A + 2.0**30, y + 2.0**30, parts=(1, 99, 200)).solve(1.0, "absolute", 1)
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=1e-6)


def test_bits_depend_on_no_number_of_threads():
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((90, 2100)).astype("float32"), rng.standard_normal((90, 3))
    coefs = [_sums(A, y, n_jobs=n).solve(0.1, "absolute", n).coef for n in (1, 2, 3)]
    np.testing.assert_array_equal(coefs[0], coefs[1])
    np.testing.assert_array_equal(coefs[0], coefs[2])
    # 2,100 columns are three blocks, and their sums those of all at once.
    B = A.astype(np.float64) - A.astype(np.float64).mean(axis=0)
    wanted = B.T @ np.linalg.solve(B @ B.T + 0.1 * np.eye(90), y - y.mean(axis=0))
    np.testing.assert_allclose(coefs[0], wanted, rtol=1e-4, atol=1e-8)


def test_float32_rows_are_summed_in_float64():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((2000, 3)).astype("float32")
    A[:, 2] = A[:, 0] + 1e-4 * A[:, 1]  # what is left of it drowns in sums of float32
    y = A.astype(np.float64) @ np.array([[1.0], [2.0], [3.0]])
    found = _sums(A, y, parts=(2000,), fit_intercept=False).solve(1e-9, "absolute", 1)
    np.testing.assert_allclose(A.astype(np.float64) @ found.coef, y, atol=1e-6)


@pytest.mark.parametrize("size", [1e30, 1e-30])
def test_features_of_any_size_of_float32(size, data):
    A, y, _ = data
    wanted = _sums(A, y).solve(1e-3, "mean_diagonal", 1)
    found = _sums(A * size, y).solve(1e-3, "mean_diagonal", 1)
    np.testing.assert_allclose(found.coef * size, wanted.coef, rtol=1e-9)


def test_what_cannot_be_solved_is_said(data):
    A, y, _ = data
    with pytest.raises(NotPSDError, match=r"test: the sums .* Raise alpha"):
        _sums(np.hstack([A, A]), y).solve(0.0, "absolute", 1)
    with pytest.raises(NotPSDError, match=r"Raise alpha .* counts in units of"):
        _sums(np.hstack([A, A]), y).solve(0.0, "mean_diagonal", 1)
    for scale in ("mean_diagonal", "absolute"):
        found = _sums(0 * A, y).solve(1.0, scale, 1)
        np.testing.assert_allclose(found.intercept, y.mean(axis=0))
        np.testing.assert_array_equal(found.coef, 0)
    with pytest.raises(SpecError, match="test: squares of X overflow"):
        _sums(A * 1e200, y)
    with pytest.raises(SpecError, match=r"test: squares of X, which is .* are 0 in float64"):
        _sums(A * 1e-200, y)
