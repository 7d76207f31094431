"""The NumPy engine for vectors keeps what engines promise, and layers after read-outs run."""

import numpy as np
import pytest
from agreement import architecture_of, assert_agrees, tolerance
from oracles.layer_sums import layer_sums

from ntkreg import Architecture, Dense, Gelu, Relu, Residual, fully_connected
from ntkreg.kernels import make_engine
from ntkreg.kernels.dense.plain import PlainDenseEngine
from ntkreg.kernels.vector_tail import PairValues, run_tail

BLOCK = Residual((Gelu(), Dense(1.2, 0.1)))
NETWORKS = [
    fully_connected(2, activation="erf", bias_std=0.2),
    fully_connected(2, activation="normalized_gaussian"),
    Architecture((Dense(), BLOCK, BLOCK, Relu(), Dense())),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("network", NETWORKS)
def test_a_value_has_the_same_bits_in_any_block_and_mirrored(network, dtype):
    X = np.random.default_rng(0).normal(size=(300, 11)).astype(dtype)
    engine = make_engine(network, (11,), dtype=dtype)
    K = engine.symmetric(X)
    assert K.dtype == dtype
    assert np.array_equal(K, K.swapaxes(-1, -2))
    assert np.array_equal(K[..., 3:9, 250:300], engine.cross(X[3:9], X[250:300]))
    assert np.array_equal(K[..., 7, 290], engine.cross(X[7:8], X[290:291])[..., 0, 0])
    assert np.array_equal(np.einsum("...ii->...i", K), engine.diagonal(X))
    assert np.array_equal(engine.diagonal(X)[..., 255:258], engine.diagonal(X[255:258]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_agrees_with_the_compiled_engine_where_both_run(dtype):
    network = fully_connected(3, bias_std=0.3)
    X = np.random.default_rng(1).normal(size=(20, 9)).astype(dtype)
    compiled = make_engine(network, (9,), dtype=dtype)
    plain = PlainDenseEngine((9,), np.dtype(dtype), ("ntk", "nngp"), 1, (network,))
    K, rows = compiled.cross(X[:5], X[5:]), compiled.diagonal(X)
    got = plain.cross(X[:5], X[5:])[::-1]
    assert_agrees(got[:, 0], K[:, 0], rows[:, 0, :5], rows[:, 0, 5:], tolerance(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-12, 1e6])
@pytest.mark.parametrize("network", NETWORKS)
def test_tiny_and_large_and_empty_inputs_give_no_nan(network, scale, dtype):
    X = (np.random.default_rng(3).normal(size=(3, 5)) * scale).astype(dtype)
    assert np.isfinite(make_engine(network, (5,), dtype=dtype).symmetric(X)).all()


def test_blocks_and_activations_run_after_a_read_out():
    tail = (
        ("residual", (("erf",), ("dense", 1.1, 0.2, True)), ()),
        ("sin",),
        ("dense", 1.0, 0.0, True),
    )
    stem = (("conv", 3, 1.4, 0.1, True), ("relu",), ("gap",), ("dense", 1.3, 0.1, True))
    X = np.random.default_rng(2).normal(size=(3, 4, 5, 2))
    nngp, ntk, _ = layer_sums((*stem, *tail), X)
    wanted = np.array([nngp, ntk], float)
    rows = np.einsum("fii->fi", wanted)
    engine = make_engine(architecture_of((*stem, *tail)), (4, 5, 2), dtype=float)
    assert_agrees(engine.symmetric(X)[:, 0], wanted, rows, rows, tolerance(float))


def test_layers_that_need_variances_say_so():
    s = np.ones((2, 2))
    assert run_tail((Dense(),), PairValues(s, s, None, None)).q is None
    with pytest.raises(ValueError, match=r"Gelu\(\) needs the variances q and r"):
        run_tail((Gelu(),), PairValues(s, s, None, None))
