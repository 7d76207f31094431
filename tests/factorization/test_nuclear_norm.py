"""Least nuclear norms against closed forms, the dual bound and cvxpy."""

import numpy as np
import pytest

from ntkreg import NuclearNormCompletion
from ntkreg.factorization.entries import Entries
from ntkreg.factorization.nuclear_norm import minimize_nuclear_norm, shrink


def seen_of(shape, rank, m, seed):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1]))
    flat = np.sort(rng.choice(truth.size, m, replace=False))
    return truth, Entries(flat, truth.ravel()[flat], shape)


@pytest.mark.parametrize("shape", [(6, 9), (9, 6)])
def test_shrinking_takes_the_threshold_from_every_singular_value(shape):
    matrix = np.random.default_rng(0).normal(size=shape)
    left, sigma, right = np.linalg.svd(matrix, full_matrices=False)
    expected = (left * np.maximum(sigma - 1.7, 0)) @ right
    np.testing.assert_allclose(shrink(matrix, 1.7), expected, atol=1e-12)
    assert not shrink(matrix, 100.0).any()


@pytest.mark.parametrize(("given", "missing", "norm"), [((4, 2, 2), 1, 5), ((3, 3, 3), 3, 6)])
def test_two_by_two_with_one_entry_missing(given, missing, norm):
    """Of [[a, b], [c, x]] with |bc/a| <= |a| the norm is least where the rank is 1: x = bc/a."""
    entries = Entries(np.array([0, 1, 2]), np.array(given, float), (2, 2))
    found = minimize_nuclear_norm(entries, tol=1e-9, max_iter=5000)
    assert found.matrix[1, 1] == pytest.approx(missing, abs=1e-3)
    assert found.norm == pytest.approx(norm, rel=1e-8)


def test_of_a_diagonal_nothing_else_is_made():
    """The trace bounds the norm from below, and the diagonal matrix attains it."""
    diagonal = np.array([3.0, 1.0, 2.0, 0.5])
    entries = Entries(np.arange(0, 16, 5), diagonal, (4, 4))
    found = minimize_nuclear_norm(entries, tol=1e-6, max_iter=2000)
    assert found.norm == pytest.approx(6.5, rel=1e-6)


def test_where_all_entries_are_seen_it_is_the_matrix():
    truth = np.random.default_rng(0).normal(size=(5, 7))
    found = minimize_nuclear_norm(
        Entries(np.arange(35), truth.ravel(), (5, 7)), tol=1e-6, max_iter=2000
    )
    np.testing.assert_array_equal(found.matrix, truth)
    assert found.reached


@pytest.mark.parametrize(("shape", "rank", "m"), [((20, 20), 2, 250), ((15, 30), 3, 200)])
def test_the_gap_is_a_proof(shape, rank, m):
    _, entries = seen_of(shape, rank, m, 0)
    found = minimize_nuclear_norm(entries, tol=1e-5, max_iter=5000)
    assert found.reached
    np.testing.assert_array_equal(found.matrix.ravel()[entries.flat], entries.values)
    assert found.norm == pytest.approx(np.linalg.norm(found.matrix, "nuc"), rel=1e-12)
    dual = np.zeros(shape)
    dual.ravel()[entries.flat] = found.multipliers
    dual /= max(1.0, np.linalg.norm(dual, 2))
    assert found.bound == pytest.approx(entries.values @ dual.ravel()[entries.flat], rel=1e-9)
    assert found.bound <= found.norm <= (1 + 1e-5) * found.bound * 1.0001
    rng = np.random.default_rng(1)
    for size in (1e-3, 1e-1, 1.0):  # no other matrix with these entries has less
        other = size * rng.normal(size=shape)
        other.ravel()[entries.flat] = 0
        assert np.linalg.norm(found.matrix + other, "nuc") >= found.bound


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e150])
def test_units_do_not_matter(scale):
    _, entries = seen_of((10, 10), 1, 60, 0)
    rows, cols = np.divmod(entries.flat, 10)
    plain = NuclearNormCompletion().fit(rows, cols, entries.values)
    scaled = NuclearNormCompletion().fit(rows, cols, scale * entries.values)
    np.testing.assert_allclose(scaled.matrix_ / scale, plain.matrix_, rtol=1e-3, atol=1e-4)


def test_zeros_are_completed_by_zeros():
    model = NuclearNormCompletion().fit([0, 1], [0, 1], [0.0, 0.0])
    assert not model.reconstruct().any()


@pytest.mark.slow  # its peer takes seconds to import and to compile the problem
@pytest.mark.parametrize(
    ("shape", "rank", "m", "seed"),
    [((20, 20), 2, 150, 0), ((20, 20), 2, 250, 1), ((12, 25), 3, 150, 2)],
)
def test_norms_are_those_of_cvxpy(shape, rank, m, seed):
    cvxpy = pytest.importorskip("cvxpy")
    _, entries = seen_of(shape, rank, m, seed)
    rows, cols = np.divmod(entries.flat, shape[1])
    X = cvxpy.Variable(shape)
    problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.normNuc(X)), [X[rows, cols] == entries.values])
    problem.solve(solver=cvxpy.SCS, eps=1e-7)
    found = minimize_nuclear_norm(entries, tol=1e-5, max_iter=5000)
    assert found.norm == pytest.approx(problem.value, rel=1e-4)
    assert np.linalg.norm(found.matrix - X.value) < 0.01 * np.linalg.norm(X.value)
