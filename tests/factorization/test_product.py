"""The product and its gradients, against closed forms and differences."""

from itertools import pairwise

import numpy as np
import pytest

from ntkreg.factorization.descent import Training, descend
from ntkreg.factorization.entries import Entries
from ntkreg.factorization.optimizers import OPTIMIZERS
from ntkreg.factorization.product import ProductLoss, factor_shapes
from ntkreg.factorization.spectrum import effective_rank
from ntkreg.factorization.starts import start


def some_entries(shape=(5, 7), m=14, seed=0):
    rng = np.random.default_rng(seed)
    flat = np.sort(rng.choice(shape[0] * shape[1], m, replace=False))
    return Entries(flat, rng.normal(size=m), shape)


def every_entry(matrix):
    return Entries(np.arange(matrix.size), matrix.ravel().astype(float), matrix.shape)


def train(entries, depth, kind="gaussian", init_scale=1e-2, seed=0, **settings):
    objective = ProductLoss(entries, depth)
    rng = np.random.default_rng(seed)
    theta = start(kind, entries.shape, depth, None, init_scale, rng)
    end = descend(objective, theta, Training(**settings), rng)
    return objective, theta, end


def test_factors_are_square_inside_unless_told_otherwise():
    assert factor_shapes((5, 7), 3, None) == [(5, 7), (5, 5), (5, 5)]
    assert factor_shapes((5, 7), 2, 2) == [(2, 7), (5, 2)]
    assert factor_shapes((5, 7), 1, None) == [(5, 7)]


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("batch", [None, np.array([1, 4, 11])])
def test_gradients_are_those_of_differences(depth, batch):
    entries = some_entries()
    objective, other = ProductLoss(entries, depth), ProductLoss(entries, depth)
    theta = 0.7 * np.random.default_rng(1).normal(size=objective.size)
    gradient = np.empty(objective.size)
    loss = objective.gradient(objective.factors(theta), objective.factors(gradient), batch)
    chosen = np.arange(14) if batch is None else batch

    def mean_square(point):
        product = (
            np.linalg.multi_dot([*other.factors(point)[::-1]])
            if depth > 1
            else (point.reshape(entries.shape))
        )
        residual = product.ravel()[entries.flat] - entries.values
        return np.mean(residual[chosen] ** 2), np.mean(residual**2)

    assert loss == pytest.approx(mean_square(theta)[1], rel=1e-12)
    for k in range(0, objective.size, 7):
        shift = np.zeros(objective.size)
        shift[k] = 1e-6
        slope = (mean_square(theta + shift)[0] - mean_square(theta - shift)[0]) / 2e-6
        assert gradient[k] == pytest.approx(slope, abs=1e-8)


def test_a_batch_leaves_nothing_behind_in_the_next_gradient():
    objective = ProductLoss(some_entries(), 2)
    theta = np.random.default_rng(1).normal(size=objective.size)
    first, second = np.empty((2, objective.size))
    factors = objective.factors(theta)
    objective.gradient(factors, objective.factors(first))
    objective.gradient(factors, objective.factors(second), np.array([0, 3]))
    assert np.abs(first - second).max() > 1e-3
    objective.gradient(factors, objective.factors(second))
    np.testing.assert_array_equal(first, second)
    fresh = ProductLoss(some_entries(), 2)
    fresh.gradient(factors, fresh.factors(first), np.array([5]))
    for batch in (np.array([0, 3]), np.array([5])):
        objective.gradient(factors, objective.factors(second), batch)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_balanced_start_is_balanced_and_has_its_scale(depth):
    shape = (30, 50)
    theta = start("balanced", shape, depth, None, 1e-3, np.random.default_rng(0))
    factors = ProductLoss(some_entries(shape), depth).factors(theta)
    for below, above in pairwise(factors):
        np.testing.assert_allclose(above.T @ above, below @ below.T, atol=1e-12)
    product = np.linalg.multi_dot(factors[::-1])
    assert product.std() * 50**0.5 == pytest.approx(1e-3, rel=0.1)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_gaussian_start_has_its_scale_at_every_depth(depth):
    rng = np.random.default_rng(0)
    theta = start("gaussian", (80, 80), depth, None, 1e-3, rng)
    factors = ProductLoss(some_entries((80, 80)), depth).factors(theta)
    product = np.linalg.multi_dot(factors[::-1]) if depth > 1 else factors[0]
    assert np.linalg.norm(product) / 80**0.5 == pytest.approx(1e-3, rel=0.05)


@pytest.mark.parametrize("depth", [2, 3])
def test_small_steps_keep_the_balance_to_second_order(depth):
    entries = some_entries()

    def imbalance(share):
        objective, theta, _ = train(
            entries, depth, "balanced", 0.1, share=share, tol=1e-2, max_iter=20_000
        )
        factors = objective.factors(theta)
        return max(
            np.abs(above.T @ above - below @ below.T).max() for below, above in pairwise(factors)
        ) / max(np.linalg.norm(f, 2) ** 2 for f in factors)

    coarse, fine = imbalance(0.1), imbalance(0.01)
    assert fine < 2e-3
    assert 3 < coarse / fine < 30


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_where_all_entries_are_seen_training_ends_at_the_matrix(depth):
    truth = np.random.default_rng(2).normal(size=(4, 5))
    objective, _, end = train(every_entry(truth), depth, tol=1e-12)
    assert end.loss <= 1e-12
    np.testing.assert_allclose(objective.product, truth, atol=1e-5)


def test_a_rank_one_factor_is_the_best_of_its_rank_where_all_entries_are_seen():
    truth = np.random.default_rng(2).normal(size=(6, 5))
    entries = every_entry(truth)
    objective = ProductLoss(entries, 2, width=1)
    rng = np.random.default_rng(0)
    theta = start("gaussian", (6, 5), 2, 1, 0.1, rng)
    end = descend(objective, theta, Training(max_iter=4000), rng)
    left, sigma, right = np.linalg.svd(truth)  # Eckart and Young
    assert end.loss == pytest.approx(np.sum(sigma[1:] ** 2) / 30, rel=1e-8)
    np.testing.assert_allclose(
        objective.product, sigma[0] * np.outer(left[:, 0], right[0]), atol=1e-4
    )


def test_diagonal_factors_stay_diagonal_and_follow_one_equation_each():
    """All entries of diag(s) seen, balanced diagonal factors: each follows x' = -c x (x^2 - s)."""
    target = np.array([3.0, 1.0])
    objective = ProductLoss(every_entry(np.diag(target)), 2)
    theta = np.concatenate([(0.1 * np.eye(2)).ravel()] * 2)
    training = Training(learning_rate=0.002, max_iter=2300)
    end = descend(objective, theta, training, np.random.default_rng(0))
    # sigma = x^2 has sigma' = c sigma (s - sigma), c = 2 * 2 / m: a logistic curve.
    growth = np.exp(-target * end.time)
    expected = target / (1 + (target / 0.01 - 1) * growth)
    assert abs(objective.product[0, 1]) < 1e-15
    np.testing.assert_allclose(np.diag(objective.product), expected, rtol=0.02)
    assert 0.1 < np.diag(objective.product)[1] < 0.9  # on its way, not at either end


def test_a_change_of_basis_changes_nothing_where_all_entries_are_seen():
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(4, 4))
    left, right = (np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(2))
    ends = []
    for u, v in ((np.eye(4), np.eye(4)), (left, right)):
        objective = ProductLoss(every_entry(u @ truth @ v.T), 3)
        theta = start("gaussian", (4, 4), 3, None, 0.1, np.random.default_rng(0))
        factors = objective.factors(theta)
        factors[0][...] = factors[0] @ v.T
        factors[-1][...] = u @ factors[-1]
        training = Training(learning_rate=0.05, max_iter=60)
        descend(objective, theta, training, np.random.default_rng(1))
        ends.append(u.T @ objective.product @ v)
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-10)
    assert np.abs(ends[0]).max() > 0.1


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimiser_comes_to_the_loss(optimizer):
    rng = np.random.default_rng(0)
    truth = np.outer(rng.normal(size=12), rng.normal(size=12))
    flat = np.sort(rng.choice(144, 90, replace=False))
    entries = Entries(flat, truth.ravel()[flat], (12, 12))
    _, _, end = train(entries, 3, optimizer=optimizer, batch_size=30, tol=1e-5, max_iter=60_000)
    assert end.loss <= 1e-5


def test_first_steps_of_optimisers_are_as_written_in_their_papers():
    gradient = np.array([3.0, -4.0])
    expected = {
        "gd": -0.1 * gradient,
        "sgd": -0.1 * gradient,
        "momentum": -0.1 * gradient,
        "adam": -0.1 * np.sign(gradient),
        "adagrad": -0.1 * np.sign(gradient),
        "group_rmsprop": -0.1 * gradient / (5 + 1e-4),
        "gd_long": -0.1 * gradient,
    }
    assert set(expected) == set(OPTIMIZERS)
    for name, moved in expected.items():
        theta = np.zeros(2)
        OPTIMIZERS[name].begin(theta)(gradient.copy(), 0.1)
        np.testing.assert_allclose(theta, moved, rtol=1e-7, err_msg=name)


def test_second_steps_remember_what_they_should():
    first, second = np.array([3.0, -4.0]), np.array([1.0, 2.0])
    mean = (0.09 * first + 0.1 * second) / (1 - 0.9**2)
    square = (0.000999 * first**2 + 0.001 * second**2) / (1 - 0.999**2)
    expected = {
        "momentum": 0.9 * -0.1 * first - 0.1 * second,
        "adam": -0.1 * mean / (np.sqrt(square) + 1e-8),
        "adagrad": -0.1 * second / np.sqrt(first**2 + second**2),
        "group_rmsprop": -0.1 * second / (np.sqrt((0.0099 * 25 + 0.01 * 5) / (1 - 0.99**2)) + 1e-4),
    }
    for name, moved in expected.items():
        theta = np.zeros(2)
        step = OPTIMIZERS[name].begin(theta)
        step(first.copy(), 0.1)
        before = theta.copy()
        step(second.copy(), 0.1)
        np.testing.assert_allclose(theta - before, moved, rtol=1e-7, err_msg=name)


def test_long_steps_give_a_higher_rank():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(20, 2)) @ rng.normal(size=(2, 20))
    flat = np.sort(rng.choice(400, 160, replace=False))
    entries, ranks, steps = Entries(flat, truth.ravel()[flat], (20, 20)), [], []
    for optimizer in ("gd", "gd_long"):
        objective, _, end = train(entries, 2, init_scale=1e-4, optimizer=optimizer)
        ranks.append(effective_rank(np.linalg.svd(objective.product, compute_uv=False)))
        steps.append(end.step)
        assert end.loss <= 1e-6
    assert ranks[1] > 1.03 * ranks[0]
    assert steps[1] < steps[0] / 2


def test_the_step_is_a_share_of_one_over_the_curvature():
    """Depth 1: the Hessian is 2/m on seen entries; each step leaves 1 - share of the error."""
    entries, losses = some_entries(), []
    objective = ProductLoss(entries, 1)
    rng = np.random.default_rng(0)
    theta = start("gaussian", entries.shape, 1, None, 1e-2, rng)
    training = Training(share=0.5, max_iter=12, tol=1e-12)
    descend(objective, theta, training, rng, lambda point: losses.append(point.loss))
    left = np.sqrt(np.array(losses[1:]) / losses[:-1])
    # On the plateau a fifth of the share, until the loss has halved.
    np.testing.assert_allclose(left[:5], 0.9, rtol=1e-4)
    np.testing.assert_allclose(left[5:], 0.5, rtol=1e-4)
    assert losses[3] > losses[0] / 2 > losses[4]
