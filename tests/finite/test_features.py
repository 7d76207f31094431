import numpy as np
import pytest

from ntkreg import Architecture, Conv, GlobalAvgPool, cntk, fully_connected
from ntkreg.errors import ShapeError, SpecError
from ntkreg.finite import finite_network, readout_features


@pytest.mark.parametrize(
    ("architecture", "shape", "size"),
    [
        (fully_connected(0), (5,), 5),
        (fully_connected(2, bias_std=0.3), (5,), 7),
        (cntk(2, "gap"), (4, 4, 2), 7),
        (cntk(1, "flatten"), (4, 4, 2), 4 * 4 * 7),
    ],
)
def test_the_read_out_of_the_features_is_the_network(architecture, shape, size):
    network = finite_network(architecture, shape, width=7, n_outputs=3)
    params = network.init(0, np.float64)
    X = np.random.default_rng(0).normal(size=(6, *shape))
    features = readout_features(network, params, X)
    assert features.shape == (6, size)
    assert features.dtype == np.float64
    outputs = features @ np.asarray(params[-1]["w"]) / np.sqrt(size)
    np.testing.assert_allclose(outputs, network.predict(params, X), rtol=1e-12)


def test_networks_without_a_dense_read_out_and_other_inputs_are_refused():
    network = finite_network(
        Architecture((Conv(), GlobalAvgPool())), (4, 4, 2), width=(), n_outputs=3
    )
    with pytest.raises(SpecError, match="must come from finite_network and end in a Dense layer"):
        readout_features(network, network.init(0), np.zeros((1, 4, 4, 2)))
    network = finite_network(fully_connected(1), (5,), width=4)
    with pytest.raises(ShapeError, match=r"X must be \(n, 5\)"):
        readout_features(network, network.init(0), np.zeros((1, 4)))
