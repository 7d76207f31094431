"""Factorising in the matrix's own memory: the same bits, one matrix, and K as it was afterwards."""

import tracemalloc

import numpy as np
import pytest

from ntkreg.errors import NotPSDError, PlanError, PrecisionWarning
from ntkreg.solvers import CholeskySolver, ConjugateGradientSolver, memory, ridge_solver
from ntkreg.solvers.system import System


class Stored:
    """The upper triangle of a matrix alone."""

    tile = 100

    def __init__(self, K):
        self.shape, self.dtype, self.K = K.shape, K.dtype, np.triu(K)

    def read(self, rows, columns):
        part = self.K[rows, columns]
        return part + np.triu(part, 1).T if rows == columns else part


def _task(n=600, outputs=3):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 7)) * rng.uniform(0.3, 4, size=(n, 1))
    return X @ X.T + np.diag(rng.uniform(0.1, 9, n)), rng.normal(size=(n, outputs))


def test_bits_are_those_of_a_copy_and_the_matrix_is_there_again():
    K, y = _task()
    asked = {"y": y, "alpha": [0.1, 3.0, 0.1]}
    wanted = CholeskySolver(K).solve(**asked)
    own = K.copy()
    solver = CholeskySolver(own, overwrite_K=True)
    for found in (solver.solve(**asked), solver.solve(**asked)):
        assert np.array_equal(found.dual_coef, wanted.dual_coef)
        assert np.array_equal(found.log_determinant, wanted.log_determinant)
        assert (found.residual, found.min_eigenvalue) == (wanted.residual, wanted.min_eigenvalue)
    assert np.array_equal(own, K)
    wanted = CholeskySolver(K).leave_one_out(y, alpha=0.1)
    for each in (solver, CholeskySolver(Stored(K))):
        left_out = each.leave_one_out(y, alpha=0.1)
        assert np.array_equal(left_out.errors, wanted.errors)
        assert left_out.log_determinant == wanted.log_determinant
    assert np.array_equal(own, K)


@pytest.mark.parametrize("n", [1, 2, 511, 513, 1100])
def test_every_part_of_the_triangle_is_mirrored(n):
    K, _ = _task(n)
    own = K.copy()
    with System("test", own, None, 0.5).in_place() as A:
        A[np.triu_indices(n)] = np.nan
    assert np.array_equal(own, K)


def test_the_peak_is_one_matrix():
    K, y = _task(1000)
    stored = Stored(K)
    tracemalloc.start()
    try:
        for make, matrices in (
            (lambda: CholeskySolver(K, overwrite_K=True), 0),
            (lambda: CholeskySolver(stored), 1),
            (lambda: CholeskySolver(K), 1),
        ):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            make().solve(y, alpha=0.1)
            peak = (tracemalloc.get_traced_memory()[1] - before) / K.nbytes
            assert matrices <= peak < matrices + 0.45  # blocks and vectors, of so small a matrix
    finally:
        tracemalloc.stop()


def test_what_cannot_be_overwritten_is_not():
    K, y = _task(40)
    for own in (K.astype("float32"), np.asfortranarray(K), K.copy()):
        own.flags.writeable = own.dtype != K.dtype
        kept = own.copy()
        found = CholeskySolver(own, overwrite_K=True).solve(y, alpha=0.1)
        assert found.residual < 1e-10
        assert np.array_equal(own, kept)
    weights = np.arange(40) % 2
    own = K.copy()
    CholeskySolver(own, sample_weight=weights, overwrite_K=True).solve(y, alpha=0.1)
    assert np.array_equal(own, K)


def test_a_matrix_that_cannot_be_solved_is_there_again():
    K, y = _task(300)
    K -= 8 * np.eye(300)
    own = K.copy()
    with pytest.raises(NotPSDError, match=r"not positive definite at pivot .* least eigenvalue"):
        CholeskySolver(own, overwrite_K=True).solve(y, alpha=0.1)
    assert np.array_equal(own, K)
    least = -np.linalg.eigvalsh(K)[0]
    with pytest.warns(PrecisionWarning, match="is indefinite"):
        CholeskySolver(own, overwrite_K=True).solve(y, alpha=1.5 * least)
    assert np.array_equal(own, K)


def test_a_stored_matrix_is_solved_and_speaks_of_its_own_dtype():
    K, y = _task(250)
    found = CholeskySolver(Stored(K)).solve(y, alpha=0.1)
    assert np.array_equal(found.dual_coef, CholeskySolver(K).solve(y, alpha=0.1).dual_coef)
    low = np.ones((50, 50), "float32")
    low[0, 1] = low[1, 0] = 1.1
    with pytest.raises(NotPSDError, match=r"K in float32.*compute K in float64"):
        CholeskySolver(Stored(low)).solve(np.ones(50), alpha=1e-3)


def test_a_failure_too_large_to_look_into_is_told_without_its_eigenvalue(monkeypatch):
    K, y = _task(50)
    monkeypatch.setattr("ntkreg.solvers.definiteness.free_memory", lambda: 3 * 8 * 50 * 50 - 1)
    with pytest.raises(NotPSDError, match=r"not sought at this size.*Raise alpha tenfold"):
        CholeskySolver(K - 20 * np.eye(50)).solve(y, alpha=1.0)


def test_auto_takes_a_factor_where_it_fits_and_else_conjugate_gradients(monkeypatch):
    K, _ = _task(60)
    assert type(ridge_solver("me", "auto", K)) is CholeskySolver
    monkeypatch.setattr(memory, "free_memory", lambda: 8 * 60 * 60)
    assert type(ridge_solver("me", "auto", K)) is ConjugateGradientSolver
    assert type(ridge_solver("me", "auto", Stored(K))) is ConjugateGradientSolver
    # One that is overwritten is there already.
    assert type(ridge_solver("me", "auto", K, overwrite_K=True)) is CholeskySolver
    assert type(ridge_solver("me", "auto", K.astype("f4"), overwrite_K=True)) is not CholeskySolver
    with pytest.raises(
        PlanError, match=r'^me: .* n up to about 56, or solver="conjugate_gradient"'
    ):
        ridge_solver("me", "cholesky", K)
    with pytest.raises(PlanError, match=r"^me: a Cholesky factor of n = 60 rows takes 28.8 kB"):
        ridge_solver("me", "auto", K, needs_factor="this")
    with pytest.raises(ValueError, match=r"^me: this needs a factor"):
        ridge_solver("me", "conjugate_gradient", K, needs_factor="this")
    for each in (Stored(K), K):
        with pytest.raises(PlanError, match=r"^solve_cholesky: a Cholesky factor"):
            CholeskySolver(each)
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    assert type(ridge_solver("me", "auto", K)) is CholeskySolver
