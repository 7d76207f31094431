"""Randomly pivoted Cholesky: the distribution of its pivots, and what they span."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import chi2

from ntkreg.solvers import pivoted_cholesky as module
from ntkreg.solvers.inverse_root import inverse_root
from ntkreg.solvers.pivoted_cholesky import pivoted_cholesky


def _choose(K, k, seed):
    rng = np.random.default_rng(seed)
    return pivoted_cholesky(lambda rows: K[:, rows], np.diagonal(K), k, rng)


def _left(K, rows):
    """The Schur complement, by a dense pseudo-inverse."""
    return K - K[:, rows] @ np.linalg.pinv(K[np.ix_(rows, rows)], 1e-12) @ K[rows]


def _gram(n, d, seed=0, decay=1.0):
    A = np.random.default_rng(seed).standard_normal((n, d)) * np.arange(1, d + 1) ** -decay
    return A @ A.T


def test_pivots_have_the_distribution_of_the_algorithm():
    K = _gram(4, 6) + np.diag([0.1, 2.0, 0.5, 1.0])
    wanted = {}
    for order in permutations(range(4), 3):
        chance = 1.0
        for k, row in enumerate(order):
            left = np.diagonal(_left(K, list(order[:k]))) if k else np.diagonal(K)
            chance *= left[row] / left.sum()
        wanted[order] = chance
    assert abs(sum(wanted.values()) - 1) < 1e-9
    n = 1200
    seen = Counter(tuple(_choose(K, 3, seed).tolist()) for seed in range(n))
    statistic = sum((seen[o] - n * p) ** 2 / (n * p) for o, p in wanted.items())
    assert 1e-3 < chi2.cdf(statistic, len(wanted) - 1) < 0.999


def test_the_expected_error_keeps_the_bound_of_the_paper():
    K = _gram(120, 120, decay=1.5)
    values = np.linalg.eigvalsh(K)[::-1]
    r, k = 5, 30
    best = values[r:].sum()
    errors = [np.trace(_left(K, _choose(K, k, seed))) for seed in range(20)]
    # Theorem 5.1: (1 + eps) best for k >= r / eps + r log(1 / (eps eta)), here eps = 1 / 2.
    assert values[k:].sum() <= np.mean(errors) < 1.5 * best
    uniform = [
        np.trace(_left(K, np.random.default_rng(seed).permutation(120)[:k])) for seed in range(20)
    ]
    assert np.mean(errors) < np.mean(uniform)


@pytest.mark.parametrize("at_once", [1, 7, 128])
def test_pivots_are_distinct_whatever_the_number_proposed_at_once(at_once, monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    K = _gram(90, 90)
    pivots = _choose(K, 60, 0)
    assert len(set(pivots.tolist())) == 60
    assert np.trace(_left(K, pivots)) < 0.2 * np.trace(K)


def test_a_matrix_of_low_rank_is_spanned_and_the_rest_follows_at_random():
    K = _gram(50, 4)
    pivots = _choose(K, 20, 0)
    assert len(set(pivots.tolist())) == 20
    np.testing.assert_allclose(_left(K, pivots[:4]), 0, atol=1e-10 * K.max())
    assert sorted(_choose(K, 50, 1).tolist()) == list(range(50))
    assert len(set(_choose(np.zeros((6, 6)), 3, 0).tolist())) == 3


def test_a_matrix_with_rounding_comes_to_an_end():
    K = np.repeat(np.repeat(_gram(10, 10), 8, axis=0), 8, axis=1).astype("float32")
    # Columns as of float32 loops, a diagonal as of closed forms: repeated rows never quite agree.
    noise = 1 - 1e-4 * np.random.default_rng(0).random(K.shape)
    K *= np.minimum(noise, noise.T).astype("float32")
    diagonal = np.diagonal(K) * np.float32(1 + 1e-4)
    rng = np.random.default_rng(0)
    pivots = pivoted_cholesky(lambda rows: K[:, rows], diagonal, 40, rng)
    assert len(set(pivots.tolist())) == 40
    assert len(set(pivots[:10] // 8)) == 10  # every group before any comes twice


def test_the_inverse_root_inverts_what_is_no_rounding():
    K = _gram(30, 30)
    root = inverse_root("test", K, 1e-16)
    np.testing.assert_allclose(root @ K @ root, np.eye(30), atol=1e-6)
    low = _gram(30, 4)
    root = inverse_root("test", low, 1e-16)
    np.testing.assert_allclose(low @ root @ root @ low, low, atol=1e-9)
    assert np.linalg.matrix_rank(root) == 4
    np.testing.assert_array_equal(inverse_root("test", np.zeros((3, 3)), 1e-16), np.zeros((3, 3)))
