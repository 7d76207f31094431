"""Every kind of the compiled loops against the plain reference, and in bounds."""

from functools import lru_cache, partial

import numpy as np
import pytest
from agreement import assert_agrees, tolerance

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
)
from ntkreg.kernels.compiled.lanes import aligned
from ntkreg.kernels.image import stage as image_stage
from ntkreg.kernels.image.engine import ImageEngine
from ntkreg.kernels.image.inputs import ImageInputs
from ntkreg.kernels.image.loops.choice import kind_of, loop_of
from ntkreg.kernels.image.loops.tiles import Images
from ntkreg.kernels.image.program import Kind, Loop, Op
from ntkreg.kernels.image.tables import make_tables
from ntkreg.kernels.reference import ReferenceEngine

FIRST = (Conv(), Relu())
BIASED = Conv(3, 1.2, 0.3)
UNTRAINED = Conv(3, 1.2, 0.3, False)
HALF, THIRD, INSIDE = Conv(stride=2), Conv(stride=3), Conv(padding="VALID")
AROUND = Conv(padding="CIRCULAR")

NETWORKS = {
    "first": FIRST,
    "first with bias": (BIASED, Relu()),
    "first untrained": (UNTRAINED, Relu()),
    "first every second": (HALF, Relu(), *FIRST),
    "first every third": (THIRD, Relu(), *FIRST),
    "first inside": (INSIDE, Relu(), *FIRST),
    "first of a block": (Residual((*FIRST, Conv(1)), (Conv(1),)), Relu(), *FIRST),
    "same size": (*FIRST, BIASED, Relu(), Conv(), Relu()),
    "same size untrained": (*FIRST, UNTRAINED, Relu()),
    "no activation": (Conv(), BIASED, UNTRAINED, Relu()),
    "no activation after ReLU": (*FIRST, BIASED, Conv(1), *FIRST),
    "every second": (*FIRST, HALF, Relu(), BIASED, Relu()),
    "every second untrained": (*FIRST, Conv(3, 1.2, 0.3, False, stride=2), Relu()),
    "every third": (*FIRST, THIRD, Relu(), Conv(), Relu()),
    "inside": (*FIRST, INSIDE, Relu(), INSIDE, Relu()),
    "resized without activation": (HALF, Conv(), Relu()),
    "pixel by pixel": (*FIRST, Conv(1, 1.2, 0.3), Relu(), Conv(1, 1.2, 0.3, False), Relu()),
    "pixel by pixel first": (Conv(1), Relu(), *FIRST),
    "every second pixel": (*FIRST, Conv(1, stride=2), Relu(), *FIRST),
    "leaky": (Conv(), LeakyRelu(0.3), *FIRST, *FIRST),
    "other activation": (*FIRST, Conv(), Erf(), *FIRST, HALF, Erf(), *FIRST),
    "body of one sign": (Conv(), Residual((*FIRST, Conv(1))), *FIRST),
    "shortcut of one sign": (Residual((Conv(), Erf(), Conv(1)), (*FIRST, Conv(1))), *FIRST),
    "sum of sums": (Conv(), Residual((Relu(), Conv(), Residual((Relu(), Conv())))), *FIRST),
    "strided sum": (Conv(), Residual((HALF, Relu(), Conv()), (Conv(1, stride=2),)), *FIRST),
    # Windows of 7 read three pixels beyond a row, all others two or fewer.
    "7 after first every second": (HALF, Relu(), Conv(7), Relu()),
    "7 after every second": (Conv(1), HALF, Relu(), Conv(7), Relu()),
    "7 after every second pixel": (Conv(1, stride=2), Relu(), Conv(7), Relu()),
    "5 after inside": (*FIRST, INSIDE, Relu(), Conv(5), Relu()),
    "around": (AROUND, Relu(), AROUND, Relu()),
    "around and pixel by pixel": (AROUND, Relu(), Conv(1, 1.2, 0.3), Relu(), AROUND, Relu()),
    "pooled": (*FIRST, AvgPool(2), *FIRST),
    "pooled by 3": (*FIRST, AvgPool(3), *FIRST),
    "pooled by 4": (*FIRST, AvgPool(4), *FIRST),
    "pooled first": (AvgPool(2), *FIRST),
    "pooled twice": (*FIRST, AvgPool(2), AvgPool(2), *FIRST),
    "pooled around": (AROUND, Relu(), AvgPool(3), AROUND, Relu()),
    "pooled, then around": (*FIRST, AvgPool(2), AROUND, Relu(), Conv(1), Relu()),
    "pooled after every second": (*FIRST, HALF, Relu(), AvgPool(2), *FIRST),
    "either sign, pooled": (Conv(), Erf(), AvgPool(2), *FIRST, *FIRST),
}
READOUTS = {"gap": (GlobalAvgPool(),), "lap": (LocalAvgPool(1), Flatten())}
# Odd sides: windows of stride 2 then begin before the first pixel, on the other parity at it.
SHAPES = ((9, 7, 3), (6, 7, 4), (10, 5, 1))


def _images(shape, dtype):
    """Three images and four, of which some are near the first ones' negatives.

    Their numbers are the same in either dtype.
    """
    X, Z = np.random.default_rng(3).normal(size=(2, 4, *shape))
    Z -= X * np.reshape([0.8, -0.8, 0.5, 0.0], (4, 1, 1, 1))
    return X[:3].astype(np.float32).astype(dtype), Z.astype(np.float32).astype(dtype)


def _network(layers, readout="gap"):
    return Architecture((*layers, *READOUTS[readout], Dense(1.0)))


def _engine(kind, network, shape, dtype):
    return kind(shape, np.dtype(dtype), ("nngp", "ntk"), 1, (network,))


@lru_cache(8)  # those of one network, for the loops of both dtypes
def _reference(name, readout, shape):
    """Return X beside Z and Z beside itself by the plain reference, and both diagonals."""
    plain = _engine(ReferenceEngine, _network(NETWORKS[name], readout), shape, float)
    X, Z = _images(shape, float)
    values = plain.cross(X, Z), plain.symmetric(Z), plain.diagonal(X), plain.diagonal(Z)
    return [of_one[:, 0] for of_one in values]


# Both dtypes of a network one after the other: they share the reference.
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_loops_agree_with_the_reference(name, dtype):
    for shape, readout in zip(SHAPES, ("gap", "lap", "gap"), strict=True):
        network = _network(NETWORKS[name], readout)
        X, Z = _images(shape, dtype)
        fast = _engine(ImageEngine, network, shape, dtype)
        cross, symmetric, rows, columns = _reference(name, readout, shape)
        bound = tolerance(dtype, gap=0.0, depth=1) if shape[2] == 1 else tolerance(dtype)
        assert_agrees(fast.cross(X, Z)[:, 0], cross, rows, columns, bound)
        assert_agrees(fast.symmetric(Z)[:, 0], symmetric, columns, columns, bound)


def test_every_loop_runs_in_every_kind():
    seen = set()
    for layers in NETWORKS.values():
        for stage in _engine(ImageEngine, _network(layers), (9, 7, 3), float).runnable.stages:
            layers_of_it = (o for o in stage.stage.operations if o.op == Op.LAYER)
            seen |= {(loop_of(o, stage.stage), kind_of(o)) for o in layers_of_it}
    simple = {(loop, kind) for loop in (Loop.SAME, Loop.RESIZE, Loop.POINT) for kind in Kind}
    assert simple | {(Loop.FIRST, Kind.RELU), (Loop.FIRST_RESIZE, Kind.RELU)} <= seen
    assert {Loop.ANY, Loop.AHEAD} <= {loop for loop, _ in seen}


def _amid_nan(array):
    """The same numbers in memory with NaN before and after them."""
    edge = 1024
    room = np.full(array.size + 2 * edge, np.nan, array.dtype)
    room[edge:-edge] = array.ravel()
    return room[edge:-edge].reshape(array.shape)


class _AmidNan(ImageInputs):
    @property
    def as_x(self):
        return [Images(*map(_amid_nan, tables)) for tables in super().as_x]

    @property
    def as_z(self):
        return [Images(*map(_amid_nan, tables)) for tables in super().as_z]


@pytest.mark.parametrize("name", NETWORKS)
def test_loops_read_nothing_beyond_their_arrays(name, monkeypatch):
    engine = _engine(ImageEngine, _network(NETWORKS[name]), (9, 7, 3), np.float32)
    X, Z = (engine.prepare(images) for images in _images((9, 7, 3), np.float32))
    wanted = engine.cross(X, Z)
    monkeypatch.setattr(image_stage, "aligned", lambda *how: _amid_nan(aligned(*how)))
    make = partial(make_tables, engine.runnable)
    amid = (_AmidNan(images, make) for images in _images((9, 7, 3), np.float32))
    np.testing.assert_array_equal(engine.cross(*amid), wanted)


@pytest.mark.parametrize("side", [2, 3, 4])
def test_pooling_adds_to_zeros_whatever_the_pair_before_left(side, monkeypatch):
    network = _network((*FIRST, AvgPool(side), AvgPool(2), *FIRST))
    engine = _engine(ImageEngine, network, (9, 13, 2), np.float32)
    X, Z = _images((9, 13, 2), np.float32)
    wanted, own = engine.cross(X, Z), engine.diagonal(X)
    make_room = image_stage.RunnableStage.make_room

    def used(stage):
        room = make_room(stage)
        room.target[:] = np.nan
        return room

    monkeypatch.setattr(image_stage.RunnableStage, "make_room", used)
    np.testing.assert_array_equal(engine.cross(X, Z), wanted)
    np.testing.assert_array_equal(engine.diagonal(X), own)


def test_arrays_that_are_not_contiguous_never_reach_the_loops(monkeypatch):
    engine = _engine(ImageEngine, _network(FIRST), (9, 7, 3), np.float32)
    X, Z = _images((9, 7, 3), np.float32)
    make_room = image_stage.RunnableStage.make_room

    def strided(stage):
        room = make_room(stage)
        return room._replace(space=room.space[::2])

    monkeypatch.setattr(image_stage.RunnableStage, "make_room", strided)
    with pytest.raises(ValueError, match="StageArrays: arrays must be C-contiguous; got strides"):
        engine.cross(X, Z)
