"""Curvature operators equal dense matrices, on every layer and loss."""

import jax
import landscape_cases as cases
import numpy as np
import pytest

from ntkreg.errors import BackendError, PlanError, ShapeError, SpecError
from ntkreg.landscape import (
    GaussNewton,
    Hessian,
    Operator,
    criticality,
    extreme_eigenvalues,
    inertia,
    lanczos,
    layer_gradient_norms,
    spectral_density,
    trace,
)
from ntkreg.landscape.library import matfree

FAST = ("dense",)
CASES = [
    pytest.param(name, loss, id=f"{name}, {loss}", marks=[] if name in FAST else pytest.mark.slow)
    for name in (*cases.NETWORKS, "linearized")
    for loss in ("squared", "cross_entropy")
]


@pytest.mark.parametrize(("name", "loss"), CASES)
def test_products_and_matrices_equal_dense_derivatives(name, loss):
    surface = cases.surface_of(name, loss)
    v = np.random.default_rng(1).normal(size=surface.theta.shape)
    operators = Hessian(surface), GaussNewton(surface)
    for seed in range(surface.n_seeds):
        for operator, wanted in zip(operators, cases.dense_curvature(surface, seed), strict=True):
            scale = np.abs(wanted).max()
            assert scale > 1e-3
            assert np.abs(operator.dense()[seed] - wanted).max() < 1e-12 * scale
            assert np.abs(operator(v)[seed] - wanted @ v[seed]).max() < 1e-11 * scale


def test_gradients_are_differences_of_losses():
    surface = cases.surface_of()
    g, h = surface.gradients(), 1e-5
    for k in (0, 7, 29):
        step = h * np.eye(surface.n_parameters)[k]
        change = surface.losses(surface.theta + step) - surface.losses(surface.theta - step)
        assert np.allclose(change / (2 * h), g[:, k], atol=1e-8)
    layers = layer_gradient_norms(surface)
    assert layers.shape == (2, 2)
    assert np.allclose(np.square(layers).sum(axis=1), np.square(g).sum(axis=1))


@pytest.mark.slow
def test_a_linearised_network_has_a_convex_loss():
    surface = cases.surface_of("linearized")
    hessian = Hessian(surface).dense()
    assert np.abs(hessian - GaussNewton(surface).dense()).max() < 1e-13
    assert np.linalg.eigvalsh(hessian).min() > -1e-13


def test_lanczos_has_no_ghosts_past_the_end_of_the_krylov_space():
    # 12 outputs on 30 parameters: rank 12, so that the recursion breaks down after 13 steps.
    operator = GaussNewton(cases.surface_of())
    exact = np.linalg.eigvalsh(operator.dense())
    for k, pairs in enumerate(lanczos(operator, 30)):
        assert len(pairs.values) == 13
        assert np.abs(pairs.values[:, None] - exact[k]).min(axis=1).max() < 1e-12 * exact[k, -1]
        assert pairs.residuals.max() < 1e-12 * exact[k, -1]
        assert np.isclose(pairs.weights.sum(), 1)
    few = lanczos(operator, 4)[0]  # the same Krylov space, not full: errors within residuals
    apart = np.abs(few.values[:, None] - exact[0]).min(axis=1)
    assert np.all(apart <= few.residuals)
    assert few.residuals.max() > 1e-3 * exact[0, -1]


def test_ends_trace_and_counts_equal_those_of_the_matrix():
    operator = Hessian(cases.surface_of())
    exact = np.linalg.eigvalsh(operator.dense())
    ends = extreme_eigenvalues(operator)
    assert np.allclose(ends.largest, exact[:, -1], rtol=1e-10)
    assert np.allclose(ends.smallest, exact[:, 0], rtol=1e-8)
    counts = inertia(operator)
    assert np.array_equal(counts.positive, (exact > counts.bound[:, None]).sum(axis=1))
    assert np.all(counts.positive + counts.zero + counts.negative == 30)
    assert counts.negative.min() > 0
    assert np.allclose(counts.negative_share, -exact[:, 0] / exact[:, -1])
    assert np.allclose(trace(operator).value, exact.sum(axis=1))
    guess = trace(operator, n_products=20)
    assert np.all(np.abs(guess.value - exact.sum(axis=1)) < 4 * guess.error)
    assert np.all(guess.error < 0.5 * np.abs(exact).sum(axis=1))


def test_density_has_the_moments_of_the_spectrum():
    operator = Hessian(cases.surface_of())
    exact = np.linalg.eigvalsh(operator.dense())
    for density, values in zip(spectral_density(operator, 30, n_starts=20), exact, strict=True):
        assert np.isclose(density.weights.sum(), 1)
        assert abs(density.share(0.05, 99) - (values > 0.05).mean()) < 0.15
        assert abs(density.weights @ density.points - values.mean()) < 0.1 * values.std()
        at = np.linspace(-3, values[-1] + 3, 400)
        assert np.isclose(density.smoothed(at, 0.3).sum() * (at[1] - at[0]), 1, atol=1e-3)


def test_nothing_is_undefined_without_a_word_where_all_is_zero():
    surface = cases.surface_of()
    zero = np.zeros_like(surface.theta)
    fitted = surface.on(surface.X, np.zeros_like(surface.y))
    hessian = Hessian(fitted, zero)
    # All weights zero: only biases move no output, so that the Hessian vanishes altogether.
    assert not hessian.dense().any()
    pairs = lanczos(hessian, 5)[0]
    assert pairs.values == [0]
    assert pairs.residuals == [0]
    assert inertia(hessian).negative_share.mask.all()
    found = criticality(fitted, zero)
    assert not found.gradient_norm.any()
    assert found.curvature_ratio.mask.all()
    assert np.isfinite(found.curvature_ratio.data).all()


def test_curvature_is_the_same_in_rotated_inputs():
    surface = cases.surface_of()
    Q = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    params = surface.params(surface.theta)
    rotated = ({**params[0], "w": Q.T @ np.asarray(params[0]["w"])}, *params[1:])
    other = type(surface)(surface.network, rotated, surface.X @ Q, surface.y)
    for operator in (Hessian, GaussNewton):
        one, two = (np.linalg.eigvalsh(operator(s).dense()) for s in (surface, other))
        assert np.abs(one - two).max() < 1e-12 * one.max()


def test_an_operator_that_draws_numbers_is_refused():
    class Noisy(Operator):
        @staticmethod
        def product(network, loss):
            def draw(v):
                return np.random.default_rng().normal(size=v.shape)

            return lambda v, *_: jax.pure_callback(draw, v, v, vmap_method="sequential")

    with pytest.raises(SpecError, match="gave two results"):
        Noisy(cases.surface_of())


def test_what_an_operator_cannot_take_is_named(monkeypatch):
    operator = Hessian(cases.surface_of())
    with pytest.raises(ShapeError, match=r"v must be \(2, 30\); got \(30,\)"):
        operator(np.ones(30))
    with pytest.raises(SpecError, match="n_products must be an integer >= 1; got 0"):
        lanczos(operator, 0)
    with pytest.raises(SpecError, match="n_products must be an integer >= 2"):
        trace(operator, 1)
    monkeypatch.setattr("ntkreg.landscape.operator.DENSE", 29)
    with pytest.raises(PlanError, match="30 parameters are too many"):
        inertia(operator)
    monkeypatch.setitem(__import__("sys").modules, "matfree.decomp", None)
    with pytest.raises(BackendError, match=r"needs matfree.*ntkreg\[landscape\]"):
        matfree("lanczos", "decomp")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Hessian, GaussNewton])
def test_a_product_takes_memory_linear_in_parameters(kind):
    from ntkreg import fully_connected
    from ntkreg.finite import finite_network
    from ntkreg.landscape.operator import _products

    taken = {}
    for width in (64, 256):
        network = finite_network(fully_connected(2, activation="erf"), (3,), width=width)
        surface = cases.LossSurface(network, network.init_seeds([0]), np.ones((4, 3)), np.ones(4))
        run = _products(kind, network, "squared")
        compiled = run.lower(surface.theta, *kind(surface).operands).compile()
        taken[width] = compiled.memory_analysis().temp_size_in_bytes / surface.theta.nbytes
    assert taken[256] < 12
    assert taken[256] < 1.5 * taken[64]


@pytest.mark.slow
def test_operators_run_where_jax_may_promote_nothing():
    surface = cases.surface_of("pool, flatten", "cross_entropy")
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        jax.clear_caches()
        for kind in (Hessian, GaussNewton):
            assert np.isfinite(kind(surface).dense()).all()
        assert np.isfinite(surface.losses()).all()
        assert np.isfinite(layer_gradient_norms(surface)).all()
