"""What each layer accepts, and what it says otherwise."""

import dataclasses
import math

import numpy as np
import pytest

import ntkreg.architecture
from ntkreg import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LeakyRelu,
    LocalAvgPool,
    Relu,
    Residual,
)
from ntkreg.errors import SpecError


@pytest.mark.parametrize("layer", [Dense, Conv])
@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "2", None, True, 1j])
def test_weight_std_must_be_a_finite_positive_number(layer, value):
    with pytest.raises(SpecError, match=rf"{layer.__name__}: weight_std must be .* > 0; got"):
        layer(weight_std=value)


@pytest.mark.parametrize("layer", [Dense, Conv])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, "0", None, False])
def test_bias_std_must_be_a_finite_number_from_zero_on(layer, value):
    with pytest.raises(SpecError, match=rf"{layer.__name__}: bias_std must be .* >= 0; got"):
        layer(bias_std=value)


@pytest.mark.parametrize("layer", [Dense, Conv])
@pytest.mark.parametrize("value", [1, 0, "yes", None])
def test_trainable_must_be_a_bool(layer, value):
    with pytest.raises(SpecError, match="trainable must be True or False; got"):
        layer(trainable=value)


@pytest.mark.parametrize("window", [0, -3, 3.0, "3", True, None])
def test_window_must_be_a_positive_integer(window):
    with pytest.raises(SpecError, match="Conv: window must be an integer >= 1; got"):
        Conv(window)


@pytest.mark.parametrize("window", [2, 4, np.int64(6)])
def test_window_must_be_odd(window):
    with pytest.raises(SpecError, match=f"Conv: window must be odd; got {int(window)}"):
        Conv(window)


@pytest.mark.parametrize("stride", [0, -1, 1.0, (1, 2), True, None])
def test_stride_must_be_a_positive_integer(stride):
    with pytest.raises(SpecError, match="Conv: stride must be an integer >= 1; got"):
        Conv(stride=stride)


@pytest.mark.parametrize("padding", ["same", "REFLECT", None, 1])
def test_padding_must_be_one_of_three(padding):
    with pytest.raises(SpecError, match=r"Conv: padding must be one of \('SAME', 'CIRCULAR', 'V"):
        Conv(padding=padding)


@pytest.mark.parametrize("window", [0, 2.0, "2", True, None])
def test_squares_of_a_pooling_must_have_a_positive_integer_side(window):
    with pytest.raises(SpecError, match="AvgPool: window must be an integer >= 1; got"):
        AvgPool(window)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("MaxPool", "MaxPool has no closed form"),
        ("LayerNorm", "LayerNorm is not native"),
        ("GlobalSelfAttention", "GlobalSelfAttention is not native"),
    ],
)
def test_layers_that_only_neural_tangents_has_are_named_with_the_bridge(name, reason):
    way = f"{reason}.*neural_tangents.stax.*pass its kernel_fn"
    with pytest.raises(SpecError, match=way):
        getattr(ntkreg.architecture, name)
    with pytest.raises(SpecError, match=f"layer 1: {way}"):
        ntkreg.architecture.from_yaml(f"layers: [Conv, {name}, Flatten]")
    with pytest.raises(AttributeError, match="no attribute 'MaxPooling'"):
        ntkreg.architecture.MaxPooling  # noqa: B018


@pytest.mark.parametrize("half_width", [-1, 1.5, "1", True, None])
def test_half_width_must_be_an_integer_from_zero_on(half_width):
    with pytest.raises(SpecError, match="LocalAvgPool: half_width must be an integer >= 0"):
        LocalAvgPool(half_width)


def test_defaults_are_those_of_relu_networks_without_bias():
    assert Dense() == Dense(math.sqrt(2), 0.0, True)
    assert Conv() == Conv(3, math.sqrt(2), 0.0, True, 1, "SAME")


@pytest.mark.parametrize(
    "layer",
    [
        Dense(),
        Conv(),
        Relu(),
        LeakyRelu(),
        Flatten(),
        GlobalAvgPool(),
        LocalAvgPool(1),
        AvgPool(),
        Residual([Conv()]),
    ],
    ids=repr,
)
def test_layers_are_frozen_and_hashable(layer):
    assert hash(layer) == hash(dataclasses.replace(layer))
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        layer.weight_std = 3.0


def test_layers_with_different_parameters_are_different():
    assert len({Dense(), Dense(1.0), Dense(1.0, 0.1), Dense(1.0, 0.1, False), Conv(), Conv(5)}) == 6
    assert len({Conv(), Conv(stride=2), Conv(padding="VALID"), Conv(padding="CIRCULAR")}) == 4


def test_numpy_numbers_and_integers_are_kept_as_plain_python_numbers():
    conv = Conv(np.int64(5), np.float32(0.5), 0)
    assert [type(v) for v in (conv.window, conv.weight_std, conv.bias_std)] == [int, float, float]
    assert conv == Conv(5, 0.5, 0.0)
    assert type(LocalAvgPool(np.int8(2)).half_width) is int
