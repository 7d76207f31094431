"""Every layer of every engine against stored neural-tangents kernels."""

from itertools import product

import numpy as np
import pytest
from agreement import FAR, architecture_of, assert_agrees, depth_of, tolerance
from oracles import golden, golden_layers
from oracles.layer_sums import layer_sums

from ntkreg import Architecture, Conv, Dense, GlobalAvgPool, Relu, Residual
from ntkreg.errors import ShapeError, SpecError
from ntkreg.kernels import make_engine
from ntkreg.kernels.reference import ReferenceEngine

GOLDEN, _ = golden.load(golden_layers.FILE)


def reference_engine(architecture, shape, dtype=float):
    return ReferenceEngine(shape, np.dtype(dtype), ("nngp", "ntk"), 1, (architecture,))


def fast_engine(architecture, shape, dtype=float):
    return make_engine(architecture, shape, dtype=dtype)


ENGINES = {
    "reference": (reference_engine, np.float64),
    "fast f32": (fast_engine, np.float32),
    "fast f64": (fast_engine, np.float64),
}


REFUSED = {
    # CIRCULAR windows beside SAME ones.
    "stride1 CIRCULAR window3 lap 7x6",
    "stride1 CIRCULAR window3 gap 8x5 first",
    "stride1 CIRCULAR window5 flatten 7x6",
    "stride1 CIRCULAR window5 lap 8x5",
    *(f"circular window{k} {size}" for k in (3, 5) for size in ("1x4", "2x3", "1x1")),
    # CIRCULAR strides that do not divide the image.
    *(
        case.name
        for case in golden_layers.CASES
        if case.name.startswith(("stride2 CIRCULAR", "stride3 CIRCULAR"))
        and "window1" not in case.name
    ),
    "pool2 after stride gap 9x7",
    "pool4 after stride lap 9x9",
    # AvgPool within a block.
    "residual pooled",
    "residual strided and pooled",
}
"""What the image engine leaves to neural-tangents, and says so."""


@pytest.mark.parametrize("case", golden_layers.CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("engine", ENGINES)
def test_engines_agree_with_stored_neural_tangents_kernels(engine, case):
    build, dtype = ENGINES[engine]
    stored, (X, Z) = GOLDEN[case.name], case.inputs()
    engine = build(architecture_of(case.network), case.shape, dtype)
    X, Z = X.astype(dtype), Z.astype(dtype)
    if build is fast_engine and case.name in REFUSED:
        with pytest.raises(SpecError, match="to_stax"):
            engine.cross(X, Z)
        return
    bound = tolerance(dtype, gap=stored["gap"], depth=depth_of(case.network))
    assert_agrees(engine.cross(X, Z)[:, 0], stored["cross"], stored["x"], stored["z"], bound)
    rtol = 1e-13 if dtype == np.float64 else 1e-6
    np.testing.assert_allclose(engine.diagonal(X)[:, 0], stored["x"], rtol=rtol)


def test_golden_file_holds_every_case_and_says_what_made_it():
    values, versions = golden.load(golden_layers.FILE)
    assert versions["neural-tangents"] == "0.6.5"
    assert list(values) == [case.name for case in golden_layers.CASES]
    assert golden_layers.FILE.stat().st_size < 300_000


def test_golden_grid_has_every_stride_with_every_padding_and_window_in_both_places():
    seen, places = set(), set()
    for case in golden_layers.CASES:
        for place, (kind, *p) in enumerate(case.network):
            if case.name.startswith("stride") and kind == "conv" and p[1] == 1.3:
                seen.add((p[4], p[5], p[0], case.shape[:2]))
                places.add((p[4], p[5], place))
    g = golden_layers
    assert seen == set(product(g.STRIDES, g.PADDINGS, g.WINDOWS, g.SIZES))
    assert places == set(product(g.STRIDES, g.PADDINGS, (0, 2)))


def test_golden_grid_is_far_from_perfect_correlation():
    far = [GOLDEN[case.name]["gap"] > FAR for case in golden_layers.CASES]
    assert np.mean(far) > 0.95


RESIDUAL = (
    ("conv", 3, 1.4, 0.2, True),
    ("residual", (("relu",), ("conv", 3, 1.2, 0.1, True)), (("conv", 1, 1.1, 0.1, True),)),
    ("relu",),
    ("gap",),
    ("dense", 1.0, 0.0, True),
)


@pytest.mark.parametrize("untrained", ["body", "shortcut", "before"])
def test_untrained_layers_of_and_before_a_block_leave_out_their_own_terms(untrained):
    stem, (kind, body, shortcut), *rest = RESIDUAL
    off = lambda conv: (*conv[:4], False)  # noqa: E731
    if untrained == "body":
        body = (body[0], off(body[1]))
    elif untrained == "shortcut":
        shortcut = (off(shortcut[0]),)
    else:
        stem = off(stem)
    network = (stem, (kind, body, shortcut), *rest)
    X = np.random.default_rng(0).normal(size=(3, 4, 5, 2))
    nngp, ntk, _ = (np.asarray(v, float) for v in layer_sums(network, X))
    K = reference_engine(architecture_of(network), X.shape[1:]).symmetric(X)[:, 0]
    rows = np.array([np.diag(nngp), np.diag(ntk)])
    assert_agrees(K, np.array([nngp, ntk]), rows, rows, tolerance(float))
    trained = np.asarray(layer_sums(RESIDUAL, X)[1], float)
    assert np.abs(ntk - trained).max() > 0.01 * np.abs(trained).max()  # the flag matters


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", sorted({p[0] for p in golden_layers.ACTIVATIONS}))
def test_black_images_give_finite_right_values_under_every_activation(kind, engine):
    build, dtype = ENGINES[engine]
    parameters = next(p for p in golden_layers.ACTIVATIONS if p[0] == kind)
    wide, phi, last = ("conv", 3, 1.2, 0.0, True), parameters, ("dense", 1.0, 0.0, True)
    network = (wide, phi, ("avgpool", 2), wide, phi, ("gap",), last)
    X = np.random.default_rng(4).normal(size=(3, 6, 5, 2))
    X[0] = 0
    X[1, :4] = 0  # whole windows without variance
    X = X.astype(dtype)
    nngp, ntk, gap = layer_sums(network, X)
    K = build(architecture_of(network), X.shape[1:], dtype).symmetric(X)[:, 0]
    wanted = np.array([nngp, ntk], float)
    rows = np.einsum("fii->fi", wanted)
    assert_agrees(K, wanted, rows, rows, tolerance(dtype, gap=gap, depth=2))


def test_reference_refuses_images_that_the_windows_do_not_fit():
    network = Architecture((Conv(5, padding="VALID"), Relu(), GlobalAvgPool(), Dense(1.0)))
    with pytest.raises(ShapeError, match=r"layer 0, Conv\(.*leaves no pixels.* 4 x 6"):
        reference_engine(network, (4, 6, 1)).diagonal(np.ones((1, 4, 6, 1)))


def test_a_block_without_a_shortcut_is_not_its_body_alone():
    X = np.random.default_rng(1).normal(size=(2, 3, 3, 2))
    tail = (GlobalAvgPool(), Dense(1.0))
    body = (Relu(), Conv())
    with_sum = reference_engine(Architecture((Conv(), Residual(body), *tail)), X.shape[1:])
    alone = reference_engine(Architecture((Conv(), *body, *tail)), X.shape[1:])
    assert (with_sum.diagonal(X) > 1.2 * alone.diagonal(X)).all()
