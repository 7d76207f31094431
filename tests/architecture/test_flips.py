"""`commutes_with_flip` against what it claims: K(F x, F z) = K(x, z), by the plain reference."""

import numpy as np
import pytest

from ntkreg.architecture import (
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Erf,
    Flatten,
    GlobalAvgPool,
    LeakyRelu,
    LocalAvgPool,
    Relu,
    Residual,
    cntk,
    commutes_with_flip,
    myrtle,
    resnet,
)
from ntkreg.architecture.base import Layer
from ntkreg.kernels.reference import ReferenceEngine

WIDTHS = range(2, 9)


def kernel_is_invariant(network, shape):
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 1, *shape))
    engine = ReferenceEngine(shape, np.dtype(float), ("nngp", "ntk"), 1, (network,))
    there, mirrored = engine.cross(x, z), engine.cross(x[:, :, ::-1], z[:, :, ::-1])
    return np.allclose(there, mirrored, rtol=1e-11, atol=0)


@pytest.mark.parametrize("padding", ["SAME", "CIRCULAR", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("window", [1, 3, 5])
def test_a_convolution_commutes_at_exactly_the_widths_where_its_kernel_does(
    window, stride, padding
):
    network = Architecture((Conv(window, stride=stride, padding=padding), Relu(), Flatten()))
    widths = [w for w in WIDTHS if padding != "VALID" or w >= window]
    # The height never matters: 6 rows leave windows of most strides unsymmetric.
    said = {w: commutes_with_flip(network, (6, w, 1)) for w in widths}
    assert said == {w: kernel_is_invariant(network, (6, w, 1)) for w in widths}
    assert stride > 1 or all(said.values())


@pytest.mark.parametrize("pool", [2, 3])
def test_a_pooling_commutes_where_it_divides_the_width(pool):
    network = Architecture((Conv(), Relu(), AvgPool(pool), Conv(), Relu(), GlobalAvgPool()))
    widths = [w for w in WIDTHS if w >= pool]
    said = {w: commutes_with_flip(network, (3, w, 1)) for w in widths}
    assert said == {w: kernel_is_invariant(network, (3, w, 1)) for w in widths}
    assert said == {w: w % pool == 0 for w in widths}


@pytest.mark.parametrize(
    ("layers", "width", "commutes"),
    [
        ((Conv(), LeakyRelu(0.2), Conv(), LocalAvgPool(1), Flatten(), Dense()), 4, True),
        ((Conv(), Erf(), AvgPool(2), Conv(stride=2), Flatten()), 6, True),
        ((Conv(), Erf(), AvgPool(2), Conv(stride=2), Flatten()), 8, False),  # 4 wide by then
        ((Conv(), Residual((Relu(), Conv(stride=2)), (Conv(1, stride=2),)), Flatten()), 5, True),
        ((Conv(), Residual((Relu(), Conv(stride=2)), (Conv(1, stride=2),)), Flatten()), 6, False),
        # Only one branch differs: a window of 3 at a stride of 3 fits 6 pixels, one of 1 not.
        ((Conv(), Residual((Relu(), Conv(stride=3)), (Conv(1, stride=3),)), Flatten()), 6, False),
    ],
)
def test_what_a_layer_sees_is_the_width_that_those_before_it_leave(layers, width, commutes):
    network = Architecture(layers)
    assert commutes_with_flip(network, (5, width, 2)) is commutes
    assert kernel_is_invariant(network, (5, width, 2)) is commutes


def test_recipes_of_the_literature_commute_at_32_pixels_but_for_strides():
    shape = (32, 32, 3)
    assert commutes_with_flip(cntk(14, "lap"), shape)
    assert all(commutes_with_flip(myrtle(depth), shape) for depth in (5, 7, 10))
    assert not commutes_with_flip(resnet(1), shape)
    assert commutes_with_flip(resnet(1), (32, 33, 3))


def test_a_layer_nobody_has_looked_at_is_not_taken_to_commute():
    class Unknown(Layer):
        """Does who knows what."""

    assert not commutes_with_flip(Architecture((Conv(), Unknown(), Flatten())), (4, 4, 1))
