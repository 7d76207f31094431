"""Networks that differ in which convolutions are trained: one S, a tangent field for each."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from agreement import architecture_of, assert_agrees, tolerance
from oracles.layer_sums import layer_sums

from ntkreg import Architecture, Conv, Flatten, GlobalAvgPool, Relu, cntk, myrtle, resnet
from ntkreg.architecture import AvgPool, Dense, Erf, Residual
from ntkreg.kernels import make_engine
from ntkreg.kernels.image.engine import ImageEngine
from ntkreg.kernels.passes import PassesEngine

LAP = cntk(3, "lap", half_width=2, bias_std=0.2)


def frozen(network, *which):
    """The network with the convolutions of these numbers untrained; a block's body comes first."""
    number = iter(range(100))

    def one(layer):
        if isinstance(layer, Residual):
            return Residual(tuple(map(one, layer.body)), tuple(map(one, layer.shortcut)))
        if isinstance(layer, Conv):
            return replace(layer, trainable=next(number) not in which)
        return layer

    return Architecture(tuple(map(one, network.layers)))


def engine_of(*networks, shape, dtype=float, fields=("nngp", "ntk")):
    return ImageEngine(shape, np.dtype(dtype), fields, len(networks), networks)


def images(n, shape, dtype=float):
    return np.random.default_rng(len(shape) + n).normal(size=(n, *shape)).astype(dtype)


def layers(*body, readout=GlobalAvgPool):
    return Architecture((*body, readout(), Dense()))


NETWORKS = {
    "gap": (cntk(3), (7, 6, 3)),
    "flatten, many channels": (cntk(3, "flatten", bias_std=0.1), (5, 6, 4)),
    "wrapping": (LAP.replace(padding="CIRCULAR"), (7, 6, 2)),
    "wrapping, strided": (
        layers(Conv(padding="CIRCULAR"), Erf(), Conv(stride=2, padding="CIRCULAR"), Relu()),
        (6, 8, 2),
    ),
    "erf": (cntk(3, activation="erf"), (6, 7, 3)),
    "wide windows": (cntk(2, window=5), (6, 7, 3)),
    "smaller and smaller": (cntk(2, padding="VALID"), (7, 8, 3)),
    "strides": (layers(Conv(stride=2), Relu(), Conv(1, stride=2), Relu(), Conv()), (9, 11, 3)),
    "no activation first": (layers(Conv(1), Conv(bias_std=0.1), Relu(), Conv()), (5, 6, 2)),
    "pools": (myrtle(5), (9, 11, 3)),
    "pools of three, gelu": (
        layers(Conv(), AvgPool(3), Conv(), Relu(), AvgPool(2), Conv(), readout=Flatten),
        (13, 12, 2),
    ),
    "blocks": (resnet(1, bias_std=0.2), (8, 8, 3)),
}


@pytest.mark.parametrize(("dtype", "choices"), [(np.float32, 2), (np.float64, 3)])
@pytest.mark.parametrize("case", NETWORKS)
def test_each_network_has_the_values_it_has_alone(case, dtype, choices):
    network, shape = NETWORKS[case]
    # The one that is trained most is neither first nor last asked for.
    networks = [frozen(network, 0), network, frozen(network, 1)]
    networks = networks[:choices]
    X = images(4, shape, dtype)
    together = engine_of(*networks, shape=shape, dtype=dtype)
    assert together.program.n_tangents == choices
    values = together.symmetric(X), together.cross(X[:3], X), together.diagonal(X)
    bound = 1e-6 if dtype == np.float32 else 1e-13
    ntks = []
    for k, each in enumerate(networks):
        alone = engine_of(each, shape=shape, dtype=dtype)
        wanted = alone.symmetric(X), alone.cross(X[:3], X), alone.diagonal(X)
        ntks.append(wanted[2][1, 0])
        for got, want in zip(values, wanted, strict=True):
            scale = np.abs(want[:, 0]).max(axis=tuple(range(1, want[:, 0].ndim)), keepdims=True)
            np.testing.assert_allclose(got[:, k] / scale, want[:, 0] / scale, atol=bound, rtol=0)
    for one, other in pairwise(ntks):
        assert np.abs(one - other).min() > 0.01 * one.max()  # the flags matter
    # Nor do they depend on which block a pair is in.
    np.testing.assert_array_equal(together.cross(X[1:2], X[2:]), values[1][..., 1:2, 2:])


SUMS = (
    ("conv", 3, 1.3, 0.3, True),
    ("residual", (("relu",), ("conv", 3, 1.2, 0.1, True)), (("conv", 1, 1.1, 0.1, True),)),
    ("relu",),
    ("gap",),
    ("dense", 1.0, 0.0, True),
)


def test_tangents_of_a_block_agree_with_sums_over_layers():
    stem, (kind, (relu, body), shortcut), *rest = SUMS
    off = lambda conv: (*conv[:4], False)  # noqa: E731
    specs = [
        (off(stem), (kind, (relu, body), shortcut), *rest),
        (stem, (kind, (relu, off(body)), shortcut), *rest),
        (stem, (kind, (relu, body), (off(shortcut[0]),)), *rest),
    ]
    X = images(3, (4, 5, 2))
    values = engine_of(*map(architecture_of, specs), shape=X.shape[1:]).symmetric(X)
    for k, spec in enumerate(specs):
        nngp, ntk, _ = (np.asarray(v, float) for v in layer_sums(spec, X))
        rows = np.array([np.diag(nngp), np.diag(ntk)])
        assert_agrees(values[:, k], np.array([nngp, ntk]), rows, rows, tolerance(float))


def test_read_outs_depths_and_what_is_trained_come_from_one_pass_also_flipped():
    variants = [{"readout": "flatten"}, {"frozen": 2}, {"train_first": False, "depth": 2}, {}]
    variants += [{"half_width": 1, "train_first": False, "train_last": False}]
    X = images(3, (7, 6, 2))
    for symmetry in (None, "flip"):
        common = {"dtype": float, "fields": ("ntk",), "symmetry": symmetry}
        together = make_engine(LAP, X.shape[1:], variants=variants, **common)
        assert together.name == ("ImageEngine" if symmetry is None else "FlipEngine(ImageEngine)")
        values = together.symmetric(X)
        for k, changed in enumerate(variants):
            alone = make_engine(LAP.replace(**changed), X.shape[1:], **common)
            np.testing.assert_allclose(values[:, k], alone.symmetric(X)[:, 0], rtol=1e-12)


def test_mixed_precision_keeps_the_sums_of_every_tangent():
    X = images(3, (7, 6, 2), np.float32)
    common = {"dtype": "mixed", "fields": ("ntk",)}
    mixed = make_engine(LAP, X.shape[1:], variants=[{"train_first": False}, {}], **common)
    assert mixed.value_dtype == np.float64
    values = mixed.symmetric(X)
    exact = make_engine(LAP.replace(train_first=False), X.shape[1:], dtype=float, fields=("ntk",))
    np.testing.assert_allclose(values[0, 0], exact.symmetric(X.astype(float))[0, 0], rtol=1e-6)


def test_layers_that_would_run_twice_in_one_pass_get_a_pass_each():
    variants = [{}, {"train_first": False}]
    engine = make_engine(cntk(3, activation="erf"), (8, 8, 3), dtype="float32", variants=variants)
    assert type(engine) is PassesEngine
    engine = make_engine(cntk(3), (8, 8, 3), dtype="float32", variants=variants)
    assert type(engine) is ImageEngine
    one = engine.runnable.layer_entries
    assert one < engine.runnable.work < 2 * one


def test_explanations_say_whose_each_tangent_is_and_where_it_is_trained():
    variants = [{"train_first": False}, {}, {"train_first": False, "readout": "flatten"}]
    engine = make_engine(cntk(3), (8, 8, 3), dtype="float32", variants=variants)
    lines = engine.explain().splitlines()
    assert "T1 of network 2; T2 of networks 1, 3." in lines
    sums = "  LAYER  S, T: sums over 3 x 3, x 0.2222, "
    assert f"{sums}T1 + S, dual of Relu()" in lines
    assert f"{sums}T + S, dual of Relu()   (2 times)" in lines
    alone = make_engine(cntk(3), (8, 8, 3), dtype="float32")
    assert "T1" not in alone.explain()
