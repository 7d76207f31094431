"""Recipes build the documented layers and keep their arguments."""

import math
import time

import numpy as np
import pytest
from agreement import architecture_of
from oracles import golden_layers

from ntkreg import (
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    Gaussian,
    GlobalAvgPool,
    LeakyRelu,
    LocalAvgPool,
    NormalizedGaussian,
    Relu,
    Residual,
    cntk,
    fully_connected,
    myrtle,
    resnet,
)
from ntkreg.architecture.recipe import check_frozen
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


@pytest.mark.parametrize("recipe", [cntk, fully_connected])
@pytest.mark.parametrize(("frozen", "flags"), [(0, "111"), (1, "011"), (2, "001"), (5, "000")])
def test_frozen_counts_the_first_hidden_layers_that_are_not_trained(recipe, frozen, flags):
    *hidden, last = (s for s in recipe(3, frozen=frozen).layers if isinstance(s, Dense | Conv))
    assert [layer.trainable for layer in hidden] == [flag == "1" for flag in flags]
    assert last.trainable
    assert recipe(3, frozen=1) == recipe(3, train_first=False)


@pytest.mark.parametrize("recipe", [cntk, fully_connected])
def test_frozen_and_train_first_are_two_words_for_one_thing(recipe):
    with pytest.raises(SpecError, match=r"train_first=False is the same as frozen=1, and frozen=2"):
        recipe(3, train_first=False, frozen=2)
    for value in (-1, 1.0, None, True):
        with pytest.raises(SpecError, match="frozen must be an integer >= 0; got"):
            recipe(3, frozen=value)
    with pytest.raises(SpecError, match="train_first must be True or False; got 'no'"):
        recipe(3, train_first="no")


def test_cntk_passes_padding_and_window_to_every_convolution():
    convs = [s for s in cntk(3, window=5, padding="VALID").layers if isinstance(s, Conv)]
    assert {(conv.window, conv.stride, conv.padding) for conv in convs} == {(5, 1, "VALID")}
    with pytest.raises(SpecError, match="Conv: padding must be one of"):
        cntk(2, padding="ZERO")


@pytest.mark.parametrize("options", [{}, {"frozen": 2}, {"padding": "VALID", "activation": "gelu"}])
def test_cntks_of_less_depth_are_how_deeper_ones_begin(options):
    deep = cntk(5, **options).layers
    for depth in (1, 2, 4):
        assert cntk(depth, **options).layers[:-2] == deep[: 2 * depth]


RECIPES = {
    "myrtle5": myrtle(5),
    "myrtle7": myrtle(7),
    "myrtle10": myrtle(),
    "myrtle5 gaussian": myrtle(5, activation="normalized_gaussian"),
    "myrtle10 gaussian": myrtle(10, activation="normalized_gaussian"),
    "resnet1x3": resnet(1),
    "resnet1x3 std1": resnet(1, weight_std=1.0),
    "resnet4x1": resnet(groups=1),
    "cntk circular": cntk(3, padding="CIRCULAR"),
    "cntk valid": cntk(3, padding="VALID"),
    "cntk gelu": cntk(3, "lap", half_width=2, activation="gelu"),
}


@pytest.mark.parametrize("name", golden_layers.RECIPES)
def test_recipes_build_the_networks_whose_kernels_are_stored(name):
    assert RECIPES[name] == architecture_of(golden_layers.RECIPES[name])


@pytest.mark.parametrize("depth", [6, 0, "5", None, [5], 5.0])
def test_myrtle_has_three_depths(depth):
    with pytest.raises(SpecError, match="myrtle: depth must be"):
        myrtle(depth)


@pytest.mark.parametrize(("argument", "value"), [("block_size", 0), ("groups", 0), ("groups", 1.5)])
def test_resnets_have_at_least_one_group_of_one_block(argument, value):
    with pytest.raises(SpecError, match=f"resnet: {argument} must be an integer >= 1; got"):
        resnet(**{argument: value})


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
    kept = cntk(3, activation=LeakyRelu(0.2), frozen=2)
    assert eval(repr(kept), {"cntk": cntk, "LeakyRelu": LeakyRelu}) == kept
    assert eval(repr(cntk(3, "lap", half_width=1)), {"cntk": cntk}) == cntk(3, "lap", half_width=1)


HUGE = 10**9


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: fully_connected(HUGE), "fully_connected: depth must be at most 10,000"),
        (lambda: cntk(HUGE), "cntk: depth must be at most 10,000"),
        (lambda: cntk(9_999), "at most 10,000 layers"),
        (lambda: cntk(2, window=HUGE + 1), "Conv: window must be at most 10,000"),
        (lambda: cntk(2, "lap", half_width=HUGE), "LocalAvgPool: half_width must be at most"),
        (lambda: resnet(HUGE), "resnet: block_size must be at most"),
        (lambda: resnet(groups=HUGE), "resnet: groups must be at most"),
        (lambda: resnet(9_999, groups=9_999), "resnet: block_size times groups must be at most"),
        (lambda: Conv(stride=HUGE), "Conv: stride must be at most"),
        (lambda: AvgPool(HUGE), "AvgPool: window must be at most"),
        (lambda: Architecture([Dense(), Relu()] * 6_000), "at most 10,000 layers"),
        (lambda: cntk().replace(depth=HUGE), "cntk: depth must be at most"),
    ],
)
def test_sizes_without_bound_are_refused_before_anything_is_listed(build, named):
    began = time.perf_counter()
    with pytest.raises(SpecError, match=named):
        build()
    assert time.perf_counter() - began < 5


def test_blocks_count_as_often_as_they_stand_and_may_not_nest_for_ever():
    block = Residual((Relu(), Conv()))
    for _ in range(13):
        block = Residual((block, block))
    with pytest.raises(SpecError, match="at most 10,000 layers"):
        Architecture([Conv(), block, Flatten(), Dense(1.0)])
    deep = Residual((Relu(), Conv()))
    for _ in range(60):
        deep = Residual((deep,))
    with pytest.raises(SpecError, match="nested at most 50 deep"):
        Architecture([Conv(), deep, Flatten(), Dense(1.0)])


def test_thousands_of_layers_are_a_network():
    assert len(cntk(4_990).layers) == 9_982


@pytest.mark.parametrize("value", [1e300, 1e-200, np.float64(1e101), 10**400])
def test_numbers_whose_squares_leave_float64_are_refused(value):
    for build in (
        lambda v: fully_connected(weight_std=v),
        lambda v: cntk(bias_std=v),
        lambda v: Dense(v),
        lambda v: LeakyRelu(-v),
        lambda v: Gaussian(v),
        lambda v: NormalizedGaussian(v),
    ):
        with pytest.raises(SpecError, match=r"must be (between 1e-100 and 1e\+100|a finite float)"):
            build(value)
    assert LeakyRelu(0).slope == Dense(1.0, 0).bias_std == 0


def test_frozen_beyond_the_deepest_network_asked_for_is_refused():
    for network in (cntk(2, frozen=99), fully_connected(2, frozen=3)):
        with pytest.raises(SpecError, match=r"frozen=\d+ is more than the 2 hidden layers"):
            check_frozen([network])
        check_frozen([network.replace(depth=99), network])
        check_frozen([network.replace(frozen=2)])
    check_frozen([resnet(), myrtle(), Architecture([Dense()])])
