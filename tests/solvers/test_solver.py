"""What every solver is asked for and gives back; the rest of it is its own."""

import pickle

import numpy as np
import pytest

from ntkreg.errors import PrecisionWarning, ShapeError
from ntkreg.solvers import CholeskySolver, Solution, Solver, solve_cholesky


class EigenSolver(Solver):
    """One decomposition for any alphas, to see that another kind of solver fits."""

    name = "EigenSolver"

    def __init__(self, K, **options):
        super().__init__(K, **options)
        self.values, self.vectors = np.linalg.eigh(self.K)

    def _solve(self, targets, alphas, unit):
        shifted = self.values[:, None] + alphas
        coef = self.vectors @ (self.vectors.T @ targets / shifted)
        off = np.linalg.norm(self.K @ coef + alphas * coef - targets, axis=0)
        condition = (shifted.max(axis=0) / shifted.min(axis=0)).max()
        residual = (off / np.linalg.norm(targets, axis=0)).max()
        return Solution(coef, alphas, condition, residual, self.values[0])


def _task(n=40, outputs=3):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 7))
    return np.exp(X @ X.T / 20), rng.normal(size=(n, outputs))


@pytest.mark.parametrize("power", [0, 600])
@pytest.mark.parametrize("scale", ["absolute", "mean_diagonal"])
def test_solvers_of_any_kind_take_the_same_and_give_the_same(scale, power):
    K, y = _task()
    y = np.ldexp(y, power)
    asked = {"alpha": [0.1, 0.1, 2.0], "alpha_scale": scale}
    ours, other = (kind(K).solve(y, **asked) for kind in (CholeskySolver, EigenSolver))
    np.testing.assert_allclose(
        np.ldexp(ours.dual_coef, -power), np.ldexp(other.dual_coef, -power), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_array_equal(ours.alpha, other.alpha)
    assert ours.min_eigenvalue == pytest.approx(other.min_eigenvalue, abs=0.01 * ours.alpha[0])
    assert max(ours.residual, other.residual) < 1e-11
    assert ours.status == other.status == "exact"


def test_one_solver_takes_targets_after_targets():
    K, y = _task()
    weights = np.arange(len(K)) % 3 + 0.5
    solver = CholeskySolver(K, sample_weight=weights)
    for alpha in (1e-3, 1.0):
        for targets in (y, y[:, 0]):
            found = solver.solve(targets, alpha=alpha)
            wanted = solve_cholesky(K, targets, alpha=alpha, sample_weight=weights)
            assert found.dual_coef.shape == targets.shape
            assert np.array_equal(found.dual_coef, wanted.dual_coef)


def test_errors_name_the_solver():
    K, y = _task()
    with pytest.raises(ShapeError, match=r"^EigenSolver: K must be a square matrix"):
        EigenSolver(K[:2])
    with pytest.raises(ShapeError, match=r"^EigenSolver: y must be \(n,\) or"):
        EigenSolver(K).solve(y[:2], alpha=1.0)
    with pytest.raises(ValueError, match=r"^EigenSolver: sample_weight must be 40"):
        EigenSolver(K, sample_weight=[1.0])


def test_a_warning_points_to_who_called_solve_cholesky():
    with pytest.warns(PrecisionWarning, match=r"^solve_cholesky: K is indefinite") as caught:
        solve_cholesky(np.diag([1.0, -0.5]), [1.0, 1.0], alpha=0.6)
    assert caught[0].filename == __file__


def test_a_solution_pickled_before_there_was_a_status_is_an_exact_one():
    old = (
        b"cntkreg.solvers.cholesky\nSolution\n)\x81}(Vdual_coef\nF2.0\nValpha\nF0.5\n"
        b"Vcondition\nF3.0\nVresidual\nF0.25\nVmin_eigenvalue\nNub."
    )
    found = pickle.loads(old)
    assert type(found) is Solution
    assert (found.dual_coef, found.alpha, found.condition) == (2.0, 0.5, 3.0)
    assert (found.residual, found.min_eigenvalue, found.status) == (0.25, None, "exact")
    assert vars(pickle.loads(pickle.dumps(found))) == vars(found)
