"""The blocked factorisation: right, and the same bits for any number of threads."""

import threading

import numpy as np
import pytest
from scipy.linalg import cholesky
from threadpoolctl import threadpool_info, threadpool_limits

from ntkreg.solvers import solve_cholesky
from ntkreg.solvers.factor import factorise


def _definite(n):
    X = np.random.default_rng(n).standard_normal((n, n + 3))
    return X @ X.T / n + 0.1 * np.eye(n)


@pytest.mark.parametrize("n", [1, 255, 256, 257, 700, 1024])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_the_factor_is_that_of_lapack(n, n_jobs):
    K = _definite(n)
    A = K.copy()
    assert factorise(A, n_jobs) == 0
    np.testing.assert_allclose(np.triu(A), cholesky(K), atol=1e-12)


def test_bits_depend_on_no_number_of_threads():
    K, y = _definite(900), np.random.default_rng(0).standard_normal((900, 2))
    wanted = solve_cholesky(K, y, alpha=0.1, n_jobs=1)
    for n_jobs in (2, 5):
        for blas in (1, 2):
            with threadpool_limits(blas, user_api="blas"):
                found = solve_cholesky(K, y, alpha=0.1, n_jobs=n_jobs)
            assert np.array_equal(found.dual_coef, wanted.dual_coef)
            assert found.min_eigenvalue == wanted.min_eigenvalue
            assert found.residual == wanted.residual
            # Sums of one column: their last digit depends on where in memory it begins.
            assert found.condition == pytest.approx(wanted.condition, rel=1e-14)


@pytest.mark.parametrize("pivot", [0, 255, 256, 600])
def test_the_first_bad_pivot_is_named(pivot):
    K = _definite(700)
    K[pivot, pivot] = -1.0
    assert factorise(K, 2) == pivot + 1


def test_threads_and_limits_end_with_the_call():
    blas, threads = threadpool_info(), threading.active_count()
    factorise(_definite(600), 3)
    factorise(-_definite(600), 3)
    assert threadpool_info() == blas
    assert threading.active_count() == threads
