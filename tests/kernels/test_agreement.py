"""Every engine against outside oracles, in the metric and the tolerances of tests/agreement.py."""

from functools import cache

import numpy as np
import pytest
from agreement import (
    FAR,
    architecture_of,
    assert_agrees,
    depth_of,
    deviation,
    tolerance,
)
from oracles import golden
from oracles.layer_sums import layer_sums

from ntkreg import cntk, fully_connected
from ntkreg.kernels import make_engine
from ntkreg.kernels.reference import ReferenceEngine

GOLDEN, _ = golden.load()
DTYPES = (np.float32, np.float64)


def reference_engine(architecture, shape, *, dtype, fields=("nngp", "ntk")):
    return ReferenceEngine(shape, np.dtype(dtype), tuple(fields), 1, (architecture,))


ENGINES = {"fastest": make_engine, "reference": reference_engine}


@pytest.fixture(params=ENGINES)
def build(request):
    """Whatever engine `make_engine` picks, then the plain reference."""
    return ENGINES[request.param]


def sums(network, X):
    """NNGP and NTK of `layer_sums`, (2, n, n), their diagonals (2, n), and the gap."""
    return _sums(network, X.tobytes(), X.shape, X.dtype)


@cache  # every engine is held against the same sums
def _sums(network, content, shape, dtype):
    nngp, ntk, gap = layer_sums(network, np.frombuffer(content, dtype).reshape(shape))
    K = np.array([nngp, ntk], float)
    return K, np.einsum("fii->fi", K), gap


@pytest.mark.parametrize("dtype", DTYPES, ids=["f32", "f64"])
@pytest.mark.parametrize("case", golden.CASES, ids=lambda case: case.name)
def test_engines_agree_with_stored_neural_tangents_kernels(build, dtype, case):
    stored = GOLDEN[case.name]
    X, Z = (a.astype(dtype) for a in case.inputs())
    engine = build(architecture_of(case.network), case.shape, dtype=dtype)
    bound = tolerance(dtype, gap=stored["gap"], depth=depth_of(case.network))
    K = engine.cross(X, Z)
    assert K.dtype == dtype
    assert_agrees(K[:, 0], stored["cross"], stored["x"], stored["z"], bound)
    exact = 20 * max(depth_of(case.network), 1) * np.finfo(dtype).eps
    np.testing.assert_allclose(engine.diagonal(X)[:, 0], stored["x"], rtol=max(exact, 1e-14))


def test_golden_grid_lets_every_setting_meet_every_other():
    seen = set()
    for case in golden.CASES:
        kind, *p = case.network[0]
        if case.name.startswith("conv") and kind == "conv" and p[-1]:
            seen.add((p[0], case.shape[:2], p[2]))
            seen.add((p[0], depth_of(case.network)))
            seen.add((p[0], case.name.split()[1]))
    for window in golden.WINDOWS:
        assert {(window, d) for d in golden.DEPTHS} <= seen
        assert {(window, r) for r in golden.READOUTS} <= seen
        assert {(window, s, b) for s in golden.SIZES for b in golden.BIASES} <= seen


def test_golden_grid_is_mostly_far_from_perfect_correlation():
    far = [GOLDEN[case.name]["gap"] > FAR for case in golden.CASES]
    assert np.mean(far) > 0.7


IMAGES = {
    "1x1x3": (1, 1, 3),
    "1x5x1": (1, 5, 1),
    "3x4x5": (3, 4, 5),
    "8x8x1": (8, 8, 1),
    "7x5x3": (7, 5, 3),
}


@pytest.mark.parametrize("shape", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("readout", golden.READOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=["f32", "f64"])
def test_symmetric_cross_and_diagonal_are_one_kernel(build, readout, shape, dtype):
    network = golden.image_network(2, readout)
    X = np.random.default_rng(5).normal(size=(3, *shape)).astype(dtype)
    engine = build(architecture_of(network), shape, dtype=dtype)
    K = engine.symmetric(X)
    wanted, rows, gap = sums(network, X)
    np.testing.assert_array_equal(K, K.swapaxes(-1, -2))
    np.testing.assert_array_equal(np.einsum("...ii->...i", K), engine.diagonal(X))
    np.testing.assert_allclose(engine.diagonal(X)[:, 0], rows, rtol=40 * np.finfo(dtype).eps)
    bound = tolerance(dtype, gap=gap, depth=2)
    assert_agrees(K[:, 0], wanted, rows, rows, bound)
    cross = engine.cross(X[:2], X[2:])
    assert_agrees(cross[:, 0], wanted[:, :2, 2:], rows[:, :2], rows[:, 2:], bound)


def untrained(network, *, first=False, last=False):
    """Return the network with its first and/or last weighted layer not trained."""
    weighted = [i for i, (kind, *_) in enumerate(network) if kind in ("dense", "conv")]
    out = list(network)
    for i in weighted[:1] * first + weighted[-1:] * last:
        out[i] = (*out[i][:-1], False)
    return tuple(out)


@pytest.mark.parametrize(
    ("first", "last"), [(True, False), (False, True), (True, True)], ids=["first", "last", "both"]
)
@pytest.mark.parametrize("readout", ["flatten", "gap", "lap1", "dense"])
@pytest.mark.parametrize("dtype", DTYPES, ids=["f32", "f64"])
def test_untrained_layers_leave_out_their_own_term(build, readout, first, last, dtype):
    if readout == "dense":
        whole, shape = golden.dense_network(3, bias_std=0.3), (6,)
    else:
        whole, shape = golden.image_network(3, readout, bias_std=0.3), (4, 5, 2)
    network = untrained(whole, first=first, last=last)
    X = np.random.default_rng(1).normal(size=(4, *shape)).astype(dtype)
    wanted, rows, gap = sums(network, X)
    assert deviation(wanted, sums(whole, X)[0], rows, rows) > 0.01  # the flag matters
    engine = build(architecture_of(network), shape, dtype=dtype)
    assert_agrees(engine.symmetric(X)[:, 0], wanted, rows, rows, tolerance(dtype, gap=gap, depth=3))


def test_no_trained_layer_gives_a_zero_ntk(build):
    network = untrained(golden.dense_network(1), first=True, last=True)
    X = np.random.default_rng(0).normal(size=(3, 4))
    assert not build(architecture_of(network), (4,), dtype=float).symmetric(X)[1].any()


@pytest.mark.parametrize("dtype", DTYPES, ids=["f32", "f64"])
@pytest.mark.parametrize("readout", ["flatten", "gap", "lap"])
def test_several_depths_in_one_pass_equal_each_alone(readout, dtype):
    X, Z = np.random.default_rng(2).normal(size=(2, 3, 6, 5, 2)).astype(dtype)
    network, depths = cntk(1, readout, half_width=1), (3, 1, 2, 5)
    together = make_engine(network, X.shape[1:], dtype=dtype, depths=depths)
    for i, depth in enumerate(depths):
        alone = make_engine(network.replace(depth=depth), X.shape[1:], dtype=dtype)
        np.testing.assert_array_equal(together.cross(X, Z)[:, i], alone.cross(X, Z)[:, 0])
        np.testing.assert_array_equal(together.symmetric(X)[:, i], alone.symmetric(X)[:, 0])
        np.testing.assert_array_equal(together.diagonal(X)[:, i], alone.diagonal(X)[:, 0])


@pytest.mark.parametrize("dtype", DTYPES, ids=["f32", "f64"])
def test_several_depths_of_a_dense_network_equal_each_alone(dtype):
    X, Z = np.random.default_rng(2).normal(size=(2, 5, 9)).astype(dtype)
    network, depths = fully_connected(1, bias_std=0.1), (3, 0, 7)
    together = make_engine(network, (9,), dtype=dtype, depths=depths)
    for i, depth in enumerate(depths):
        alone = make_engine(network.replace(depth=depth), (9,), dtype=dtype)
        np.testing.assert_array_equal(together.cross(X, Z)[:, i], alone.cross(X, Z)[:, 0])
        np.testing.assert_array_equal(together.symmetric(X)[:, i], alone.symmetric(X)[:, 0])


@pytest.mark.parametrize("get", ["nngp", "ntk"])
@pytest.mark.parametrize("network", [cntk(2), fully_connected(2)], ids=["conv", "dense"])
def test_one_field_alone_has_the_values_it_has_beside_the_other(network, get):
    shape = (4, 3, 2) if network.reads == "image" else (5,)
    X = np.random.default_rng(3).normal(size=(3, *shape))
    both = make_engine(network, shape, dtype=float).symmetric(X)
    one = make_engine(network, shape, dtype=float, fields=(get,)).symmetric(X)
    np.testing.assert_array_equal(one[0], both[("nngp", "ntk").index(get)])


@pytest.mark.parametrize("readout", golden.READOUTS)
@pytest.mark.parametrize("bias_std", golden.BIASES)
@pytest.mark.parametrize("dtype", DTYPES, ids=["f32", "f64"])
def test_black_images_and_empty_patches_give_finite_right_values(build, readout, bias_std, dtype):
    network = golden.image_network(3, readout, bias_std=bias_std)
    X = np.random.default_rng(4).normal(size=(4, 6, 5, 2)).astype(dtype)
    X[0] = 0  # black
    X[1, :, 1:] = 0  # whole windows without variance
    X[2, :4] = 0
    wanted, rows, gap = sums(network, X)
    K = build(architecture_of(network), X.shape[1:], dtype=dtype).symmetric(X)
    assert np.isfinite(K).all()
    if bias_std == 0:
        assert not K[..., 0].any()
    assert_agrees(K[:, 0], wanted, rows, rows, tolerance(dtype, gap=gap, depth=3))


@pytest.mark.parametrize("dtype", DTYPES, ids=["f32", "f64"])
@pytest.mark.parametrize("readout", ["flatten", "gap", "lap1", "dense"])
def test_identical_and_opposite_inputs_stay_within_the_near_one_bound(build, readout, dtype):
    # lambda = 1 at equal pixels and lambda = -1 in the first layer.
    network = golden.dense_network(3) if readout == "dense" else golden.image_network(3, readout)
    shape = (6,) if readout == "dense" else (4, 5, 3)
    x, other = np.random.default_rng(6).normal(size=(2, *shape)).astype(dtype)
    X = np.stack([x, x, -x, other])
    wanted, rows, _ = sums(network, X)
    engine = build(architecture_of(network), shape, dtype=dtype)
    bound = tolerance(dtype, gap=0.0, depth=3)
    for K in (engine.symmetric(X), engine.cross(X, X.copy())):
        assert_agrees(K[1:, 0], wanted[1:], rows[1:], rows[1:], bound)
        assert_agrees(K[:1, 0], wanted[:1], rows[:1], rows[:1], tolerance(dtype))  # NNGP is smooth
    diagonal = np.einsum("fii->fi", engine.symmetric(X)[:, 0])
    np.testing.assert_allclose(diagonal, rows, rtol=60 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(diagonal[:, 0], diagonal[:, 1])
