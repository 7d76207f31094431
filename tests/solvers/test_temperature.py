"""One temperature of scores: the least of its loss, finite whatever the scores, order kept."""

import numpy as np
import pytest
from scipy.special import log_softmax

from ntkreg.solvers.temperature import fit_temperature, probabilities


def drawn(n, k, temperature, seed=0):
    """Return scores and classes drawn from softmax(scores / temperature)."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, k))
    p = np.exp(log_softmax(scores / temperature, axis=1))
    return scores, (p.cumsum(axis=1) < rng.uniform(size=(n, 1))).sum(axis=1)


def smoothed_loss(temperature, scores, codes, weights):
    n, k = np.sum(weights), scores.shape[1]
    total = 0.0
    for row, code, weight in zip(scores, codes, weights, strict=True):
        logs = log_softmax(row / temperature)
        targets = np.full(k, 1 / (n + 2) / (k - 1))
        targets[code] = (n + 1) / (n + 2)
        total -= weight * targets @ logs
    return total / np.sum(weights)


@pytest.mark.parametrize("temperature", [0.05, 0.5, 3.0])
@pytest.mark.parametrize("k", [2, 5])
def test_finds_the_temperature_that_the_classes_were_drawn_at(temperature, k):
    scores, codes = drawn(50_000, k, temperature)
    assert fit_temperature(scores, codes, None) == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize("weighted", [False, True])
def test_no_temperature_nearby_has_less_loss(weighted):
    scores, codes = drawn(60, 3, 0.7)
    weights = np.random.default_rng(1).uniform(0.1, 4, 60) if weighted else np.ones(60)
    found = fit_temperature(scores, codes, weights if weighted else None)
    least = smoothed_loss(found, scores, codes, weights)
    for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2):
        assert smoothed_loss(factor * found, scores, codes, weights) > least


def test_a_whole_weight_is_a_repeated_row_and_zero_is_none():
    scores, codes = drawn(50, 3, 0.7)
    weights = np.arange(50) % 3
    scores[weights == 0] = 1e6
    repeated = fit_temperature(scores.repeat(weights, axis=0), codes.repeat(weights), None)
    assert fit_temperature(scores, codes, weights.astype(float)) == pytest.approx(repeated)
    # A few rows of huge weight are many rows: less is left to smoothing.
    assert fit_temperature(scores, codes, 1e300 * weights) < 0.95 * repeated


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30])
def test_right_scores_are_not_certain_and_wrong_ones_are_finite(scale):
    codes = np.arange(40) % 2
    right = np.eye(2)[codes] * scale
    found = fit_temperature(right, codes, None)
    # 40 of 40 right: the rule of succession says 41 of 42.
    assert probabilities(right, found)[0, 0] == pytest.approx(41 / 42, rel=1e-4)
    wrong = fit_temperature(-right, codes, None)
    assert scale < wrong < np.inf
    assert probabilities(-right, wrong)[0, 1] == pytest.approx(0.5, abs=1e-3)


def test_scores_that_say_nothing_have_a_temperature():
    assert fit_temperature(np.zeros((4, 2)), np.array([0, 1, 0, 1]), None) == 1


@pytest.mark.parametrize("log", [False, True])
def test_the_likeliest_class_is_that_of_the_greatest_score_even_where_rounding_hides_it(log):
    tiny = np.array([[-1e-300, 1e-300], [1e-300, -1e-300], [0.0, 0.0], [-1e-20, 1e-20]])
    values = probabilities(tiny, 1.0, log=log)
    np.testing.assert_array_equal(values.argmax(axis=1), tiny.argmax(axis=1))
    three = np.array([[0.3, 0.1, 0.3 + 6e-17], [1e-30, 0.0, 2e-30]])
    assert three[0, 2] > three[0, 0]
    np.testing.assert_array_equal(probabilities(three, 10.0, log=log).argmax(axis=1), [2, 2])


def test_the_logarithm_stays_finite_where_the_probability_does_not_show():
    scores = np.array([[0.0, 2000.0]])
    assert probabilities(scores, 1.0)[0, 0] == 0
    np.testing.assert_allclose(probabilities(scores, 1.0, log=True), [[-2000, 0]])
