"""Finite networks give what their stax twins give, and refuse what they cannot read."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from stax_params import as_stax, twin_apply

from ntkreg import Architecture, Conv, Dense, Flatten, Relu, cntk, finite, fully_connected
from ntkreg.architecture import (
    Activation,
    AvgPool,
    GlobalAvgPool,
    Identity,
    NormalizedGaussian,
    Residual,
)
from ntkreg.architecture.activations import ACTIVATIONS
from ntkreg.architecture.registry import LAYERS
from ntkreg.errors import ShapeError, SpecError
from ntkreg.finite import finite_network

BLOCK = Residual(
    (Relu(), Conv(stride=2, bias_std=0.1), Relu(), Conv(padding="CIRCULAR")), (Conv(1, stride=2),)
)

TWINS = {
    "dense": (fully_connected(3, bias_std=0.2, weight_std=1.2), (7,)),
    "linear": (fully_connected(0), (7,)),
    "flatten": (cntk(2, "flatten", window=5), (4, 5, 3)),
    "gap": (cntk(2, "gap", bias_std=0.3), (4, 5, 3)),
    "lap": (cntk(2, "lap", half_width=1), (5, 4, 2)),
    "lap wider than the image": (cntk(2, "lap", half_width=4), (3, 4, 2)),
    "by hand": (Architecture((Conv(1, 1.1, 0.2), Conv(), Relu(), Flatten(), Dense())), (3, 4, 2)),
    "residual": (
        Architecture((Conv(), BLOCK, Residual((Relu(), Conv())), GlobalAvgPool(), Dense(1.0))),
        (6, 5, 2),
    ),
    "dense residual": (Architecture((Dense(), Residual((Relu(), Dense())), Dense(1.0))), (5,)),
    "no padding": (
        Architecture((Conv(padding="VALID"), AvgPool(2), Flatten(), Dense())),
        (6, 7, 2),
    ),
    "wide strides": (
        Architecture(
            (Conv(1, stride=3), Relu(), Conv(5, padding="CIRCULAR", stride=2), Flatten(), Dense())
        ),
        (7, 8, 2),
    ),
    **{
        name: (Architecture((Dense(1.2, 0.1), activation, Dense(1.0))), (5,))
        for name, activation in ACTIVATIONS.items()
        if name not in ("relu", "normalized_gaussian")
    },
}


def inputs(n, shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(dtype)


CASES = [
    pytest.param(*twin, kind, id=f"{name}-{kind}")
    for name, twin in TWINS.items()
    for kind in ("ntk", "standard")
    if kind == "ntk" or name not in ACTIVATIONS  # which know nothing of parametrisations
]


@pytest.mark.parametrize(("architecture", "shape", "parametrization"), CASES)
def test_same_parameters_give_the_output_of_the_stax_twin(
    architecture, shape, parametrization, monkeypatch
):
    network = finite_network(
        architecture, shape, width=6, n_outputs=3, parametrization=parametrization
    )
    init_fn, apply_fn = twin_apply(monkeypatch, network)
    params, x = network.init(5), inputs(4, shape)
    template = jax.eval_shape(lambda: init_fn(jax.random.key(0), (-1, *shape))[1])
    wanted = np.asarray(jax.jit(apply_fn)(as_stax(params, template), x))
    assert np.std(wanted) > 0.02
    np.testing.assert_allclose(network.predict(params, x), wanted, rtol=1e-6, atol=1e-6)


def test_every_layer_there_is_has_a_finite_form():
    for cls in LAYERS.values():
        if issubclass(cls, Activation):
            finite_network(Architecture((Dense(), cls(), Dense())), (3,), width=2)
    seen = {type(s).__name__ for architecture, _ in TWINS.values() for s in architecture.layers}
    others = {name for name, cls in LAYERS.items() if not issubclass(cls, Activation)}
    assert others <= seen


def test_the_normalised_gaussian_scales_with_its_input_and_survives_zeros():
    network = finite_network(Architecture((Dense(), NormalizedGaussian(), Dense())), (3,), width=50)
    params, x = network.init(0), inputs(4, (3,))
    np.testing.assert_allclose(
        network.predict(params, 3 * x), 3 * network.predict(params, x), rtol=1e-5
    )
    assert np.all(network.predict(params, 0 * x) == 0)
    gradient = jax.grad(lambda p: network.apply(p, 0 * x).sum())(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("parametrization", ["ntk", "standard", "mup"])
def test_the_function_at_the_start_has_the_same_spread_in_every_hidden_layer(parametrization):
    network = finite_network(
        fully_connected(2, bias_std=0.5), (40,), width=500, parametrization=parametrization
    )
    x = inputs(20, (40,))
    found = network.activations(network.init(1), x)
    # weight_std sqrt(2): squares (before ReLU) stay at 2 |x|^2 / d, plus 0.25 a layer.
    first = 2 * np.mean(x**2) + 0.25
    assert np.mean(np.square(found[0])) == pytest.approx(first, rel=0.15)
    assert np.mean(np.square(found[2])) == pytest.approx(first + 0.25, rel=0.2)


def test_the_read_out_of_mup_starts_smaller_by_the_root_of_the_width():
    def spread(parametrization, width):
        network = finite_network(
            fully_connected(1), (3,), width=width, n_outputs=400, parametrization=parametrization
        )
        return np.std(network.predict(network.init(2), inputs(5, (3,))))

    for width in (100, 400):
        ratio = spread("ntk", width) / spread("mup", width)
        assert ratio == pytest.approx(np.sqrt(width), rel=0.05)


def test_seeds_go_through_vmap_and_give_what_each_gives_alone():
    network = finite_network(cntk(1), (4, 4, 2), width=5)
    x = inputs(3, (4, 4, 2))

    def run(seed):
        return network.apply(network.init(jax.random.key(seed)), x)

    together = jax.jit(jax.vmap(run))(np.arange(3))
    assert np.std(together) > 0.1
    for seed in range(3):
        alone = network.apply(network.init(seed), x)
        np.testing.assert_allclose(together[seed], alone, rtol=1e-5, atol=1e-6)


def test_one_number_is_the_width_of_every_hidden_layer_and_a_list_has_one_each():
    many = finite_network(fully_connected(3), (4,), width=(5, 6, 7), n_outputs=2)
    shapes = [p["w"].shape for p in many.init(0) if p]
    assert shapes == [(4, 5), (5, 6), (6, 7), (7, 2)]
    assert finite_network(fully_connected(3), (4,), width=9).widths == (9, 9, 9, 1)
    assert "b" not in many.init(0)[0]
    assert finite_network(fully_connected(1, bias_std=0.1), (4,)).init(0)[0]["b"].shape == (512,)


def test_parameters_come_in_the_dtype_asked_for_without_the_global_switch():
    network = finite_network(cntk(1, "lap"), (4, 4, 2), width=5)
    for dtype in (np.float32, np.float64):
        params = network.init(0, dtype)
        assert {p.dtype for p in jax.tree.leaves(params)} == {np.dtype(dtype)}
        assert network.predict(params, inputs(2, (4, 4, 2))).dtype == dtype
    assert not jax.config.jax_enable_x64
    with pytest.raises(SpecError, match="dtype must be float32 or float64; got 'float16'"):
        network.init(0, "float16")


def test_untrained_layers_are_told_apart_and_put_back():
    network = finite_network(fully_connected(2, train_first=False, bias_std=0.1), (3,), width=4)
    params = network.init(0)
    trained, fixed = network.split(params)
    assert [p.shape for p in jax.tree.leaves(fixed)] == [(4,), (3, 4)]
    assert [p.shape for p in jax.tree.leaves(trained)] == [(4,), (4, 4), (4, 1)]
    together = network.join(trained, fixed)
    assert jax.tree.structure(together) == jax.tree.structure(params)
    assert all(map(np.array_equal, jax.tree.leaves(together), jax.tree.leaves(params)))


def test_a_fingerprint_tells_networks_apart():
    def make(**options):
        return finite_network(fully_connected(1), (3,), **{"width": 4, **options}).fingerprint

    assert make() == make()
    others = [make(width=5), make(n_outputs=2), make(parametrization="mup")]
    assert len({make(), *others}) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, r"width must be an integer >= 1; got 0"),
        ({"width": 2.5}, r"width must be an integer or one for each hidden layer; got 2.5"),
        ({"width": (3, 4, 5)}, r"each of the 2 hidden layers with weights; got 3: \(3, 4, 5\)"),
        ({"width": (3, True)}, r"width\[1\] must be an integer >= 1; got True"),
        ({"n_outputs": None}, r"n_outputs must be an integer >= 1; got None"),
        ({"parametrization": "NTK"}, r"one of ntk, standard, mup; got 'NTK'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(SpecError, match=message):
        finite_network(fully_connected(2), (3,), **options)


def test_shapes_that_the_network_does_not_read_are_refused():
    with pytest.raises(ShapeError, match=r"must be \(d,\); got \(4, 4, 3\). Flatten .* \(48,\)"):
        finite_network(fully_connected(2), (4, 4, 3))
    with pytest.raises(ShapeError, match=r"must be \(h, w, c\), .* reads images; got \(48,\)"):
        finite_network(cntk(2), (48,))
    with pytest.raises(ShapeError, match=r"must be \(d,\); got 3"):
        finite_network(fully_connected(2), 3)
    network = finite_network(cntk(1), (4, 4, 3), width=2)
    with pytest.raises(ShapeError, match=r"must be \(n, 4, 4, 3\), .*; got \(4, 4, 3\)"):
        network.apply(network.init(0), np.zeros((4, 4, 3)))


def test_images_too_small_and_branches_of_different_width_are_refused():
    network = Architecture((Conv(), BLOCK, GlobalAvgPool(), Dense(1.0)))
    assert finite_network(network, (4, 4, 1), width=(3, 4, 5, 5)).widths == (3, 4, 5, 5, 1)
    with pytest.raises(ShapeError, match=r"body gives \(2, 2, 5\), the shortcut \(2, 2, 6\)"):
        finite_network(network, (4, 4, 1), width=(3, 4, 5, 6))
    with pytest.raises(ShapeError, match="leaves no pixels of an image of 2 x 2"):
        finite_network(Architecture((Conv(padding="VALID"), Flatten(), Dense())), (2, 2, 1))


def test_read_outs_in_a_residual_block_are_refused():
    open_ended = Architecture((Dense(), Residual((Relu(), Dense())), Identity()))
    with pytest.raises(SpecError, match=r"no place for n_outputs. Add Dense\(weight_std=1.0\)"):
        finite_network(open_ended, (3,))


def test_the_room_is_entered_without_jax_and_every_name_is_documented():
    code = "import sys, ntkreg.finite; print([m for m in ('jax', 'optax') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"
    for name in finite.__all__:
        assert getattr(finite, name).__doc__, name


def test_what_has_no_weights_or_is_no_architecture_is_refused():
    with pytest.raises(SpecError, match="has no layer with weights"):
        finite_network(Architecture((Flatten(),)), (2, 2, 1))
    with pytest.raises(SpecError, match="architecture must be an Architecture"):
        finite_network("cntk", (2, 2, 1))
