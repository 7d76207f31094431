"""Variants of a recipe: values of each network alone, in as few passes as that takes."""

import numpy as np
import pytest

from ntkreg import (
    Architecture,
    Conv,
    Dense,
    Erf,
    Flatten,
    GlobalAvgPool,
    Relu,
    cntk,
    fully_connected,
    myrtle,
    resnet,
)
from ntkreg.errors import ShapeError, SpecError
from ntkreg.kernels import StaxNetwork, make_engine
from ntkreg.kernels.dense.engine import DenseEngine
from ntkreg.kernels.dense.plain import PlainDenseEngine
from ntkreg.kernels.image.engine import ImageEngine
from ntkreg.kernels.passes import PassesEngine
from ntkreg.kernels.variants import as_variants

LAP = cntk(3, "lap", half_width=2)
READOUTS = [
    {"readout": "flatten"},
    {"readout": "gap"},
    {"half_width": 0},
    {"half_width": 4, "depth": 2},
    {"train_last": False},
    {"half_width": 1, "depth": 2, "train_last": False},
    {},
]

ONE_PASS = {
    "read-outs": (LAP, READOUTS),
    "read-outs, biases": (LAP.replace(bias_std=0.3), READOUTS),
    "read-outs, wrapping": (LAP.replace(padding="CIRCULAR"), READOUTS),
    "read-outs, erf": (LAP.replace(activation="erf"), READOUTS),
    "read-outs, untrained first": (LAP.replace(train_first=False), READOUTS),
    "dense": (
        fully_connected(3, bias_std=0.1),
        [{"train_last": False}, {}, {"depth": 0}, {"depth": 5, "train_last": False}],
    ),
    "dense, gelu": (
        fully_connected(2, activation="gelu"),
        [{"train_first": False}, {"weight_std": 1.0}, {"activation": "sin"}],
    ),
}

PASSES = {
    "biases": (LAP, [{"bias_std": 0.1}, {}, {"bias_std": 0.2}, {"depth": 2}], 3),
    "untrained first": (
        LAP.replace(activation="erf"),
        [{"train_first": False}, {}, {"frozen": 2}, {"depth": 2}],
        3,
    ),
    "options of layers": (
        cntk(2),
        [{}, {"activation": "erf"}, {"readout": "flatten"}, {"window": 5}, {"bias_std": 0.2}],
        4,
    ),
    "sizes": (cntk(2, padding="VALID"), [{"depth": 1}, {}], 2),
    "pooled": (myrtle(5), [{"depth": 7}, {"weight_std": 1.0}, {}], 3),
    "blocks": (resnet(1, groups=1), [{}, {"groups": 2}], 2),
    "dense": (fully_connected(2), [{}, {"activation": "erf"}, {"frozen": 1}, {"depth": 5}], 3),
}


def images(network, n, seed=0, dtype=float):
    shape = (7, 6, 2) if network.reads == "image" else (9,)
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(dtype)


def assert_each_is_as_alone(network, variants, dtype, fields=("nngp", "ntk"), **options):
    X, Z = images(network, 4, 0, dtype), images(network, 3, 1, dtype)
    common = {"dtype": dtype, "fields": fields, **options}
    together = make_engine(network, X.shape[1:], variants=variants, **common)
    assert together.n_variants == len(variants)
    whole = together.cross(X, Z), together.symmetric(X), together.diagonal(X)
    for values, rest in zip(whole, ((4, 3), (4, 4), (4,)), strict=True):
        assert values.shape == (len(fields), len(variants), *rest)
    for k, changed in enumerate(variants):
        alone = make_engine(network.replace(**changed), X.shape[1:], **common)
        each = alone.cross(X, Z), alone.symmetric(X), alone.diagonal(X)
        for values, wanted in zip(whole, each, strict=True):
            np.testing.assert_array_equal(values[:, k], wanted[:, 0])
    return together


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("case", ONE_PASS)
def test_networks_that_begin_alike_come_from_one_pass_with_the_bits_of_each_alone(case, dtype):
    network, variants = ONE_PASS[case]
    engine = assert_each_is_as_alone(network, variants, dtype)
    kinds = {"dense": DenseEngine, "dense, gelu": PlainDenseEngine}
    assert type(engine) is kinds.get(case, ImageEngine)


@pytest.mark.parametrize("case", PASSES)
def test_other_networks_come_from_a_pass_each_in_the_order_asked_for(case):
    network, variants, n_passes = PASSES[case]
    engine = assert_each_is_as_alone(network, variants, np.float64)
    assert type(engine) is PassesEngine
    assert len(engine.engines) == n_passes


def test_fields_flips_and_mixed_precision_go_with_variants():
    variants = [{"readout": "flatten"}, {"half_width": 1}, {"bias_std": 0.2}]
    for fields in (("ntk",), ("ntk", "nngp")):
        assert_each_is_as_alone(LAP, variants, np.float32, fields)
    flipped = assert_each_is_as_alone(LAP, variants, np.float64, symmetry="flip")
    assert flipped.name == "FlipEngine(PassesEngine(ImageEngine, ImageEngine))"
    X = images(LAP, 3, dtype=np.float32)
    mixed = make_engine(LAP, X.shape[1:], dtype="mixed", variants=variants)
    alone = make_engine(LAP.replace(half_width=1), X.shape[1:], dtype="mixed")
    assert mixed.value_dtype == np.float64
    np.testing.assert_array_equal(mixed.symmetric(X)[:, 1], alone.symmetric(X)[:, 0])


def test_networks_that_differ_after_the_read_out_alone_share_its_sums():
    variants = [{}, {"train_last": False}, {"half_width": 1}]
    program = make_engine(LAP, (7, 6, 2), dtype=float, variants=variants).program
    assert program.n_reads == 2
    assert [end.read for end in program.ends] == [0, 0, 1]


def test_each_read_out_may_have_any_layers_after_it():
    body, X = (Conv(), Relu(), Conv(bias_std=0.2), Relu()), images(LAP, 4)
    hidden = (Dense(bias_std=0.1), Erf(), Dense(1.0))
    networks = [
        Architecture((*body, GlobalAvgPool(), *hidden)),
        Architecture((*body, Flatten(), *hidden)),
        Architecture((*body[:2], Flatten(), Dense(), Erf())),
        Architecture((*body, Flatten())),
    ]

    def engine(*networks):
        common = (X.shape[1:], np.dtype(float), ("nngp", "ntk"), len(networks))
        return ImageEngine(*common, networks)

    together = engine(*networks)
    assert together.program.n_reads == 3
    for k, network in enumerate(networks):
        for method, inputs in (("cross", (X[:2], X)), ("symmetric", (X,)), ("diagonal", (X,))):
            values = getattr(together, method)(*inputs)
            alone = getattr(engine(network), method)(*inputs)
            np.testing.assert_array_equal(values[:, k], alone[:, 0])


def test_a_pass_runs_the_tiles_of_its_widest_read_out_and_no_more():
    def work(*variants):
        return make_engine(LAP, (32, 32, 3), dtype=float, variants=variants).runnable.layer_entries

    assert work({"half_width": 1}, {"half_width": 3}, {"readout": "flatten"}) == work(
        {"half_width": 3}
    )
    assert work({"half_width": 1}) < work({"half_width": 3})


def test_what_would_make_a_pass_dearer_than_two_gets_its_own():
    shallow, deep = {"readout": "gap", "depth": 2}, {"readout": "flatten", "depth": 20}
    engine = make_engine(cntk(), (12, 12, 1), dtype="float32", variants=[shallow, deep, {}])
    # The third, depth 5 with GAP, holds the first; the second's one tile a layer stays apart.
    assert engine.places == ((0, 2), (1,))
    together = make_engine(cntk(), (12, 12, 1), dtype="float32", variants=[{}, {"depth": 20}])
    assert type(together) is ImageEngine


def test_depths_are_short_for_variants():
    X = images(LAP, 3)
    engines = [
        make_engine(LAP, X.shape[1:], dtype=float, **options)
        for options in ({"depths": (3, 1)}, {"variants": [{"depth": 3}, {"depth": 1}]})
    ]
    assert engines[0] == engines[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depths": (1,), "variants": [{"depth": 2}]}, "depths and variants were both given"),
        ({"depths": ()}, r"depths must be distinct integers, at least one; got \(\)"),
        ({"depths": (2, 2)}, "depths must be distinct"),
        ({"depths": 3}, "depths must be distinct integers, at least one; got 3"),
        ({"depths": (0,)}, "^cntk: depth must be"),
        ({"variants": []}, r"variants must be a sequence of mappings, at least one.*got \[\]"),
        ({"variants": {"depth": 2}}, "variants must be a sequence of mappings"),
        ({"variants": [("depth", 2)]}, "variants must be a sequence of mappings"),
        ({"variants": "depth"}, "variants must be a sequence of mappings"),
        ({"variants": 3}, "variants must be a sequence of mappings"),
        ({"variants": [{}, {"halfwidth": 2}]}, r"variants\[1\]: cntk has no option 'halfwidth'.*"),
        ({"variants": [{"depth": 1}, {"half_width": -1}]}, r"variants\[1\]: LocalAvgPool: half_w"),
        ({"variants": [{}, {"depth": 1}, {"depth": 3}]}, r"variants\[0\] and variants\[2\] are"),
    ],
)
def test_what_is_no_list_of_variants_is_refused_by_name(options, message):
    with pytest.raises(SpecError, match=message):
        make_engine(LAP, (7, 6, 2), dtype=float, **options)


@pytest.mark.parametrize(
    "network",
    [StaxNetwork(lambda x, z, get: None), Architecture((Conv(), Flatten(), Dense()))],
    ids=["stax", "layers"],
)
def test_networks_without_a_recipe_have_no_variants(network):
    with pytest.raises(SpecError, match="variants needs a network made by a recipe"):
        as_variants(network, variants=[{}])
    with pytest.raises(SpecError, match="depths needs a network made by a recipe"):
        as_variants(network, (1, 2))
    assert as_variants(network) is None


def test_a_variant_too_large_for_the_images_is_refused_before_the_work():
    with pytest.raises(ShapeError, match="VALID"):
        make_engine(cntk(1, padding="VALID"), (7, 6, 2), dtype=float, variants=[{"depth": 4}])
