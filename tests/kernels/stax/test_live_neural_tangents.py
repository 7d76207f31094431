"""Engines and bridge against neural-tangents itself, jitted, in float64, on this machine's JAX."""

import numpy as np
import pytest
from agreement import architecture_of, assert_agrees, depth_of, tolerance
from oracles import golden
from oracles.layer_sums import layer_sums
from oracles.stax_oracle import stax_kernels
from sklearn.datasets import load_digits

from ntkreg.kernels import import_neural_tangents, make_engine
from ntkreg.kernels.reference import ReferenceEngine

NETWORKS = {
    "conv1 flatten": (golden.image_network(1, "flatten", window=5), (7, 5, 3)),
    "conv3 flatten bias": (golden.image_network(3, "flatten", bias_std=0.3), (6, 6, 1)),
    "conv10 gap": (golden.image_network(10, "gap"), (5, 4, 3)),
    "conv2 gap window1": (golden.image_network(2, "gap", window=1), (3, 4, 5)),
    "conv3 lap0": (golden.image_network(3, "lap0"), (6, 5, 3)),
    "conv3 lap1": (golden.image_network(3, "lap1", weight_std=1.2), (6, 5, 3)),
    "conv2 lap4 bias": (golden.image_network(2, "lap4", bias_std=0.3), (3, 4, 2)),
    "dense0": (golden.dense_network(0), (9,)),
    "dense5": (golden.dense_network(5), (50,)),
    "dense10 bias": (golden.dense_network(10, weight_std=1.3, bias_std=0.3), (9,)),
}


@pytest.mark.parametrize(("network", "shape"), NETWORKS.values(), ids=NETWORKS)
def test_engines_agree_with_live_neural_tangents(network, shape):
    X, Z = np.random.default_rng(11).normal(size=(2, 3, *shape))
    wanted = np.array(stax_kernels(import_neural_tangents(), network, X, Z))
    *_, gap = layer_sums(network, np.concatenate([X, Z]))
    depth = depth_of(network)
    for dtype in (np.float32, np.float64):
        engine = make_engine(architecture_of(network), shape, dtype=dtype)
        x, z = X.astype(dtype), Z.astype(dtype)
        rows, columns = engine.diagonal(x)[:, 0], engine.diagonal(z)[:, 0]
        bound = tolerance(dtype, gap=gap, depth=depth)
        assert_agrees(engine.cross(x, z)[:, 0], wanted, rows, columns, bound)


@pytest.mark.parametrize("readout", ["flatten", "gap", "lap1"])
def test_engines_agree_with_live_neural_tangents_on_digits(readout):
    # Real images: empty borders, equal pixels, one channel.
    network = golden.image_network(3, readout)
    images = load_digits().images[:7, ..., None] / 16
    X, Z = images[:4], images[4:]
    wanted = np.array(stax_kernels(import_neural_tangents(), network, X, Z))
    for dtype in (np.float32, np.float64):
        engine = make_engine(architecture_of(network), (8, 8, 1), dtype=dtype)
        x, z = X.astype(dtype), Z.astype(dtype)
        rows, columns = engine.diagonal(x)[:, 0], engine.diagonal(z)[:, 0]
        bound = tolerance(dtype, gap=0.0, depth=3)  # one-pixel patches: lambda = 1
        K = engine.cross(x, z)[:, 0]
        assert_agrees(K, wanted, rows, columns, bound)
        assert_agrees(K[:1], wanted[:1], rows[:1], columns[:1], tolerance(dtype))


@pytest.mark.parametrize("network", ["conv3 lap1", "dense5"])
def test_live_symmetric_gram_differs_from_neural_tangents_only_within_its_own_error(network):
    network, shape = NETWORKS[network]
    X = np.random.default_rng(3).normal(size=(4, *shape))
    wanted = np.array(stax_kernels(import_neural_tangents(), network, X, X))
    engine = make_engine(architecture_of(network), shape, dtype=float)
    K, rows = engine.symmetric(X)[:, 0], engine.diagonal(X)[:, 0]
    assert_agrees(K, wanted, rows, rows, tolerance(np.float64, gap=0.0, depth=depth_of(network)))
    off_diagonal = ~np.eye(4, dtype=bool)
    wanted = np.where(off_diagonal, wanted, K)
    assert_agrees(K, wanted, rows, rows, tolerance(np.float64))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("readout", ["flatten", "gap", "lap1"])  # a 9^4 window takes minutes
@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (48, 48, 3)], ids=str)
def test_engines_agree_with_live_neural_tangents_on_large_images(shape, readout, dtype):
    network = golden.image_network(2, readout)
    X, Z = np.random.default_rng(0).normal(size=(2, 1, *shape)).astype(dtype)
    wanted = np.array(stax_kernels(import_neural_tangents(), network, X, Z))
    architecture = architecture_of(network)
    engine = make_engine(architecture, shape, dtype=dtype)
    rows, columns = engine.diagonal(X)[:, 0], engine.diagonal(Z)[:, 0]
    # One channel at 28 x 28: corner patches of four pixels come near lambda = 1 by chance.
    bound = tolerance(dtype, gap=0.0 if shape[-1] == 1 else 1.0, depth=2)
    assert_agrees(engine.cross(X, Z)[:, 0], wanted, rows, columns, bound)
    if shape[0] <= 32:
        plain = ReferenceEngine(shape, np.dtype(dtype), ("nngp", "ntk"), 1, (architecture,))
        assert_agrees(plain.cross(X, Z)[:, 0], wanted, rows, columns, bound)
