"""Statistics over data sets against their definitions, written out."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from ntkreg.studies.compare.statistics import (
    friedman,
    groups,
    holm,
    pair_tests,
    set_differences,
    summary,
)


def rows_of(table):
    """Return rows from {model: accuracies by set, a list of splits each}."""
    lines = [
        {"set": f"s{i}", "model": model, "split": j, "accuracy": value}
        for model, sets in table.items()
        for i, splits in enumerate(sets)
        for j, value in enumerate(splits)
    ]
    return pd.DataFrame(lines)


def signed_rank_p(x):
    """Two-sided p of Wilcoxon's test by all 2^n signs: no ties, no zeros."""
    ranks = np.argsort(np.argsort(np.abs(x))) + 1
    sums = [np.dot(s, ranks) for s in itertools.product((0, 1), repeat=len(x))]
    found, middle = ranks[x > 0].sum(), ranks.sum() / 2
    return np.mean(np.abs(np.array(sums) - middle) >= abs(found - middle))


def test_pairs_are_tested_as_by_all_signs():
    rng = np.random.default_rng(0)
    table = {"a": rng.normal(70, 5, size=(9, 2)), "b": rng.normal(70, 5, size=(9, 2)),
             "c": rng.normal(60, 5, size=(9, 2))}  # fmt: skip
    tests = pair_tests(rows_of(table), list(table)).set_index(["first", "second"])
    p = {}
    for pair, line in tests.iterrows():
        less = table[pair[0]].mean(axis=1) - table[pair[1]].mean(axis=1)
        assert (line.wins, line.ties, line.losses) == ((less > 0).sum(), 0, (less < 0).sum())
        assert line.difference == pytest.approx(less.mean())
        assert line.low < line.difference < line.high
        p[pair] = signed_rank_p(less)
        assert line.p == pytest.approx(p[pair], rel=1e-9)
    assert tests.loc[("a", "c"), "verdict"] == "a"
    assert tests.loc[("b", "c"), "verdict"] == "b"
    assert tests.loc[("a", "b"), "verdict"] == "not told apart"


def test_holm_is_the_closed_test():
    """Holm adjusts p to the greatest Bonferroni p over all sets of hypotheses that hold it."""
    rng = np.random.default_rng(1)
    for n in (1, 2, 4):
        p = rng.uniform(0, 0.3, size=n)
        wanted = [
            max(
                min(1, len(s) * p[list(s)].min())
                for k in range(1, n + 1)
                for s in itertools.combinations(range(n), k)
                if i in s
            )
            for i in range(n)
        ]
        np.testing.assert_allclose(holm(p), wanted)
    np.testing.assert_allclose(holm([np.nan, 0.02]), [np.nan, 0.02])


def test_ranks_shares_and_tests_leave_out_sets_that_a_model_lacks():
    table = {"a": [[80, 82], [90, 90], [50, 50]], "b": [[81, 81], [45, 45], [60, 60]],
             "c": [[70, 70], [60, 60]]}  # fmt: skip
    found = summary(rows_of(table), list(table)).set_index("model")
    assert (found.n_sets == 2).all()
    assert found["rank"].to_dict() == {"a": 1.25, "b": 2.25, "c": 2.5}  # a and b tie on s0
    assert found.best.to_dict() == {"a": 2, "b": 1, "c": 0}
    assert found.p90.to_dict() == {"a": 100, "b": 50, "c": 0}
    assert found.pma["c"] == pytest.approx(100 * (70 / 81 + 60 / 90) / 2)
    assert found.split_std["a"] == pytest.approx(1.0)
    tests = pair_tests(rows_of(table), list(table)).set_index(["first", "second"])
    assert tests.n_sets.to_dict() == {("a", "b"): 3, ("a", "c"): 2, ("b", "c"): 2}
    assert tests.loc[("a", "b"), ["wins", "ties", "losses"]].tolist() == [1, 1, 1]


def test_models_that_always_tie_are_not_told_apart():
    table = {"a": [[80.0]] * 6, "b": [[80.0]] * 6, "c": [[80.0]] * 6}
    tests = pair_tests(rows_of(table), list(table))
    assert (tests.p == 1).all()
    assert set(tests.verdict) == {"not told apart"}
    assert np.isnan(friedman(rows_of(table), list(table))["p"])


def test_friedmans_statistic_is_that_of_its_ranks():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(12, 4)) + np.array([0, 0, 1, 2])
    table = {name: values[:, [j]] for j, name in enumerate("abcd")}
    found = friedman(rows_of(table), list(table))
    ranks = np.argsort(np.argsort(values, axis=1), axis=1) + 1
    wanted = 12 * 12 / (4 * 5) * ((ranks.mean(axis=0) - 2.5) ** 2).sum()
    assert found["statistic"] == pytest.approx(wanted)
    assert (found["n_sets"], found["n_models"]) == (12, 4)
    assert 0 < found["p"] < 0.05
    assert np.isnan(friedman(rows_of({"a": values[:, :1], "b": values[:, 1:2]}), ["a", "b"])["p"])


def test_wilcoxon_finds_no_more_than_chance_where_there_is_nothing():
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(80):
        table = {name: rng.normal(size=(12, 1)) for name in "abcd"}
        wrong += (pair_tests(rows_of(table), list(table)).verdict != "not told apart").any()
    assert binomtest(wrong, 80, 0.05, alternative="greater").pvalue > 0.001


def test_groups_are_the_longest_runs_without_a_pair_told_apart():
    ranks = pd.Series({"d": 4.0, "a": 1.0, "b": 2.0, "c": 3.0})
    pairs = list(itertools.combinations("abcd", 2))

    def told(*apart):
        verdicts = [a if (a, b) in apart else "not told apart" for a, b in pairs]
        firsts, seconds = zip(*pairs, strict=True)
        return pd.DataFrame({"first": firsts, "second": seconds, "verdict": verdicts})

    assert groups(ranks, told()) == [("a", "b", "c", "d")]
    assert groups(ranks, told(("a", "d"))) == [("a", "b", "c"), ("b", "c", "d")]
    assert groups(ranks, told(("a", "c"), ("a", "d"))) == [("a", "b"), ("b", "c", "d")]
    assert groups(ranks, told(*pairs)) == []


def test_sets_are_compared_split_by_split():
    table = {"a": [[80, 84], [90, 90]], "b": [[79, 81]]}
    [line] = set_differences(rows_of(table), ["a", "b"]).itertuples()
    assert (line.set, line.n_splits, line.difference) == ("s0", 2, 2.0)
    assert line.high - line.difference == pytest.approx(12.706 * 1.0, rel=1e-3)
