"""Where LAPACK's 32-bit workspace ends, by its own word, and what is said there."""

import numpy as np
import pytest
from scipy.linalg import lapack

from ntkreg.errors import PlanError
from ntkreg.solvers import SpectralSolver, memory
from ntkreg.solvers.lapack_limits import MOST_EIGEN


@pytest.mark.skipif(lapack.HAS_ILP64, reason="this LAPACK counts in 64 bits")
def test_the_limit_is_the_last_size_whose_workspace_is_asked_for_rightly():
    # A query computes and allocates nothing.
    asked = {n: lapack.dsyevd_lwork(n, lower=1)[0] for n in (MOST_EIGEN, MOST_EIGEN + 1)}
    right = {n: 1 + 6 * n + 2 * n * n for n in asked}
    assert asked[MOST_EIGEN] == right[MOST_EIGEN]
    assert asked[MOST_EIGEN + 1] != right[MOST_EIGEN + 1] > 2**31 - 1


def test_an_eigendecomposition_that_memory_does_not_hold_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 5 * 8 * 50 * 50)
    with pytest.raises(PlanError, match=r"SpectralSolver: .* n = 50 rows takes 100.0 kB .* 47; or"):
        SpectralSolver(np.eye(50))
    assert SpectralSolver(np.eye(47)).solve(np.ones(47), alpha=1.0).dual_coef[0] == 0.5


def test_an_eigendecomposition_beyond_it_is_refused_before_a_value_is_read():
    K = np.broadcast_to(np.float32(1), (MOST_EIGEN + 1, MOST_EIGEN + 1))  # of one number
    with pytest.raises(PlanError, match=r'SpectralSolver: .* n = 32,767 .* solver="cholesky"'):
        SpectralSolver(K)
