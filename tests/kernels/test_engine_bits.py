"""What every engine promises: the same bits in any block, halves that mirror, no NaN."""

import numpy as np
import pytest

from ntkreg.architecture import (
    Architecture,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Relu,
    Residual,
    cntk,
    fully_connected,
    myrtle,
)
from ntkreg.kernels import make_engine

STRIDED = Architecture(
    (Conv(stride=2), Relu(), Conv(5, stride=2), Relu(), GlobalAvgPool(), Dense())
)
BLOCK = Residual((Relu(), Conv(stride=2, bias_std=0.2), Relu(), Conv()), (Conv(1, stride=2),))
RESIDUAL = Architecture((Conv(), BLOCK, Residual((Relu(), Conv())), Flatten(), Dense()))

IMAGE_NETWORKS = [
    (cntk(3), (5, 6, 2)),
    (myrtle(5), (8, 9, 2)),
    (STRIDED, (7, 10, 2)),
    (RESIDUAL, (5, 6, 1)),
    (cntk(2, "lap", half_width=1, padding="CIRCULAR"), (5, 4, 2)),
]
NETWORKS = [
    *IMAGE_NETWORKS,
    (cntk(2, "lap", half_width=1, bias_std=0.1), (8, 8, 1)),
    (cntk(3, "flatten", window=5), (4, 7, 3)),
    (fully_connected(3), (37,)),
    (fully_connected(2, bias_std=0.3), (300,)),
]


def _engine_and_inputs(network, shape, dtype, n=9):
    X = np.random.default_rng(3).normal(size=(n, *shape)).astype(dtype)
    return make_engine(network, shape, dtype=dtype), X


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("network", "shape"), NETWORKS)
def test_a_value_has_the_same_bits_in_any_block(network, shape, dtype):
    engine, X = _engine_and_inputs(network, shape, dtype)
    whole = engine.cross(X, X[::-1].copy())
    for i, j in ((0, 0), (4, 7), (8, 2)):
        alone = engine.cross(X[i : i + 1], X[8 - j : 9 - j])
        assert np.array_equal(alone[..., 0, 0], whole[..., i, j])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("network", "shape"), NETWORKS)
def test_a_symmetric_block_mirrors_and_equals_cross_off_its_diagonal(network, shape, dtype):
    engine, X = _engine_and_inputs(network, shape, dtype)
    K, full = engine.symmetric(X), engine.cross(X, X)
    assert np.array_equal(K, K.swapaxes(-1, -2))
    upper = np.triu_indices(len(X), 1)
    assert np.array_equal(K[..., upper[0], upper[1]], full[..., upper[0], upper[1]])
    assert np.array_equal(np.einsum("fdii->fdi", K), engine.diagonal(X))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("network", "shape"), NETWORKS)
def test_parts_of_prepared_inputs_give_the_bits_of_arrays(network, shape, dtype):
    engine, X = _engine_and_inputs(network, shape, dtype)
    X[5] *= 1e-30  # rows that an engine may want to rescale
    prepared, rows, columns = engine.prepare(X), slice(2, 7), slice(4, 9)
    assert len(prepared) == len(X)
    got = engine.cross(prepared[rows], prepared[columns])
    assert np.array_equal(got, engine.cross(X[rows], X[columns]))
    assert np.array_equal(engine.symmetric(prepared[rows]), engine.symmetric(X[rows]))
    assert np.array_equal(engine.diagonal(prepared[rows]), engine.diagonal(X[rows]))


@pytest.mark.parametrize(("dtype", "off"), [("float32", 2e-3), ("float64", 1e-6)])
@pytest.mark.parametrize(("network", "shape"), NETWORKS)
def test_equal_inputs_have_nearly_the_value_of_one_with_itself(network, shape, dtype, off):
    engine, X = _engine_and_inputs(network, shape, dtype)
    equal = np.einsum("fdii->fdi", engine.cross(X, X.copy()))
    assert np.allclose(equal, engine.diagonal(X), rtol=off, atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("network", "shape"), IMAGE_NETWORKS)
def test_lanes_that_are_not_filled_change_no_bits(network, shape, dtype):
    engine, X = _engine_and_inputs(network, shape, dtype, n=18)
    whole, square, own = engine.cross(X, X[::-1].copy()), engine.symmetric(X), engine.diagonal(X)
    for n in (1, 15, 16, 17):
        assert np.array_equal(engine.cross(X[:2], X[::-1][:n].copy()), whole[..., :2, :n])
        assert np.array_equal(engine.symmetric(X[:n]), square[..., :n, :n])
        assert np.array_equal(engine.diagonal(X[:n]), own[..., :n])


def test_dense_blocks_beyond_one_padded_block_agree_with_it():
    engine, X = _engine_and_inputs(fully_connected(2), (20,), "float32", n=300)
    K = engine.symmetric(X)
    assert np.array_equal(K[..., 250:, 10:20], engine.cross(X[250:], X[10:20]))
    assert np.array_equal(K, K.swapaxes(-1, -2))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e6])
@pytest.mark.parametrize(("network", "shape"), [*IMAGE_NETWORKS, (fully_connected(3), (37,))])
def test_tiny_and_large_inputs_give_no_nan(network, shape, scale, dtype):
    engine, X = _engine_and_inputs(network, shape, dtype, n=3)
    assert np.isfinite(engine.symmetric((X * scale).astype(dtype))).all()


def test_fields_come_in_the_order_asked_for():
    X = np.random.default_rng(0).normal(size=(3, 5))
    both = make_engine(fully_connected(1), (5,), dtype="float64", fields=("ntk", "nngp"))
    one = make_engine(fully_connected(1), (5,), dtype="float64", fields=("nngp",))
    assert np.array_equal(both.cross(X, X)[1], one.cross(X, X)[0])
