"""Any stax kernel_fn works where an architecture does."""

import numpy as np
import pytest
from agreement import assert_agrees, tolerance
from sklearn.base import clone

from ntkreg import cntk, fully_connected
from ntkreg.errors import ShapeError, SpecError
from ntkreg.kernels import (
    StaxNetwork,
    as_network,
    check_inputs,
    import_neural_tangents,
    make_engine,
    to_stax,
)
from ntkreg.kernels.stax import bridge
from ntkreg.kernels.stax.compatibility import enable_x64, import_jax


@pytest.fixture(scope="module")
def erf():
    """A network that no architecture describes."""
    stax = import_neural_tangents().stax
    return stax.serial(stax.Dense(1, W_std=1.5, b_std=0.5), stax.Erf(), stax.Dense(1))[2]


@pytest.fixture(scope="module")
def images():
    """A stax network on images."""
    return to_stax(cntk(1, "gap", bias_std=0.3))[2]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Tests have few rows: blocks of 1 MB waste less on padding."""
    monkeypatch.setattr(bridge, "_BLOCK_BYTES", 2**20)


def inputs(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
def test_engine_gives_the_values_of_the_kernel_fn_in_its_dtype(erf, dtype):
    X, Z = inputs(5, 4, dtype=dtype), inputs(3, 4, seed=1, dtype=dtype)
    with enable_x64():
        wanted = erf(X.astype(float), Z.astype(float), ("nngp", "ntk"))
        wanted = np.array([np.array(v) for v in wanted])
    K = make_engine(erf, (4,), dtype=dtype).cross(X, Z)
    assert K.dtype == dtype
    assert type(K) is np.ndarray
    np.testing.assert_allclose(K[:, 0], wanted, atol=20 * np.finfo(dtype).eps)
    assert not import_jax().config.jax_enable_x64


def test_fields_come_in_the_order_asked_for(erf):
    X = inputs(3, 4)
    both = make_engine(erf, (4,), dtype=float).symmetric(X)
    swapped = make_engine(erf, (4,), dtype=float, fields=("ntk", "nngp")).symmetric(X)
    alone = make_engine(erf, (4,), dtype=float, fields=("ntk",)).symmetric(X)
    np.testing.assert_allclose(swapped, both[::-1], rtol=1e-14)
    np.testing.assert_allclose(alone, both[1:], rtol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_blocks_and_their_ragged_ends_do_not_change_values(images, n, monkeypatch):
    X, Z = inputs(n, 4, 3, 2), inputs(5, 4, 3, 2, seed=1)
    engine = make_engine(images, (4, 3, 2), dtype=float)
    cross, symmetric, diagonal = engine.cross(X, Z), engine.symmetric(X), engine.diagonal(X)
    monkeypatch.setattr(bridge, "_BLOCK_BYTES", 9 * 4 * 8 * 12**2)
    assert engine.block == 3
    np.testing.assert_allclose(engine.cross(X, Z), cross, rtol=1e-13)
    np.testing.assert_allclose(engine.symmetric(X), symmetric, rtol=1e-13)
    np.testing.assert_allclose(engine.diagonal(X), diagonal, rtol=1e-13)


def test_symmetric_gram_is_exactly_symmetric_and_has_the_diagonal(images, monkeypatch):
    monkeypatch.setattr(bridge, "_BLOCK_BYTES", 4 * 4 * 8 * 12**2)
    X = inputs(5, 4, 3, 2)
    engine = make_engine(images, (4, 3, 2), dtype=float)
    K = engine.symmetric(X)
    np.testing.assert_array_equal(K, K.swapaxes(-1, -2))
    np.testing.assert_array_equal(np.einsum("...ii->...i", K), engine.diagonal(X))
    np.testing.assert_allclose(K, engine.cross(X, X), rtol=1e-7)


def test_a_value_does_not_depend_on_how_many_rows_come_with_it(images):
    X, Z = inputs(6, 4, 3, 2), inputs(4, 4, 3, 2, seed=1)
    engine = make_engine(images, (4, 3, 2), dtype=np.float64)
    K = engine.cross(X, Z)
    np.testing.assert_array_equal(engine.cross(X[:1], Z), K[..., :1, :])
    np.testing.assert_array_equal(engine.cross(X, Z[:2]), K[..., :2])


def test_block_shrinks_with_the_pixels_unless_the_network_only_flattens(monkeypatch):
    monkeypatch.setattr(bridge, "_BLOCK_BYTES", 64 * 2**20)
    gap, flatten = to_stax(cntk(1, "gap"))[2], to_stax(cntk(1, "flatten"))[2]
    large = (32, 32, 3)
    assert make_engine(gap, large, dtype=np.float32).block == 2
    assert make_engine(gap, (512, 512, 1), dtype=np.float64).block == 1
    assert make_engine(flatten, large, dtype=np.float32).block > 20
    assert make_engine(to_stax(fully_connected(1))[2], (9,), dtype=np.float64).block == 256


def test_a_second_engine_on_the_same_kernel_fn_does_not_compile_again(erf):
    calls = []

    def counted(x, z, get):
        calls.append(get)
        return erf(x, z, get)

    X = inputs(3, 4)
    for _ in range(3):
        make_engine(counted, (4,), dtype=float).cross(X, X)
    assert len(calls) == 1


def test_networks_that_end_in_images_are_refused_with_the_remedy():
    stax = import_neural_tangents().stax
    open_ended = stax.serial(stax.Conv(1, (3, 3), padding="SAME"), stax.Relu())[2]
    engine = make_engine(open_ended, (4, 3, 2), dtype=float)
    with pytest.raises(SpecError, match=r"End the network with stax.Flatten\(\)"):
        engine.cross(inputs(2, 4, 3, 2), inputs(2, 4, 3, 2))


def test_depths_need_a_recipe(erf):
    with pytest.raises(SpecError, match="depths needs a network made by a recipe with a depth"):
        make_engine(erf, (4,), dtype=float, depths=(1, 2))


def test_inputs_reach_a_stax_network_in_the_shape_they_came_in(erf):
    assert check_inputs(erf, inputs(2, 4, 3, 2)).shape == (2, 4, 3, 2)
    assert check_inputs(StaxNetwork(erf), inputs(2, 5)).shape == (2, 5)
    with pytest.raises(ShapeError, match=r"X must be \(n, d\) or images"):
        check_inputs(erf, inputs(2, 5, 3))


def test_only_a_named_network_has_a_fingerprint(erf):
    assert StaxNetwork(erf).fingerprint is None
    names = [StaxNetwork(erf, "a"), StaxNetwork(erf, "b"), fully_connected(1)]
    assert len({n.fingerprint for n in names}) == 3
    assert StaxNetwork(erf, "a").fingerprint == StaxNetwork(len, "a").fingerprint
    assert repr(StaxNetwork(erf, "erf net")) == "stax:erf net"


def test_stax_networks_are_wrapped_once_and_cloned_as_they_are(erf):
    network = StaxNetwork(erf, "erf")
    assert as_network(network) is network
    assert as_network(erf) == StaxNetwork(erf)
    assert as_network(cntk(1)) == cntk(1)
    assert clone(network, safe=False) is network


def test_what_is_no_network_is_refused(erf):
    with pytest.raises(SpecError, match="pass its third member"):
        as_network(to_stax(fully_connected(1)))
    with pytest.raises(SpecError, match=r"network must be an Architecture .*; got 'cntk'"):
        as_network("cntk")
    with pytest.raises(SpecError, match="kernel_fn must be a stax kernel function; got 3"):
        StaxNetwork(3)
    for name in ("", "  ", 4):
        with pytest.raises(SpecError, match="name must be a non-empty string or None"):
            StaxNetwork(erf, name)


@pytest.mark.slow
@pytest.mark.parametrize("readout", ["gap", "lap"])
def test_float64_convolutions_of_full_size_survive_xla(readout):
    # The process crashed here before _FLOAT64_OPTIONS.
    network, shape = cntk(1, readout, half_width=4), (32, 32, 3)
    X, Z = inputs(2, *shape), inputs(1, *shape, seed=1)
    ours, twin = (make_engine(n, shape, dtype=float) for n in (network, to_stax(network)[2]))
    rows, columns = ours.diagonal(X)[:, 0], ours.diagonal(Z)[:, 0]
    K = ours.cross(X, Z)[:, 0]
    assert_agrees(twin.cross(X, Z)[:, 0], K, rows, columns, tolerance(np.float64))
