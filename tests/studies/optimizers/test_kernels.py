"""Early stopping and ridge of a kernel in closed form, against their definitions."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from sklearn.kernel_ridge import KernelRidge

from ntkreg import finite, fully_connected
from ntkreg.errors import SpecError
from ntkreg.studies.optimizers.kernels import KernelPath

RNG = np.random.default_rng(0)
N, M = 8, 3
FEATURES = RNG.normal(size=(N + M, 12))
K, K_CROSS = FEATURES[:N] @ FEATURES[:N].T, FEATURES[N:] @ FEATURES[:N].T
Y, F0, F0_TEST = RNG.normal(size=N), RNG.normal(size=N), RNG.normal(size=M)


def test_flow_solves_its_differential_equation_on_training_and_test_inputs():
    def slope(t, f):
        left = Y - f[:N]
        return np.concatenate([K @ left, K_CROSS @ left]) / N

    times = [0.0, 0.1, 1.0, 5.0]
    wanted = solve_ivp(
        slope, (0, 5), np.concatenate([F0, F0_TEST]), t_eval=times, rtol=1e-10, atol=1e-12
    ).y.T
    found = np.hstack(KernelPath(K, K_CROSS, Y, F0, F0_TEST).flow(times))
    np.testing.assert_allclose(found, wanted, atol=1e-7)
    assert np.abs(wanted[-1] - wanted[0]).max() > 1


def test_ridge_is_kernel_ridge_regression_of_what_the_start_leaves():
    path = KernelPath(K, K_CROSS, Y, F0, F0_TEST)
    train, test = path.ridge([0.3, 7.0])
    for i, alpha in enumerate((0.3, 7.0)):
        model = KernelRidge(alpha=alpha, kernel="precomputed").fit(K, Y - F0)
        np.testing.assert_allclose(train[i], F0 + model.predict(K), atol=1e-10)
        np.testing.assert_allclose(test[i], F0_TEST + model.predict(K_CROSS), atol=1e-10)


def test_flow_of_an_empirical_kernel_is_a_networks_linearised_training():
    X, X_test = RNG.normal(size=(N, 4)), RNG.normal(size=(M, 4))
    network = finite.finite_network(fully_connected(1), (4,), width=16)
    params = network.init(0, float)
    kernels = (finite.empirical_kernels(network, params, X, Z).ntk for Z in (None, X_test))
    own, cross = kernels
    f0, f0_test = (network.predict(params, Z)[:, 0] for Z in (X, X_test))
    times = np.array([0.5, 3.0, 100.0])
    wanted = finite.linear_dynamics(network, params, X, Y, X_test).at_times(times)
    found = KernelPath(own, cross.T, Y, f0, f0_test).flow(times)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs[:, :, 0], atol=1e-8)


def test_stopping_early_enough_is_ridge_at_n_over_t():
    path = KernelPath(K, K_CROSS, Y)
    gaps = []
    for t in (1e-3, 1e-4):
        flow, ridge = path.flow([t])[1], path.ridge([N / t])[1]
        gaps.append(np.linalg.norm(flow - ridge) / np.linalg.norm(flow))
    assert gaps[0] < 0.01
    assert gaps[1] == pytest.approx(gaps[0] / 10, rel=0.02)


def test_the_time_of_a_loss_has_that_loss():
    path = KernelPath(K, K_CROSS, Y, F0, F0_TEST)
    for loss in (0.4, 1e-2, 1e-6):
        train, _ = path.flow([path.time_at_loss(loss)])
        assert np.mean((train - Y) ** 2) / 2 == pytest.approx(loss, rel=1e-6)
    assert path.time_at_loss(1e3) == 0


def test_a_kernel_without_inverse_stays_finite_and_knows_what_it_cannot_fit():
    twice = np.r_[np.arange(N), np.arange(N)]
    y = np.r_[Y, Y + 2]
    path = KernelPath(K[np.ix_(twice, twice)], K_CROSS[:, twice], y)
    train, test = path.flow([1e9])
    np.testing.assert_allclose(train[0, :N], Y + 1, atol=1e-6)
    np.testing.assert_allclose(test[0], K_CROSS @ np.linalg.solve(K, Y + 1), atol=1e-6)
    with pytest.raises(SpecError, match=r"it cannot fit 0\.5 of it"):
        path.time_at_loss(0.4)


def test_times_reach_from_before_the_first_eigenvector_to_after_the_last():
    path = KernelPath(K, K_CROSS, Y)
    times = path.times(9)
    train, _ = path.flow(times)
    assert len(times) == 9
    assert np.linalg.norm(train[0]) < 0.1 * np.linalg.norm(Y)
    np.testing.assert_allclose(train[-1], Y, atol=1e-3)
