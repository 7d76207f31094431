"""Every network gets the fastest engine that runs it; the rest is refused with the way that can."""

import numpy as np
import pytest

from ntkreg import (
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Erf,
    Flatten,
    GlobalAvgPool,
    Relu,
    Residual,
    cntk,
    fully_connected,
    resnet,
)
from ntkreg.errors import SpecError
from ntkreg.kernels import make_engine
from ntkreg.kernels.dense.engine import DenseEngine
from ntkreg.kernels.dense.plain import PlainDenseEngine
from ntkreg.kernels.image.engine import ImageEngine


@pytest.mark.parametrize(
    ("network", "kind"),
    [
        (fully_connected(3, bias_std=0.2), DenseEngine),
        (fully_connected(3, activation="erf"), PlainDenseEngine),
        (Architecture((Dense(), Residual((Relu(), Dense())))), PlainDenseEngine),
        (cntk(2), ImageEngine),
        (cntk(2, activation="gelu", padding="CIRCULAR"), ImageEngine),
        (resnet(1), ImageEngine),
        (Architecture((Conv(stride=2), AvgPool(2), Flatten(), Dense(), Erf())), ImageEngine),
    ],
)
def test_networks_get_the_fastest_engine_that_runs_them(network, kind):
    shape = (16, 16, 1) if network.reads == "image" else (5,)
    engine = make_engine(network, shape, dtype="float32")
    assert type(engine) is kind
    X = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    assert (engine.diagonal(X) > 0).all()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((Conv(), Conv(padding="CIRCULAR")), "CIRCULAR convolutions apart from SAME and VALID"),
        (
            (Residual((Conv(stride=2),), (AvgPool(2), Conv(1))),),
            r"no operation for AvgPool\(window=2\)",
        ),
        ((Conv(stride=3, padding="CIRCULAR"),), "3 does not divide 8 x 8"),
    ],
)
def test_what_the_image_engine_cannot_run_is_refused_with_the_way_that_can(layers, message):
    network = Architecture((*layers, GlobalAvgPool(), Dense()))
    engine = make_engine(network, (8, 8, 3), dtype=float)
    with pytest.raises(SpecError, match=f"{message}.*to_stax"):
        engine.diagonal(np.ones((1, 8, 8, 3)))


def test_depths_of_other_activations_come_from_one_engine_each_as_alone():
    X = np.random.default_rng(0).normal(size=(3, 6))
    network = fully_connected(3, activation="gelu")
    both = make_engine(network, (6,), dtype=float, depths=(1, 3)).symmetric(X)
    for k, depth in enumerate((1, 3)):
        alone = make_engine(network.replace(depth=depth), (6,), dtype=float)
        assert np.array_equal(both[:, k], alone.symmetric(X)[:, 0])
