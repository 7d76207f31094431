"""Which networks share a pass, and the engine that holds several."""

import math

import numpy as np
import pytest
from toy_engine import ToyEngine

from ntkreg import cntk, plan_gram
from ntkreg.kernels import make_engine
from ntkreg.kernels.passes import PassesEngine, group_networks

VARIANTS = [{"bias_std": 0.2}, {}, {"depth": 1}]
X = np.random.default_rng(0).normal(size=(40, 4, 5, 2))


def prefix_cost(networks):
    """Letters of the longest word, if all others are its beginnings."""
    longest = max(networks, key=len)
    return len(longest) if all(longest.startswith(word) for word in networks) else math.inf


@pytest.mark.parametrize(
    ("words", "groups"),
    [
        (["a"], [[0]]),
        (["ab", "a", "abc"], [[0, 1, 2]]),
        (["x", "a", "xy", "ab"], [[0, 2], [1, 3]]),
        # Whatever the order, as many passes as words that begin no other.
        (["a", "abc", "axy", "ab", "ax"], [[0, 1, 3], [2, 4]]),
    ],
)
def test_what_begins_alike_goes_together(words, groups):
    assert group_networks(words, prefix_cost) == groups


def test_together_only_where_that_costs_less():
    cost = lambda words: len(words) * max(map(len, words))  # noqa: E731
    assert group_networks(["a", "abc"], cost) == [[0], [1]]


def test_the_order_asked_for_makes_no_pass_dearer():
    # Words of tiles (a letter each, so many times): a long one of few, and what adds nothing to it.
    cost = lambda words: max(len(w) for w in words) * max(ord(w[0]) for w in words)  # noqa: E731
    words = ["\x01" * 9, "\x50" * 2, "\x60" * 9, "\x10"]
    assert group_networks(words, cost) == [[0, 1, 2, 3]]
    assert group_networks(words[:2], cost) == [[0], [1]]


def test_networks_that_nothing_runs_stay_apart():
    assert group_networks(["a", "b"], lambda words: math.inf) == [[0], [1]]


def test_values_are_the_same_in_any_block_and_from_prepared_inputs():
    engine = make_engine(cntk(2), X.shape[1:], dtype=float, variants=VARIANTS)
    assert engine.places == ((0,), (1, 2))
    whole, prepared = engine.cross(X, X[:30]), engine.prepare(X)
    assert len(prepared) == 40
    assert len(prepared[3:5]) == 2
    np.testing.assert_array_equal(engine.cross(prepared[3:21], X[5:30]), whole[..., 3:21, 5:])
    part = engine.symmetric(prepared[10:30])
    np.testing.assert_array_equal(part, engine.symmetric(X[10:30]))
    np.testing.assert_array_equal(part, part.swapaxes(2, 3))
    np.testing.assert_array_equal(
        np.einsum("fdii->fdi", part), engine.diagonal(prepared)[..., 10:30]
    )


def test_blocks_are_the_smallest_that_fill_every_pass():
    def passes(*sides):
        common = ((3,), np.dtype(float), ("ntk",), 1)
        return PassesEngine(*common, tuple(ToyEngine(*common, side=s) for s in sides), ((0,), (0,)))

    assert passes(8, 4).block == 4
    assert passes(8, 4).columns_at_once == 1
    engine = make_engine(cntk(2), X.shape[1:], dtype=np.float32, variants=VARIANTS)
    assert engine.block == min(each.block for each in engine.engines)
    assert engine.columns_at_once == 16


def test_explanations_say_which_pass_is_for_which_variant():
    engine = make_engine(cntk(2), X.shape[1:], dtype=np.float32, variants=VARIANTS)
    lines = engine.explain().splitlines()
    assert lines[0] == "2 passes, one after the other:"
    assert [line for line in lines if line.startswith("Pass")] == [
        "Pass 1 of 2: variant 1",
        "Pass 2 of 2: networks are variants 2, 3",
    ]
    assert sum(line.startswith("stage 1 of 1") for line in lines) == 2


def test_a_plan_takes_the_time_of_all_passes(monkeypatch):
    from ntkreg.gram import work

    def slow(spec, shape):
        common = (shape, np.dtype(spec.dtype), spec.get)
        one = ToyEngine(*common, 1, pause=0.06)
        if spec.variants is None:
            return one
        return PassesEngine(*common, 2, (one, one), ((0,), (1,)))

    monkeypatch.setattr(work, "engine_for", slow)
    A = X.reshape(40, -1)[:, :3]
    one, two = (
        plan_gram(cntk(2), A.reshape(40, 1, 3, 1), variants=v, n_jobs=1)
        for v in (None, [{}, {"depth": 1}])
    )
    assert (one.n_variants, two.n_variants) == (1, 2)
    assert "2 variants" in str(two)
    assert two.result_bytes == 2 * one.result_bytes
    assert 1.5 < two.seconds / one.seconds < 3
