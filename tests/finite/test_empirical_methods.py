"""Three ways to one empirical NTK: they agree, also with neural-tangents, block by block."""

import jax
import numpy as np
import pytest
from stax_params import as_stax, twin_apply

from ntkreg import Architecture, Conv, Dense, Flatten, Relu, cntk, fully_connected
from ntkreg.architecture import AvgPool, Erf, GlobalAvgPool, Residual
from ntkreg.errors import PlanError, ShapeError, SpecError
from ntkreg.finite import empirical_kernels, finite_network, linearize
from ntkreg.finite.base import Network
from ntkreg.finite.empirical_method import cotangents
from ntkreg.finite.empirical_plan import METHODS, make_plan
from ntkreg.finite.empirical_structured import LayerWise
from ntkreg.finite.precision import precision
from ntkreg.kernels import import_neural_tangents

BLOCK = Residual((Relu(), Conv(stride=2, bias_std=0.3), Erf(), Conv()), (Conv(1, stride=2),))
FROZEN = Architecture(
    (Conv(trainable=False), Relu(), Conv(bias_std=0.2), Flatten(), Dense(trainable=False), Dense())
)
NETWORKS = {
    "dense": (fully_connected(2, bias_std=0.3), (4,), "mup"),
    "conv": (cntk(2, "gap", bias_std=0.2), (4, 5, 2), "ntk"),
    "strides": (
        Architecture(
            (Conv(padding="VALID"), Relu(), Conv(stride=2, padding="CIRCULAR"), Flatten(), Dense())
        ),
        (7, 6, 1),
        "standard",
    ),
    "pooling": (
        Architecture((Conv(), AvgPool(2), Erf(), Conv(bias_std=0.1), Flatten(), Dense(1.0, 0.5))),
        (4, 4, 2),
        "mup",
    ),
    "residual": (
        Architecture((Conv(), BLOCK, Residual((Relu(), Conv())), GlobalAvgPool(), Dense(1.0))),
        (5, 4, 2),
        "standard",
    ),
    "frozen": (FROZEN, (3, 3, 1), "ntk"),
    "last layer on pixels": (Architecture((Conv(), Relu(), Conv(), Flatten())), (3, 3, 1), "ntk"),
}
DENSE = finite_network(fully_connected(2, bias_std=0.3), (4,), width=16, n_outputs=3)


def inputs(n, shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(dtype)


def deviation(found, wanted):
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    return np.abs(found - wanted).max() / np.abs(wanted).max()


@pytest.mark.parametrize(
    ("architecture", "shape", "parametrization"), NETWORKS.values(), ids=NETWORKS
)
def test_three_ways_and_both_orders_give_one_kernel(architecture, shape, parametrization):
    network = finite_network(
        architecture, shape, width=5, n_outputs=3, parametrization=parametrization
    )
    params = network.init(0, float)
    # As many of either: their features come from one compiled program. Other numbers, below.
    x, z = inputs(2, shape, dtype=float), inputs(2, shape, 1, dtype=float)
    full, products, structured = (
        empirical_kernels(network, params, x, z, outputs="full", method=m).ntk for m in METHODS
    )
    o = network.n_outputs
    assert full.shape == (2, 2, o, o)
    assert np.abs(full).min(axis=(0, 1)).max() > 0
    assert deviation(products, full) < 1e-10
    assert deviation(structured, full) < 1e-10
    found = empirical_kernels(network, params, x, z, method="structured").ntk
    assert deviation(found, full.trace(axis1=2, axis2=3) / o) < 1e-10
    plan = make_plan(network, "full", "structured", 2, 2, 8, 2**30)
    other = {"positions": "gradients", "gradients": "positions", "readout": "positions"}
    way = LayerWise(network, "full", [other[order] for order in plan.method.orders])
    with precision(float):
        found = way.product(params, way.features(params, x), way.features(params, z))
    found = np.asarray(found).reshape(2, o, 2, o).transpose(0, 2, 1, 3)
    assert deviation(found, full) < 1e-10


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("dense", "trace"),
        ("dense", "sum"),
        pytest.param("residual", "trace", marks=pytest.mark.slow),
    ],
)
def test_three_ways_agree_in_float32(name, outputs):
    architecture, shape, parametrization = NETWORKS[name]
    network = finite_network(
        architecture, shape, width=16, n_outputs=3, parametrization=parametrization
    )
    params, x = network.init(0), inputs(4, shape)
    first, *others = (
        empirical_kernels(network, params, x, outputs=outputs, method=m).ntk for m in METHODS
    )
    assert first.dtype == np.float32
    assert all(deviation(other, first) < 1e-5 for other in others)


@pytest.mark.parametrize(
    ("name", "parametrization", "outputs"),
    [
        ("dense", "standard", "full"),
        ("conv", "ntk", "trace"),
        pytest.param("residual", "ntk", "full", marks=pytest.mark.slow),
    ],
)
@pytest.mark.filterwarnings("ignore:size requires ndarray:DeprecationWarning")  # in theirs
def test_neural_tangents_gives_the_same_by_both_of_its_ways(
    name, parametrization, outputs, monkeypatch
):
    architecture, shape, _ = NETWORKS[name]
    network = finite_network(
        architecture, shape, width=8, n_outputs=3, parametrization=parametrization
    )
    init_fn, apply_fn = twin_apply(monkeypatch, network)
    params, x, z = network.init(5), inputs(3, shape), inputs(2, shape, 1)
    template = jax.eval_shape(lambda: init_fn(jax.random.key(0), (-1, *shape))[1])
    theirs, nt = as_stax(params, template), import_neural_tangents()
    found = empirical_kernels(network, params, x, z, outputs=outputs, method="structured").ntk
    for way in ("JACOBIAN_CONTRACTION", "NTK_VECTOR_PRODUCTS"):
        kernel_fn = nt.empirical_ntk_fn(
            apply_fn,
            trace_axes=(-1,) if outputs == "trace" else (),
            vmap_axes=0,
            implementation=nt.NtkImplementation[way],
        )
        wanted = np.asarray(jax.jit(kernel_fn)(x, z, theirs))
        assert deviation(found, wanted) < 1e-5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("symmetric", [True, False], ids=["x x", "x z"])
def test_blocks_within_a_memory_bound_give_the_same_kernel(method, symmetric):
    params, x = DENSE.init(0, float), inputs(7, (4,), dtype=float)
    z = None if symmetric else inputs(5, (4,), 1, dtype=float)
    whole = empirical_kernels(DENSE, params, x, z, outputs="full", method=method).ntk
    m = None if symmetric else 5
    bound = next(
        b for b in range(2000, 10**6, 500)
        if fits(method, m, b) and make_plan(DENSE, "full", method, 7, m, 8, b).blocks.rows == 2
    )  # fmt: skip
    plan = make_plan(DENSE, "full", method, 7, m, 8, bound)
    assert plan.blocks.columns < 5
    parts = empirical_kernels(
        DENSE, params, x, z, outputs="full", method=method, max_memory=bound
    ).ntk
    assert deviation(parts, whole) < 1e-13


def fits(method, m, bound):
    try:
        make_plan(DENSE, "full", method, 7, m, 8, bound)
    except PlanError:
        return False
    return True


def test_with_itself_only_blocks_on_and_above_the_diagonal_are_computed(monkeypatch):
    made = []
    product = LayerWise.product

    def counted(self, params, left, right):
        made.append((len(left[0].incoming), len(right[0].incoming)))
        return product(self, params, left, right)

    monkeypatch.setattr(LayerWise, "product", counted)
    params, x = DENSE.init(0), inputs(7, (4,))
    bound = next(b for b in range(2000, 10**6, 100) if rows(b) == 2)
    found = empirical_kernels(DENSE, params, x, method="structured", max_memory=bound).ntk
    assert made == [(2, 2)] * 10
    np.testing.assert_array_equal(found, found.T)


def rows(bound):
    try:
        return make_plan(DENSE, "trace", "structured", 7, None, 4, bound).blocks.rows
    except PlanError:
        return 0


@pytest.mark.parametrize("outputs", ["trace", "full"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_what_is_held_stays_within_the_bound_by_xlas_own_count(kind, method, outputs):
    architecture, shape = (
        (fully_connected(3), (20,)) if kind == "dense" else (cntk(2, "flatten"), (6, 6, 3))
    )
    width = 128 if kind == "dense" else 24
    network, bound = finite_network(architecture, shape, width=width, n_outputs=5), 8 * 2**20
    plan = make_plan(network, outputs, method, 256, 256, 4, bound)
    params = jax.eval_shape(lambda: network.init(0))
    n, m = plan.blocks.rows, plan.blocks.columns
    x, z = (jax.ShapeDtypeStruct((count, *shape), np.float32) for count in (n, m))
    assert 1 < n * m < 256 * 256
    k = cotangents(network, outputs, np.float32).shape[0] if outputs == "full" else 1
    if method == "products":
        held = taken(lambda p, x, z: plan.method.product(p, x, z), params, x, z)
    else:
        sides = [taken(plan.method.features, params, side) for side in (x, z)]
        left, right = (jax.eval_shape(plan.method.features, params, side) for side in (x, z))
        product = taken(plan.method.product, params, left, right)
        features = sum(leaf.size * 4 for leaf in jax.tree.leaves((left, right)))
        held = max(max(sides) + min(sides), features + product)
    assert held <= bound + 4 * n * m * k * k
    assert held > bound / 30


def taken(function, *shapes):
    """Return the bytes that a function takes besides its arguments."""
    memory = jax.jit(function).lower(*shapes).compile().memory_analysis()
    return memory.temp_size_in_bytes + memory.output_size_in_bytes


def test_auto_takes_the_way_that_theory_says():
    wide = finite_network(fully_connected(3), (64,), width=512, n_outputs=10)
    assert make_plan(wide, "full", "auto", 64, None, 4, 2**30).name == "structured"
    # Few channels on many positions: gradients are smaller than what makes them.
    thin = finite_network(cntk(3, "flatten"), (16, 16, 3), width=4, n_outputs=1)
    assert make_plan(thin, "full", "auto", 32, None, 4, 2**30).name != "products"
    # Without layers: products where outputs are many, but not for one sum of them.
    narrow = Unknown(finite_network(fully_connected(2), (64,), width=64, n_outputs=30))
    assert make_plan(narrow, "full", "auto", 64, None, 4, 2**30).name == "products"
    assert make_plan(narrow, "sum", "auto", 64, None, 4, 2**30).name == "jacobian"


class Unknown(Network):
    """A network that shows no layers."""

    def __init__(self, inner):
        self.inner, self.shape = inner, inner.shape

    n_outputs = property(lambda self: self.inner.n_outputs)
    trainable = property(lambda self: self.inner.trainable)
    fingerprint = "unknown"

    def init(self, key, dtype=np.float32):
        return self.inner.init(key, dtype)

    def apply(self, params, x):
        return self.inner.apply(params, x)

    def rates(self, normalized):
        return self.inner.rates(normalized)


def test_networks_that_show_no_layers_have_the_two_other_ways():
    params, x = DENSE.init(0), inputs(4, (4,))
    wanted = empirical_kernels(DENSE, params, x).ntk
    assert deviation(empirical_kernels(Unknown(DENSE), params, x).ntk, wanted) < 1e-5
    with pytest.raises(SpecError, match=r'method="structured" needs the layers'):
        empirical_kernels(Unknown(DENSE), params, x, method="structured")


def test_a_linearised_network_has_the_kernel_of_its_origin_wherever_it_has_moved():
    lin, x = linearize(DENSE), inputs(4, (4,))
    params = lin.init(0)
    params["moved"] = jax.tree.map(lambda leaf: leaf + 1, params["moved"])
    found = empirical_kernels(lin, params, x)
    assert deviation(found.ntk, empirical_kernels(DENSE, params["origin"], x).ntk) < 1e-6
    f = lin.predict(params, x)
    np.testing.assert_allclose(found.nngp, f @ f.T / 3, rtol=1e-5)


def test_the_sum_of_outputs_has_its_own_nngp():
    params, x, z = DENSE.init(0), inputs(4, (4,)), inputs(3, (4,), 1)
    f, g = (DENSE.predict(params, inputs).sum(axis=1) / 3**0.5 for inputs in (x, z))
    found = empirical_kernels(DENSE, params, x, z, outputs="sum").nngp
    np.testing.assert_allclose(found, np.outer(f, g), rtol=1e-4, atol=1e-5)


def test_a_bar_counts_blocks(capsys):
    empirical_kernels(DENSE, DENSE.init(0), inputs(2, (4,)), progress=True)
    assert "1/1" in capsys.readouterr().err
    empirical_kernels(DENSE, DENSE.init(0), inputs(2, (4,)))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"outputs": "all"}, SpecError, "outputs must be one of trace, full, sum; got 'all'"),
        ({"method": "best"}, SpecError, "method must be one of auto, jacobian"),
        ({"max_memory": 0.5}, SpecError, "max_memory must be a number of bytes >= 1; got 0.5"),
        ({"max_memory": 10}, PlanError, "one input with another takes .* Raise max_memory"),
        ({"z": np.ones((2, 3))}, ShapeError, r"z must be \(n, 4\)"),
        ({"x": np.full((1, 4), np.nan)}, SpecError, "x holds 4 values that are NaN"),
        ({"network": "mlp"}, SpecError, "network must come from finite_network or linearize"),
    ],
)
def test_wrong_arguments_are_told_with_what_to_do(options, error, message):
    given = {"network": DENSE, "params": DENSE.init(0), "x": inputs(2, (4,)), **options}
    with pytest.raises(error, match=message):
        empirical_kernels(**given)
