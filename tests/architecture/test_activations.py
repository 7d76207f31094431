"""Activations as layers: their parameters and the names that recipes take."""

import math

import numpy as np
import pytest

from ntkreg import Gaussian, LeakyRelu, NormalizedGaussian, Relu, cntk, fully_connected, myrtle
from ntkreg.architecture import Activation
from ntkreg.architecture.activations import ACTIVATIONS
from ntkreg.architecture.registry import LAYERS
from ntkreg.errors import SpecError


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.1", None, True])
def test_slopes_must_be_finite_numbers(value):
    with pytest.raises(SpecError, match="LeakyRelu: slope must be a finite float; got"):
        LeakyRelu(value)


@pytest.mark.parametrize("layer", [Gaussian, NormalizedGaussian])
@pytest.mark.parametrize("value", [0, -1.0, math.nan, "1", None, True])
def test_gammas_must_be_finite_and_positive(layer, value):
    with pytest.raises(SpecError, match=f"{layer.__name__}: gamma must be a finite float > 0; got"):
        layer(value)


def test_numpy_parameters_are_kept_as_plain_floats():
    layers = LeakyRelu(np.float32(0.5)), LeakyRelu(-1), Gaussian(np.int64(2))
    assert [type(v) for layer in layers for v in layer.parameters.values()] == [float] * 3


def test_every_activation_has_a_name_and_is_known_to_yaml():
    assert {type(layer) for layer in ACTIVATIONS.values()} == set(Activation.__subclasses__())
    assert {type(layer).__name__ for layer in ACTIVATIONS.values()} <= set(LAYERS)


@pytest.mark.parametrize("recipe", [cntk, fully_connected, myrtle])
def test_recipes_take_activations_by_name_or_as_layers(recipe):
    for activation in ("erf", LeakyRelu(0.3)):
        layers = recipe(5, activation=activation).layers
        used = {layer for layer in layers if isinstance(layer, Activation)}
        assert used == {ACTIVATIONS.get(activation, activation)}
    assert recipe(5) == recipe(5, activation="relu") == recipe(5, activation=Relu())


@pytest.mark.parametrize("value", ["tanh", "Relu", None, 3, Relu])
def test_recipes_name_the_activations_they_know(value):
    with pytest.raises(SpecError, match=r"cntk: activation must be .* one of relu, leaky_relu"):
        cntk(2, activation=value)
