"""Dense kernels against extended precision, up to and at perfect correlation; known values."""

import mpmath
import numpy as np
import pytest
from agreement import assert_agrees, tolerance
from oracles import closed_forms

from ntkreg import fully_connected
from ntkreg.kernels import make_engine
from ntkreg.kernels.reference import ReferenceEngine, kappa0, kappa1

DTYPES = (np.float32, np.float64)


def extended(X, depth, bias_std):
    """NNGP and NTK of all pairs by mpmath, (2, n, n)."""
    kernels = [[closed_forms.dense_kernels(depth, x, z, bias_std=bias_std) for z in X] for x in X]
    return np.moveaxis(np.array(kernels, float), 2, 0)


def reference(network, shape, dtype):
    return ReferenceEngine(shape, np.dtype(dtype), ("nngp", "ntk"), 1, (network,))


def near_copies(dtype):
    """One vector and neighbours at distances that no float64 angle resolves."""
    x, u = np.random.default_rng(0).normal(size=(2, 8))
    steps = [0, 0, 1e-15, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3, 1e-1]
    return np.array([*(x + s * u for s in steps), -x, -x - 1e-8 * u], dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=["f32", "f64"])
@pytest.mark.parametrize("bias_std", [0.0, 0.3])
@pytest.mark.parametrize("depth", [1, 2, 5, 10])
def test_dense_kernels_stay_within_the_near_one_bound(depth, bias_std, dtype):
    network = fully_connected(depth, bias_std=bias_std)
    X = near_copies(dtype)
    wanted = extended(X, depth, bias_std)
    rows = np.einsum("fii->fi", wanted)
    for engine in (make_engine(network, (8,), dtype=dtype), reference(network, (8,), dtype)):
        for K in (engine.symmetric(X)[:, 0], engine.cross(X, X.copy())[:, 0]):
            assert_agrees(K[1], wanted[1], rows[1], rows[1], tolerance(dtype, gap=0.0, depth=depth))
            assert_agrees(K[0], wanted[0], rows[0], rows[0], tolerance(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=["f32", "f64"])
@pytest.mark.parametrize("depth", [0, 1, 3, 10])
def test_dense_diagonal_is_exact_to_ten_eps(depth, dtype):
    X = np.random.default_rng(1).normal(size=(6, 50)).astype(dtype)
    network = fully_connected(depth)
    wanted = [[float(v) for v in closed_forms.dense_kernels(depth, x, x)] for x in X]
    for engine in (make_engine(network, (50,), dtype=dtype), reference(network, (50,), dtype)):
        for diagonal in (engine.diagonal(X), np.einsum("...ii->...i", engine.symmetric(X))):
            rtol = 10 * np.finfo(dtype).eps
            np.testing.assert_allclose(diagonal[:, 0], np.transpose(wanted), rtol=rtol)


@pytest.mark.parametrize("depth", [0, 1, 4, 10])
def test_unit_inputs_have_an_ntk_of_depth_plus_one(depth):
    X = np.sqrt(3) * np.eye(3)  # unit length in units of sqrt(d)
    engine = make_engine(fully_connected(depth), (3,), dtype=float)
    np.testing.assert_allclose(engine.diagonal(X)[1, 0], depth + 1, rtol=1e-14)


def test_dual_functions_have_their_known_values():
    np.testing.assert_allclose(kappa0(np.array([1.0, 0, -1])), [1, 0.5, 0], atol=1e-15)
    np.testing.assert_allclose(kappa1(np.array([1.0, 0, -1])), [1, 1 / np.pi, 0], atol=1e-15)
    for c in (-0.999, -0.3, 0.2, 0.8, 0.9999):
        assert kappa0(np.float64(c)) == pytest.approx(float(closed_forms.kappa0(c)), rel=1e-12)
        assert kappa1(np.float64(c)) == pytest.approx(float(closed_forms.kappa1(c)), rel=1e-12)


@pytest.mark.parametrize("dtype", DTYPES, ids=["f32", "f64"])
def test_relu_kernels_without_bias_scale_with_their_inputs(dtype):
    X, Z = np.random.default_rng(2).normal(size=(2, 4, 6)).astype(dtype)
    engine = make_engine(fully_connected(4), (6,), dtype=dtype)
    K, scaled = engine.cross(X, Z), engine.cross(4 * X, Z)
    np.testing.assert_allclose(scaled, 4 * K, rtol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("scale", "weight_std"), [(3e18, 1.5), (1e-22, 1e12)])
def test_float32_inputs_whose_products_leave_its_range_keep_their_digits(scale, weight_std):
    X = np.random.default_rng(2).normal(size=(3, 3000)).astype(np.float32)
    X[1] = X[0] + 0.1 * X[2]
    network = fully_connected(1, weight_std=weight_std)
    short, full = (make_engine(network, (3000,), dtype=t) for t in DTYPES)
    scaled = scale * X
    wanted = full.cross(scaled.astype(float), scaled.astype(float))
    for rows in (slice(None), slice(1)):
        # One row of ordinary length beside the others changes nothing for them.
        mixed = np.concatenate([X[:1], scaled[rows]])
        K = short.cross(mixed, scaled)[..., 1:, :]
        np.testing.assert_allclose(K, wanted[..., rows, :], rtol=2e-3)


def test_arccos_oracle_keeps_more_digits_than_float64_near_one():
    gap = mpmath.mpf(10) ** -20
    with mpmath.workdps(closed_forms.DIGITS):
        expected = mpmath.sqrt(2 * gap) / mpmath.pi  # acos(1 - g) is sqrt(2 g) to first order
        assert abs((1 - closed_forms.kappa0(1 - gap)) / expected - 1) < 1e-15
