"""One model on one data set, beside the same done by hand."""

import dataclasses

import numpy as np
import pytest
from oracles.published_ntk import published_ntk
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.svm import SVC

from ntkreg.data.folders import DataSet, load_data_set
from ntkreg.errors import SpecError
from ntkreg.studies.compare.config import CompareConfig
from ntkreg.studies.compare.splits import parts_of, sizes_of, stratified_folds
from ntkreg.studies.compare.work import tune_and_test


def by_hand(data, networks, costs):
    """Return choice and accuracies of the published protocol, with the published recursion."""
    train, val = data.tune
    best = (0, None, None)
    for depth, frozen in networks:
        K = published_ntk(data.X, depth + 1, frozen)
        for C in costs:
            machine = SVC(C=C, kernel="precomputed").fit(K[np.ix_(train, train)], data.y[train])
            accuracy = machine.score(K[np.ix_(val, train)], data.y[val])
            if accuracy > best[0]:
                best = (accuracy, {"network": (depth, frozen), "C": C}, K)
    accuracies = []
    for train, test in data.folds:
        machine = SVC(C=best[1]["C"], kernel="precomputed")
        machine.fit(best[2][np.ix_(train, train)], data.y[train])
        accuracies.append(100 * machine.score(best[2][np.ix_(test, train)], data.y[test]))
    return best[1], accuracies


@pytest.mark.parametrize("name", ["first", "second set", "third"])
def test_the_published_protocol_is_as_by_hand(config, folder, name):
    data = load_data_set(folder / f"{name}.npz")
    found = tune_and_test(config, config.each_model()[0], data, None)
    setting, accuracies = by_hand(data, [(0, 0), (2, 1)], [0.1, 10.0])
    assert [s["setting"] for s in found.splits] == [setting] * 4
    np.testing.assert_allclose([s["accuracy"] for s in found.splits], accuracies)
    assert found.K.shape == (len(data.folds[0][0]),) * 2
    wanted = published_ntk(data.X, setting["network"][0] + 1, setting["network"][1])
    rows = data.folds[0][0]
    np.testing.assert_allclose(found.K, wanted[np.ix_(rows, rows)], atol=1e-6 * wanted.max())
    assert (found.y == data.y[rows]).all()


def test_a_forest_is_scikit_learns(config, folder):
    data = load_data_set(folder / "first.npz")
    found = tune_and_test(config, config.each_model()[2], data, None)
    setting = found.splits[0]["setting"]
    for split, (train, test) in zip(found.splits, data.folds, strict=True):
        forest = RandomForestClassifier(5, random_state=0, **setting)
        forest.fit(data.X[train], data.y[train])
        assert split["accuracy"] == 100 * forest.score(data.X[test], data.y[test])
    assert found.K is None


def test_boosting_is_scikit_learns(config, folder):
    grid = {"learning_rate": [0.1, 0.3], "max_leaf_nodes": [4], "min_samples_leaf": [5, 10]}
    models = {"boosting": {"kind": "gradient_boosting", **grid}}
    boosting = dataclasses.replace(config, models=models)
    data = load_data_set(folder / "second set.npz")
    found = tune_and_test(boosting, boosting.each_model()[0], data, None)
    setting = found.splits[0]["setting"]
    for split, (train, test) in zip(found.splits, data.folds, strict=True):
        rounds = HistGradientBoostingClassifier(
            max_iter=5, early_stopping=False, random_state=0, **setting
        )
        rounds.fit(data.X[train], data.y[train])
        assert split["accuracy"] == 100 * rounds.score(data.X[test], data.y[test])


def test_nested_tuning_sees_nothing_that_is_tested(config, folder):
    nested = dataclasses.replace(config, protocol="nested tuning")
    data = load_data_set(folder / "first.npz")
    for part, (train, test) in zip(parts_of(nested, data, None), data.folds, strict=True):
        assert part.n_fit == len(train)
        assert sorted(np.concatenate(part.tuning[0])) == list(range(part.n_fit))
        assert part.tuning[0] == part.tuning[1][::-1]
        [(fit, judged)] = part.testing
        assert (part.y[judged] == data.y[test]).all()
        np.testing.assert_allclose(part.X[fit].mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(part.X[fit].std(axis=0), 1)
        own = (data.X[test] - data.X[train].mean(axis=0)) / data.X[train].std(axis=0)
        np.testing.assert_allclose(part.X[judged], own)
    # Labels of test rows change no choice.
    turned = data.y.copy()
    turned[data.folds[0][1]] = 1 - turned[data.folds[0][1]]
    other = dataclasses.replace(data, y=turned, folds=data.folds[:1])
    for model in config.each_model():
        first, second = (
            tune_and_test(nested, model, each, None).splits[0] for each in (data, other)
        )
        assert (first["setting"], first["validation"]) == (second["setting"], second["validation"])
        assert first["accuracy"] == pytest.approx(100 - second["accuracy"])


def test_folds_are_disjoint_and_balanced(config):
    y = np.repeat([0, 1, 2], [20, 7, 3])
    folds = stratified_folds(y, 5, np.random.default_rng(0))
    assert sorted(np.concatenate(folds)) == list(range(30))
    assert {len(f) for f in folds} == {6}
    counts = np.array([np.bincount(y[f], minlength=3) for f in folds])
    assert (np.ptp(counts, axis=0) <= 1).all()
    with pytest.raises(SpecError, match="3 training rows cannot be parted into 5"):
        stratified_folds(np.arange(3), 5, np.random.default_rng(0))


def test_draws_come_from_training_rows_alone():
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, size=(50, 4, 4, 1), dtype=np.uint8), np.arange(50) % 2
    data = DataSet("images", X, y, n_train=30)
    config = CompareConfig("x", {"CNTK": "cntk"}, n_train=(10, 20), n_splits=3, n_test=15)
    assert sizes_of(config, data) == (10, 20)
    for size in (10, 20):
        parts = list(parts_of(config, data, size))
        assert [len(p.testing[0][1]) for p in parts] == [15] * 3
        assert [np.bincount(p.y[:size]).tolist() for p in parts] == [[size // 2] * 2] * 3
        assert parts[0].X.dtype == np.float32
        assert abs(parts[0].X[:size].mean()) < 1e-6
    assert sizes_of(dataclasses.replace(config, n_train=None), data) == (None,)
    with pytest.raises(SpecError, match="must be a multiple of the number of classes"):
        list(parts_of(config, data, 11))
    model = {"kind": "cntk", "network": [[1, 0], [1, 1]], "readout": ["gap"], "C": [1.0]}
    small = CompareConfig("x", {"CNTK": model}, budget=2, n_train=(10,), n_splits=2)
    found = tune_and_test(small, small.each_model()[0], data, 10)
    assert [s["n_test"] for s in found.splits] == [20, 20]
    assert np.diag(found.K).mean() == pytest.approx(1, rel=1e-6)


def test_rows_of_one_class_are_told_and_training_parts_of_one_say_it(config):
    X, y = np.arange(12.0).reshape(6, 2), np.zeros(6, int)
    with pytest.raises(SpecError, match="alone: all 6 rows are of one class"):
        tune_and_test(config, config.each_model()[0], DataSet("alone", X, y), None)
    y = np.array([0, 0, 0, 0, 1, 1])
    rows = np.arange(3), np.arange(3, 6)
    data = DataSet("part", X, y, tune=rows, folds=(rows,))
    for model in config.each_model():
        found = tune_and_test(config, model, data, None)
        assert found.splits[0]["accuracy"] == pytest.approx(100 / 3)


def test_constant_columns_and_repeated_rows_are_no_trouble(config):
    X = np.repeat(np.array([[1.0, 5.0], [2.0, 5.0]]), 10, axis=0)
    nested = dataclasses.replace(config, protocol="nested tuning", n_splits=2)
    for model in config.each_model():
        found = tune_and_test(nested, model, DataSet("flat", X, np.arange(20) // 10), None)
        assert [s["accuracy"] for s in found.splits] == [100, 100]


def test_a_file_without_splits_cannot_be_tuned_on_them(config):
    data = DataSet("bare", np.eye(4), np.arange(4) % 2)
    with pytest.raises(SpecError, match=r'bare: has no tune_train.*Use "nested tuning"'):
        tune_and_test(config, config.each_model()[0], data, None)
