"""Recipes build the documented layers and keep their arguments."""

import math

import numpy as np
import pytest

from ntkreg import (
    Architecture,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LocalAvgPool,
    Relu,
    cntk,
    fully_connected,
)
from ntkreg.errors import SpecError


def test_fully_connected_is_depth_hidden_layers_and_a_read_out():
    expected = (Dense(1.2, 0.3), Relu(), Dense(1.2, 0.3), Relu(), Dense(1.0))
    assert fully_connected(2, weight_std=1.2, bias_std=0.3).layers == expected
    assert fully_connected(0).layers == (Dense(1.0),)


@pytest.mark.parametrize(
    ("readout", "tail"),
    [
        ("flatten", (Flatten(),)),
        ("gap", (GlobalAvgPool(),)),
        ("lap", (LocalAvgPool(4), Flatten())),
    ],
)
def test_cntk_is_depth_hidden_layers_a_pooling_and_a_read_out(readout, tail):
    hidden = (Conv(5, math.sqrt(2), 0.1), Relu()) * 3
    assert cntk(3, readout, window=5, bias_std=0.1).layers == (*hidden, *tail, Dense(1.0))


@pytest.mark.parametrize("recipe", [cntk, fully_connected])
def test_train_flags_reach_the_first_and_the_last_layer_only(recipe):
    layers = recipe(3, train_first=False, train_last=False).layers
    flags = [layer.trainable for layer in layers if isinstance(layer, Dense | Conv)]
    assert flags == [False, True, True, False]


@pytest.mark.parametrize("depth", [-1, 1.0, "2", None, True])
def test_fully_connected_refuses_depths_that_are_no_count(depth):
    with pytest.raises(SpecError, match="fully_connected: depth must be an integer >= 0; got"):
        fully_connected(depth)


@pytest.mark.parametrize("depth", [0, -1, 1.5, "2", None, True])
def test_cntk_needs_at_least_one_hidden_layer(depth):
    with pytest.raises(SpecError, match="cntk: depth must be an integer >= 1; got"):
        cntk(depth)


@pytest.mark.parametrize("readout", ["GAP", "max", None, 3])
def test_cntk_refuses_unknown_read_outs(readout):
    with pytest.raises(SpecError, match='readout must be "flatten", "gap" or "lap"; got'):
        cntk(2, readout)


def test_cntk_says_which_layer_argument_is_wrong():
    with pytest.raises(SpecError, match="Conv: window must be odd; got 4"):
        cntk(2, window=4)
    with pytest.raises(SpecError, match="LocalAvgPool: half_width must be"):
        cntk(2, "lap", half_width=-1)


def test_unknown_arguments_are_refused_with_the_known_ones():
    with pytest.raises(SpecError, match=r"cntk: .*'widow'.*Its arguments are: depth, readout"):
        cntk(2, widow=3)
    with pytest.raises(SpecError, match="fully_connected: too many positional arguments"):
        fully_connected(2, 1.0)


def test_numpy_integers_are_good_depths():
    assert cntk(np.int64(2), half_width=np.int32(1)) == cntk(2)


def test_replace_and_set_params_return_a_copy_and_never_change_the_original():
    network = cntk(4, "flatten", bias_std=0.2)
    before = (network.layers, network.get_params(), hash(network), network.fingerprint)
    for change in (network.replace, network.set_params):
        changed = change(depth=2, readout="gap")
        assert changed == cntk(2, "gap", bias_std=0.2)
        assert changed.get_params() == {**network.get_params(), "depth": 2, "readout": "gap"}
    assert (network.layers, network.get_params(), hash(network), network.fingerprint) == before


def test_set_params_without_arguments_is_the_network_itself():
    network = cntk(2)
    assert network.set_params() is network


def test_get_params_returns_a_dictionary_of_its_own():
    network = cntk(2)
    network.get_params()["depth"] = 7
    assert network.get_params()["depth"] == 2


def test_replace_checks_its_arguments():
    with pytest.raises(SpecError, match="depth must be an integer"):
        cntk(2).replace(depth=0)
    with pytest.raises(SpecError, match="'width'"):
        cntk(2).replace(width=3)


def test_networks_given_layer_by_layer_have_no_arguments_to_replace():
    network = Architecture((Dense(), Relu(), Dense(1.0)))
    assert network.get_params() == {}
    with pytest.raises(SpecError, match=r"only a recipe .* has arguments to change"):
        network.replace(depth=2)


def test_recipes_show_how_they_were_called():
    assert repr(fully_connected(2, train_last=False)).startswith("fully_connected(depth=2, ")
    assert eval(repr(cntk(3, "lap", half_width=1)), {"cntk": cntk}) == cntk(3, "lap", half_width=1)
