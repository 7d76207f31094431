"""The spectral solver against dense solves, matrix functions and explicit descent."""

import warnings

import numpy as np
import pytest
from scipy.linalg import expm
from threadpoolctl import threadpool_limits

from ntkreg.errors import NotPSDError, PrecisionWarning, SpecError
from ntkreg.solvers import SpectralSolver, solve_cholesky


def _task(n=30, outputs=3):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6))
    return np.exp(X @ X.T / 10), rng.normal(size=(n, outputs))


WEIGHTS = {
    "none": None,
    "uneven": np.arange(30) % 3 + 0.0,
    "huge": np.where(np.arange(30) % 2, 2e200, 1e200),
    "tiny": np.full(30, 3e-300),
}


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("scale", ["absolute", "mean_diagonal"])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_solutions_are_those_of_cholesky(weights, scale, size):
    K, y = _task()
    K *= size
    unit = size if scale == "absolute" else 1.0
    top = 1.0 if weights is None else weights.max()
    solver = SpectralSolver(K, sample_weight=weights)
    for alpha in (0.1, 1.0, [0.1, 0.1, 2.0]):
        asked = {"alpha": np.multiply(alpha, unit * top), "alpha_scale": scale}
        wanted = solve_cholesky(K, y, sample_weight=weights, **asked)
        found = solver.solve(y, **asked)
        np.testing.assert_allclose(found.dual_coef, wanted.dual_coef, rtol=1e-9)
        assert found.residual < 1e-12
        assert found.condition == pytest.approx(
            solver.solve(y[:, 0], alpha=np.min(alpha) * unit * top, alpha_scale=scale).condition
        )


def test_it_decomposes_once(monkeypatch):
    K, y = _task()
    calls, eigh = [], np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda A: calls.append(1) or eigh(A))
    solver = SpectralSolver(K)
    for alpha in (0.1, 1.0):
        solver.solve(y, alpha=alpha)
        solver.leave_one_out(y[:, 0], alpha=alpha)
        solver.flow(y, [1.0, 2.0], alpha=alpha)
    assert len(calls) == 1


def test_spectrum():
    K, _ = _task()
    weights = np.arange(30) % 3
    solver = SpectralSolver(1e4 * K, sample_weight=weights)
    kept = weights > 0
    S = 1e4 * np.sqrt(np.outer(weights, weights))[np.ix_(kept, kept)] * K[np.ix_(kept, kept)]
    np.testing.assert_allclose(solver.eigenvalues, np.linalg.eigvalsh(S), atol=1e-9)
    rebuilt = (solver.eigenvectors * solver.eigenvalues) @ solver.eigenvectors.T
    np.testing.assert_allclose(rebuilt, S, atol=1e-8)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_the_flow_is_the_matrix_exponential(outputs, alpha):
    K, y = _task(outputs=outputs)
    times = [0.0, 0.3, 40.0, 1e4]
    found = SpectralSolver(K).flow(y, times, alpha=alpha)
    A = K + alpha * np.eye(30)
    for t, coef in zip(times, found, strict=True):
        wanted = np.linalg.solve(A, y - expm(-A * t / y.size) @ y)
        np.testing.assert_allclose(coef, wanted, atol=1e-8)
    np.testing.assert_allclose(SpectralSolver(K).flow(y, 40.0, alpha=alpha), found[2], atol=1e-12)
    np.testing.assert_allclose(
        SpectralSolver(K).flow(y, 1e15, alpha=0.2), solve_cholesky(K, y, alpha=0.2).dual_coef
    )


@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_descent_is_its_loop(alpha):
    K, y = _task()
    weights = np.arange(30) % 3
    solver = SpectralSolver(K, sample_weight=weights)
    size = weights.sum() * 3
    rate = 1.9 * size / (solver.eigenvalues[-1] + alpha)
    coef, at = np.zeros_like(y), {}
    for step in range(1, 51):  # dL/dc = K (W (K c - y) + alpha c) / size, preconditioned by K
        coef = coef - rate / size * (weights[:, None] * (K @ coef - y) + alpha * coef)
        at[step] = coef
    for step in (1, 2, 7, 50):
        found = solver.descent(y, step, rate, alpha=alpha)
        np.testing.assert_allclose(found, at[step], atol=1e-10)
    np.testing.assert_array_equal(solver.descent(y, [0, 7], rate, alpha=alpha)[0], 0 * y)
    with pytest.raises(SpecError, match=r"learning_rate must be > 0 and at most .* diverges"):
        solver.descent(y, 3, 1.1 * rate, alpha=alpha)


def test_in_the_flow_a_weight_is_that_many_rows():
    K, y = _task()
    weights = np.arange(30) % 3
    rows = np.repeat(np.arange(30), weights)
    found = SpectralSolver(K, sample_weight=weights).flow(y, 5.0, alpha=0.1)
    wanted = SpectralSolver(K[np.ix_(rows, rows)]).flow(y[rows], 5.0, alpha=0.1)
    np.testing.assert_allclose(K @ found, K[:, rows] @ wanted, atol=1e-10)


def test_where_nothing_is_to_be_learnt_coefficients_grow_with_time():
    found = SpectralSolver(np.diag([0.0, 2.0])).flow([1.0, 1.0], [0.5, 3.0])
    np.testing.assert_allclose(found, [[0.25, (1 - np.exp(-0.5)) / 2], [1.5, (1 - np.exp(-3)) / 2]])
    found = SpectralSolver(np.diag([0.0, 2.0])).descent([1.0, 1.0], [1, 4], 0.5)
    np.testing.assert_allclose(found, [[0.25, 0.25], [1.0, (1 - 0.5**4) / 2]])


def test_negative_eigenvalues_are_told_and_taken_for_none():
    K = np.diag([1.0, -0.5])
    with pytest.warns(PrecisionWarning, match="SpectralSolver: K is indefinite"):
        found = SpectralSolver(K).flow([1.0, 1.0], 2.0)
    np.testing.assert_allclose(found, [1 - np.exp(-1.0), 1.0])
    with pytest.warns(PrecisionWarning, match="least eigenvalue is -5.00e-01"):
        SpectralSolver(K).solve([1.0, 1.0], alpha=0.6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SpectralSolver(K).solve([1.0, 1.0], alpha=100.0)


@pytest.mark.parametrize("scale", ["absolute", "mean_diagonal"])
def test_a_ridge_that_is_too_small_is_refused_with_one_that_will_do(scale):
    K = np.diag([4.0, 2.0, -1e-3])
    with pytest.raises(NotPSDError, match=r"SpectralSolver: .* Raise alpha to at least") as caught:
        SpectralSolver(K).solve(np.ones(3), alpha=1e-5, alpha_scale=scale)
    enough = float(str(caught.value).split("at least about ")[1].split()[0].rstrip("."))
    with pytest.warns(PrecisionWarning):
        SpectralSolver(K).solve(np.ones(3), alpha=enough, alpha_scale=scale)
    with pytest.raises(NotPSDError, match=r"duplicate rows give 0.*Raise alpha"):
        SpectralSolver(np.ones((3, 3))).solve(np.ones(3), alpha=0.0)


def test_bits_depend_on_no_number_of_blas_threads():
    K, y = _task(200)
    one = SpectralSolver(K).solve(y, alpha=0.1)
    with threadpool_limits(2, user_api="blas"):
        two = SpectralSolver(K).solve(y, alpha=0.1)
    np.testing.assert_array_equal(one.dual_coef, two.dual_coef)


@pytest.mark.parametrize("t", [-1.0, np.nan, np.inf, "1", None, [[1.0]], [1.0, -2.0]])
def test_times_that_are_none(t):
    with pytest.raises(SpecError, match=r"SpectralSolver: t must be finite numbers >= 0"):
        SpectralSolver(np.eye(2)).flow([1.0, 2.0], t)
