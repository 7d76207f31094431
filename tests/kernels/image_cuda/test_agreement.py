"""Device code, run on the CPU, against stored neural-tangents kernels and the reference engine."""

import sys

import numpy as np
import pytest
from agreement import architecture_of, assert_agrees, depth_of, tolerance
from emulated_cupy import COMPILER, NO_COMPILER, EmulatedCupy
from oracles import golden, golden_layers

from ntkreg import cntk
from ntkreg.architecture import (
    Architecture,
    AvgPool,
    Conv,
    Cos,
    Erf,
    Flatten,
    Gaussian,
    Gelu,
    GlobalAvgPool,
    LeakyRelu,
    LocalAvgPool,
    NormalizedGaussian,
    Relu,
    Residual,
    Sin,
    myrtle,
)
from ntkreg.errors import SpecError
from ntkreg.kernels import make_engine
from ntkreg.kernels.image.engine import ImageEngine
from ntkreg.kernels.image_cuda import cards
from ntkreg.kernels.image_cuda.pairs import CudaPairs
from ntkreg.kernels.image_cuda.source import body_of
from ntkreg.kernels.reference import ReferenceEngine

pytestmark = pytest.mark.skipif(COMPILER is None, reason=NO_COMPILER)

STAX, LAYERS = golden.load()[0], golden.load(golden_layers.FILE)[0]
STORED = {
    case.name: (case, values[case.name])
    for cases, values in ((golden.CASES, STAX), (golden_layers.CASES, LAYERS))
    for case in cases
    if not case.name.startswith("dense") and case.network[0] != ("flatten",)
}


@pytest.fixture(autouse=True)
def _card(request, monkeypatch, tmp_path_factory):
    cache = getattr(request.config, "cache", None)
    folder = cache.mkdir("cuda") if cache else tmp_path_factory.getbasetemp()
    monkeypatch.setitem(sys.modules, "cupy", EmulatedCupy(folder))
    cards._cards.cache_clear()
    yield
    cards._cards.cache_clear()


def check(networks, shape, *, n=2, seed=0, X=None):
    """Hold networks of one pass against the reference, in NNGP and NTK."""
    if X is None:
        X = np.random.default_rng(seed).normal(size=(2 * n, *shape))
    X, common = X.astype(np.float32), (shape, np.dtype("float32"), ("nngp", "ntk"), len(networks))
    engine = ImageEngine(*common, tuple(networks), wide=True, backend=CudaPairs)
    head = (shape, np.dtype(float), *common[2:])
    half = len(X) // 2
    a, b = X[:half], X[half:]
    reference = ReferenceEngine(*head, tuple(networks))
    wanted = reference.cross(a.astype(float), b.astype(float))
    rows, columns = (reference.diagonal(v.astype(float)) for v in (a, b))
    got = engine.cross(a, b)
    assert_agrees(got, wanted, rows, columns, 4e-6)
    return engine.pairs.card_program(shape[2])


def test_depths_read_outs_tangents_and_blocks_come_from_one_pass():
    block = Residual((Relu(), Conv(3, 1.2)), (Conv(1, 0.9, trainable=False),))

    def network(depth, readout, first=True):
        layers = [Conv(3, 1.4, 0.1, trainable=first), Relu()]
        for _ in range(depth):
            layers += [Conv(3, 1.3, 0.1), Relu()]
        return Architecture((*layers, Conv(), block, block, Relu(), *readout))

    lap = LocalAvgPool(1), Flatten()
    read_outs = (GlobalAvgPool(),), (Flatten(),), lap
    networks = [network(2, r) for r in read_outs] + [network(2, lap, first=False)]
    short = Architecture((Conv(3, 1.4, 0.1), Relu(), Conv(3, 1.3, 0.1), Relu(), GlobalAvgPool()))
    program = check([*networks, short], (7, 6, 2))
    assert program.fields == 3
    assert program.groups(0) == 8  # four tiles a warp
    assert "for (int k" in body_of(program)  # equal layers are a loop


def test_poolings_that_do_not_divide_strides_and_wide_windows_agree():
    layers = (Conv(5, stride=2), Relu(), AvgPool(2), Conv(3, padding="VALID"), Relu())
    program = check([Architecture((*layers, GlobalAvgPool()))], (13, 15, 1))
    assert program.groups(0) == 16  # two tiles a warp
    assert program.axes[0][0].moduli[0] > 13  # filled up


def test_poolings_down_to_one_pixel_agree():
    step = Conv(), Relu()
    check([Architecture((*step, AvgPool(2), *step, AvgPool(2), *step, Flatten()))], (5, 4, 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "activation",
    [LeakyRelu(0.2), Erf(), Gelu(), Sin(), Cos(), Gaussian(0.7), NormalizedGaussian(0.5)],
    ids=repr,
)
def test_every_activation_agrees(activation):
    step = (Conv(3, 1.2, 0.1), activation)
    layers = (*step, *step, Conv(1, 1.1), activation, AvgPool(2), *step)
    check([Architecture((*layers, GlobalAvgPool()))], (6, 4, 2))


def of(*layers):
    return Architecture((*layers, GlobalAvgPool()))


AROUND = Conv(padding="CIRCULAR"), Relu()
NETWORKS = {
    "one tile a warp": ([cntk(2)], (17, 20, 5)),
    "deep": ([cntk(40)], (4, 4, 1)),
    "myrtle5": ([myrtle(5)], (12, 8, 3)),
    "myrtle10": ([myrtle(10)], (16, 16, 3)),
    "tangents": ([cntk(3), cntk(3, frozen=1), cntk(3, frozen=2)], (5, 5, 1)),
    "pool3": ([of(Conv(), Relu(), AvgPool(3), Conv(), Relu())], (10, 11, 2)),
    "circular": ([of(*AROUND, *AROUND, AvgPool(2), Conv(), Relu())], (8, 6, 2)),
    "starts with a block": ([of(Residual((Conv(),), (Conv(1),)), Relu())], (5, 6, 3)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_agree(name):
    check(*NETWORKS[name])


NOT_ON_CARDS = {
    "pool3 after stride flatten 8x10": r'CIRCULAR .* divide the image.*Use backend="jax"',
}


def test_scaled_units_stay_in_range_over_many_layers():
    program = check([cntk(20, "flatten")], (2, 3, 1))
    assert "rescale" in body_of(program).split("stage_0")[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", STORED)
def test_all_stored_neural_tangents_kernels_are_met(name):
    case, stored = STORED[name]
    network = architecture_of(case.network)
    if network.reads != "image":
        pytest.skip("reads vectors")
    X, Z = (a.astype(np.float32) for a in case.inputs())
    engine = make_engine(network, case.shape, dtype="float32", backend="cuda")
    if name in NOT_ON_CARDS:
        with pytest.raises(SpecError, match=NOT_ON_CARDS[name]):
            engine.cross(X, Z)
        return
    try:
        make_engine(network, case.shape, dtype="float32").cross(X, Z)
    except SpecError:  # what the compiled loops cannot run, neither can the card
        with pytest.raises(SpecError, match="to_stax"):
            engine.cross(X, Z)
        return
    bound = tolerance(np.float32, gap=stored["gap"], depth=depth_of(case.network))
    assert_agrees(engine.cross(X, Z)[:, 0], stored["cross"], stored["x"], stored["z"], bound)
