"""Rows that count very differently, by weights or by their own size, are no singular system."""

import re
import warnings

import mpmath
import numpy as np
import pytest
from scipy.linalg import lapack
from sklearn.kernel_ridge import KernelRidge

from ntkreg.cpus import one_blas_thread
from ntkreg.errors import NotPSDError, PrecisionWarning, SpecError
from ntkreg.solvers import solve_cholesky


def _rbf(n, seed=0, features=4):
    X = np.random.default_rng(seed).standard_normal((n, features))
    square = (X**2).sum(axis=1)
    return np.exp(-np.maximum(square[:, None] + square - 2 * X @ X.T, 0) / features)


def _exact(K, y, alpha, weights):
    """Return the coefficients of rows with a weight, solved with 60 digits."""
    with mpmath.workdps(60):
        A = mpmath.matrix(K.tolist())
        for i, w in enumerate(weights):
            A[i, i] += mpmath.mpf(alpha) / mpmath.mpf(float(w))
        # mpmath calls a matrix singular where rows differ by 1e60, as we did at 1e16.
        D = [1 / mpmath.sqrt(A[i, i]) for i in range(len(y))]
        scaled = mpmath.matrix(len(y))
        for i in range(len(y)):
            for j in range(len(y)):
                scaled[i, j] = A[i, j] * D[i] * D[j]
        right = mpmath.matrix([t * d for t, d in zip(y.tolist(), D, strict=True)])
        solution = mpmath.lu_solve(scaled, right)
        return np.array([float(c * d) for c, d in zip(solution, D, strict=True)])


SPREADS = {
    "1 and 1e13": np.where(np.arange(40) % 2, 1e13, 1.0),
    "one of 1e13": np.where(np.arange(40) == 7, 1e13, 1.0),
    "1 to 1e13": np.logspace(0, 13, 40),
    "1e-13 to 1": np.logspace(-13, 0, 40),
    "1e-200 to 1e200": np.logspace(-200, 200, 40),
    "all 1e13": np.full(40, 1e13),
    "all 1e-300": np.full(40, 1e-300),
}


@pytest.mark.parametrize("weights", SPREADS.values(), ids=SPREADS)
@pytest.mark.parametrize("alpha", [1e-10, 1e-2, 10.0])
def test_weights_however_far_apart_give_the_exact_solution(weights, alpha):
    K, y = _rbf(40), np.random.default_rng(1).standard_normal(40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = solve_cholesky(K, y, alpha=alpha, sample_weight=weights)
    exact = _exact(K, y, alpha, weights)
    size = np.abs(exact).max()
    np.testing.assert_allclose(found.dual_coef, exact, rtol=1e-9, atol=1e-12 * size)
    assert found.residual < 1e-12
    assert 0.99 < found.condition < 1e5
    assert found.min_eigenvalue > -1e-2 * alpha


@pytest.mark.parametrize("heavy", [1e6, 1e13])
def test_same_as_kernel_ridge_where_weights_are_far_apart(heavy):
    K, y = _rbf(60), np.random.default_rng(1).standard_normal(60)
    weights = np.where(np.arange(60) == 3, heavy, 1.0)
    wanted = KernelRidge(alpha=1e-2, kernel="precomputed").fit(K, y, weights).predict(K)
    found = solve_cholesky(K, y, alpha=1e-2, sample_weight=weights)
    np.testing.assert_allclose(K @ found.dual_coef, wanted, atol=1e-9)


@pytest.mark.parametrize("size", [1e-150, 1e-7, 1e7, 1e100])
def test_rows_of_any_size_are_solved_without_a_ridge(size):
    root = np.where(np.arange(40) % 3, 1.0, size)
    K, y = _rbf(40) * np.outer(root, root), np.random.default_rng(1).standard_normal(40) * root
    found = solve_cholesky(K, y, alpha=0)
    np.testing.assert_allclose(found.dual_coef, _exact(K, y, 0, np.ones(40)), rtol=1e-9)
    assert found.condition < 1e5


def test_scaling_changes_no_bit_of_a_solution():
    size = np.logspace(-2, 2, 200)
    K, Y = _rbf(200) * np.outer(size, size), np.random.default_rng(1).standard_normal((200, 3))
    with one_blas_thread():
        lower, _ = lapack.dpotrf(K + 0.1 * np.eye(200), lower=1)
        wanted, _ = lapack.dpotrs(lower, Y, lower=1)
    assert np.array_equal(solve_cholesky(K, Y, alpha=0.1).dual_coef, wanted)


def _with_copies(n, *rows):
    return _rbf(n)[np.ix_([*range(n), *rows], [*range(n), *rows])]


@pytest.mark.parametrize("n", [20, 100])
def test_repeated_rows_are_refused_where_their_weights_leave_no_ridge(n):
    K, y = _with_copies(n, 0, 1), np.random.default_rng(1).standard_normal(n)
    y = np.append(y, y[:2])
    weights = np.ones(n + 2)
    weights[[0, n]] = 1e18  # of the second pair both weigh 1: alpha is enough for them
    alpha, tries = 1e-2, 0
    with pytest.raises(NotPSDError, match=rf"pivot {n} .*weights up to 1e\+18") as caught:
        solve_cholesky(K, y, alpha=alpha, sample_weight=weights)
    while caught is not None:
        asked = float(re.search(r"at least about (\S+e[+-]\d+)", str(caught.value)).group(1))
        assert asked > 2 * alpha
        alpha, caught, tries = asked, None, tries + 1
        try:
            found = solve_cholesky(K, y, alpha=alpha, sample_weight=weights)
        except NotPSDError as error:
            caught = type("Caught", (), {"value": error})
    assert tries <= 2
    assert 1e2 < alpha < 1e8  # about n eps times the weight: 1e13 times less would do for 1
    assert found.residual < 1e-10


def test_a_repeated_row_of_little_weight_does_not_hide_behind_a_heavy_one():
    K, y = _with_copies(30, 0), np.random.default_rng(1).standard_normal(30)
    y = np.append(y, y[0])
    weights = np.ones(31)
    weights[5] = 1e13
    with pytest.raises(NotPSDError, match="duplicate rows give 0") as caught:
        solve_cholesky(K, y, alpha=0, sample_weight=weights)
    asked = float(re.search(r"at least about (\S+e-\d+)", str(caught.value)).group(1))
    assert 1e-15 < asked < 1e-11  # not 1e13 times that
    assert solve_cholesky(K, y, alpha=asked, sample_weight=weights).residual < 1e-9


def _indefinite(n, least):
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((n, n)))
    values = np.geomspace(1e-3, 10, n)
    values[0] = least
    K = (rotation * values) @ rotation.T
    return (K + K.T) / 2


@pytest.mark.parametrize("n", [20, 200])
@pytest.mark.parametrize("weight", [1e-6, 1e6])
def test_equal_weights_warn_as_their_share_of_the_ridge_does(n, weight):
    K = _indefinite(n, least=-4e-4)
    with pytest.warns(PrecisionWarning, match="with its weights, is indefinite"):
        found = solve_cholesky(K, np.ones(n), alpha=5e-4 * weight, sample_weight=weight)
    assert found.min_eigenvalue == pytest.approx(-4e-4 * weight, rel=0.02)
    with pytest.raises(NotPSDError, match=r"least eigenvalue of K -4\.00e-04") as caught:
        solve_cholesky(K, np.ones(n), alpha=3e-4 * weight, sample_weight=weight)
    asked = float(re.search(r"at least about (\S+e[+-]\d+)", str(caught.value)).group(1))
    assert asked == pytest.approx(8e-4 * weight, rel=0.3)


@pytest.mark.parametrize("n", [20, 200])
def test_a_heavy_row_does_not_silence_the_warning(n):
    K = _indefinite(n, least=-4e-4)
    K = np.block([[K, np.zeros((n, 1))], [np.zeros((1, n)), np.ones((1, 1))]])
    weights = np.append(np.ones(n), 1e15)
    with pytest.warns(PrecisionWarning, match="least eigenvalue is -4"):
        found = solve_cholesky(K, np.ones(n + 1), alpha=5e-4, sample_weight=weights)
    assert found.min_eigenvalue == pytest.approx(-4e-4, rel=0.02)


def test_weights_that_are_nothing_beside_alpha_count_as_none():
    K, y = _rbf(20), np.random.default_rng(1).standard_normal(20)
    tiny, none = np.ones(20), np.ones(20)
    tiny[3], none[3] = 1e-310, 0.0
    found = solve_cholesky(K, y, alpha=10.0, sample_weight=tiny)
    assert np.array_equal(
        found.dual_coef, solve_cholesky(K, y, alpha=10.0, sample_weight=none).dual_coef
    )
    with pytest.raises(SpecError, match=r"alpha must be finite in units of the sample weights"):
        solve_cholesky(K, y, alpha=1e10, sample_weight=1e-310)


def test_huge_weights_leave_the_mean_diagonal_a_number():
    K, y = 7 * _rbf(20), np.random.default_rng(1).standard_normal(20)
    found = solve_cholesky(
        K, y, alpha=0.5, alpha_scale="mean_diagonal", sample_weight=np.full(20, 1e308)
    )
    assert found.alpha == pytest.approx(3.5)
