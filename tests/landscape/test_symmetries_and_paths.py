"""Symmetries leave outputs alone, matching undoes them, barriers know no direction."""

import jax
import landscape_cases as cases
import numpy as np
import pytest

from ntkreg import Architecture, Dense, Relu, fully_connected
from ntkreg.errors import DivergenceError, ShapeError, SpecError
from ntkreg.finite import finite_network, linearize
from ntkreg.landscape import (
    GaussNewton,
    LossSurface,
    Path,
    apply_symmetry,
    barrier,
    draw_symmetry,
    filter_normalized_directions,
    filter_sharpness,
    find_basins,
    find_curve,
    line,
    match,
    plane,
    straight,
    symmetries_of,
)

FAST = ("dense", "read-out with bias", "pool, flatten")


def one_of(params, k):
    return jax.tree.map(lambda leaf: np.asarray(leaf[k]), params)


def stacked(*many):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *many)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in cases.NETWORKS],
)
def test_moved_units_leave_outputs_as_they_are_and_matching_undoes_them(name):
    network = cases.network_of(name)
    X, _ = cases.task_of(name)
    params = one_of(network.init_seeds([0], "float64"), 0)
    moved = apply_symmetry(network, params, draw_symmetry(network, 2))
    leaves = zip(jax.tree.leaves(params), jax.tree.leaves(moved), strict=True)
    assert max(np.abs(a - b).max() for a, b in leaves) > 0.5
    assert np.abs(network.predict(moved, X) - network.predict(params, X)).max() < 1e-13
    back = match(network, stacked(moved), stacked(params))
    assert np.abs(network.predict(one_of(back, 0), X) - network.predict(params, X)).max() < 1e-13
    apart = [
        np.sqrt(
            sum(np.square(a - b).sum() for a, b in zip(*map(jax.tree.leaves, pair), strict=True))
        )
        for pair in ((one_of(back, 0), params), (moved, params))
    ]
    assert apart[0] < 0.7 * apart[1]
    if len(symmetries_of(network).sizes) == 1:  # more groups: a local optimum
        assert apart[0] == 0


def test_signs_pass_through_odd_activations_alone():
    assert symmetries_of(cases.network_of("dense")).odd == {1}
    assert not symmetries_of(cases.network_of("deep")).odd
    # Group 1 is the residual chain, all erf; 2 inside; the read-out's input comes after gelu.
    residual = symmetries_of(cases.network_of("residual"))
    assert len(residual.sizes) == 3
    assert len(residual.odd) == 2


def test_curvature_is_the_same_for_moved_units():
    surface = cases.surface_of()
    network = surface.network
    params = surface.params(surface.theta)
    moved = [apply_symmetry(network, one_of(params, k), draw_symmetry(network, k)) for k in (0, 1)]
    other = LossSurface(network, stacked(*moved), surface.X, surface.y)
    one, two = (np.linalg.eigvalsh(GaussNewton(s).dense()) for s in (surface, other))
    assert np.abs(one - two).max() < 1e-12 * one.max()


def fitted():
    """Return a surface at two copies of one minimum, and two moved copies of it."""
    network = cases.network_of("dense")
    one = one_of(network.init_seeds([0], "float64"), 0)
    X, _ = cases.task_of("dense")
    surface = LossSurface(network, stacked(one, one), X, network.predict(one, X))
    moved = [apply_symmetry(network, one, draw_symmetry(network, k)) for k in (5, 6)]
    return surface, stacked(*moved)


def test_matching_lowers_the_barrier_between_moved_copies_to_nothing():
    surface, copies = fitted()
    network, params = surface.network, surface.params(surface.theta)
    before = barrier(surface, straight(surface.theta, surface.vector(copies)))
    assert before.relative.min() > 0.01
    near = match(network, copies, params)
    after = barrier(surface, straight(surface.theta, surface.vector(near)))
    assert after.height.max() < 1e-14


@pytest.mark.parametrize("kind", ["bezier", "polygon"])
def test_barriers_are_the_same_backwards(kind):
    surface, _ = fitted()
    end = np.random.default_rng(3).normal(size=(2, surface.n_parameters))
    points = np.stack([surface.theta, -3 * end, end], axis=1)  # ends of different losses
    ahead = barrier(surface, Path(points, kind))
    back = barrier(surface, Path(points[:, ::-1], kind))
    assert np.abs(ahead.losses[:, -1] - ahead.losses[:, 0]).min() > 0.01
    assert ahead.height.min() > 0.01
    for height, losses in zip(ahead.height, ahead.losses, strict=True):
        line = np.interp(np.arange(65), [0, 64], losses[[0, -1]])
        assert height == pytest.approx((losses - line).max())
    assert np.abs(ahead.height - back.height).max() < 1e-13
    assert np.abs(ahead.losses - back.losses[:, ::-1]).max() < 1e-13
    assert np.allclose(ahead.relative, ahead.height / (0.5 * np.square(surface.y).sum() / 6))


@pytest.mark.parametrize("kind", ["bezier", pytest.param("polygon", marks=pytest.mark.slow)])
def test_a_curve_goes_round_the_barrier_of_the_straight_line(kind):
    # u.v = 1 in four dimensions is connected; half-way from (u, v) to (-u, -v) is the saddle 0.
    network = finite_network(
        fully_connected(1, weight_std=1.0, activation="identity"), (1,), width=2
    )
    params = jax.tree.map(lambda p: np.full(p.shape, 2**-0.25), network.init_seeds([0], "float64"))
    surface = LossSurface(network, params, [[1.0]], [1.0])
    assert surface.losses() == pytest.approx(0, abs=1e-15)
    ends = surface.theta, -surface.theta
    assert barrier(surface, straight(*ends)).relative[0] == pytest.approx(1)
    curve = find_curve(surface, *ends, kind=kind, n_bends=3, n_steps=400, learning_rate=0.05)
    assert np.array_equal(curve.points[:, 0], ends[0])
    assert np.array_equal(curve.points[:, -1], ends[1])
    assert barrier(surface, curve).relative[0] < 0.1


def test_slices_do_not_depend_on_the_scale_of_relu_layers():
    layers = [Dense(1.4, 0.4), Relu(), Dense(1.4, 0.4), Relu(), Dense(1.0, 0.2)]
    network = finite_network(Architecture(layers), (3,), width=4, n_outputs=2)
    first, r1, second, r2, last = network.init_seeds([0, 1], "float64")
    c = 8.0
    scaled = (
        jax.tree.map(lambda p: c * np.asarray(p), first),
        r1,
        {"w": np.asarray(second["w"]) / c, "b": second["b"]},
        r2,
        last,
    )
    X, y = cases.task_of("dense")
    found = []
    for params in ((first, r1, second, r2, last), scaled):
        surface = LossSurface(network, params, X, y)
        d, e = (filter_normalized_directions(surface, seed=s) for s in (0, 1))
        at = np.linspace(-1, 1, 5)
        found.append(
            (line(surface, d, at), plane(surface, d, e, at), filter_sharpness(surface, 0.5).value)
        )
    for one, other in zip(*found, strict=True):
        assert np.abs(one - other).max() < 1e-12
        assert one.std() > 0.01


def test_filters_keep_their_norms_biases_too():
    surface = cases.surface_of()
    d = surface.params(filter_normalized_directions(surface))
    own = surface.params(surface.theta)
    assert np.allclose(abs(d[0]["b"]), abs(own[0]["b"]))
    for layer in (0, 2):
        lengths = [np.linalg.norm(np.asarray(p[layer]["w"]), axis=1) for p in (d, own)]
        assert np.allclose(*lengths)


@pytest.mark.slow
def test_basins_are_counted_modulo_symmetries():
    # Two minima of a teacher-student task, known since the data are their own outputs.
    network = finite_network(fully_connected(1, activation="erf", weight_std=1.0), (2,), width=2)
    teacher = one_of(network.init_seeds([3], "float64"), 0)
    X = np.random.default_rng(0).normal(size=(20, 2))
    y = network.predict(teacher, X)
    copies = [apply_symmetry(network, teacher, draw_symmetry(network, s)) for s in range(5)]
    flat = jax.tree.map(np.zeros_like, teacher)  # a critical point, and none of these
    far = jax.tree.map(lambda p: 2 * p, teacher)  # no critical point
    found = find_basins(LossSurface(network, stacked(flat, *copies, far), X, y))
    assert found.labels.tolist() == [1, 0, 0, 0, 0, 0, -1]
    assert found.counts.tolist() == [5, 1]
    assert found.losses == pytest.approx([0, 0.5 * np.square(y).mean()], abs=1e-15)
    assert found.hessian_norms[0] > found.hessian_norms[1] > 0
    with pytest.raises(SpecError, match="no gradient is below 1e-09"):
        find_basins(LossSurface(network, stacked(far), X, y))


def test_what_paths_and_symmetries_cannot_take_is_named():
    surface = cases.surface_of()
    with pytest.raises(SpecError, match="must come from finite_network"):
        symmetries_of(linearize(surface.network))
    with pytest.raises(SpecError, match="no hidden units"):
        symmetries_of(finite_network(fully_connected(0), (3,)))
    with pytest.raises(ShapeError, match=r"joins vectors \(2, 3\)"):
        barrier(surface, straight(np.ones((2, 3)), np.ones((2, 3))))
    with pytest.raises(ShapeError, match="both ends"):
        straight(surface.theta, surface.theta[:1])
    with pytest.raises(SpecError, match="kind must be bezier or polygon; got 'spline'"):
        Path(np.ones((1, 2, 3)), "spline")
    with pytest.raises(SpecError, match="n_points must be an integer >= 3; got 2"):
        barrier(surface, straight(surface.theta, surface.theta), 2)
    with pytest.raises(SpecError, match="n_bends must be an integer >= 1; got 0"):
        find_curve(surface, surface.theta, surface.theta, n_bends=0)
    with pytest.raises(ShapeError, match=r"direction must be \(2, 30\)"):
        line(surface, np.ones(30), [0, 1])
    with pytest.raises(ShapeError, match="at must list one or more finite numbers"):
        line(surface, surface.theta, [])
    with pytest.raises(DivergenceError, match=r"overflows float64 \(network 0, point 1 of 2\)"):
        line(surface, surface.theta, [0, 1e300])
    silent = surface.on(surface.X, 0 * surface.y)
    assert barrier(silent, straight(surface.theta, -surface.theta)).relative.mask.all()
