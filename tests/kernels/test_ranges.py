"""Inputs of any size: a kernel that is right, or an error that says what to do."""

import numpy as np
import pytest
from agreement import assert_agrees

from ntkreg import (
    Architecture,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LeakyRelu,
    LocalAvgPool,
    Relu,
    Residual,
    cntk,
    compute_gram,
    fully_connected,
    kernel,
    plan_gram,
)
from ntkreg.errors import SpecError
from ntkreg.kernels import FIELDS, to_stax
from ntkreg.kernels.ranges import check_values

rng = np.random.default_rng(0)
V = rng.normal(size=(5, 7))
IMAGES = rng.normal(size=(5, 6, 6, 3))

BLOCKS = Architecture(
    [
        Conv(),
        Residual([Relu(), Conv(stride=2)], [Conv(1, stride=2)]),
        LeakyRelu(-0.5),
        AvgPool(),
        Conv(3, trainable=False),
        Relu(),
        GlobalAvgPool(),
        Dense(1.0),
    ]
)
SCALING = {
    "dense": fully_connected(3),
    "plain": fully_connected(2, activation="normalized_gaussian"),
    "flatten": cntk(2, "flatten"),
    "gap": cntk(2),
    "lap": cntk(2, "lap", half_width=1, activation="leaky_relu"),
    "circular": cntk(2, padding="CIRCULAR", activation="identity"),
    "valid": cntk(2, padding="VALID", activation="normalized_gaussian"),
    "blocks": BLOCKS,
}
"""Networks with K(c x, z) = c K(x, z)."""

BOUNDED = {
    "dense bias": fully_connected(2, bias_std=0.3),
    "erf": fully_connected(2, activation="erf"),
    "image bias": cntk(2, bias_std=0.3),
    "image erf": cntk(2, activation="erf"),
    "image gelu": cntk(2, "flatten", activation="gelu"),
    "image sin": cntk(2, "lap", half_width=1, activation="sin"),
}
"""Networks without, which no scaling inside can help."""

HELD = dict.fromkeys(BOUNDED, (1e-15, 1e15)) | {
    "dense bias": (0, 1e15),
    "image bias": (0, 1e15),
    "erf": (1e-15, 1e31),
}
"""Scales at which float32 holds their kernels: a bias drowns what is small."""

TOLERANCE = {"float32": 1e-5, "mixed": 1e-5, "float64": 1e-10}


def inputs_of(network):
    return IMAGES if network.reads == "image" else V


def both(network, X, *others, **options):
    return np.array(kernel(network, X, *others, get=FIELDS, **options))


def as_kind(X, dtype):
    return X.astype(np.float64 if dtype == "float64" else np.float32)


def precision(dtype):
    return {"dtype": "mixed"} if dtype == "mixed" else {}


@pytest.mark.parametrize("dtype", ["float32", "mixed", "float64"])
@pytest.mark.parametrize("name", SCALING)
def test_scaled_inputs_give_scaled_kernels(name, dtype):
    network = SCALING[name]
    if dtype == "mixed" and network.reads == "vector":
        pytest.skip("for images")
    X = as_kind(inputs_of(network), dtype)
    wanted = both(network, X.astype(float))
    rows = np.einsum("fii->fi", wanted)
    scales = [-55, 60] if dtype == "float32" else [-100, -60, 62, 120]
    for k in scales if dtype != "float64" else [*scales, -400, 400]:
        got = both(network, np.ldexp(X, k), **precision(dtype))
        assert got.dtype == (np.float32 if dtype == "float32" else float)
        assert_agrees(np.ldexp(got.astype(float), -2 * k), wanted, rows, rows, TOLERANCE[dtype])
        # Scaling by powers of two costs no digit.
        assert np.array_equal(np.ldexp(got, -2 * k), both(network, X, **precision(dtype)))


@pytest.mark.parametrize("backend", [None, "jax"])
@pytest.mark.parametrize("options", [{}, {"symmetry": "flip"}, {"depths": [1, 2]}], ids=str)
def test_every_engine_of_images_scales(backend, options):
    X = IMAGES.astype(np.float32)
    options = {**options, "backend": backend}
    wanted = kernel(cntk(2), X, **options)
    for k in (-61, 62):
        assert np.array_equal(np.ldexp(kernel(cntk(2), np.ldexp(X, k), **options), -2 * k), wanted)
        diagonal = kernel(cntk(2), np.ldexp(X, k), diag=True, **options)
        assert np.array_equal(np.ldexp(diagonal, -2 * k), np.einsum("...ii->...i", wanted))
    unit = kernel(cntk(2), X, normalize="unit_diagonal", **options)
    for k in (-148 + 24, -90, 110):  # the kernel itself would not fit float32
        same = kernel(cntk(2), np.ldexp(X, k), normalize="unit_diagonal", **options)
        assert np.allclose(same, unit, rtol=0, atol=1e-6)


def test_sizes_may_differ_within_a_batch():
    X = IMAGES.astype(np.float32)
    k = np.array([-60, 33, 0, -30, 0])
    mixed = np.ldexp(X, k[:, None, None, None])
    mixed[2] = 0
    mixed[4] = 0
    mixed[4, 2, 2, 0] = 1e-17
    got = both(cntk(2), mixed)
    alone = both(cntk(2), X)
    assert np.array_equal(np.ldexp(got, -(k[:, None] + k))[:, :2, 3], alone[:, :2, 3])
    assert np.array_equal(both(cntk(2), mixed, mixed[:2])[:, 3], got[:, 3, :2])
    assert (got[:, 2] == 0).all()
    assert (np.einsum("fii->fi", got)[:, [0, 1, 3, 4]] > 0).all()
    wide = both(cntk(2), mixed.astype(float))
    rows = np.einsum("fii->fi", wide)
    assert_agrees(got, wide, rows, rows, 1e-5)


def test_one_pixel_that_is_hardly_there():
    X = np.zeros((3, 4, 4, 1))
    X[0, 1, 1, 0] = 5e-324
    X[2] = 1
    K = kernel(cntk(2), X, normalize="unit_diagonal")
    assert K[0, 0] == K[2, 2] == 1
    assert 0 < K[0, 2] < 1
    assert (K[1] == 0).all()
    with pytest.raises(
        SpecError, match=r"K\(x, x\) of an input x is about 1e-6\d\d, which float64"
    ):
        kernel(cntk(2), X)
    with pytest.raises(SpecError, match=r"which float32 does not hold.*dtype=\"float64\""):
        kernel(cntk(2), np.where(X == 5e-324, 1e-45, X).astype(np.float32))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("name", ["dense", "gap", "lap"])
def test_kernels_that_float32_does_not_hold_are_refused(name, scale):
    network = SCALING[name]
    X = (inputs_of(network) * scale).astype(np.float32)
    for ask in (kernel, compute_gram, lambda *a: kernel(*a, X), lambda *a: kernel(*a, diag=True)):
        with pytest.raises(SpecError, match=r"about 1e[+-]\d\d, which float32 does not hold"):
            ask(network, X)
    assert np.isfinite(kernel(network, X, dtype="float64")).all()


@pytest.mark.parametrize("name", BOUNDED)
def test_networks_that_cannot_be_scaled_are_right_or_refuse(name):
    network = BOUNDED[name]
    X = inputs_of(network)
    for dtype in ("float32", "float64"):
        for scale in (1e-30, 1e-18, 1e-10, 1.0, 1e10, 1e19, 1e30):
            A = as_kind(X * scale, dtype)
            if dtype == "float32" and not HELD[name][0] < scale < HELD[name][1]:
                with pytest.raises(SpecError, match="Rescale X"):
                    both(network, A)
                continue
            got = both(network, A)
            wanted = both(network, A.astype(float))
            rows = np.einsum("fii->fi", wanted)
            assert (rows > 0).all()
            assert_agrees(got, wanted, rows, rows, 1e-4 if dtype == "float32" else 0)
    if "bias" in name:  # drowns what is small
        black = both(network, X * 0)
        assert np.allclose(both(network, (X * 1e-30).astype(np.float32)), black, rtol=1e-6)


def test_small_values_have_the_kernel_of_the_slope_at_zero():
    factors = {"erf": 4 / np.pi, "gelu": 0.25, "sin": 1.0}
    for activation, factor in factors.items():
        for make, X in ((fully_connected, V), (cntk, IMAGES)):
            linear = both(make(2, activation="identity"), X) * factor**2
            rows = np.einsum("fii->fi", linear)
            for dtype in ("float32", "float64"):
                got = both(make(2, activation=activation), as_kind(X * 1e-13, dtype)) * 1e26
                assert_agrees(got, linear, rows, rows, TOLERANCE[dtype])


@pytest.mark.parametrize(
    "network",
    [
        fully_connected(5, weight_std=1e100),
        fully_connected(5, weight_std=1e-90),
        cntk(5, weight_std=1e90),
        cntk(9, weight_std=1e-40, bias_std=1e-60),
        cntk(2, activation=LeakyRelu(1e90)),
        cntk(40, weight_std=1e-2),
        Architecture([LocalAvgPool(9_000), Flatten(), Dense(1e-99)]),
    ],
    ids=repr,
)
def test_layers_that_leave_the_range_are_refused(network):
    X = inputs_of(network).astype(np.float32)
    for ask in (kernel, plan_gram, lambda *a: kernel(*a, normalize="unit_diagonal")):
        with pytest.raises(SpecError, match=r"variances in .* weight_std nearer to sqrt\(2\)"):
            ask(network, X)


def test_a_network_that_nobody_can_look_into_gets_inputs_of_ordinary_size():
    stax = to_stax(fully_connected(1))[2]
    for scale in (1e-18, 1e19):
        with pytest.raises(
            SpecError, match="between 9e-16 and 4e\\+16 their products stay in range"
        ):
            kernel(stax, (V * scale).astype(np.float32))
    assert np.isfinite(kernel(stax, V.astype(np.float32))).all()


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_values_that_are_none_are_an_error(bad):
    values = np.full((1, 1, 3, 3), 3e38, np.float32)
    check_values(values)  # whose sum overflows
    values[0, 0, 1, 2] = bad
    with pytest.raises(SpecError, match="kernel: values overflow float32"):
        check_values(values)


def test_a_folder_of_scaled_inputs_resumes(tmp_path):
    X = np.ldexp(IMAGES, 300)
    wanted = kernel(cntk(1), X)
    for _ in range(2):
        assert np.array_equal(compute_gram(cntk(1), X, folder=tmp_path / "k").values["ntk"], wanted)


@pytest.mark.parametrize("backend", [None, "jax"])
@pytest.mark.parametrize("network", [cntk(2), cntk(2, bias_std=0.1)], ids=repr)
def test_ordinary_inputs_go_to_the_engine_as_they_are(network, backend):
    for scale in (1e-10, 1.0, 255.0, 1e10):
        X = (IMAGES * scale).astype(np.float32)
        assert "Scaled" not in plan_gram(network, X, backend=backend).engine
    assert "ScaledEngine(" in plan_gram(cntk(2), X * 1e9, backend=backend).engine
