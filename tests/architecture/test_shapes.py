"""Sizes of images on their way through a network, and where windows lie."""

import itertools

import pytest

from ntkreg import (
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Relu,
    Residual,
    cntk,
    fully_connected,
    myrtle,
    resnet,
)
from ntkreg.architecture import output_size, window_origin
from ntkreg.errors import ShapeError
from ntkreg.kernels import check_inputs
from ntkreg.kernels.stax.compatibility import import_jax

TAIL = (GlobalAvgPool(), Dense(1.0))


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_windows_lie_where_xla_puts_them(padding):
    lax = import_jax().lax
    for size, window, stride in itertools.product(range(1, 12), (1, 3, 5, 7), (1, 2, 3, 4)):
        if padding == "VALID" and size < window:
            continue
        [(before, _)] = lax.padtype_to_pads((size,), (window,), (stride,), padding)
        assert window_origin(size, window, stride, padding) == before
        shape = lax.conv_general_shape_tuple(
            (1, 1, size), (1, 1, window), (stride,), padding, ("NCH", "OIH", "NCH")
        )
        layer = Conv(window, stride=stride, padding=padding)
        assert output_size(layer, (size, size)) == (shape[2], shape[2])


def test_circular_windows_lie_as_with_zeros_around_the_image():
    for size, stride in itertools.product((1, 4, 5), (1, 2, 3)):
        assert window_origin(size, 3, stride, "CIRCULAR") == window_origin(size, 3, stride, "SAME")
        assert output_size(Conv(5, stride=stride, padding="CIRCULAR"), (size, 9)) == output_size(
            Conv(5, stride=stride), (size, 9)
        )


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (Conv(), (7, 6)),
        (Conv(5, stride=2), (4, 3)),
        (Conv(5, padding="VALID"), (3, 2)),
        (Conv(3, stride=3, padding="VALID"), (2, 2)),
        (AvgPool(3), (2, 2)),
        (AvgPool(1), (7, 6)),
        (Relu(), (7, 6)),
        (Flatten(), (1, 1)),
        (GlobalAvgPool(), (1, 1)),
        (Residual((Relu(), Conv(stride=2), Relu(), Conv()), (Conv(1, stride=2),)), (4, 3)),
    ],
    ids=repr,
)
def test_output_sizes_of_an_image_of_7_by_6_pixels(layer, size):
    assert output_size(layer, (7, 6)) == size


@pytest.mark.parametrize(
    ("network", "least"),
    [
        (cntk(3, padding="VALID"), 7),
        (cntk(3, window=5, padding="VALID"), 13),
        (cntk(3), 1),
        (myrtle(5), 4),
        (resnet(1), 1),
        (Architecture((AvgPool(3), Conv(), Relu(), AvgPool(2), *TAIL)), 6),
    ],
    ids=repr,
)
def test_networks_accept_images_from_their_least_size_on(network, least):
    for size in range(1, 15):
        if size < least:
            with pytest.raises(ShapeError, match="leaves no pixels"):
                network.check_shape((size, 20, 3))
            with pytest.raises(ShapeError, match="leaves no pixels"):
                network.check_shape((20, size, 3))
        else:
            network.check_shape((size, size, 3))


def test_the_layer_that_leaves_no_pixels_is_named_with_its_sizes():
    with pytest.raises(
        ShapeError, match=r"architecture: layer 4, Conv\(.*\) leaves no pixels of .* 1 x 16 pixels"
    ):
        cntk(4, padding="VALID").check_shape((5, 20, 3))
    with pytest.raises(ShapeError, match=r"layer 5, AvgPool\(window=2\) leaves .* 1 x 1 pixels"):
        Architecture((*[Conv(), Relu(), AvgPool(2)] * 2, *TAIL)).check_shape((3, 3, 3))
    inside = Residual((Relu(), Conv(3, padding="VALID")), (Conv(3, padding="VALID"),))
    with pytest.raises(ShapeError, match=r"layer 1, body layer 1, Conv\(.* leaves no pixels"):
        Architecture((Conv(), inside, *TAIL)).check_shape((2, 2, 1))


def test_branches_of_different_sizes_are_refused_with_both():
    network = Architecture((Conv(), Residual((Relu(), Conv(stride=2))), *TAIL))
    message = r"layer 1, Residual: of an image of 7 x 6 .* body gives 4 x 3, the shortcut 7 x 6\."
    with pytest.raises(ShapeError, match=message):
        network.check_shape((7, 6, 3))
    network.check_shape((1, 1, 3))  # here they are the same


def test_networks_on_vectors_take_inputs_of_any_shape():
    fully_connected(2).check_shape((3,))
    fully_connected(2).check_shape((1, 2, 3))


def test_images_too_small_are_refused_before_any_work():
    with pytest.raises(ShapeError, match=r"layer 2, AvgPool\(window=2\) leaves no pixels"):
        check_inputs(Architecture((Conv(), Relu(), AvgPool(2), *TAIL)), [[[[1.0]]]])
