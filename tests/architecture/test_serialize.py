"""Networks to YAML and back, and what is said of YAML that is wrong."""

import numpy as np
import pytest

from ntkreg import (
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Erf,
    Flatten,
    LeakyRelu,
    LocalAvgPool,
    NormalizedGaussian,
    Relu,
    cntk,
    fully_connected,
    myrtle,
    resnet,
)
from ntkreg.architecture import from_dict, from_yaml, to_dict, to_yaml
from ntkreg.errors import SpecError

BY_HAND = Architecture(
    (Conv(5, 1.1, 0.2, False), Relu(), LocalAvgPool(2), Flatten(), Dense(), Relu(), Dense(1.0))
)


@pytest.mark.parametrize(
    "network",
    [
        cntk(10, "gap"),
        cntk(2, "lap", half_width=1, train_first=False),
        cntk(2, padding="VALID", activation="gelu", frozen=1),
        cntk(2, activation=LeakyRelu(0.3)),
        fully_connected(2, activation=Erf()),
        fully_connected(0),
        myrtle(7, activation=NormalizedGaussian(0.5)),
        resnet(2, groups=2),
        Architecture(resnet(2).layers),
        Architecture((Conv(3, stride=2, padding="CIRCULAR"), AvgPool(2), Relu(), Flatten())),
        BY_HAND,
    ],
    ids=repr,
)
def test_yaml_round_trip_gives_the_same_network(network):
    again = from_yaml(to_yaml(network))
    assert again == network
    assert again.recipe == network.recipe
    assert again.get_params() == network.get_params()
    assert to_yaml(again) == to_yaml(network)


def test_numpy_arguments_are_written_as_plain_yaml():
    network = cntk(np.int64(3), window=np.int32(5), bias_std=np.float32(0.5), train_last=True)
    text = to_yaml(network)
    assert "numpy" not in text
    assert from_yaml(text) == network
    assert (
        from_yaml(text).fingerprint
        == network.fingerprint
        == cntk(3, window=5, bias_std=0.5).fingerprint
    )


def test_numpy_parameters_of_layers_are_written_as_plain_yaml():
    network = Architecture(
        (Conv(np.int64(3), np.float64(1.5)), LocalAvgPool(np.int8(1)), Flatten())
    )
    assert from_yaml(to_yaml(network)) == network
    assert network.fingerprint == from_yaml(to_yaml(network)).fingerprint


def test_recipes_are_written_with_their_arguments_and_others_layer_by_layer():
    assert to_dict(fully_connected(2))["recipe"] == "fully_connected"
    assert to_dict(BY_HAND)["layers"][1] == "Relu"
    assert to_dict(BY_HAND)["layers"][0] == {
        "Conv": {"window": 5, "weight_std": 1.1, "bias_std": 0.2, "trainable": False}
    }


def test_strides_and_paddings_are_written_where_they_are_not_the_default():
    network = Architecture((Conv(stride=2), Conv(padding="VALID"), Flatten()))
    first, second, _ = (
        {} if spec == "Flatten" else spec["Conv"] for spec in to_dict(network)["layers"]
    )
    assert ("stride" in first, "padding" in first) == (True, False)
    assert ("stride" in second, "padding" in second) == (False, True)


def test_layers_without_parameters_may_be_written_by_name():
    spec = {"layers": ["Conv", {"Relu": None}, {"Flatten": {}}, {"Dense": {"weight_std": 1.0}}]}
    assert from_dict(spec) == cntk(1, "flatten")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe: cntkk\ndepth: 2", r"unknown recipe: 'cntkk'. Did you mean 'cntk'\?"),
        ("recipe: cntk\ndept: 2", r"unknown argument of recipe cntk: 'dept'. Did you mean 'depth'"),
        ("recipe: cntk\ndepth: 0", "cntk: depth must be an integer >= 1; got 0"),
        ("depth: 2", "expected a mapping with either 'recipe'"),
        ("recipe: cntk\nlayers: []", "expected a mapping with either 'recipe'"),
        ("- Dense", "expected a mapping with either 'recipe'"),
        ("", "expected a mapping"),
        ("layers: Dense", "'layers' must be a list; got 'Dense'"),
        ("layers: []", "needs at least one layer"),
        ("layers: [Dense]\nname: x", r"unknown key beside 'layers': \['name'\]"),
        ("layers: [Dens]", r"unknown layer 0: 'Dens'. Did you mean 'Dense'\?"),
        ("layers: [{Conv: {widow: 3}}, Flatten]", "unknown parameter of layer 0, Conv: 'widow'"),
        ("layers: [{Conv: 3}, Flatten]", "layer 0, Conv: parameters must be a mapping; got 3"),
        ("layers: [{Conv: {}, Relu: {}}]", "layer 0 must be a name or one name: parameters"),
        ("layers: [Conv, LocalAvgPool, Flatten]", "layer 1, LocalAvgPool: .*half_width"),
        ("layers: [Conv, Dense]", "layer 1 of 2, Dense"),
        ("recipe: [cntk", "not valid YAML"),
        ("recipe: 3", "unknown recipe: 3"),
        ("recipe: cntk\nactivation: tanh", "cntk: activation must be an Activation or one of"),
        ("recipe: cntk\nactivation: {Tanh: {}}", "argument activation of recipe cntk: Tanh has no"),
        (
            "recipe: cntk\nactivation: {LeakyRelu: {slop: 1}}",
            "unknown parameter of argument activa",
        ),
        ("recipe: cntk\nactivation: {Conv: {}}", "cntk: activation must be an Activation or one"),
    ],
)
def test_wrong_yaml_is_refused_with_what_and_where(text, message):
    with pytest.raises(SpecError, match=message):
        from_yaml(text)


def test_yaml_never_runs_code():
    with pytest.raises(SpecError, match="not valid YAML"):
        from_yaml("recipe: !!python/object/apply:os.getcwd []")
