"""What a comparison may be asked for."""

import pytest

from ntkreg.errors import SpecError
from ntkreg.studies.compare.config import CompareConfig
from ntkreg.studies.compare.models import KINDS, as_model
from ntkreg.studies.shared.config import config_to_dict, make_config


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_thirty_settings_by_default(kind):
    settings = as_model("m", kind).settings()
    assert len(settings) == 30
    assert len({tuple(s.values()) for s in settings}) == 30


def test_a_configuration_says_all_settings_and_is_read_again():
    config = CompareConfig("data", {"NTK": "ntk", "RF": {"kind": "random_forest"}})
    plain = config_to_dict(config)
    assert plain["models"]["RF"]["criterion"] == ["gini", "entropy"]
    assert plain["models"]["NTK"]["network"][-1] == [4, 2]
    again = make_config(CompareConfig, plain)
    assert config_to_dict(again) == plain
    assert [m.grid for m in again.each_model()] == [m.grid for m in config.each_model()]


def test_budgets_are_equal_or_refused():
    few = {"kind": "rbf", "gamma": [1.0], "C": [1, 10]}
    with pytest.raises(SpecError, match="RBF has 2 combinations of settings, and budget is 30"):
        CompareConfig("data", {"NTK": "ntk", "RBF": few})
    assert CompareConfig("data", {"RBF": few}, budget=2).budget == 2


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ({}, "models must map names to kinds"),
        (["ntk"], "models must map names to kinds"),
        ({"a|b": "ntk"}, "models must be a name of letters"),
        ({"m": "svm"}, "m: unknown kind 'svm'. Kinds: ntk, nngp"),
        ({"m": {"C": [1]}}, "m must be a kind, or {kind: "),
        ({"m": 3}, "m must be a kind, or {kind: "),
        ({"m": {"kind": "rbf", "alpha": [1]}}, "rbf has no setting 'alpha'. It has gamma, C"),
        ({"m": {"kind": "rbf", "C": 1}}, "C must be a list of values to try; got 1"),
        ({"m": {"kind": "rbf", "C": []}}, "C must be a list of values to try"),
        ({"m": {"kind": "rbf", "C": [1, 1.0]}}, "C must be distinct"),
        ({"m": {"kind": "rbf", "C": [0]}}, "C must hold finite numbers above 0; got 0"),
        ({"m": {"kind": "rbf", "gamma": [float("inf")]}}, "gamma must hold finite numbers above 0"),
        ({"m": {"kind": "rbf", "gamma": [10**400]}}, "gamma must hold finite numbers above 0"),
        ({"m": {"kind": "rbf", "C": [True]}}, "C must hold finite numbers above 0; got True"),
        ({"m": {"kind": "rbf", "C": ["1e3"]}}, "C must hold finite numbers above 0; got '1e3'"),
        ({"m": {"kind": "polynomial", "coef0": [-1.0]}}, "coef0 must hold finite numbers >= 0"),
        ({"m": {"kind": "polynomial", "degree": [1.5]}}, "degree must hold integers from 1"),
        ({"m": {"kind": "arc_cosine", "order": [3]}}, "order must hold 0, 1 or 2; got 3"),
        ({"m": {"kind": "ntk", "network": [[1, 2]]}}, r"network must hold \[hidden layers, first"),
        ({"m": {"kind": "ntk", "network": [2]}}, "network must hold"),
        ({"m": {"kind": "cntk", "network": [[0, 0]]}}, "of at least one convolution"),
        ({"m": {"kind": "cntk", "readout": ["max"]}}, "readout must hold flatten, lap or gap"),
        ({"m": {"kind": "random_forest", "max_features": [2]}}, "sqrt, log2 or a fraction"),
        ({"m": {"kind": "random_forest", "criterion": ["mse"]}}, "gini, entropy or log_loss"),
        ({"m": {"kind": "gradient_boosting", "max_leaf_nodes": [1]}}, "integers from 2"),
        ({"m": {"kind": "rbf", "C": list(range(1, 200))}}, "1,194 combinations; at most 1,000"),
    ],
)
def test_models_that_make_no_sense(models, said):
    with pytest.raises(SpecError, match=said):
        CompareConfig("data", models)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("data", 3, "data must be the path of a folder"),
        ("budget", 0, "budget must be an integer >= 1"),
        ("protocol", "given", "protocol must be one of shared tuning, nested tuning"),
        ("kernel_scale", "none", "kernel_scale must be one of published, mean_diagonal"),
        ("data_sets", "iris", "data_sets must be a list of names"),
        ("data_sets", ["a", "a"], "data_sets must be distinct"),
        ("data_sets", ["../x"], r"data_sets\[0\] must be a name of letters"),
        ("most_rows", 0, "most_rows must be an integer >= 1"),
        ("n_splits", 1, "n_splits must be an integer >= 2"),
        ("n_train", [1], r"n_train\[0\] must be an integer >= 2"),
        ("n_test", 0, "n_test must be an integer >= 1"),
        ("n_trees", 0, "n_trees must be an integer >= 1"),
        ("n_geometry", 1, "n_geometry must be an integer >= 2"),
        ("seed", -1, "seed must be an integer >= 0"),
    ],
)
def test_keys_that_make_no_sense(key, value, said):
    with pytest.raises(SpecError, match=said):
        CompareConfig(**{"data": "data", "models": {"NTK": "ntk"}, key: value})
