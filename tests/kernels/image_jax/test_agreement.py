"""The image engine in jax.numpy against stored neural-tangents kernels and the compiled loops."""

import numpy as np
import pytest
from agreement import architecture_of, assert_agrees, depth_of, tolerance
from oracles import golden, golden_layers

from ntkreg.errors import SpecError
from ntkreg.kernels import make_engine

DTYPES = (np.float32, np.float64)
STAX, LAYERS = golden.load()[0], golden.load(golden_layers.FILE)[0]
STORED = {
    case.name: (case, values[case.name])
    for cases, values in ((golden.CASES, STAX), (golden_layers.CASES, LAYERS))
    for case in cases
    if not case.name.startswith("dense") and case.network[0] != ("flatten",)
}


def check_against_stored(name, dtype):
    case, stored = STORED[name]
    network = architecture_of(case.network)
    if network.reads != "image":
        pytest.skip("reads vectors")
    engine = make_engine(network, case.shape, dtype=dtype, backend="jax")
    X, Z = (a.astype(dtype) for a in case.inputs())
    try:
        make_engine(network, case.shape, dtype=dtype).cross(X, Z)
    except SpecError:  # what the one cannot run, neither can the other
        with pytest.raises(SpecError, match="to_stax"):
            engine.cross(X, Z)
        return
    bound = tolerance(dtype, gap=stored["gap"], depth=depth_of(case.network))
    assert_agrees(engine.cross(X, Z)[:, 0], stored["cross"], stored["x"], stored["z"], bound)


FAST = (
    "conv3 lap1 window3 bias0.3 std1.4 3x4x1",
    "stride2 SAME window5 lap 8x5",
    "stride3 VALID window3 gap 8x5 first",
    "stride1 VALID window5 flatten 7x6",
    "pool3 after conv gap 8x10",
    "pool2 after stride lap 8x8",
    "residual strided 3",
    "residual circular",
    "gelu mixed",
    "stride2 CIRCULAR window3 lap 7x6",
)
"""What each kind of layer meets at least once, where sizes do not divide."""


@pytest.mark.parametrize("name", FAST)
def test_every_kind_of_layer_agrees_with_stored_neural_tangents_kernels(name):
    check_against_stored(name, np.float64)


@pytest.mark.parametrize("name", [FAST[0], FAST[4], FAST[6]])
def test_float32_agrees_with_stored_neural_tangents_kernels(name):
    check_against_stored(name, np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES, ids=["f32", "f64"])
@pytest.mark.parametrize("name", STORED)
def test_all_stored_neural_tangents_kernels_are_met(dtype, name):
    check_against_stored(name, dtype)
