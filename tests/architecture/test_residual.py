"""Residual blocks: what may stand inside, and when sums of kernels are kernels of sums."""

import pytest

from ntkreg import (
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Erf,
    Flatten,
    GlobalAvgPool,
    Identity,
    LocalAvgPool,
    Relu,
    Residual,
)
from ntkreg.architecture import from_yaml, to_dict, to_yaml
from ntkreg.errors import SpecError

TAIL = (GlobalAvgPool(), Dense(1.0))
BLOCK = Residual((Relu(), Conv(), Relu(), Conv()))
NESTED = Residual((Relu(), Conv(), Residual((Erf(), Conv(1)))), (Conv(1), AvgPool(1)))


@pytest.mark.parametrize(
    "layers",
    [
        (Conv(), BLOCK, BLOCK, Relu(), *TAIL),
        (Conv(), NESTED, Relu(), *TAIL),
        (Residual((Conv(),), (Conv(1),)), *TAIL),  # two projections of the image itself
        (Conv(), Residual((Relu(), Conv(stride=2)), (AvgPool(2),)), Relu(), *TAIL),
        (Conv(), Residual((Relu(), Conv(), AvgPool(2)), (AvgPool(2), Identity())), *TAIL),
        (Dense(), Residual((Relu(), Dense())), Relu(), Dense(1.0)),
        (Conv(), GlobalAvgPool(), Residual((Relu(), Dense())), Relu(), Dense(1.0)),
        (Residual([Identity(), Residual([Dense()], [Dense()])], [Identity(), Dense()]), Relu()),
    ],
    ids=repr,
)
def test_networks_with_blocks_of_independent_gaussians_are_good(layers):
    network = Architecture(layers)
    assert hash(network) == hash(Architecture(layers))
    assert from_yaml(to_yaml(network)) == network


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            (Conv(), Residual((Conv(), Flatten())), *TAIL),
            r"layer 1 of 4, Residual.*body that turns a image into a vector",
        ),
        ((Conv(), Residual((Relu(), Conv(), Relu())), *TAIL), "End the body with Dense or Conv"),
        (
            (Conv(), Residual((Conv(),), (Erf(),)), *TAIL),
            "has a shortcut that gives values that are not Gaussian.*End the shortcut with",
        ),
        (
            (Conv(), Relu(), Residual((Conv(),)), *TAIL),
            r"layer 2 of 5, Residual.*shortcut that gives.*Put Dense or Conv before the block",
        ),
        ((Residual((Conv(),)), *TAIL), "Put Dense or Conv before the block"),
        (
            (Conv(), Residual((Relu(), Relu(), Conv())), *TAIL),
            r"layer 1, body layer 1 of 3, Relu\(\), acts on values that are not Gaussian",
        ),
        (
            (Conv(), Residual((Relu(), Conv(), Residual((Dense(),)))), *TAIL),
            r"layer 1, body layer 2, body layer 0 of 1, Dense.*acts on a vector but gets a image",
        ),
        (
            (Conv(), Residual((Conv(),), (Relu(), Dense())), *TAIL),
            r"layer 1, shortcut layer 1 of 2, Dense.*acts on a vector but gets a image",
        ),
        ((Conv(), Residual((LocalAvgPool(1), Conv())), *TAIL), "must be followed by Flatten"),
        ((Conv(), Residual((Identity(),)), *TAIL), "both pass their input on"),
        ((Conv(), Residual((AvgPool(1),), (Identity(),)), *TAIL), "Put Dense or Conv into the"),
        ((Conv(), Residual((Residual((Conv(),)),)), *TAIL), "their kernels do not add up"),
    ],
)
def test_impossible_blocks_are_refused_with_place_and_reason(layers, message):
    with pytest.raises(SpecError, match=message):
        Architecture(layers)


def test_a_block_needs_layers():
    with pytest.raises(SpecError, match="Residual: body must have at least one layer; got none"):
        Residual(())
    with pytest.raises(SpecError, match="Residual: body must be a sequence of layers; got Conv"):
        Residual(Conv())
    with pytest.raises(SpecError, match="Residual: shortcut layer 1 must be a Layer; got 'Relu'"):
        Residual((Conv(),), (Conv(), "Relu"))


def test_lists_make_the_same_block_as_tuples():
    assert Residual([Relu(), Conv()], [Conv(1)]) == Residual((Relu(), Conv()), (Conv(1),))
    assert len({Residual((Conv(),)), Residual((Conv(),), (Conv(),)), Residual([Conv()])}) == 2


def test_the_first_layer_inside_a_block_says_what_the_network_reads():
    assert Architecture((Residual((Conv(),), (Conv(),)), *TAIL)).reads == "image"
    assert Architecture((Residual((Dense(),), (Dense(),)), Relu())).reads == "vector"


def test_fingerprints_tell_branches_and_nested_layers_apart():
    networks = [
        Architecture((Conv(), Residual(body, shortcut), *TAIL))
        for body, shortcut in (
            ((Relu(), Conv()), ()),
            ((Erf(), Conv()), ()),
            ((Relu(), Conv()), (Conv(),)),
            ((Conv(),), (Relu(), Conv())),
            ((Relu(), Conv(), Conv()), ()),
            ((Relu(), Conv(5)), ()),
        )
    ]
    assert len({network.fingerprint for network in networks}) == len(networks)


def test_blocks_are_written_as_lists_of_layers():
    network = Architecture((Conv(), Residual((Relu(), Conv(1, 1.0)), (AvgPool(1),)), *TAIL))
    conv = {"window": 1, "weight_std": 1.0, "bias_std": 0.0, "trainable": True}
    block = {"body": ["Relu", {"Conv": conv}], "shortcut": [{"AvgPool": {"window": 1}}]}
    assert to_dict(network)["layers"][1] == {"Residual": block}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{Residual: {body: [Relu, Convv]}}", "unknown layer 1, body layer 1: 'Convv'"),
        ("{Residual: {body: [Relu, {Conv: {widow: 3}}]}}", "of layer 1, body layer 1, Conv: 'wid"),
        ("{Residual: {body: [Conv], shortcut: [MaxPool]}}", "layer 1, shortcut layer 0: MaxPool"),
        ("{Residual: {body: Conv}}", "Residual: body must be a sequence of layers; got 'Conv'"),
        ("Residual", "layer 1, Residual: .*body"),
    ],
)
def test_wrong_yaml_within_a_block_is_refused_with_its_place(text, message):
    with pytest.raises(SpecError, match=message):
        from_yaml(f"layers: [Conv, {text}, GlobalAvgPool]")
