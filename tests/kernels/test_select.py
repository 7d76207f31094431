"""What no fast engine can run is refused with the way that can."""

import pytest

from ntkreg import Architecture, AvgPool, Conv, Dense, Erf, Flatten, Relu, Residual, cntk, resnet
from ntkreg.errors import SpecError
from ntkreg.kernels import make_engine


@pytest.mark.parametrize(
    ("network", "layer"),
    [
        (cntk(2, padding="CIRCULAR"), r"0, Conv\(.*'CIRCULAR'"),
        (Architecture((Conv(), Relu(), Conv(stride=2), Flatten())), r"2, Conv\(.*stride=2"),
        (Architecture((Conv(), AvgPool(2), Flatten())), r"1, AvgPool\("),
        (cntk(2, activation="erf"), r"1, Erf\(\)"),
        (resnet(1), r"1, Residual\("),
        (Architecture((Dense(), Residual((Relu(), Dense())))), r"1, Residual\("),
        (Architecture((Dense(), Erf(), Dense())), r"1, Erf\(\)"),
    ],
)
def test_layers_without_an_operation_are_refused_with_their_place_and_the_bridge(network, layer):
    shape = (8, 8, 3) if network.reads == "image" else (5,)
    with pytest.raises(SpecError, match=f"No engine has an operation for layer {layer}.*to_stax"):
        make_engine(network, shape, dtype=float)
