"""The closed form of linearised training and the training of the linearisation are one."""

import jax
import numpy as np
import pytest

from ntkreg import Architecture, Conv, Dense, GlobalAvgPool, Relu, cntk, fully_connected
from ntkreg.errors import ShapeError, SpecError
from ntkreg.finite import (
    ObserveOutputs,
    Training,
    empirical_kernels,
    finite_network,
    kernel_dynamics,
    linear_dynamics,
    linearize,
    stable_learning_rate,
    train,
)

STEPS = (0, 1, 3, 10, 100)


def task(shape=(6,), n=8, m=3, outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(n, *shape)),
        rng.normal(size=(n, outputs)),
        rng.normal(size=(m, *shape)),
    )


NETWORKS = {
    "dense, mup": (fully_connected(2, bias_std=0.1), (6,), "mup"),
    "first layer fixed": (fully_connected(2, train_first=False), (6,), "standard"),
    "conv": (cntk(2), (4, 4, 2), "ntk"),
}
CASES = [
    pytest.param(*case, id=name, marks=[pytest.mark.slow] if name == "conv" else [])
    for name, case in NETWORKS.items()
]


@pytest.mark.parametrize(("architecture", "shape", "kind"), CASES)
def test_trained_linearisation_equals_the_closed_form(architecture, shape, kind):
    X, y, X_test = task(shape)
    network = finite_network(architecture, shape, width=24, n_outputs=2, parametrization=kind)
    params = network.init(4)
    rate = 0.5 * stable_learning_rate(network, params, X, Training(1.0, 1))
    run = train(
        linearize(network),
        Training(rate, STEPS[-1]),
        X,
        y,
        seeds=(4,),
        observers={"train": ObserveOutputs(), "test": ObserveOutputs(X_test)},
        observe_at=STEPS,
    )
    closed = linear_dynamics(network, params, X, y, X_test).at_steps(STEPS, rate)
    assert np.abs(closed[0][-1] - closed[0][0]).max() > 0.3
    for name, wanted in zip(("train", "test"), closed, strict=True):
        np.testing.assert_allclose(run.observed[name][:, 0], wanted, atol=1e-4)


def test_both_agree_to_many_digits_in_float64():
    X, y, X_test = task()
    network = finite_network(fully_connected(1), (6,), width=16, n_outputs=2)
    params = network.init(1, float)
    rate = stable_learning_rate(network, params, X, Training(1.0, 1)) * 0.9
    run = train(linearize(network), Training(rate, 50), X, y, seeds=(1,), dtype=float)
    wanted = linear_dynamics(network, params, X, y, X_test).at_steps(50, rate)
    np.testing.assert_allclose(run.predict(X), wanted[0], atol=1e-10)
    np.testing.assert_allclose(run.predict(X_test), wanted[1], atol=1e-10)


def test_gradient_flow_is_the_limit_of_small_steps():
    X, y, X_test = task()
    network = finite_network(fully_connected(1), (6,), width=32, n_outputs=2)
    dynamics = linear_dynamics(network, network.init(0), X, y, X_test)
    t = 2.0 * len(X) / dynamics.eigenvalues[-1]
    flow = dynamics.at_times([0, t])
    gaps = []
    for k in (10, 100):
        steps = dynamics.at_steps([0, k], t / k)
        gaps.append(max(np.abs(a - b).max() for a, b in zip(flow, steps, strict=True)))
    assert gaps[1] == pytest.approx(gaps[0] / 10, rel=0.3)


def test_flow_solves_its_differential_equation():
    X, y, X_test = task()
    network = finite_network(fully_connected(1), (6,), width=32, n_outputs=2)
    params = network.init(0, float)
    dynamics = linear_dynamics(network, params, X, y, X_test)
    t, h = 0.7, 1e-4
    (before, at, after), (_, _, _) = dynamics.at_times([t - h, t, t + h])
    K = empirical_kernels(network, params, X, outputs="full").ntk
    slope = -np.einsum("nmop,mp->no", K, at - y) / len(X)
    np.testing.assert_allclose((after - before) / (2 * h), slope, atol=1e-5)


def test_a_kernel_without_inverse_keeps_outputs_finite():
    X, y, X_test = task(n=5)
    X, y = np.concatenate([X, X]), np.concatenate([y, y + 2])
    network = finite_network(fully_connected(1), (6,), width=8, n_outputs=2)
    dynamics = linear_dynamics(network, network.init(0), X, y, X_test)
    end, test = dynamics.at_times([1e12])
    np.testing.assert_allclose(end[0, :5], y[:5] + 1, atol=1e-3)
    assert np.isfinite(test).all()
    assert np.abs(test).max() < 1e3


def test_steps_above_the_stable_bound_grow():
    X, y, _ = task()
    network = finite_network(fully_connected(1), (6,), width=16, n_outputs=2)
    params = network.init(0)
    bound = stable_learning_rate(network, params, X, Training(1.0, 1))
    dynamics = linear_dynamics(network, params, X, y)
    assert bound == pytest.approx(2 * len(X) / dynamics.eigenvalues[-1], rel=5e-3)
    for factor, grows in ((0.95, False), (1.05, True)):
        train_outputs, nothing = dynamics.at_steps([200, 400], factor * bound)
        off = np.abs(train_outputs - y).max(axis=(1, 2))
        assert (off[1] > 2 * off[0]) == grows
        assert nothing.shape == (2, 0, 2)


def test_the_linearisation_starts_as_the_network_and_keeps_untrained_layers():
    network = finite_network(
        Architecture((Conv(trainable=False), Relu(), GlobalAvgPool(), Dense())), (4, 4, 2), width=5
    )
    X, y, _ = task((4, 4, 2), outputs=1)
    line = linearize(network)
    params = line.init(3)
    np.testing.assert_allclose(line.predict(params, X), network.predict(network.init(3), X))
    run = train(line, Training(0.1, 3), X, y, seeds=(3,))
    moved = run.params["moved"]
    assert np.all(moved[0]["w"] == 0)
    assert np.any(moved[3]["w"] != 0)
    changed = jax.tree.map(lambda a, b: np.any(a != b), run.params["origin"], run.start["origin"])
    assert not any(jax.tree.leaves(changed))
    assert line.fingerprint != network.fingerprint


def test_what_cannot_be_linearised_or_timed_is_refused():
    X, y, _ = task()
    network = finite_network(fully_connected(1), (6,), width=4, n_outputs=2)
    dynamics = linear_dynamics(network, network.init(0), X, y)
    with pytest.raises(SpecError, match="network must come from finite_network; got 3"):
        linearize(3)
    with pytest.raises(SpecError, match="t must be finite numbers >= 0"):
        dynamics.at_times([-1])
    with pytest.raises(SpecError, match="learning_rate must be a finite float > 0; got 0"):
        dynamics.at_steps([1], 0)
    with pytest.raises(ShapeError, match=r"y must be \(8, 2\) for this network; got \(8, 1\)"):
        linear_dynamics(network, network.init(0), X, y[:, :1])


def test_a_given_kernel_trains_each_output_as_the_networks_own_kernel_does():
    X, y, X_test = task(outputs=1)
    network = finite_network(fully_connected(1), (6,), width=16)
    params = network.init(1, np.float64)
    own = linear_dynamics(network, params, X, y, X_test)
    K = empirical_kernels(network, params, X).ntk
    K_test = empirical_kernels(network, params, X_test, X).ntk
    given = kernel_dynamics(K, y, own.f0, K_test=K_test, f0_test=own.f0_test)
    for ours, theirs in zip(given.at_steps(STEPS, 0.3), own.at_steps(STEPS, 0.3), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)
    # Two outputs that share the kernel, from zero: one column each.
    both = kernel_dynamics(K, np.hstack([y, 3 * y]), K_test=K_test)
    one = kernel_dynamics(K, y[:, 0], K_test=K_test)
    for ours, theirs in zip(both.at_times([0.7]), one.at_times([0.7]), strict=True):
        np.testing.assert_allclose(ours, np.concatenate([theirs, 3 * theirs], axis=2), atol=1e-12)


def test_targets_of_the_identity_give_the_map_from_targets_to_outputs():
    rng = np.random.default_rng(0)
    A, K_test, y = rng.normal(size=(5, 5)), rng.normal(size=(3, 5)), rng.normal(size=5)
    K = A @ A.T
    maps = kernel_dynamics(K, np.eye(5), K_test=K_test).at_steps([7], 0.05)
    found = kernel_dynamics(K, y, K_test=K_test).at_steps([7], 0.05)
    for matrix, outputs in zip(maps, found, strict=True):
        np.testing.assert_allclose(matrix[0] @ y, outputs[0, :, 0], atol=1e-12)
    # And they are (I - (I - eta K / n)^steps) K^-1 K*.
    left = np.eye(5) - np.linalg.matrix_power(np.eye(5) - 0.05 * K / 5, 7)
    np.testing.assert_allclose(maps[1][0], K_test @ np.linalg.inv(K) @ left, atol=1e-10)


def test_kernels_and_outputs_that_do_not_fit_are_refused():
    K, y = np.eye(3), np.zeros(3)
    with pytest.raises(ShapeError, match=r"K must be \(n, n\).*got \(3, 3\) and \(2, 1\)"):
        kernel_dynamics(K, np.zeros(2))
    with pytest.raises(ShapeError, match=r"f0 must be \(3, 1\); got \(3, 2\)"):
        kernel_dynamics(K, y, np.zeros((3, 2)))
    with pytest.raises(ShapeError, match=r"K_test must be \(m, 3\); got \(4, 2\)"):
        kernel_dynamics(K, y, K_test=np.zeros((4, 2)))
    with pytest.raises(ShapeError, match=r"f0_test must be \(4, 1\); got \(3, 1\)"):
        kernel_dynamics(K, y, K_test=np.zeros((4, 3)), f0_test=np.zeros(3))
