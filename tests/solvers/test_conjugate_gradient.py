"""Conjugate gradients over tiles, beside dense solves by NumPy in float64."""

import re
import warnings

import numpy as np
import pytest

from ntkreg.errors import NotPSDError, PlanError, PrecisionWarning, SpecError
from ntkreg.solvers import ConjugateGradientSolver, Solution, conjugate_gradient
from ntkreg.solvers.block_conjugate_gradients import block_conjugate_gradients


def _rbf(n, seed=0, features=4, width=4.0):
    X = np.random.default_rng(seed).standard_normal((n, features))
    square = (X**2).sum(axis=1)
    return np.exp(-np.maximum(square[:, None] + square - 2 * X @ X.T, 0) / width)


def _targets(n, *shape, seed=1):
    return np.random.default_rng(seed).standard_normal((n, *shape))


def _off(K, y, found, alpha, weights=None):
    """The residual by NumPy, the largest over targets."""
    w = np.ones(len(K)) if weights is None else weights
    kept = w > 0
    ridge = alpha / w[kept]
    c, y = (np.reshape(a, (len(K), -1)) for a in (found.dual_coef, y))
    left = K[kept] @ c + ridge[:, None] * c[kept] - y[kept]
    norm = np.linalg.norm(y[kept], axis=0)
    return (np.linalg.norm(left, axis=0) / np.where(norm > 0, norm, 1)).max()


@pytest.mark.parametrize("alpha", [1e-8, 1e-5, 1e-2, 10.0])
@pytest.mark.parametrize("repeated", [False, True])
def test_the_solution_is_numpys(alpha, repeated):
    K, y = _rbf(130), _targets(130, 3)
    if repeated:
        rows = np.arange(130) // 2
        K = K[np.ix_(rows, rows)]
    # Repeated rows make coefficients of 1 / alpha: LAPACK's own residual is 5e-8 then.
    tol = 1e-6 if repeated and alpha < 1e-6 else 1e-9
    found = ConjugateGradientSolver(K, tol=tol).solve(y, alpha=alpha)
    wanted = np.linalg.solve(K + alpha * np.eye(130), y)
    error = np.linalg.norm(K @ (found.dual_coef - wanted), axis=0)
    assert (error < 2 * tol * np.linalg.norm(y, axis=0)).all()
    assert found.residual <= tol
    assert found.residual == pytest.approx(_off(K, y, found, alpha), rel=1e-3, abs=1e-12)
    assert found.status == f"iterated {found.n_iter} times"
    assert len(found.residuals) == found.n_iter + 1
    assert found.residuals[0] == pytest.approx(1)
    assert found.residuals[-1] == found.residual


def test_few_pivots_take_more_iterations_and_end_at_the_same():
    K, y = _rbf(300, features=8), _targets(300, 2)
    few, many = (
        ConjugateGradientSolver(K, tol=1e-10, n_pivots=k).solve(y, alpha=1e-4) for k in (5, 290)
    )
    assert 2 * many.n_iter < few.n_iter
    np.testing.assert_allclose(K @ few.dual_coef, K @ many.dual_coef, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 33, 513])
@pytest.mark.parametrize("outputs", [(), (1,), (5,)])
def test_any_number_of_rows_and_targets(n, outputs):
    K, y = _rbf(n), _targets(n, *outputs)
    found = ConjugateGradientSolver(K).solve(y, alpha=1e-3)
    assert found.dual_coef.shape == y.shape
    assert _off(K, y, found, 1e-3) <= 1e-6


def test_targets_that_are_zero_or_depend_on_each_other_break_nothing():
    K, y = _rbf(90, features=8), _targets(90, 4)
    # Zero, repeated, a sum, tiny, one that is solved at once, and more targets than rows have rank.
    columns = [np.zeros(90), y[:, 0], y[:, 0], y[:, 1] + y[:, 2], 1e-12 * y[:, 3], K @ y[:, 1]]
    y = np.column_stack(columns)
    found = ConjugateGradientSolver(K, n_pivots=3, tol=1e-8).solve(y, alpha=1e-3)
    wanted = np.linalg.solve(K + 1e-3 * np.eye(90), y)
    assert not found.dual_coef[:, 0].any()
    error = np.linalg.norm(found.dual_coef - wanted, axis=0)
    assert (error[1:] < 1e-5 * np.linalg.norm(y, axis=0)[1:] / 1e-3).all()
    assert _off(K, y, found, 1e-3) <= 1e-8
    nothing = ConjugateGradientSolver(K).solve(np.zeros(90), alpha=1e-3)
    assert nothing.n_iter == 0
    assert not nothing.dual_coef.any()


def test_more_targets_than_rows_and_an_exhausted_space():
    K, y = _rbf(6), _targets(6, 11)
    found = ConjugateGradientSolver(K, n_pivots=1, tol=1e-12).solve(y, alpha=1e-3)
    assert _off(K, y, found, 1e-3) <= 1e-11


def test_targets_at_once_take_fewer_iterations_than_alone():
    K, y = _rbf(300, features=10, width=10), _targets(300, 8)
    solver = ConjugateGradientSolver(K, n_pivots=10)
    together = solver.solve(y, alpha=1e-3).n_iter
    assert together < 0.75 * solver.solve(y[:, 0], alpha=1e-3).n_iter


@pytest.mark.parametrize("spread", [1.0, 1e3])
def test_weights_are_those_of_the_dense_equations(spread):
    n = 80
    K, y = _rbf(n), _targets(n, 2)
    weights = spread ** np.random.default_rng(3).uniform(-1, 1, n)
    weights[::7] = 0
    found = ConjugateGradientSolver(K, sample_weight=weights, tol=1e-8).solve(y, alpha=0.01)
    kept = np.flatnonzero(weights)
    A = K[np.ix_(kept, kept)] + np.diag(0.01 / weights[kept])
    np.testing.assert_allclose(found.dual_coef[kept], np.linalg.solve(A, y[kept]), atol=1e-4)
    assert not found.dual_coef[::7].any()
    assert _off(K, y, found, 0.01, weights) <= 1e-8


def test_a_ridge_for_each_target_in_units_of_the_diagonal():
    K, y = 7 * _rbf(60), _targets(60, 3)
    found = ConjugateGradientSolver(K, tol=1e-10).solve(
        y, alpha=[0.1, 2.0, 0.1], alpha_scale="mean_diagonal"
    )
    np.testing.assert_allclose(found.alpha, [0.7, 14.0, 0.7])
    for j, alpha in enumerate(found.alpha):
        wanted = np.linalg.solve(K + alpha * np.eye(60), y[:, j])
        np.testing.assert_allclose(found.dual_coef[:, j], wanted, atol=1e-7)
    assert len(found.residuals) == found.n_iter + 2


@pytest.mark.parametrize("power", [-200, 200])
def test_units_of_the_kernel_and_of_targets_change_no_bit(power):
    K, y = _rbf(50), _targets(50)
    wanted = ConjugateGradientSolver(K).solve(y, alpha=1e-3)
    found = ConjugateGradientSolver(np.ldexp(K, 2 * power)).solve(
        np.ldexp(y, 3 * power), alpha=np.ldexp(1e-3, 2 * power)
    )
    np.testing.assert_array_equal(np.ldexp(found.dual_coef, -power), wanted.dual_coef)


def test_bits_depend_on_no_number_of_threads_and_on_the_seed():
    K, y = _rbf(530, features=8).astype("float32"), _targets(530, 2)
    one, three = (ConjugateGradientSolver(K, n_jobs=k).solve(y, alpha=1e-3) for k in (1, 3))
    assert np.array_equal(one.dual_coef, three.dual_coef)
    other = ConjugateGradientSolver(K, seed=1).solve(y, alpha=1e-3)
    assert not np.array_equal(one.dual_coef, other.dual_coef)


def test_without_a_ridge_a_definite_matrix_is_solved():
    K = _rbf(40, features=40, width=4.0) + 0.1 * np.eye(40)
    found = ConjugateGradientSolver(K, tol=1e-10).solve(_targets(40), alpha=0)
    assert _off(K, _targets(40), found, 0) <= 1e-10
    zero = ConjugateGradientSolver(np.zeros((3, 3))).solve(np.ones(3), alpha=2.0)
    np.testing.assert_allclose(zero.dual_coef, 0.5)


def test_what_does_not_converge_is_said_and_kept():
    K, y = _rbf(200, features=8), _targets(200)
    with pytest.warns(PrecisionWarning, match=r"after 3 iterations .* not tol = 1e-06") as caught:
        found = ConjugateGradientSolver(K, n_pivots=2, max_iter=3).solve(y, alpha=1e-6)
    assert caught[0].filename == __file__
    assert found.status == "not converged after 3 iterations"
    assert len(found.residuals) == 4
    assert found.residual == pytest.approx(_off(K, y, found, 1e-6), rel=1e-6)
    # Rounding ends it too, not max_iter alone.
    with pytest.warns(PrecisionWarning, match="not tol"):
        found = ConjugateGradientSolver(_rbf(60, features=1), tol=1e-15).solve(
            _targets(60), alpha=1e-13
        )
    assert found.n_iter < 1000


def test_an_indefinite_matrix_is_refused_with_the_alpha_that_would_do():
    K = _rbf(30) - 0.5 * np.eye(30)
    least = np.linalg.eigvalsh(K)[0]
    with pytest.raises(NotPSDError, match=r"not positive definite .* eigenvalue of K is -0?"):
        ConjugateGradientSolver(K).solve(_targets(30), alpha=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ConjugateGradientSolver(K).solve(_targets(30), alpha=2 * abs(least))
    assert found.residual <= 1e-6


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_alpha_that_a_refusal_names_is_enough_where_rows_repeat(dtype):
    K = np.repeat(np.repeat(_rbf(3), 40, 0), 40, 1).astype(dtype)
    y = np.random.default_rng(0).standard_normal(120)
    with pytest.raises(NotPSDError) as refused:
        ConjugateGradientSolver(K).solve(y, alpha=0)
    assert ("in float64." in str(refused.value)) == (dtype == "float32")
    enough = float(re.search(r"at least about (\S+?)[.,]", str(refused.value))[1])
    assert enough < 1e-6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ConjugateGradientSolver(K).solve(y, alpha=enough).residual <= 1e-6


def test_parameters_out_of_range_and_too_little_memory(monkeypatch):
    K = _rbf(10)
    for name, values in {
        "tol": (0, 1.0, "1e-6", None),
        "max_iter": (0, "many", None, np.inf),
        "n_pivots": (2.5, True, "8"),
        "seed": (-1, "x", 0.5),
    }.items():
        for wrong in values:
            with pytest.raises(SpecError, match=f"{name} must be .* got {wrong!r}"):
                ConjugateGradientSolver(K, **{name: wrong})
    monkeypatch.setattr(conjugate_gradient, "free_memory", lambda: 1000)
    with pytest.raises(PlanError, match=r"n_pivots=10 for n = 10 rows .* Give fewer"):
        ConjugateGradientSolver(K)


def test_the_block_method_needs_no_more_steps_than_the_space_has_dimensions():
    K = _rbf(24, features=6) + 0.1 * np.eye(24)
    y = _targets(24, 4)
    left = y.copy()
    for _, step in zip(
        range(6), block_conjugate_gradients(K.__matmul__, lambda v: v, y), strict=False
    ):
        left -= step.left
    assert np.linalg.norm(left) < 1e-10 * np.linalg.norm(y)


def test_an_old_solution_has_no_iterations():
    found = Solution(np.ones(1), np.ones(()), 1.0, 0.0, None)
    assert found.n_iter is None
    assert found.residuals is None
