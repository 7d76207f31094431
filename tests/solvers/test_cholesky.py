import re
import tracemalloc
import warnings

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from ntkreg.errors import NotPSDError, PrecisionWarning, ShapeError, SpecError
from ntkreg.solvers import solve_cholesky


def _rbf(n, seed=0, features=4):
    X = np.random.default_rng(seed).standard_normal((n, features))
    square = (X**2).sum(axis=1)
    return np.exp(-np.maximum(square[:, None] + square - 2 * X @ X.T, 0) / features)


def _targets(n, *shape, seed=1):
    return np.random.default_rng(seed).standard_normal((n, *shape))


@pytest.mark.parametrize("shape", [(), (1,), (3,)])
@pytest.mark.parametrize("n", [1, 2, 33, 120])
def test_the_solution_solves_and_its_residual_is_the_true_one(n, shape):
    K, y = _rbf(n), _targets(n, *shape)
    found = solve_cholesky(K, y, alpha=1e-3)
    assert found.dual_coef.shape == y.shape
    off = K @ found.dual_coef + 1e-3 * found.dual_coef - y
    assert np.linalg.norm(off) < 1e-10 * np.linalg.norm(y)
    assert found.residual < 1e-10


def test_the_residual_is_not_always_tiny():
    n = 12
    hilbert = 1 / (1 + np.add.outer(np.arange(n), np.arange(n)))
    found = solve_cholesky(hilbert, np.ones(n), alpha=3e-15)
    off = np.linalg.norm(hilbert @ found.dual_coef + 3e-15 * found.dual_coef - 1) / np.sqrt(n)
    assert found.residual > 1e-12
    assert 0.1 < found.residual / off < 10


@pytest.mark.parametrize("alpha", [1e-4, 1.0, [0.1, 0.1, 2.0]])
@pytest.mark.parametrize("weighted", [False, True])
def test_same_as_scikit_learns_kernel_ridge(alpha, weighted):
    K, y = _rbf(60), _targets(60, 3)
    weights = np.random.default_rng(2).uniform(0.1, 3, 60) if weighted else None
    wanted = KernelRidge(alpha=alpha, kernel="precomputed").fit(K, y, weights).dual_coef_
    found = solve_cholesky(K, y, alpha=alpha, sample_weight=weights)
    np.testing.assert_allclose(found.dual_coef, wanted, rtol=1e-8, atol=1e-10)
    assert found.residual < 1e-10


def test_dual_equals_primal_on_the_linear_kernel():
    X, y = np.random.default_rng(0).standard_normal((50, 6)), _targets(50, 2)
    weights = np.random.default_rng(1).uniform(0, 2, 50)
    dual = X.T @ solve_cholesky(X @ X.T, y, alpha=0.3, sample_weight=weights).dual_coef
    primal = np.linalg.solve(X.T @ (weights[:, None] * X) + 0.3 * np.eye(6), X.T * weights @ y)
    np.testing.assert_allclose(dual, primal, rtol=1e-9)


@pytest.mark.parametrize("scale", ["absolute", "mean_diagonal"])
def test_a_whole_weight_is_a_repeated_row_and_zero_is_none(scale):
    K, y = _rbf(20) * np.linspace(1, 2, 20) * np.linspace(1, 2, 20)[:, None], _targets(20)
    weights = np.arange(20) % 3
    rows = np.repeat(np.arange(20), weights)
    repeated = solve_cholesky(K[np.ix_(rows, rows)], y[rows], alpha=0.1, alpha_scale=scale)
    weighted = solve_cholesky(K, y, alpha=0.1, alpha_scale=scale, sample_weight=weights)
    np.testing.assert_allclose(K @ weighted.dual_coef, K[:, rows] @ repeated.dual_coef)
    assert not weighted.dual_coef[weights == 0].any()
    # Nor do rows of weight zero make K singular.
    assert solve_cholesky(K, y, alpha=0, sample_weight=weights).residual < 1e-8


def test_mean_diagonal_is_the_unit_of_alpha():
    K, y = 7 * _rbf(30), _targets(30)
    found = solve_cholesky(K, y, alpha=0.01, alpha_scale="mean_diagonal")
    assert found.alpha == pytest.approx(0.07)
    assert np.array_equal(found.dual_coef, solve_cholesky(K, y, alpha=found.alpha).dual_coef)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, bool])
@pytest.mark.parametrize("order", ["C", "F"])
def test_inputs_are_not_changed_and_the_solve_is_float64(dtype, order):
    K = np.array(np.eye(40) * 2, dtype=dtype, order=order)
    y, weights = np.ones(40, np.float32), np.full(40, 2.0)
    before = K.copy(), y.copy(), weights.copy()
    K.flags.writeable = y.flags.writeable = False
    found = solve_cholesky(K, y, alpha=1, sample_weight=weights)
    assert found.dual_coef.dtype == np.float64
    for array, old in zip((K, y, weights), before, strict=True):
        assert np.array_equal(array, old)


def test_the_condition_estimate_is_near_the_truth():
    K = _rbf(80)
    for alpha in (1e-6, 1e-2, 10.0):
        A = K + alpha * np.eye(80)
        true = np.linalg.norm(A, 1) * np.linalg.norm(np.linalg.inv(A), 1)
        assert true / 3 <= solve_cholesky(K, np.ones(80), alpha=alpha).condition <= true * 1.01


@pytest.mark.parametrize("n", [20, 200])  # by decomposition, by Lanczos
def test_the_least_eigenvalue_is_that_of_k(n):
    K = _rbf(n, features=30)
    true = np.linalg.eigvalsh(K)[0]
    found = solve_cholesky(K, np.ones(n), alpha=1e-3).min_eigenvalue
    assert found == pytest.approx(true, abs=0.02 * (true + 1e-3))
    assert solve_cholesky(K, np.ones(n), alpha=0).min_eigenvalue is None


def _indefinite(n, least):
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((n, n)))
    values = np.geomspace(1e-3, 10, n)
    values[0] = least
    K = (rotation * values) @ rotation.T
    return (K + K.T) / 2


@pytest.mark.parametrize("n", [20, 200])
def test_an_indefinite_gram_that_can_be_solved_warns_with_its_eigenvalue(n):
    K = _indefinite(n, least=-4e-4)
    with pytest.warns(PrecisionWarning, match="least eigenvalue is -4.*e-04.*alpha = 5.00e-04"):
        found = solve_cholesky(K, np.ones(n), alpha=5e-4)
    assert found.min_eigenvalue == pytest.approx(-4e-4, rel=0.02)
    assert found.residual < 1e-8
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solve_cholesky(K, np.ones(n), alpha=0.1)  # a negative part of 0.4 % of the ridge


@pytest.mark.parametrize("n", [20, 200])
@pytest.mark.parametrize("scale", ["absolute", "mean_diagonal"])
def test_an_indefinite_gram_that_cannot_be_solved_raises_with_the_alpha_that_would_do(n, scale):
    K = 50 * _indefinite(n, least=-8e-6)
    with pytest.raises(NotPSDError, match="not positive definite at pivot") as caught:
        solve_cholesky(K, np.ones(n), alpha=1e-6, alpha_scale=scale)
    message = str(caught.value)
    assert f"n={n}" in message
    assert "float64" in message
    assert "least eigenvalue of K -4.00e-04" in message
    enough = float(re.search(r"at least about (\S+e-\d+)", message).group(1))
    unit = 1 if scale == "absolute" else np.trace(K) / n
    assert 4e-4 < enough * unit < 2e-3
    with pytest.warns(PrecisionWarning):
        solve_cholesky(K, np.ones(n), alpha=enough, alpha_scale=scale)


def test_a_float32_gram_is_told_that_float64_may_do():
    X = np.random.default_rng(0).standard_normal((100, 3)).astype(np.float32)
    with pytest.raises(NotPSDError, match=r"K in float32.*or compute K in float64"):
        solve_cholesky(X @ X.T, np.ones(100), alpha=0)


@pytest.mark.parametrize("n", [2, 50])
def test_duplicate_rows_need_a_ridge(n):
    K = _rbf(n)
    rows = [*range(n), 0]
    K = K[np.ix_(rows, rows)]
    with pytest.raises(NotPSDError, match=r"duplicate rows give 0.*Raise alpha"):
        solve_cholesky(K, np.ones(n + 1), alpha=0)
    found = solve_cholesky(K, np.ones(n + 1), alpha=1e-6)
    assert found.dual_coef[0] == pytest.approx(found.dual_coef[-1])


def test_a_singular_gram_that_rounding_lets_through_is_refused():
    # Its factorisation ends in a pivot of 2e-16, not of 0: no LAPACK error.
    K = np.array([[1.0, 1.0], [1.0, 1 + np.finfo(float).eps]])
    with pytest.raises(NotPSDError, match="singular to working precision at pivot 1"):
        solve_cholesky(K, np.ones(2), alpha=0)


def test_a_gram_of_zeros_is_a_clear_error():
    with pytest.raises(NotPSDError, match=r"not positive definite at pivot 0.*alpha above 0\."):
        solve_cholesky(np.zeros((3, 3)), np.ones(3), alpha=0)
    with pytest.raises(NotPSDError, match='Use alpha_scale="absolute"'):
        solve_cholesky(np.zeros((3, 3)), np.ones(3), alpha=1, alpha_scale="mean_diagonal")


NAN = np.array([[1, np.nan], [np.nan, 1]])


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"K": np.ones((2, 3))}, ShapeError, r"square matrix .*\(2, 3\)"),
        ({"K": np.ones(2)}, ShapeError, r"square matrix .*\(2,\)"),
        ({"K": np.ones((0, 0)), "y": np.ones(0)}, ShapeError, "at least one row"),
        ({"K": np.eye(2) * 1j}, TypeError, "real numbers; got dtype complex"),
        ({"K": NAN}, ValueError, r"NaN or infinity \(first in row 0\)"),
        ({"K": np.diag([1, np.inf])}, ValueError, r"NaN or infinity \(first in row 1\)"),
        ({"K": [[1, 0.5], [0.4, 1]]}, ValueError, "must be symmetric; .* reaches 0.1"),
        ({"K": np.array([[1, 0], [3, 1]], np.uint8)}, ValueError, "reaches 3"),
        ({"y": np.ones(3)}, ShapeError, r"n = 2 rows as in K; got shape \(3,\)"),
        ({"y": np.ones((2, 1, 1))}, ShapeError, "y must be"),
        ({"y": np.ones((2, 0))}, ShapeError, "y must be"),
        ({"y": ["a", "b"]}, TypeError, "y must hold real numbers"),
        ({"y": [1, np.inf]}, ValueError, "y contains NaN or infinity"),
        ({"alpha": -0.1}, SpecError, r"alpha must be a finite float >= 0.*got -0\.1"),
        ({"alpha": np.nan}, SpecError, "alpha must be a finite float >= 0.*got nan"),
        ({"alpha": "1"}, SpecError, "alpha must be"),
        ({"alpha": None}, SpecError, "alpha must be"),
        ({"alpha": [1, 2]}, SpecError, "one for each of 1 target"),
        ({"alpha_scale": "trace"}, SpecError, "alpha_scale must be .* got 'trace'"),
        ({"sample_weight": [1, -1]}, ValueError, "sample_weight must be 2 finite numbers >= 0"),
        ({"sample_weight": [0, 0]}, ValueError, "not all 0"),
        ({"sample_weight": [1, 2, 3]}, ValueError, "sample_weight must be 2"),
        ({"sample_weight": [1, np.nan]}, ValueError, "sample_weight must be 2"),
    ],
)
def test_bad_arguments_are_named(changed, error, match):
    arguments = {"K": np.eye(2), "y": np.ones(2), "alpha": 1.0, **changed}
    with pytest.raises(error, match=match):
        solve_cholesky(**arguments)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_working_copy_of_k_is_all_the_memory(dtype):
    n = 900
    K, y = _rbf(n).astype(dtype), np.ones(n)
    tracemalloc.start()
    solve_cholesky(K, y, alpha=1.0, sample_weight=np.full(n, 2.0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * n * (n + 4 * 128)  # and some rows of it


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_failure_is_diagnosed_with_one_working_copy_too(dtype):
    n = 900
    K = _rbf(n).astype(dtype)
    K[-1] = K[0]
    K[:, -1] = K[:, 0]
    K[-1, -1] = K[0, 0]
    tracemalloc.start()
    with pytest.raises(NotPSDError):
        solve_cholesky(K, np.ones(n), alpha=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * n * (n + 4 * 128)  # and some rows of it


def test_the_least_eigenvalue_of_nearly_a_multiple_of_the_identity_is_found():
    # LAPACK's default driver finds no eigenvalue in one of these.
    for seed in range(30):
        X = np.random.default_rng(seed).standard_normal((21, 3))
        found = solve_cholesky(X @ X.T, np.ones(21), alpha=2000.0)
        assert abs(found.min_eigenvalue) < 1e-8


@pytest.mark.parametrize("power", [-1000, -500, 500, 1000])
def test_targets_of_any_size_are_solved_to_the_bits_of_ordinary_ones(power):
    K, y = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, -0.7])
    ordinary = solve_cholesky(K, y, alpha=0.1)
    found = solve_cholesky(K, np.ldexp(y, power), alpha=0.1)
    np.testing.assert_array_equal(found.dual_coef, np.ldexp(ordinary.dual_coef, power))
    assert found.residual == ordinary.residual < 1e-15


def test_coefficients_beyond_float64_are_an_error():
    with pytest.raises(SpecError, match="coefficients of such y overflow"):
        solve_cholesky(np.eye(2) * 1e-10, [1e300, 1.0], alpha=0)


def test_masked_entries_of_a_matrix_are_refused():
    K = np.ma.masked_array(np.eye(2), [[True, False], [False, False]])
    with pytest.raises(SpecError, match="K is a masked array with 1 masked"):
        solve_cholesky(K, [1.0, 2.0], alpha=0.1)


def test_a_gram_of_denormal_numbers_is_refused():
    with pytest.raises(SpecError, match=r"K is 1.1e-310 at most.*Rescale K"):
        solve_cholesky(1e-310 * (np.eye(50) + 0.1), np.ones(50), alpha=0)
