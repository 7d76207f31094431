"""A network is checked when it is made, and is data: equal, hashable, never changed."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from ntkreg import (
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Erf,
    Flatten,
    GlobalAvgPool,
    Identity,
    LeakyRelu,
    LocalAvgPool,
    Relu,
    cntk,
    fully_connected,
)
from ntkreg.errors import SpecError


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), "needs at least one layer"),
        (5, "layers must be a sequence of layers; got 5"),
        (Dense(), r"layers must be a sequence; got one Dense"),
        ((Dense(), "Relu"), "layer 1 must be a Layer; got 'Relu'"),
        ((Dense,), "layer 0 must be a Layer; got <class"),
        ((Conv(), Relu(), Dense()), r"layer 2 of 3, Dense\(.*acts on a vector but gets a image"),
        ((Conv(), Dense()), "Put Flatten or GlobalAvgPool before it"),
        ((Dense(), Conv()), r"layer 1 of 2, Conv\(.*acts on a image but gets a vector"),
        ((Conv(), Flatten(), Conv(), Flatten()), "Move it before the Flatten or GlobalAvgPool"),
        ((Conv(), Flatten(), GlobalAvgPool()), r"layer 2 of 3, GlobalAvgPool\(\), acts on"),
        ((Conv(), LocalAvgPool(1), Dense()), r"layer 1 of 3, LocalAvgPool.*followed by Flatten"),
        ((Conv(), LocalAvgPool(1)), "must be followed by Flatten"),
        ((Relu(), Dense()), r"layer 0 of 2, Relu\(\), acts on values that are not Gaussian"),
        ((Dense(), Relu(), Relu()), r"layer 2 of 3, Relu\(\), .* not Gaussian"),
        ((Conv(), Flatten(), Relu()), "Put Dense or Conv before it"),
        ((Conv(), Relu(), GlobalAvgPool(), Relu()), "layer 3 of 4.*not Gaussian"),
        ((Conv(), Relu(), AvgPool(2), Erf(), Flatten()), r"layer 3 of 5, Erf\(\).*not Gaussian"),
        ((Conv(), Relu(), Identity(), Relu(), Flatten()), "layer 3 of 5.*not Gaussian"),
        ((Dense(), AvgPool(2)), r"layer 1 of 2, AvgPool\(.*acts on a image but gets a vector"),
        ((Conv(), Relu()), r"ends in an image \(Relu\(\)\). End it with Flatten"),
    ],
)
def test_impossible_networks_are_refused_with_place_and_reason(layers, message):
    with pytest.raises(SpecError, match=message):
        Architecture(layers)


def test_relu_may_follow_the_global_mean_of_a_convolution():
    assert len(Architecture((Conv(), GlobalAvgPool(), Relu(), Dense())).layers) == 4


def test_activations_may_follow_poolings_and_identities_of_gaussians():
    layers = (Conv(), AvgPool(2), Identity(), Erf(), Conv(), Identity(), Relu(), Flatten(), Dense())
    assert Architecture(layers).reads == "image"


def test_lists_of_layers_become_tuples():
    assert Architecture([Dense()]).layers == (Dense(),)


def test_reads_is_what_the_first_layer_wants():
    assert cntk(1).reads == "image"
    assert fully_connected(0).reads == "vector"
    assert Architecture((Flatten(), Dense())).reads == "image"


def test_a_recipe_equals_the_same_layers_by_hand():
    by_hand = Architecture((Conv(), Relu(), GlobalAvgPool(), Dense(1.0)))
    assert cntk(1) == by_hand
    assert hash(cntk(1)) == hash(by_hand)
    assert cntk(1).fingerprint == by_hand.fingerprint


def test_unused_arguments_do_not_make_another_network():
    assert cntk(2, "gap", half_width=1) == cntk(2, "gap", half_width=9)
    assert cntk(2, "lap", half_width=1) != cntk(2, "lap", half_width=9)


def test_any_difference_in_layers_gives_another_fingerprint():
    networks = [
        cntk(2),
        cntk(3),
        cntk(2, "flatten"),
        cntk(2, "lap"),
        cntk(2, window=5),
        cntk(2, bias_std=0.1),
        cntk(2, weight_std=1.4),
        cntk(2, train_first=False),
        cntk(2, train_last=False),
        cntk(2, frozen=2),
        cntk(2, padding="CIRCULAR"),
        cntk(2, activation="erf"),
        cntk(2, activation=LeakyRelu(0.1)),
        cntk(2, activation=LeakyRelu(0.2)),
        Architecture((Conv(stride=2), Relu(), Conv(), Relu(), GlobalAvgPool(), Dense(1.0))),
        Architecture((Conv(), Relu(), Conv(stride=2), Relu(), GlobalAvgPool(), Dense(1.0))),
        fully_connected(2),
    ]
    assert len({n.fingerprint for n in networks}) == len(set(networks)) == len(networks)


def test_fingerprint_is_the_same_in_every_process():
    # Written down once: a change would orphan every stored kernel folder.
    known = "3c09f3c8918503bf001cd5e5d717fc40402ebd5c3ef1927f9e65483fa4eef4b5"
    assert Architecture((Dense(1.0),)).fingerprint == known
    known = "e14f65b8cb3bf5ac34b5894ea907d840faa5d7215af72c088342efe690499ff8"
    assert cntk(3).fingerprint == known
    known = "e3d25030db8c88f367021d09765984795ac2cca9a53b4b0418975b721894018d"
    assert cntk(3, "lap", half_width=2, train_first=False).fingerprint == known


def test_equal_networks_have_equal_fingerprints_however_their_numbers_are_typed():
    typed = Architecture((Conv(np.int64(3), 1, np.float64(0)), Flatten()))
    plain = Architecture((Conv(3, 1.0, 0.0), Flatten()))
    assert typed == plain
    assert typed.fingerprint == plain.fingerprint


def test_networks_survive_pickle_copy_and_clone():
    network = cntk(3, "lap", half_width=2, train_last=False)
    for twin in (pickle.loads(pickle.dumps(network)), copy.deepcopy(network), clone(network)):
        assert twin == network
        assert twin.get_params() == network.get_params()
        assert repr(twin) == repr(network)


def test_networks_cannot_be_changed_in_place():
    with pytest.raises(AttributeError):
        cntk(1).layers = ()
